//! SASL against libvirtd: names and passwords from auth.conf and from a terminal, with virsh as the
//! control.

use super::tls::{LISTEN, Place};
use super::transports::await_port;
use crate::pki::maker::Spec;
use crate::support::{Libvirtd, Needs, Ran, run, tool, trial_if, virt};
use libtest_mimic::Trial;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const NAME: &str = "fred";
const PASSWORD: &str = "tiger = stripes";

/// Types lines at a terminal's prompts.
const TERMINAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/terminal.py");

/// Returns the needs of a libvirtd with SASL: saslpasswd2.
fn needs() -> Needs<PathBuf> {
    Libvirtd::available()?;
    tool("virsh")?;
    let modules = ["/usr/lib", "/usr/lib64"].into_iter().flat_map(|lib| {
        let inner = fs::read_dir(lib).into_iter().flatten().flatten().map(|entry| entry.path());
        inner.chain([lib.into()]).map(|path| path.join("sasl2/libscram.so"))
    });
    if !modules.into_iter().any(|path| path.exists()) {
        return Err("needs libsasl2-modules".to_owned());
    }
    // a place to mount over
    if !Path::new("/etc/sasl2").is_dir() {
        return Err("needs /etc/sasl2".to_owned());
    }
    tool("saslpasswd2")
}

pub(crate) fn trials() -> Vec<Trial> {
    let with_terminal = || tool("python3").and_then(|python| Ok((needs()?, python)));
    vec![
        trial_if(needs(), "real/sasl/auth_conf_lets_in_as_with_virsh", auth_conf),
        trial_if(
            needs().and_then(|p| tool("nsenter").map(|_| p)),
            "real/sasl/over_tls_and_never_in_the_clear",
            |saslpasswd2| over_the_network(&saslpasswd2),
        ),
        trial_if(with_terminal(), "real/sasl/a_terminal_is_asked", |(saslpasswd2, python)| {
            terminal(&saslpasswd2, &python);
        }),
    ]
}

/// A libvirtd that knows one user and asks for SASL.
fn libvirtd(saslpasswd2: &Path) -> Libvirtd {
    Libvirtd::start_with("auth_unix_rw = \"sasl\"\n", "", |dir| add_user(saslpasswd2, dir))
}

/// Adds the user to SASL's database in a daemon's directory.
fn add_user(saslpasswd2: &Path, directory: &Path) {
    let sasl = directory.join("sasl2");
    fs::create_dir(&sasl).unwrap();
    let users = sasl.join("users.db");
    let conf = format!("mech_list: scram-sha-256\nsasldb_path: {}\n", users.display());
    fs::write(sasl.join("libvirt.conf"), conf).unwrap();
    let mut command = Command::new(saslpasswd2);
    command.args(["-p", "-a", "libvirt", "-c", "-f"]).arg(&users).arg(NAME);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Checks that over TLS the server is authenticated before the name is sent; without encryption nothing is
/// sent.
fn over_the_network(saslpasswd2: &Path) {
    let ca = Spec::ca("our CA");
    let conf = LISTEN.replace("listen_tcp = 0", "listen_tcp = 1\nauth_tcp = \"sasl\"");
    let conf = conf.replace("auth_tls = \"none\"", "auth_tls = \"sasl\"");
    let libvirtd = Libvirtd::start_with(&conf, "", |dir| {
        add_user(saslpasswd2, dir);
        let server = Spec::server("kvm").dns(&["localhost"]);
        Place::new(&dir.join("server")).ca(&ca).end("server", &server, &ca);
        Place::new(&dir.join("client")).ca(&ca).end("client", &Spec::client("me"), &ca);
    });
    await_port(&libvirtd, 16514);
    let directory = tempfile::tempdir().unwrap();
    let by = |uri: &str, password: &str| {
        let mut command = virt(&["-c", uri, "get"]);
        command.env("LIBVIRT_AUTH_FILE", auth_file(&directory, password));
        hides(run(&mut libvirtd.inside(&command)))
    };
    let pkipath = libvirtd.path("client");
    let tls = format!("test+tls://localhost/default?pkipath={}", pkipath.display());
    assert!(by(&tls, PASSWORD).expect(0).stdout().contains("domain/test"));
    let refused = by(&tls, "lion = mane").expect(1);
    assert!(refused.stderr().contains("authentication failed"), "{refused}");
    let refused = by("test+tcp://localhost/default", PASSWORD).expect(1);
    assert!(refused.stderr().contains("SASL over plain tcp needs GSSAPI"), "{refused}");
}

/// An auth.conf with that password for every host.
fn auth_file(directory: &TempDir, password: &str) -> PathBuf {
    let path = directory.path().join("auth.conf");
    let text = format!(
        "# for the tests\n[credentials-test]\nauthname={NAME}\npassword={password}\n\n\
         [auth-libvirt-localhost]\ncredentials=test\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Checks that no output of a run shows the password.
#[track_caller]
fn hides(ran: Ran) -> Ran {
    assert!(!ran.stdout().contains("tiger") && !ran.stderr().contains("tiger"), "{ran}");
    ran
}

fn auth_conf(saslpasswd2: PathBuf) {
    let libvirtd = libvirtd(&saslpasswd2);
    let directory = tempfile::tempdir().unwrap();
    let get = |uri: &str, file: Option<&Path>| {
        let mut command = virt(&["-c", uri, "get", "-vvv"]);
        if let Some(file) = file {
            command.env("LIBVIRT_AUTH_FILE", file);
        }
        hides(run(&mut command))
    };
    let list = |uri: &str, file: &Path| {
        let mut command = Command::new("virsh");
        command.args(["-c", uri, "list", "--all", "--name"]).env("LIBVIRT_AUTH_FILE", file);
        run(&mut command)
    };
    let uri = libvirtd.test_uri();
    let file = auth_file(&directory, PASSWORD);
    assert_eq!(list(&uri, &file).expect(0).stdout().trim(), "test");
    let seen = get(&uri, Some(&file)).expect(0);
    assert!(seen.stdout().contains("domain/test"), "{seen}");
    assert!(!seen.stderr().contains("can get at the passwords"), "{seen}");
    for more in ["auth=sasl", "auth=sasl.scram-sha-256"] {
        get(&format!("{uri}&{more}&authfile={}", file.display()), None).expect(0);
    }
    let refused = get(&format!("{uri}&auth=polkit"), Some(&file)).expect(1);
    assert!(refused.stderr().contains("by polkit, and the server offers sasl"), "{refused}");
    let refused = get(&format!("{uri}&auth=sasl.plain"), Some(&file)).expect(1);
    assert!(refused.stderr().contains("the server offers SCRAM-SHA-256"), "{refused}");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let seen = get(&uri, Some(&file)).expect(0);
    assert_eq!(seen.stderr().matches("can get at the passwords").count(), 1, "{seen}");

    let nobody = get(&uri, None).expect(1);
    let hint = "[auth-libvirt-localhost]";
    assert!(nobody.stderr().contains("no terminal") && nobody.stderr().contains(hint), "{nobody}");

    let wrong = auth_file(&directory, "tiger without");
    assert_ne!(list(&uri, &wrong).code(), 0);
    let refused = get(&uri, Some(&wrong)).expect(1);
    assert!(refused.stderr().contains("did not accept user 'fred'"), "{refused}");
    assert!(refused.stderr().contains("look into [credentials-test] of /"), "{refused}");
}

/// Returns the output of `virt get` at a terminal where these lines are typed, one at each prompt.
fn typed(python: &Path, uri: &str, lines: &[&str]) -> Ran {
    let program = virt(&[]).get_program().to_owned();
    let mut command = Command::new(python);
    command.arg(TERMINAL).args(lines).arg("--").arg(program).args(["-c", uri, "get"]);
    hides(run(&mut command))
}

fn terminal(saslpasswd2: &Path, python: &Path) {
    let libvirtd = libvirtd(saslpasswd2);
    let uri = format!("{}&authfile={}", libvirtd.test_uri(), "/dev/null");
    let refused = typed(python, &uri, &[]).expect(1);
    assert!(refused.stdout().contains("not a regular file"), "{refused}");
    let empty = tempfile::NamedTempFile::new().unwrap();
    let uri = format!("{}&authfile={}", libvirtd.test_uri(), empty.path().display());
    let seen = typed(python, &uri, &[NAME, PASSWORD]).expect(0);
    assert!(seen.stdout().contains("user of libvirt at localhost: fred\r\n"), "{seen}");
    assert!(seen.stdout().contains("password of fred at localhost: \r\n"), "{seen}");
    assert!(seen.stdout().contains("domain/test"), "{seen}");
    let refused = typed(python, &uri, &[NAME, "tiger"]).expect(1);
    assert!(refused.stdout().contains("hint: try again"), "{refused}");
    let interrupted = typed(python, &uri, &[NAME, "tiger\u{3}"]).expect(1);
    assert!(interrupted.stdout().contains("no answer was given"), "{interrupted}");
}
