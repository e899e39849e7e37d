//! Watch of a real host by `virt watch`: others' changes of guests are undone, and it survives all changes of
//! the host itself.

use super::host::{Host, Pool, virsh};
use crate::support::{Libvirtd, Watching, run, trial_if, virt};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/watching/what_virsh_does_is_undone_within_two_seconds", drift),
        pool.trial("real/watching/what_is_not_ours_is_left_alone", not_ours),
        trial_if(Host::needs(), "real/watching/f4_a_daemon_that_is_killed_is_found_again", |()| {
            killed(&Libvirtd::start(), tempfile::tempdir().unwrap().path());
        }),
        pool.trial("real/watching/an_apply_that_is_interrupted_says_what_is_left", interrupted),
    ]
}

/// A guest without anything to boot from.
fn guest(name: &str, more: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name>{more}<memory unit='MiB'>32</memory>\
         <os><type arch='x86_64'>hvm</type></os>\
         <devices><controller type='usb' model='none'/></devices></domain>"
    )
}

/// Longest time from an event to the end of its repair.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Longer than anything takes that follows from an event.
const CALM: Duration = Duration::from_millis(1_500);

fn watch(host: &Host, names: &[&str], options: &[&str]) -> Watching {
    host.write("virt.toml", "set = \"watched\"\n");
    for name in names {
        host.write(&format!("{name}.xml"), &guest(name, ""));
    }
    host.apply(&[], 0);
    let mut arguments = vec!["watch", ".", "--output", "json", "--interval", "1h"];
    arguments.extend(options);
    let watching = Watching::run(host.virt(&arguments));
    // its first look is over, and it listens
    std::thread::sleep(Duration::from_millis(700));
    watching
}

fn drift(host: &Host) {
    let mut watching = watch(host, &["web"], &[]);
    let deeds: [(&[&str], &str, &str); 4] = [
        (&["destroy", "web"], "update", "event: "),
        (&["suspend", "web"], "update", "event: suspended"),
        (&["autostart", "web", "--disable"], "", ""),
        (&["destroy web; undefine web"], "create", "event: "),
    ];
    for (deed, action, cause) in deeds {
        host.virsh(deed);
        let done = Instant::now();
        if action.is_empty() {
            continue;
        }
        let told = watching.reconciled("web");
        assert!(done.elapsed() < AT_ONCE, "{deed:?}: {:?}", done.elapsed());
        assert_eq!(told["action"], action, "{told:#}");
        assert!(told["cause"].as_str().unwrap().starts_with(cause), "{told:#}");
        assert_eq!(host.virsh(&["domstate", "web"]).trim(), "running");
    }
    let after = watching.within(CALM);
    assert_eq!(after, [] as [Value; 0], "its own events lead to nothing");
    run(&mut host.virt(&["plan", ".", "--detailed-exitcode"])).expect(0);
    assert!(watching.end() < Duration::from_secs(5));
}

fn not_ours(host: &Host) {
    let mut watching = watch(host, &["web"], &["--prune"]);
    host.write("theirs", &guest("theirs", ""));
    let path = host.path("theirs");
    host.virsh(&["define", path.to_str().unwrap()]);
    host.virsh(&["start", "theirs"]);
    host.virsh(&["destroy", "theirs"]);
    host.virsh(&["undefine", "theirs"]);
    assert_eq!(watching.within(CALM), [] as [Value; 0]);
    watching.end();
    assert_eq!(host.proxy.take_changes(), []);
}

fn killed(libvirtd: &Libvirtd, directory: &Path) {
    let uri = libvirtd.qemu_uri();
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    write("virt.toml", "set = \"watched\"\n");
    write("web.xml", &guest("web", ""));
    write("db.xml", &guest("db", ""));
    let place = directory.to_str().unwrap();
    let options = ["--interval", "1h", "--prune", "--max-prune", "9"];
    let mut watching = Watching::start(&[&["-c", &uri, place], &options[..]].concat());
    watching.reconciled("db");
    watching.reconciled("web");
    let virsh = |arguments: &[&str]| virsh(&uri, arguments);
    let id = virsh(&["domid", "web"]);
    libvirtd.kill_daemon();
    libvirtd.wait_until_it_answers();
    watching.event("lost", |_| true);
    watching.event("back", |_| true);
    assert_eq!(virsh(&["domid", "web"]), id, "the guest went on");
    virsh(&["destroy", "db"]);
    let done = Instant::now();
    assert_eq!(watching.reconciled("db")["action"], "update");
    assert!(done.elapsed() < AT_ONCE, "{:?}", done.elapsed());
    // and an edit reaches it
    write("web.xml", &guest("web", "<title>The web</title>"));
    watching.reconciled("web");
    run(&mut virt(&["plan", "-c", &uri, place, "--detailed-exitcode"])).expect(0);
}

/// Checks a guest that ignores the request to shut down, with a user who interrupts the wait.
fn interrupted(host: &Host) {
    let deaf = "<metadata><v:reconcile xmlns:v='urn:virt:reconcile:1' power='POWER'/></metadata>";
    let text = |power: &str| guest("deaf", &deaf.replace("POWER", power));
    host.write("virt.toml", "set = \"watched\"\n");
    host.write("deaf.xml", &text("running"));
    host.apply(&[], 0);
    host.write("deaf.xml", &text("stopped"));
    let mut command = host.virt(&["apply", ".", "--output", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    std::thread::sleep(Duration::from_secs(1));
    let begun = Instant::now();
    kill(pid, Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let last = String::from_utf8(output.stdout).unwrap();
    let summary: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!((&summary["stopped"], &summary["done"]), (&true.into(), &2.into()), "{summary:#}");
    assert_eq!(summary["skipped"], 1, "the wait: {summary:#}");
    run(&mut host.virt(&["plan", ".", "--detailed-exitcode"])).expect(2);
}
