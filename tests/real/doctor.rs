//! `virt doctor` against a libvirtd and an sshd: each fault is found at its stage, with a way out.

use super::transports::{SSHD, TCP, await_port, needs, prepare_ssh, program, there};
use crate::support::{Libvirtd, Ran, trial_if};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial_if(
        needs(&["sshd", "ssh-keygen", "nc"]),
        "real/doctor/finds_each_fault_at_its_stage",
        |()| faults(),
    )]
}

fn faults() {
    let libvirtd = Libvirtd::start_with(TCP, SSHD, |dir| {
        prepare_ssh(dir);
        let place = dir.display();
        // an ssh that knows no host key, and one without a key of its own
        fs::write(dir.join("nobody"), "").unwrap();
        let ssh = |name: &str, options: &str| {
            program(dir, name, &format!("exec ssh {options} -F {place}/ssh_config \"$@\""));
        };
        ssh("ssh_no_host_key", "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null");
        ssh("ssh_no_key", "-o PubkeyAuthentication=no");
    });
    await_port(&libvirtd, 16509);
    await_port(&libvirtd, 2222);
    let directory = tempfile::tempdir().unwrap();
    let doctor = |uri: &str, options: &[&str], code| -> Ran {
        let arguments = [&["doctor", uri, "-o", "json"], options].concat();
        // the URI is the argument's: what --connect says is another matter
        there(&libvirtd, directory.path(), "test:///default", &arguments).expect(code)
    };
    let stages = |ran: &Ran| -> Vec<Value> {
        let found: Value = serde_json::from_str(&ran.stdout()).unwrap();
        found["stages"].as_array().unwrap().clone()
    };
    let file = |name: &str| libvirtd.path(name).display().to_string();
    let (ssh, relay, socket) = (file("ssh"), file("relay"), file("sock/libvirt-sock"));
    for (uri, transport) in [
        (format!("qemu+unix:///system?socket={socket}"), "connect,first answer"),
        ("qemu+tcp://localhost/system".to_owned(), "name resolution,connect,first answer"),
        (format!("qemu+ext:///system?command={relay}"), "start,first answer"),
        (format!("qemu+ssh://there/system?command={ssh}"), "start,ssh,helper,socket,first answer"),
    ] {
        let ran = doctor(&uri, &[], 0);
        let words: Vec<String> =
            stages(&ran).iter().map(|s| s["stage"].as_str().unwrap().to_owned()).collect();
        let expected = format!("URI,{transport},authentication,open,version,features,permissions");
        assert_eq!(words.join(","), expected, "{uri}");
        assert_eq!(stages(&ran).last().unwrap()["said"], "may look and change", "{uri}");
        let ran = doctor(&uri, &["-r"], 0);
        assert_eq!(stages(&ran).last().unwrap()["said"], "may look, and change nothing", "{uri}");
    }
    let no_host_key = format!("qemu+ssh://jump/system?command={}", file("ssh_no_host_key"));
    let no_key = format!("qemu+ssh://jump/system?command={}", file("ssh_no_key"));
    for (uri, stage, what, hint) in [
        ("qemu:/system".to_owned(), "URI", "has no '://'", "qemu:///system"),
        (
            "qemu+tcp://no-such-host.invalid/system".to_owned(),
            "name resolution",
            "cannot be found",
            "typo",
        ),
        (
            "qemu+tcp://localhost:9/system".to_owned(),
            "connect",
            "Connection refused",
            "libvirtd-tcp.socket",
        ),
        (
            "qemu+unix:///system?socket=/nonexistent".to_owned(),
            "connect",
            "/nonexistent",
            "start the daemon",
        ),
        (
            "qemu+tcp://localhost:2222/system".to_owned(),
            "first answer",
            "cannot be understood",
            "a libvirt daemon?",
        ),
        (
            "qemu+ext:///system?command=/nonexistent".to_owned(),
            "start",
            "cannot start",
            "install it",
        ),
        (
            "qemu+ext:///system?command=/bin/false".to_owned(),
            "first answer",
            "exit status: 1",
            "by hand",
        ),
        (no_host_key, "ssh", "Host key verification failed", "ssh jump"),
        (no_key, "ssh", "Permission denied", "keyfile"),
        (
            format!("qemu+ssh://nowhere.invalid/system?command={ssh}"),
            "ssh",
            "resolve hostname",
            "typo",
        ),
        (
            format!("qemu+ssh://jump/system?command={ssh}&netcat=/no/nc"),
            "helper",
            "not found",
            "netcat-openbsd",
        ),
        (
            format!("qemu+ssh://jump/system?command={ssh}&socket=/no/sock"),
            "socket",
            "No such file",
            "systemctl",
        ),
        (format!("nix+unix:///system?socket={socket}"), "open", "", ""),
    ] {
        let ran = doctor(&uri, &[], 1);
        let stages = stages(&ran);
        let (last, passed) = stages.split_last().unwrap();
        assert!(passed.iter().all(|s| s["ok"] == true), "{ran}");
        assert_eq!((&last["stage"], &last["ok"]), (&stage.into(), &false.into()), "{ran}");
        let error = last["error"].to_string();
        assert!(error.contains(what), "{uri}: {error}");
        assert!(
            last["error"]["hint"].as_str().unwrap_or_default().contains(hint),
            "{uri}: {error}"
        );
        // the same for people
        let text = there(&libvirtd, directory.path(), &uri, &["doctor"]).expect(1).stdout();
        assert!(text.lines().any(|l| l.starts_with("FAIL") && l.contains(stage)), "{text}");
    }
}
