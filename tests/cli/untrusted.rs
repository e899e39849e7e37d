//! Manifests of strangers: a file never chooses a program, a key, a host or a place.

use crate::support::{run, trial, virt};
use libtest_mimic::Trial;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("cli/untrusted/a_connect_with_a_command_runs_nothing", command),
        trial("cli/untrusted/a_fleet_with_a_command_runs_nothing", command_of_a_fleet),
        trial("cli/untrusted/a_host_that_a_file_names_is_sent_nothing", host),
        trial("cli/untrusted/a_socket_that_a_file_names_is_not_opened", socket),
        trial("cli/untrusted/the_mocks_state_stays_beneath_the_file", state),
        trial("cli/untrusted/a_saved_plan_chooses_no_program", saved_plan),
        trial("cli/untrusted/what_the_configuration_names_is_taken", configured),
        trial("cli/untrusted/a_configuration_that_others_write_is_not", writable_configuration),
        trial("cli/untrusted/a_configuration_that_a_process_says_is_not", process),
        trial("cli/untrusted/a_configuration_that_others_could_have_put_there_is_not", put_there),
        trial("cli/untrusted/the_environment_and_the_switch_trust", switches),
        trial("cli/untrusted/a_refusal_says_the_line_that_helps", line),
    ]
}

/// A directory with a stranger's tree in it, and a home.
struct Stranger(TempDir);

const DOMAIN: &str =
    "<domain type='test'><name>a</name><memory>65536</memory><os><type>hvm</type></os></domain>";

impl Stranger {
    fn new(virt_toml: &str) -> Self {
        let stranger = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(stranger.path("site")).unwrap();
        fs::create_dir_all(stranger.path("home/.config/virt")).unwrap();
        fs::write(stranger.path("site/a.xml"), DOMAIN).unwrap();
        fs::write(stranger.path("site/virt.toml"), format!("set = 's'\n{virt_toml}\n")).unwrap();
        let evil = stranger.path("site/evil.sh");
        fs::write(&evil, format!("#!/bin/sh\ntouch {}\n", stranger.path("ran").display())).unwrap();
        fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
        stranger
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn virt(&self, arguments: &[&str]) -> Command {
        let mut command = virt(arguments);
        command.current_dir(self.path("site")).env("HOME", self.path("home"));
        command.env("PATH", "/usr/bin:/bin");
        command
    }

    /// Checks that commands that look at a tree, and those that act, refuse the connection.
    fn refused(&self, name: &str) {
        let all: [&[&str]; 5] = [
            &["plan", "."],
            &["diff", "."],
            &["apply", "."],
            &["watch", "--once", "."],
            &["delete", "a.xml"],
        ];
        for arguments in all {
            let ran = run(&mut self.virt(arguments));
            assert_ne!(ran.code(), 0, "{ran}");
            assert!(ran.stderr().contains("a file alone cannot choose"), "{name}: {ran}");
            assert!(ran.stderr().contains("virt.toml:"), "the place: {ran}");
        }
        run(&mut self.virt(&["validate", "a.xml"])).expect(0);
        assert!(!self.path("ran").exists(), "{name} ran");
    }

    fn configure(&self, text: &str) -> PathBuf {
        let path = self.path("home/.config/virt/config.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

fn evil_uris(evil: &Path) -> Vec<String> {
    let evil = evil.display();
    vec![
        format!("qemu+ext:///system?command={evil}"),
        format!("qemu+ssh://localhost/system?command={evil}"),
        "qemu+ssh://localhost/system?command=./evil.sh".to_owned(),
        format!("qemu+ssh://localhost/system?netcat={evil}&command={evil}"),
        format!("test+ext:///default?command={evil}"),
    ]
}

fn command() {
    let probe = Stranger::new("");
    for uri in evil_uris(&probe.path("site/evil.sh")) {
        let stranger = Stranger::new(&format!("connect = '{uri}'"));
        stranger.refused(&uri);
        assert!(!probe.path("ran").exists(), "{uri} ran");
    }
}

fn command_of_a_fleet() {
    let probe = Stranger::new("");
    for uri in evil_uris(&probe.path("site/evil.sh")) {
        let other = "[hosts.good]\nconnect = 'test:///default?state=.good.xml'";
        let stranger = Stranger::new(&format!("{other}\n[hosts.bad]\nconnect = '{uri}'"));
        stranger.refused(&uri);
        assert!(!probe.path("ran").exists(), "{uri} ran");
        // connections that need no word of the operator's go on
        assert!(stranger.path("site/.good.xml").exists());
    }
}

fn host() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for scheme in ["qemu+tcp", "qemu+tls", "qemu", "test"] {
        let uri = format!("{scheme}://127.0.0.1:{port}/system");
        Stranger::new(&format!("connect = '{uri}'")).refused(&uri);
    }
    let error = listener.accept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "somebody called");
}

fn socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let uri = format!("qemu:///system?socket={}", path.display());
    Stranger::new(&format!("connect = '{uri}'")).refused(&uri);
    let error = listener.accept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "somebody called");
}

fn state() {
    for state in ["../x.xml", "/nowhere/x.xml", "away/x.xml", "link.xml", "locked.xml"] {
        let stranger = Stranger::new(&format!("connect = 'test:///default?state={state}'"));
        let away = stranger.path("home/away");
        fs::create_dir(&away).unwrap();
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, stranger.path("site").join(name)).unwrap();
        };
        link(&away, "away");
        link(&away.join("x.xml"), "link.xml");
        link(&away.join("x.lock"), "locked.xml.lock");
        stranger.refused(state);
        assert_eq!(fs::read_dir(&away).unwrap().count(), 0, "{state}");
        assert!(!stranger.path("x.xml").exists());
    }
    // from the directory of the file, whatever the working directory
    let stranger = Stranger::new("connect = 'test:///default?state=host.xml'");
    let apply = |arguments: &[&str]| {
        run(stranger.virt(arguments).current_dir(stranger.0.path())).expect(0).stdout()
    };
    assert!(apply(&["apply", "site"]).contains("on test:///default?state=site/host.xml"));
    assert!(stranger.path("site/host.xml").exists());
    // the mock's files there are no manifests
    assert!(apply(&["plan", "site"]).contains("Nothing to do: 1 object"));
    let plan = ["-c", "test:///default?state=site/host.xml", "plan", "site"];
    assert!(apply(&plan).contains("Nothing to do: 1 object"));
}

fn saved_plan() {
    let stranger = Stranger::new("");
    let uri = "test:///default?state=.host.xml";
    run(&mut stranger.virt(&["-c", uri, "plan", "--out", "ok.plan", "."])).expect(0);
    let text = fs::read_to_string(stranger.path("site/ok.plan")).unwrap();
    let evil = format!("test+ext:///default?command={}", stranger.path("site/evil.sh").display());
    fs::write(stranger.path("site/evil.plan"), text.replace(uri, &evil)).unwrap();
    // as a checkout leaves it, it is nobody's plan; and as one's own it still chooses nothing
    run(&mut stranger.virt(&["apply", "evil.plan"])).expect(5);
    let own = fs::Permissions::from_mode(0o600);
    fs::set_permissions(stranger.path("site/evil.plan"), own).unwrap();
    let ran = run(&mut stranger.virt(&["apply", "evil.plan"])).expect(1);
    assert!(ran.stderr().contains("evil.plan:"), "{ran}");
    assert!(ran.stderr().contains("it names a program to run"), "{ran}");
    assert!(!stranger.path("ran").exists());
    run(&mut stranger.virt(&["apply", "ok.plan"])).expect(0);
}

/// Asserts that a connection is let through: it fails later, and with other words.
fn is_let_through(command: &mut Command) {
    let ran = run(command);
    assert_ne!(ran.code(), 0, "nobody answers there: {ran}");
    assert!(!ran.stderr().contains("cannot choose"), "{ran}");
    assert!(ran.stderr().contains("/nonexistent/sock"), "{ran}");
}

const NOWHERE: &str = "qemu+unix:///system?socket=/nonexistent/sock";

fn configured() {
    for connect in ["nowhere", NOWHERE] {
        let stranger = Stranger::new(&format!("connect = '{connect}'"));
        run(&mut stranger.virt(&["plan", "."])).expect(1);
        stranger.configure(&format!("[connections]\nnowhere = '{NOWHERE}'\n"));
        is_let_through(&mut stranger.virt(&["plan", "."]));
        is_let_through(&mut stranger.virt(&["-c", "nowhere", "plan", "."]));
        is_let_through(
            stranger
                .virt(&["plan", "."])
                .env("XDG_CONFIG_HOME", stranger.path("home/.config"))
                .env_remove("HOME"),
        );
    }
    let stranger = Stranger::new("connect = 'nowhere'");
    fs::create_dir(stranger.path("home/.config/libvirt")).unwrap();
    let aliases = stranger.path("home/.config/libvirt/libvirt.conf");
    fs::write(&aliases, format!("uri_aliases = [\n  \"nowhere={NOWHERE}\",\n]\n")).unwrap();
    fs::set_permissions(&aliases, fs::Permissions::from_mode(0o644)).unwrap();
    is_let_through(&mut stranger.virt(&["plan", "."]));
    // a tree cannot bring the configuration along
    let stranger = Stranger::new(&format!("connect = '{NOWHERE}'"));
    fs::write(stranger.path("site/config.toml"), format!("[connections]\nx = '{NOWHERE}'\n"))
        .unwrap();
    let ran = run(stranger.virt(&["plan", "."]).env("XDG_CONFIG_HOME", ".")).expect(1);
    assert!(ran.stderr().contains("cannot choose"), "{ran}");
}

fn writable_configuration() {
    let stranger = Stranger::new(&format!("connect = '{NOWHERE}'"));
    let path = stranger.configure(&format!("[connections]\nnowhere = '{NOWHERE}'\n"));
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let ran = run(&mut stranger.virt(&["plan", "."])).expect(1);
        assert!(ran.stderr().contains("cannot choose"), "{ran}");
        assert!(ran.stderr().contains("others can write it"), "{ran}");
    }
}

/// Checks files that a process makes in /proc: they are regular, and root's if the process wants it.
fn process() {
    let stranger = Stranger::new("connect = 'evil'");
    let evil = stranger.path("site/evil.sh");
    let line = format!("uri_aliases=['evil=qemu+ext:///system?command={}'] #", evil.display());
    let mut says = Command::new("sleep");
    let mut says =
        std::os::unix::process::CommandExt::arg0(&mut says, line).arg("100").spawn().unwrap();
    let said = format!("/proc/{}/cmdline", says.id());
    let libvirt = stranger.path("home/.config/libvirt");
    fs::create_dir(&libvirt).unwrap();
    symlink(&said, libvirt.join("libvirt.conf")).unwrap();
    for arguments in [&["plan", "."][..], &["apply", "."], &["-c", "evil", "get"]] {
        let ran = run(&mut stranger.virt(arguments)).expect(1);
        assert!(ran.stderr().contains("passed over: "), "{ran}");
        assert!(ran.stderr().contains("proc, which has no files"), "{ran}");
    }
    assert!(!stranger.path("ran").exists());
    says.kill().unwrap();
    says.wait().unwrap();
}

fn put_there() {
    let stranger = Stranger::new("connect = 'nowhere'");
    let path = stranger.configure(&format!("[connections]\nnowhere = '{NOWHERE}'\n"));
    is_let_through(&mut stranger.virt(&["plan", "."]));
    let mode = |name: &str, mode| {
        fs::set_permissions(stranger.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let passed_over = |why: &str| {
        let ran = run(&mut stranger.virt(&["plan", "."])).expect(1);
        assert!(ran.stderr().contains("somebody else could have put it there"), "{ran}");
        assert!(ran.stderr().contains(why), "{ran}");
    };
    for name in ["home/.config/virt", "home/.config", "home"] {
        mode(name, 0o777);
        passed_over("everybody can write ");
        mode(name, 0o755);
    }
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    // a group of others, and another user
    for (uid, gid, why) in [(0, 100, "group "), (65_534, 0, "user ")] {
        std::os::unix::fs::chown(stranger.path("home/.config"), Some(uid), Some(gid)).unwrap();
        mode("home/.config", 0o775);
        passed_over(why);
    }
    std::os::unix::fs::chown(stranger.path("home/.config"), Some(0), Some(0)).unwrap();
    is_let_through(&mut stranger.virt(&["plan", "."]));
    fs::rename(&path, stranger.path("home/config")).unwrap();
    symlink(stranger.path("home/config"), &path).unwrap();
    is_let_through(&mut stranger.virt(&["plan", "."]));
    std::os::unix::fs::lchown(&path, Some(65_534), None).unwrap();
    passed_over("can turn the link ");
}

fn switches() {
    let stranger = Stranger::new(&format!("connect = '{NOWHERE}'"));
    is_let_through(&mut stranger.virt(&["--trust-connect", "plan", "."]));
    for on in ["1", "true", "yes", "TRUE", "Yes"] {
        is_let_through(stranger.virt(&["plan", "."]).env("VIRT_TRUST_CONNECT", on));
    }
    is_let_through(stranger.virt(&["plan", "."]).env("LIBVIRT_DEFAULT_URI", NOWHERE));
    is_let_through(&mut stranger.virt(&["-c", NOWHERE, "plan", "."]));
    let off = ["", "0", "false", "no", "FALSE", "No"].map(|off| ("VIRT_TRUST_CONNECT", off));
    for (name, value) in off.into_iter().chain([("LIBVIRT_DEFAULT_URI", "qemu:///system")]) {
        let ran = run(stranger.virt(&["plan", "."]).env(name, value)).expect(1);
        assert!(ran.stderr().contains("cannot choose"), "{ran}");
    }
    // a word that means neither is not guessed at
    for unclear in ["off", "on", "2", " 1", "-1", "maybe\n", "no, never"] {
        let ran = run(stranger.virt(&["plan", "."]).env("VIRT_TRUST_CONNECT", unclear)).expect(64);
        assert!(ran.stderr().contains("the variable VIRT_TRUST_CONNECT has the value '"), "{ran}");
        assert_eq!(ran.stderr().lines().count(), 1, "{ran}");
    }
    // never the host of a script's unset variable
    let ran = run(&mut stranger.virt(&["-c", "", "plan", "."])).expect(64);
    assert!(ran.stderr().contains("it names no host"), "{ran}");
}

fn line() {
    let stranger = Stranger::new("[hosts.kvm01]\nconnect = 'qemu+ssh://kvm01.example.org/system'");
    let ran = run(&mut stranger.virt(&["plan", "."])).expect(1);
    let config = stranger.path("home/.config/virt/config.toml");
    let line = "kvm01 = \"qemu+ssh://kvm01.example.org/system\"";
    assert!(ran.stderr().contains("virt.toml:3:12: "), "{ran}");
    let hint = format!("add this line below [connections] of {}:  {line}", config.display());
    assert!(ran.stderr().contains(&hint), "{ran}");
    stranger.configure(&format!("[connections]\n{line}\n"));
    let ran = run(&mut stranger.virt(&["plan", "."])).expect(1);
    assert!(!ran.stderr().contains("cannot choose"), "it does as it says: {ran}");
}
