//! Events in `virt get --watch`: others' changes on a host are shown as they happen, and those made while the
//! host was lost are shown when it is back.

use super::host::{Host, Pool};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/events/what_virsh_does_is_shown_at_once", at_once),
        pool.trial("real/events/devices_that_come_and_go_are_shown", devices),
        pool.trial("real/events/a_lost_host_is_looked_at_when_it_is_back", lost),
        pool.trial("real/events/a_closed_pipe_ends_it", closed_pipe),
    ]
}

/// A change is shown within this; virsh's own time, which has begun before, is not counted.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Time after which everything else has happened.
const LATER: Duration = Duration::from_secs(120);

/// A guest without anything to boot from, held before its first instruction.
const DOMAIN: &str = "<domain type='qemu'><name>told</name><memory unit='MiB'>32</memory>\
    <os><type arch='x86_64'>hvm</type></os><devices><controller type='usb'/></devices></domain>";

const NETWORK: &str = "<network><name>told</name><bridge name='virt-told'/></network>";

const NIC: &str = "<interface type='user'><mac address='52:54:00:00:00:77'/>\
    <model type='usb-net'/></interface>";

/// A `virt get --watch` that runs.
struct Watch {
    process: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Watch {
    /// Starts the command and waits until it has shown the present state.
    fn start(host: &Host, arguments: &[&str]) -> Self {
        let mut command = host.virt(&[&["get", "--watch"], arguments].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = lines_of(process.stdout.take().unwrap());
        let errors = lines_of(process.stderr.take().unwrap());
        let watch = Self { process, lines, errors };
        watch.line("OBJECT", LATER);
        watch
    }

    /// The next line that has all of these words, within that time.
    #[track_caller]
    fn line(&self, words: &str, time: Duration) -> String {
        next(&self.lines, words, time)
    }

    /// Sends it a signal and holds it to end as if its work were done.
    fn end(mut self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
        assert_eq!(self.ended(), Some(0));
    }

    fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LATER;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // of no consequence if it has ended
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn next(lines: &Receiver<String>, words: &str, time: Duration) -> String {
    let deadline = Instant::now() + time;
    let mut seen = String::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).unwrap_or_else(|e| panic!("{words}: {e}\n{seen}"));
        if words.split(' ').all(|word| line.contains(word)) {
            return line;
        }
        seen.push_str(&format!("{line}\n"));
    }
}

fn lines_of(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // the test may have seen enough
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

fn at_once(host: &Host) {
    host.write("domain.xml", DOMAIN);
    host.write("network.xml", NETWORK);
    let (domain, network) = (path(host, "domain.xml"), path(host, "network.xml"));
    let all = Watch::start(host, &[]);
    let machines = {
        let mut command = host.virt(&["get", "-w", "domains", "-o", "json"]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(process.stdout.take().unwrap());
        Watch { process, lines, errors: channel().1 }
    };
    machines.line("objects", LATER);
    for (arguments, shown) in [
        (["net-define", &network], "network/told defined inactive"),
        (["net-start", "told"], "network/told started active"),
        (["define", &domain], "domain/told defined shut off"),
        (["start", "told"], "domain/told started running"),
        (["suspend", "told"], "domain/told suspended paused"),
        (["resume", "told"], "domain/told resumed running"),
        (["destroy", "told"], "domain/told stopped shut off"),
        (["undefine", "told"], "domain/told gone"),
        (["net-destroy", "told"], "network/told stopped inactive"),
        (["net-undefine", "told"], "network/told undefined"),
    ] {
        host.virsh(&arguments);
        all.line(shown, AT_ONCE);
    }
    let json = |event: &str| -> Value {
        let line = machines.line(&format!("\"event\":\"{event}\""), AT_ONCE);
        serde_json::from_str(&line).unwrap()
    };
    for (event, state) in [("defined", "shut off"), ("started", "running"), ("stopped", "shut off")]
    {
        let value = json(event);
        assert_eq!((&value["kind"], &value["name"]), (&"domain".into(), &"told".into()));
        assert_eq!(value["object"]["state"], state, "{value}");
    }
    assert_eq!(json("gone")["object"], Value::Null);
    all.end(Signal::SIGINT);
    machines.end(Signal::SIGTERM);
}

fn devices(host: &Host) {
    host.write("domain.xml", DOMAIN);
    host.write("nic.xml", NIC);
    let (domain, nic) = (path(host, "domain.xml"), path(host, "nic.xml"));
    host.virsh(&["create", "--paused", &domain]);
    let watch = Watch::start(host, &["domain/told"]);
    host.virsh(&["attach-device", "told", &nic, "--live"]);
    watch.line("domain/told device added: net0 paused, transient", AT_ONCE);
    host.virsh(&["detach-device", "told", &nic, "--live"]);
    watch.line("domain/told device removed: net0", AT_ONCE);
    host.virsh(&["destroy", "told"]);
    watch.line("domain/told stopped", AT_ONCE);
}

fn lost(host: &Host) {
    host.write("domain.xml", DOMAIN);
    let domain = path(host, "domain.xml");
    let watch = Watch::start(host, &[]);
    host.virsh(&["define", &domain]);
    watch.line("domain/told defined", AT_ONCE);
    for (arguments, shown) in [
        (["autostart", "told"], "domain/told changed shut off, autostart"),
        (["undefine", "told"], "domain/told gone"),
        (["define", &domain], "domain/told appeared shut off"),
    ] {
        host.proxy.go_down();
        next(&watch.errors, "warning: the host is lost", LATER);
        host.virsh(&arguments);
        host.proxy.come_back();
        next(&watch.errors, "the host is back", LATER);
        watch.line(shown, LATER);
    }
    // later events are shown as before
    host.virsh(&["undefine", "told"]);
    watch.line("domain/told gone", AT_ONCE);
    watch.end(Signal::SIGTERM);
}

fn closed_pipe(host: &Host) {
    let mut command = host.virt(&["get", "--watch"]);
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 6];
    let mut stdout = process.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let mut watch = Watch { process, lines: channel().1, errors: channel().1 };
    assert_eq!((&first, watch.ended()), (b"OBJECT", Some(0)));
}

fn path(host: &Host, name: &str) -> String {
    host.path(name).to_str().unwrap().to_owned()
}
