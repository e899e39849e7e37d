//! Command lines of ssh to reach a daemon: its arguments, and the command for the other host's shell, as
//! libvirt composes them.

use super::super::trace::Stage;
use crate::model::Uri;

/// Socket of libvirtd, or of virtproxyd in its place, on the other host; its existence cannot be checked.
const SOCKET: &str = "/var/run/libvirt/libvirt-sock";
const SOCKET_READ_ONLY: &str = "/var/run/libvirt/libvirt-sock-ro";

/// The program of libvirt's that finds the right socket by itself and passes bytes to it.
const HELPER: &str = "virt-ssh-helper";

/// Program of the other host that passes bytes to the daemon's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Proxy {
    /// Use of virt-ssh-helper if it is there, else of netcat.
    Auto,
    /// Use of netcat.
    Netcat,
    /// Use of virt-ssh-helper.
    Native,
}

impl Proxy {
    /// The proxy of that word in a URI.
    pub(in super::super) fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "netcat" => Some(Self::Netcat),
            "native" => Some(Self::Native),
            _ => None,
        }
    }
}

/// Host that ssh connects to, with options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct SshHost<'a> {
    /// The host. The URI has seen to it that it does not begin with '-'.
    pub(in super::super) host: &'a str,
    /// The user to become there.
    pub(in super::super) user: Option<&'a str>,
    /// Port, if it is not that of ssh's configuration.
    pub(in super::super) port: Option<u16>,
    /// A file with a private key.
    pub(in super::super) keyfile: Option<&'a str>,
    /// Whether ssh must not ask anybody anything.
    pub(in super::super) no_tty: bool,
    /// Whether the host's key is not checked.
    pub(in super::super) no_verify: bool,
}

impl SshHost<'_> {
    /// The arguments of ssh(1) that run `command` on the host.
    pub(in super::super) fn arguments(&self, command: String) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut option = |words: &[&str]| arguments.extend(words.iter().map(|w| (*w).to_owned()));
        if let Some(port) = self.port {
            option(&["-p", &port.to_string()]);
        }
        if let Some(user) = self.user {
            option(&["-l", user]);
        }
        if let Some(keyfile) = self.keyfile {
            option(&["-i", keyfile]);
        }
        // no terminal there, and no escape character in the stream
        option(&["-T", "-e", "none"]);
        if self.no_tty {
            option(&["-o", "BatchMode=yes"]);
        }
        if self.no_verify {
            option(&["-o", "StrictHostKeyChecking=no"]);
        }
        option(&["--", self.host]);
        arguments.push(command);
        arguments
    }
}

/// The command for the other host's login shell that leads to its daemon.
pub(in super::super) fn remote_command(uri: &Uri, proxy: Proxy, read_only: bool) -> String {
    let netcat = || netcat(uri, read_only);
    let native = || native(uri, read_only);
    let script = match proxy {
        Proxy::Netcat => netcat(),
        Proxy::Native => native(),
        Proxy::Auto => format!(
            "which {HELPER} 1>/dev/null 2>&1; if test $? = 0; then {}; else {}; fi",
            native(),
            netcat()
        ),
    };
    // the login shell only has to hand one quoted word, as POSIX quotes it, to a POSIX shell
    format!("sh -c {}", quoted(&script))
}

fn native(uri: &Uri, read_only: bool) -> String {
    let mut name = uri.server_name();
    if let Some(mode) = uri.parameter("mode") {
        name.push(if name.contains('?') { '&' } else { '?' });
        name.push_str("mode=");
        name.push_str(mode);
    }
    format!("{HELPER} {}{}", if read_only { "-r " } else { "" }, quoted(&name))
}

/// Returns the netcat command. Some versions stay when their input has ended unless -q0 is given, which
/// others do not know.
fn netcat(uri: &Uri, read_only: bool) -> String {
    let program = quoted(uri.parameter("netcat").unwrap_or("nc"));
    let socket = match uri.parameter("socket") {
        Some(socket) => socket,
        None if read_only => SOCKET_READ_ONLY,
        None => SOCKET,
    };
    format!(
        "if {program} -q 2>&1 | grep \"requires an argument\" >/dev/null 2>&1; \
         then ARG=-q0; else ARG=; fi; {program} $ARG -U {}",
        quoted(socket)
    )
}

/// A word that a POSIX shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Faults by messages of ssh or of a program behind it: the stage, and a hint. `HOST` stands for the host.
/// The first matching row counts.
const FAULTS: [(&str, Stage, &str); 12] = [
    (
        "Host key verification failed",
        Stage::Ssh,
        "connect once by hand to take the host's key (ssh HOST), or see to known_hosts",
    ),
    ("Permission denied (", Stage::Ssh, LET_IN),
    ("Too many authentication failures", Stage::Ssh, LET_IN),
    (
        "Could not resolve hostname",
        Stage::Ssh,
        "look for a typo in the host's name, or give it an entry in ~/.ssh/config",
    ),
    ("timed out", Stage::Ssh, REACH),
    ("No route to host", Stage::Ssh, REACH),
    (
        "ssh: connect to host",
        Stage::Ssh,
        "no ssh server listens there; a port can be given in the URI",
    ),
    ("not found", Stage::Helper, INSTALL),
    (
        "Permission denied",
        Stage::Socket,
        "that user may not open libvirt's socket there: use root, or a member of the group libvirt",
    ),
    ("Failed to connect socket", Stage::Socket, RUN),
    ("unix connect failed", Stage::Socket, RUN),
    ("nc: ", Stage::Socket, RUN),
];

const LET_IN: &str = "ssh does not let us in: try the same user by hand, add a key to the agent, or \
                      name one with ?keyfile=PATH";
const REACH: &str = "see whether the host is up and can be reached from here";
const INSTALL: &str =
    "install libvirt-daemon-common (virt-ssh-helper) or netcat-openbsd on that host";
const RUN: &str = "start libvirt on that host (systemctl start virtqemud.socket, or libvirtd), or \
                   name its socket with ?socket=PATH";

/// Returns the stage at which a connection with these last messages ended, and a hint.
pub(in super::super) fn fault(host: &str, said: &str) -> (Stage, String) {
    match FAULTS.iter().find(|(words, _, _)| said.contains(words)) {
        Some((_, stage, hint)) => (*stage, hint.replace("HOST", host)),
        None => (Stage::Ssh, format!("see what ssh -v {host} says")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    fn command(uri: &str, proxy: Proxy, read_only: bool) -> String {
        remote_command(&Uri::parse(uri).unwrap(), proxy, read_only)
    }

    #[test]
    fn options_stand_before_the_host_and_the_command_after_it() {
        let host = SshHost {
            host: "h",
            user: Some("u"),
            port: Some(22),
            keyfile: Some("/k"),
            no_tty: true,
            no_verify: true,
        };
        let words = "-p 22 -l u -i /k -T -e none -o BatchMode=yes -o StrictHostKeyChecking=no -- h";
        let mut expected: Vec<&str> = words.split(' ').collect();
        expected.push("do it");
        assert_eq!(host.arguments("do it".into()), expected);
        let plain = SshHost { host: "h", ..SshHost::default() };
        assert_eq!(plain.arguments("x".into()), ["-T", "-e", "none", "--", "h", "x"]);
    }

    /// Runs a login shell with a command, and returns the arguments that the stand-ins for both programs get.
    fn words_run(command: &str, has_helper: bool) -> String {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let program = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
        };
        let print = "printf '%s' \"${0##*/}\"; for a; do printf '|%s' \"$a\"; done";
        program("nc", &format!("[ $# = 1 ] && echo requires an argument >&2 && exit 1\n{print}"));
        if has_helper {
            program("virt-ssh-helper", print);
        }
        let path = format!("{}:/usr/bin:/bin", directory.display());
        let path = if has_helper || !std::path::Path::new("/usr/bin/virt-ssh-helper").exists() {
            path
        } else {
            // hide the machine's own helper
            program("which", "exit 1");
            path
        };
        let out = Command::new("/bin/sh").args(["-c", command]).env("PATH", path).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    }

    #[test]
    fn the_other_hosts_shell_runs_the_helper_or_netcat() {
        let auto = command("qemu+ssh://h/system", Proxy::Auto, false);
        assert!(auto.starts_with("sh -c '"), "{auto}");
        assert_eq!(words_run(&auto, true), "virt-ssh-helper|qemu:///system");
        assert_eq!(words_run(&auto, false), format!("nc|-q0|-U|{SOCKET}"));
        let reading = command("qemu+ssh://h/system?mode=legacy", Proxy::Auto, true);
        assert_eq!(words_run(&reading, true), "virt-ssh-helper|-r|qemu:///system?mode=legacy");
        assert_eq!(words_run(&reading, false), format!("nc|-q0|-U|{SOCKET_READ_ONLY}"));
        let socket = command("qemu+ssh://h/system?socket=/a/b", Proxy::Netcat, false);
        assert_eq!(words_run(&socket, true), "nc|-q0|-U|/a/b");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn no_name_leaves_its_word(name in "([ -,.-~é][ -~é]{0,29})?") {
            let escaped: String = name.bytes().map(|b| format!("%{b:02X}")).collect();
            let uri = format!("qemu+ssh://h/system?name={escaped}");
            let words = words_run(&command(&uri, Proxy::Native, false), true);
            prop_assert_eq!(words, format!("virt-ssh-helper|{name}"));
        }
    }

    #[test]
    fn what_ssh_says_has_a_stage_and_a_remedy() {
        for (said, stage, hint) in [
            ("Host key verification failed.", Stage::Ssh, "ssh kvm01"),
            ("root@h: Permission denied (publickey).", Stage::Ssh, "keyfile"),
            ("ssh: Could not resolve hostname h: Name or service not known", Stage::Ssh, "typo"),
            ("ssh: connect to host h port 22: Connection refused", Stage::Ssh, "no ssh server"),
            ("nc: unix connect failed: Permission denied", Stage::Socket, "group libvirt"),
            ("nc: unix connect failed: No such file or directory", Stage::Socket, "start libvirt"),
            ("error: Failed to connect socket to '/x': No such file", Stage::Socket, "systemctl"),
            ("sh: 1: nc: not found", Stage::Helper, "netcat-openbsd"),
            ("what", Stage::Ssh, "ssh -v kvm01"),
        ] {
            let (at, what) = fault("kvm01", said);
            assert!(at == stage && what.contains(hint), "{said}: {at:?} {what}");
        }
    }
}
