//! Every transport to a libvirtd: each opens, observes and applies, and virsh sees the same by the same URI.
//! All of it happens on the loopback interface of a network namespace of the daemon's.

use crate::support::{Libvirtd, Needs, Ran, run, tool, trial_if, virt};
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial_if(
            needs(&["sshd", "ssh-keygen", "nc"]),
            "real/transports/each_does_everything",
            |()| {
                each_does_everything();
            },
        ),
        trial_if(
            needs(&[]),
            "real/transports/no_uri_is_the_best_hypervisor_there_and_said",
            |()| {
                no_uri();
            },
        ),
        trial_if(needs(&[]), "real/transports/read_only_looks_and_changes_nothing", |()| {
            read_only();
        }),
        trial_if(needs(&["ssh"]), "real/transports/ssh_is_told_what_virsh_tells_it", |()| {
            same_words();
        }),
    ]
}

pub(super) fn needs(programs: &[&str]) -> Needs {
    Libvirtd::available()?;
    for program in ["virsh", "nsenter"].iter().chain(programs) {
        tool(program)?;
    }
    Ok(())
}

/// Program started beside the daemon: an ssh server that lets in any holder of `key`.
pub(super) const SSHD: &str = r#"
  mkdir -p /run/sshd
  /usr/sbin/sshd -f "$dir/sshd_config" -E "$dir/sshd.log"
"#;

/// Configuration that listens on every address, which in its namespace are those of the loopback interface.
pub(super) const TCP: &str = "listen_tls = 0\nlisten_tcp = 1\nauth_tcp = \"none\"\n";

/// Keys and configurations of an ssh server and of its client, which reaches `there` through
/// `jump`, both of them this server.
pub(super) fn prepare_ssh(dir: &Path) {
    let place = dir.display();
    let key = |name: &str| {
        let path = dir.join(name);
        let words = ["-q", "-t", "ed25519", "-N", "", "-f"];
        run(Command::new("ssh-keygen").args(words).arg(&path)).expect(0);
    };
    key("key");
    key("host_key");
    fs::copy(dir.join("key.pub"), dir.join("authorized_keys")).unwrap();
    let server = format!(
        "Port 2222\nListenAddress 127.0.0.1\nHostKey {place}/host_key\nUsePAM no\nStrictModes no\n\
         AuthorizedKeysFile {place}/authorized_keys\nPermitRootLogin yes\nPidFile none\n\
         PasswordAuthentication no\nMaxStartups 100\n"
    );
    fs::write(dir.join("sshd_config"), server).unwrap();
    let host_key = fs::read_to_string(dir.join("host_key.pub")).unwrap();
    fs::write(dir.join("known_hosts"), format!("[127.0.0.1]:2222 {host_key}")).unwrap();
    let client = format!(
        "Host jump there\n  HostName 127.0.0.1\n  Port 2222\n  User root\n  IdentityFile {place}/key\n  \
         UserKnownHostsFile {place}/known_hosts\n  IdentitiesOnly yes\nHost there\n  ProxyJump jump\n"
    );
    fs::write(dir.join("ssh_config"), client).unwrap();
    // a user's own configuration has its place; a test's must not be there
    program(dir, "ssh", &format!("exec ssh -F {place}/ssh_config \"$@\""));
    program(dir, "relay", &format!("exec nc -U {place}/sock/libvirt-sock"));
}

/// A program in `dir`.
pub(super) fn program(dir: &Path, name: &str, script: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// URIs that lead to the driver `driver` of a daemon with all of the above.
fn uris(libvirtd: &Libvirtd, driver: &str, path: &str) -> Vec<String> {
    let file = |name: &str| libvirtd.path(name).display().to_string();
    let (ssh, relay, socket) = (file("ssh"), file("relay"), file("sock/libvirt-sock"));
    vec![
        format!("{driver}+unix://{path}?socket={socket}"),
        format!("{driver}+tcp://localhost{path}"),
        format!("{driver}+tcp://127.0.0.1:16509{path}"),
        format!("{driver}+tcp://[::1]{path}"),
        format!("{driver}+ext://{path}?command={relay}"),
        format!("{driver}+ssh://jump{path}?command={ssh}"),
        format!("{driver}+ssh://jump{path}?command={ssh}&proxy=native"),
        format!("{driver}+ssh://jump{path}?command={ssh}&netcat=nc"),
        format!("{driver}+ssh://there{path}?command={ssh}&socket={socket}&no_tty=1"),
    ]
}

/// Waits for a port of the daemon's loopback interface.
pub(super) fn await_port(libvirtd: &Libvirtd, port: u16) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut connect = Command::new("bash");
    connect.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")]);
    while run(&mut libvirtd.inside(&connect)).code() != 0 {
        assert!(Instant::now() < deadline, "nothing listens on port {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A run of `virt` where the daemon is.
pub(super) fn there(libvirtd: &Libvirtd, directory: &Path, uri: &str, arguments: &[&str]) -> Ran {
    let mut command = virt(arguments);
    // ssh and netcat are searched for as for anybody
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.args(["--connect", uri]).current_dir(directory);
    run(&mut libvirtd.inside(&command))
}

/// Returns virsh's output by that URI.
pub(super) fn virsh_there(libvirtd: &Libvirtd, uri: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("virsh");
    command.args(["--quiet", "--connect", uri]).args(arguments);
    run(&mut libvirtd.inside(&command)).expect(0).stdout()
}

/// Manifests: a network, a running guest on it that may be ended by force, and one that is only
/// defined.
pub(super) fn write_manifests(directory: &Path) {
    fs::write(directory.join("virt.toml"), "set = 'here'\n").unwrap();
    let network = "<network><name>lan</name><ip address='192.168.151.1' prefix='24'/></network>";
    fs::write(directory.join("lan.xml"), network).unwrap();
    let domain = |name: &str, more: &str| {
        format!(
            "[[domain]]\ntype = 'qemu'\nname = '{name}'\nmemory = {{ unit = 'MiB', value = 32 }}\n\
             os.type = {{ arch = 'x86_64', value = 'hvm' }}\n{more}\n"
        )
    };
    let runs = "[domain.reconcile]\nstop = { timeout = '1s', force = true }\n\
        [[domain.devices.interface]]\ntype = 'network'\nsource.network = 'lan'\n\
        [[domain.devices.graphics]]\ntype = 'vnc'\nport = -1\npasswd = 'geheim'\n";
    let waits = "[domain.reconcile]\npower = 'stopped'\n";
    fs::write(directory.join("web.toml"), domain("web", runs)).unwrap();
    fs::write(directory.join("jump.toml"), domain("jump", waits)).unwrap();
}

#[expect(clippy::print_stdout, reason = "which libvirt was there is worth seeing")]
fn each_does_everything() {
    let libvirtd = Libvirtd::start_with(TCP, SSHD, prepare_ssh);
    await_port(&libvirtd, 16509);
    await_port(&libvirtd, 2222);
    println!("libvirt {}", virsh_there(&libvirtd, &libvirtd.test_uri(), &["version", "--daemon"]));
    for uri in uris(&libvirtd, "qemu", "/system") {
        goes_round(&libvirtd, &uri);
    }
}

/// Applies manifests by a URI, is in sync, sees the same as virsh by that URI, and removes them.
#[track_caller]
pub(super) fn goes_round(libvirtd: &Libvirtd, uri: &str) {
    let directory = tempfile::tempdir().unwrap();
    write_manifests(directory.path());
    let ours =
        |arguments: &[&str], code| there(libvirtd, directory.path(), uri, arguments).expect(code);
    ours(&["apply", "."], 0);
    ours(&["plan", ".", "--detailed-exitcode"], 0);
    let theirs = virsh_there(libvirtd, uri, &["list", "--all", "--name"]);
    let mut theirs: Vec<&str> = theirs.split_whitespace().collect();
    theirs.sort_unstable();
    assert_eq!(theirs, ["jump", "web"], "{uri}");
    let seen = ours(&["get", "domains", "-o", "json"], 0).stdout();
    let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
    let uuid = |name: &str| virsh_there(libvirtd, uri, &["domuuid", name]).trim().to_owned();
    for object in seen["objects"].as_array().unwrap() {
        assert_eq!(object["uuid"], uuid(object["name"].as_str().unwrap()), "{uri}");
    }
    ours(&["delete", "."], 0);
    assert_eq!(virsh_there(libvirtd, uri, &["list", "--all", "--name"]).trim(), "", "{uri}");
}

/// The daemon is where every program looks for it only in its own view of the files.
fn no_uri() {
    let libvirtd = Libvirtd::start();
    let directory = tempfile::tempdir().unwrap();
    write_manifests(directory.path());
    let mut plan = Command::new("nsenter");
    plan.arg(format!("--mount=/proc/{}/ns/mnt", libvirtd.first())).arg("--");
    let virt = virt(&["plan", directory.path().to_str().unwrap()]);
    plan.env_clear().arg(virt.get_program()).args(virt.get_args());
    let ran = run(&mut plan).expect(0);
    assert!(ran.stdout().contains(" on qemu:///system\n"), "{ran}");
}

fn read_only() {
    let libvirtd = Libvirtd::start_with(TCP, "", |_| {});
    await_port(&libvirtd, 16509);
    let directory = tempfile::tempdir().unwrap();
    write_manifests(directory.path());
    let writing = format!("qemu+unix:///system?socket={}", libvirtd.socket().display());
    let ro = format!("{writing}-ro");
    let tcp = "qemu+tcp://localhost/system".to_owned();
    for uri in [&ro, &tcp] {
        let see = |arguments: &[&str], code| {
            let arguments = [arguments, &["--read-only"]].concat();
            there(&libvirtd, directory.path(), uri, &arguments).expect(code)
        };
        // the changes are shown, and not made
        see(&["plan", ".", "--detailed-exitcode"], 2);
        let refused = see(&["apply", "."], 5);
        assert!(refused.stderr().contains("the connection is read-only"), "{refused}");
        assert_eq!(virsh_there(&libvirtd, &writing, &["list", "--all", "--name"]).trim(), "");
        there(&libvirtd, directory.path(), &writing, &["apply", "."]).expect(0);
        // a password that may not be read is not one that is missing
        see(&["plan", ".", "--detailed-exitcode"], 0);
        see(&["diff", "."], 0);
        see(&["apply", "."], 0);
        assert!(see(&["get"], 0).stdout().contains("in sync"));
        assert!(!see(&["export", "domain/web"], 0).stdout().contains("geheim"));
        there(&libvirtd, directory.path(), &writing, &["delete", "."]).expect(0);
    }
    // without the flag the server refuses, and says so
    let refused = there(&libvirtd, directory.path(), &ro, &["apply", "."]).expect(1);
    assert!(refused.stderr().contains("read only access"), "{refused}");
}

/// Checks that ssh gets the same command from virsh and from us for the same URI, as the other host's shell
/// sees it.
fn same_words() {
    let dir = tempfile::tempdir().unwrap();
    let record = dir.path().join("record");
    let ssh = program(
        dir.path(),
        "ssh",
        &format!("for a; do printf '%s\\n' \"$a\" >>{}; done; exit 1", record.display()),
    );
    // the last word is for a shell: run where both programs only say what they were given
    let say = "printf '%s' \"${0##*/}\"; for a; do printf '|%s' \"$a\"; done; echo";
    program(dir.path(), "virt-ssh-helper", say);
    program(
        dir.path(),
        "nc",
        &format!("[ $# = 1 ] && echo requires an argument >&2 && exit 1\n{say}"),
    );
    let words = |mut command: Command| {
        let _ = fs::remove_file(&record);
        run(&mut command);
        let text = fs::read_to_string(&record).unwrap_or_default();
        let at = text.find("sh -c").unwrap_or_else(|| panic!("no command in {text:?}"));
        let (options, script) = text.split_at(at);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()));
        (options.to_owned(), run(&mut shell).stdout())
    };
    let command = format!("command={}", ssh.display());
    for (uri, read_only) in [
        (format!("qemu+ssh://h/system?{command}"), false),
        (format!("qemu+ssh://h/system?{command}"), true),
        (format!("qemu+ssh://u@h:2200/system?{command}"), false),
        (format!("qemu+ssh://h/system?keyfile=/k%20k&{command}"), false),
        (format!("qemu+ssh://h/system?no_tty=1&no_verify=1&{command}"), false),
        (format!("qemu+ssh://h/system?socket=/a/b&{command}"), false),
        (format!("qemu+ssh://h/system?netcat=nc&{command}"), true),
        (format!("qemu+ssh://h/system?proxy=netcat&{command}"), false),
        (format!("qemu+ssh://h/system?proxy=native&mode=legacy&{command}"), true),
        (format!("qemu+ssh://h/system?name=test:///a%27b%20c&proxy=native&{command}"), false),
        (format!("test+ssh://[::1]/default?foo=bar&{command}"), false),
    ] {
        let mut theirs = Command::new("virsh");
        theirs.args(["-c", &uri, "list"]).args(read_only.then_some("--all"));
        if read_only {
            theirs = Command::new("virsh");
            theirs.args(["-r", "-c", &uri, "list"]);
        }
        let mut ours = virt(&["get", "-c", &uri]);
        ours.env("PATH", "/usr/bin:/bin").args(read_only.then_some("-r"));
        assert_eq!(words(ours), words(theirs), "{uri}");
    }
}
