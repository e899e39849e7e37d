//! Fleet over ssh: a limited number of hosts at once, and a missing one stops no other.

use super::transports::{SSHD, await_port, needs, prepare_ssh, program};
use crate::support::{Libvirtd, run, trial_if, virt};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial_if(
        needs(&["sshd", "ssh-keygen", "nc"]),
        "real/fleet/ssh_is_bounded_and_a_lost_host_stops_no_other",
        |()| over_ssh(),
    )]
}

const HOSTS: usize = 12;

fn over_ssh() {
    let libvirtd = Libvirtd::start_with("", SSHD, |dir| {
        prepare_ssh(dir);
        let place = dir.display();
        fs::create_dir(dir.join("running")).unwrap();
        // it writes down how many of it there are
        let counts = format!(
            "mkdir {place}/running/$$; ls {place}/running | wc -l >>{place}/counts\n\
             ssh -F {place}/ssh_config \"$@\"; code=$?\nrmdir {place}/running/$$; exit $code"
        );
        program(dir, "counting_ssh", &counts);
    });
    await_port(&libvirtd, 2222);
    let file = |name: &str| libvirtd.path(name).display().to_string();
    let site = tempfile::tempdir().unwrap();
    let mut hosts = "set = 'fleet'\n".to_owned();
    for n in 0..HOSTS {
        // one daemon by many names
        let socket = file(&format!("sock/s{n}"));
        std::os::unix::fs::symlink(libvirtd.socket(), &socket).unwrap();
        let host = if n == 5 { "nowhere.invalid" } else { "jump" };
        let ssh = file("counting_ssh");
        let uri = format!("test+ssh://{host}/default?command={ssh}&socket={socket}");
        writeln!(hosts, "[hosts.h{n:02}]\nconnect = '{uri}'").unwrap();
    }
    fs::write(site.path().join("virt.toml"), hosts).unwrap();
    let domain = "<domain type='test'><name>a</name><memory>65536</memory>\
        <os><type>hvm</type></os></domain>";
    fs::write(site.path().join("a.xml"), domain).unwrap();
    let mut plan = virt(&["plan", ".", "-o", "json", "--trust-connect"]);
    plan.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(site.path());
    let ran = run(&mut libvirtd.inside(&plan)).expect(1);
    let found: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let hosts = found["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), HOSTS, "{ran}");
    for (n, host) in hosts.iter().enumerate() {
        assert_eq!(host["host"], format!("h{n:02}"), "{ran}");
        assert_eq!(host["error"].is_object(), n == 5, "{host}");
        assert!(n == 5 || host["changes"][0]["action"] == "create", "{host}");
    }
    let counts = fs::read_to_string(libvirtd.path("counts")).unwrap();
    let most = counts.lines().map(|l| l.trim().parse::<usize>().unwrap()).max().unwrap();
    let processors = std::thread::available_parallelism().unwrap().get();
    assert!(most > 1 && most <= 2 * processors, "{most} at once: {counts}");
    assert_eq!(counts.lines().count(), HOSTS, "each host is called once");
}
