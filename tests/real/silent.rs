//! Guests whose QEMU is stopped, with a call to its monitor pending and without: they block themselves, and
//! not their host.

use super::host::{Host, Pool};
use crate::support::Watching;
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/silent/one_of_fifty_guests_holds_back_itself", one_of_fifty),
        pool.trial("real/silent/an_edit_of_a_stopped_guest_holds_up_no_other", edited),
    ]
}

const GUESTS: usize = 50;

/// Guest that is stopped while libvirt waits for it; `STOPPED` is merely stopped.
const PENDING: &str = "g20";
const STOPPED: &str = "g10";

/// Time for which an object may be waited for; `SLACK` is the other difference between two runs on a busy
/// machine.
const DEADLINE: Duration = Duration::from_secs(5);
const SLACK: Duration = Duration::from_secs(3);

fn manifest(name: &str, title: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><title>{title}</title><metadata>\
         <virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='paused'>{}</virt:reconcile></metadata>\
         <memory unit='MiB'>16</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>\
         <devices><controller type='usb' model='none'/></devices></domain>",
        if name == "g21" { "<virt:depends_on>domain/g20</virt:depends_on>" } else { "" }
    )
}

fn write(host: &Host, name: &str, title: &str) {
    host.write(&format!("{name}.xml"), &manifest(name, title));
}

/// A guest whose password can be changed while it runs, if its QEMU answers.
fn write_display(host: &Host, name: &str, password: &str) {
    let display = format!("<graphics type='vnc' port='-1' autoport='yes' passwd='{password}'/>");
    let text = manifest(name, name).replace("</devices>", &format!("{display}</devices>"));
    host.write(&format!("{name}.xml"), &text);
}

fn has_password(host: &Host, name: &str, password: &str) -> bool {
    let live = host.virsh(&["dumpxml", "--security-info", name]);
    live.contains(&format!("passwd='{password}'"))
}

/// Longest time of the others beside a guest that gets a call and does not answer.
const BESIDE: Duration = Duration::from_secs(10);

fn edited(host: &Host) {
    host.write("virt.toml", "set = \"edited\"\n");
    for n in 1..=6 {
        write_display(host, &format!("v{n}"), "first");
    }
    host.apply(&[], 0);
    let stopped = process_of("v2");

    kill(stopped, Signal::SIGSTOP).unwrap();
    write_display(host, "v2", "second");
    write_display(host, "v4", "second");
    let begun = Instant::now();
    let ran = host.run(&["apply", "."], 1);
    let (took, said) = (begun.elapsed(), format!("{}{}", ran.stdout(), ran.stderr()));
    assert!(took < BESIDE, "{took:?}: {said}");
    assert!(said.contains("the guest does not answer: its QEMU has not answered"), "{said}");
    assert!(has_password(host, "v4", "second"), "{said}");
    kill(stopped, Signal::SIGCONT).unwrap();
    host.apply(&[], 0);
    host.is_in_sync();
    assert!(has_password(host, "v2", "second"));

    let mut watching = Watching::run(host.virt(&["watch", ".", "--output", "json"]));
    std::thread::sleep(Duration::from_secs(2));
    kill(stopped, Signal::SIGSTOP).unwrap();
    write_display(host, "v2", "third");
    std::thread::sleep(Duration::from_secs(3));
    for name in ["v4", "v5"] {
        write_display(host, name, "third");
        let begun = Instant::now();
        watching.reconciled(name);
        assert!(begun.elapsed() < BESIDE, "{name}: {:?}", begun.elapsed());
        assert!(has_password(host, name, "third"));
    }
    kill(stopped, Signal::SIGCONT).unwrap();
    watching.event("reconciled", |told| told["name"] == "v2" && told["outcome"] == "done");
    assert!(has_password(host, "v2", "third"));
    watching.end();
}

fn process_of(name: &str) -> Pid {
    let is = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&format!("guest={name},"))
    };
    let all =
        fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().into_string().ok());
    let mut found = all.filter_map(|name| name.parse().ok()).filter(is);
    Pid::from_raw(found.next().unwrap())
}

/// Stops the two guests, and has libvirt wait for one.
fn stop(host: &Host) -> (Pid, Child) {
    kill(process_of(STOPPED), Signal::SIGSTOP).unwrap();
    let pending = process_of(PENDING);
    kill(pending, Signal::SIGSTOP).unwrap();
    let mut reset = Command::new("virsh");
    reset.args(["--quiet", "--connect", &host.qemu(), "reset", PENDING]);
    let reset = reset.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    (pending, reset)
}

fn one_of_fifty(host: &Host) {
    host.write("virt.toml", "set = \"many\"\n");
    for n in 1..=GUESTS {
        write(host, &format!("g{n}"), "first");
    }
    host.apply(&[], 0);
    let timed = |arguments: &[&str], code: i32| {
        let begun = Instant::now();
        let ran = host.run(arguments, code);
        (begun.elapsed(), ran.stdout(), ran.stderr())
    };
    let (plain, _, _) = timed(&["plan", ".", "--detailed-exitcode"], 0);
    let (pending, mut reset) = stop(host);

    let (took, out, said) = timed(&["plan", "."], 4);
    assert!(took < plain + DEADLINE + SLACK, "{took:?} after {plain:?}");
    assert!(out.contains("1 does not answer"), "{out}");
    assert_eq!(said.matches("domain/g20 does not answer").count(), 1, "{said}");
    assert!(!said.contains("g10") && !out.contains("g10"), "{out}{said}");
    // nothing needs it there
    let (took, _, _) = timed(&["plan", ".", "--only", "domain/g5", "--detailed-exitcode"], 0);
    assert!(took < plain + DEADLINE + SLACK, "{took:?}");
    let (took, out, _) = timed(&["get"], 0);
    assert!(took < plain + DEADLINE + SLACK, "{took:?}");
    let line = out.lines().find(|line| line.starts_with("domain/g20 ")).unwrap();
    assert!(line.contains("does not answer") && line.contains("unknown"), "{out}");
    assert_eq!(out.lines().filter(|line| line.contains("in sync")).count(), GUESTS - 1, "{out}");

    // the others are applied, what depends on it is not, and nothing is pruned
    for name in ["g5", STOPPED, PENDING, "g21"] {
        write(host, name, "second");
    }
    fs::remove_file(host.path("g7.xml")).unwrap();
    let (took, out, said) = timed(&["apply", ".", "--prune"], 4);
    // one deadline in all, though the host is read before and after
    assert!(took < plain * 3 + DEADLINE + SLACK, "{took:?}");
    assert!(said.contains("nothing is pruned in this run"), "{said}{out}");
    let title = |name: &str| host.inactive(name).contains("<title>second</title>");
    assert!(title("g5") && title(STOPPED), "{out}{said}");
    assert!(!title("g21") && !host.virsh(&["domid", "g7"]).trim().is_empty());
    host.run(&["delete", "domain/g20", "--adopt"], 5);

    watched(host, pending);
    reset.wait().unwrap();
    kill(process_of(STOPPED), Signal::SIGCONT).unwrap();
}

/// A watch goes on with the others, and with this one once it answers.
fn watched(host: &Host, pending: Pid) {
    let arguments = ["watch", ".", "--output", "json", "--interval", "2s"];
    let mut watching = Watching::run(host.virt(&arguments));
    let told = watching.event("silent", |_| true);
    assert_eq!((&told["count"], &told["objects"][0]["name"]), (&1.into(), &PENDING.into()));
    for (n, name) in ["g6", "g8", STOPPED].into_iter().enumerate() {
        write(host, name, &format!("edit {n}"));
        let begun = Instant::now();
        watching.reconciled(name);
        assert!(begun.elapsed() < SLACK, "{name}: {:?}", begun.elapsed());
    }
    assert_eq!((watching.count("lost"), watching.count("silent")), (0, 1));
    kill(pending, Signal::SIGCONT).unwrap();
    let told = watching.event("silent", |_| true);
    assert_eq!(told["count"], Value::from(0));
    watching.reconciled(PENDING);
    watching.end();
}
