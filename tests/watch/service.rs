//! Signals, systemd, cron.

use super::{Place, domain};
use crate::support::{Watching, run, trial, virt};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Stdio;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("watch/service/it_ends_on_sigterm_and_goes_on_on_sighup", signals),
        trial("watch/service/nobody_has_to_read_what_it_prints", unread),
        trial("watch/service/drift_is_repaired_and_a_quarrel_is_slowed", drift),
        trial("watch/service/each_version_has_the_time_of_its_plan", versions),
        trial("watch/service/once_ends_as_apply_does", once),
        trial("watch/service/a_closed_gate_holds_up_no_other", gate),
        trial("watch/service/systemd_hears_of_it", || systemd(false)),
        trial("watch/service/systemd_hears_of_it_by_an_abstract_name", || systemd(true)),
        trial("watch/service/a_fleet_is_many_loops_and_follows_its_virt_toml", fleet),
        trial("watch/service/what_makes_no_sense_is_refused", refused),
    ]
}

fn signals() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&[]);
    watching.signal(Signal::SIGHUP);
    place.write("web.toml", &domain("web", 131_072));
    watching.reconciled("web");
    assert!(watching.end() < Duration::from_secs(5));
}

/// Checks a watch whose output goes into a pipe that is full before all is written.
fn unread() {
    let place = Place::new(&[]);
    let title = "a title that takes its room ".repeat(20);
    let big = |name: &str, memory| domain(name, memory) + &format!("title = \"{title}\"\n");
    for number in 0..150 {
        let name = format!("guest{number}");
        place.write(&format!("{name}.toml"), &big(&name, 65_536));
    }
    let mut command = virt(&["watch", "-o", "json", "-c", &place.uri()]);
    command.arg(place.manifests()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watching = command.spawn().unwrap();
    let _unread = watching.stdout.take().unwrap();
    let until = |what: &str, is: &dyn Fn(&str) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !fs::read_to_string(place.path("state.xml")).is_ok_and(|state| is(&state)) {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("all guests", &|state| state.matches("<name>guest").count() == 150);
    // two more rounds for the same guests, each with more to tell than a pipe holds
    for memory in [131_072, 262_144] {
        for number in 0..150 {
            let name = format!("guest{number}");
            place.write(&format!("{name}.toml"), &big(&name, memory));
        }
        until("a round", &|state| state.matches(&format!(">{memory}<")).count() >= 150);
    }
    let begun = Instant::now();
    kill(Pid::from_raw(i32::try_from(watching.id()).unwrap()), Signal::SIGTERM).unwrap();
    while watching.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(6) {
            watching.kill().unwrap();
            watching.wait().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn drift() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&[]);
    let uri = place.uri();
    let mut paused = false;
    for _ in 0..7 {
        run(&mut virt(&["delete", "domain/web", "-c", &uri])).expect(0);
        let deed = Instant::now();
        let told = watching.reconciled("web");
        assert_eq!(told["action"], "create");
        paused = !told["pause"].is_null();
        if !paused {
            assert!(deed.elapsed() < Duration::from_secs(2), "{:?}", deed.elapsed());
        }
    }
    assert!(paused, "somebody undoes it each time");
}

fn versions() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&[]);
    let applied = || {
        let ran = run(&mut virt(&["history", "domain/web", "-o", "json", "-c", &place.uri()]));
        let history: Value = serde_json::from_str(&ran.expect(0).stdout()).unwrap();
        history["objects"][0]["last"]["at"].as_str().unwrap().to_owned()
    };
    let mut last = applied();
    for memory in [131_072, 262_144] {
        // they are kept in seconds
        std::thread::sleep(Duration::from_millis(1_100));
        place.write("web.toml", &domain("web", memory));
        watching.reconciled("web");
        let now = applied();
        assert!(now > last, "{now} {last}");
        last = now;
    }
}

fn once() {
    let place = Place::new(&["web", "db"]);
    let (uri, manifests) = (place.uri(), place.manifests());
    let once = |code: i32| {
        let mut command = virt(&["watch", "--once", "-c", &uri]);
        run(command.arg(&manifests)).expect(code)
    };
    let ran = once(0);
    assert!(ran.stdout().contains("domain/web  create  creates  done in"), "{ran}");
    place.is_in_sync();
    assert!(!once(0).stdout().contains("domain/"));
    place.write("db.toml", &domain("db", 65_536).replace("hvm", "nonsense"));
    assert!(once(1).stdout().contains("domain/db  blocked: "));
    let nowhere = ["watch", "--once", "-c", "qemu+unix:///system?socket=/nowhere/sock"];
    let ran = run(virt(&nowhere).arg(&manifests)).expect(1);
    assert!(ran.stdout().contains("the host is lost"), "{ran}");
}

/// One object would need a restart that nobody allowed.
fn gate() {
    let place = Place::new(&["web", "db"]);
    let running = |text: String| text.replace("stopped", "running");
    place.write(
        "db.toml",
        &(running(domain("db", 65_536)) + "uuid = \"11111111-1111-4111-8111-111111111111\"\n"),
    );
    let mut watching = place.watch(&[]);
    let text = domain("db", 65_536) + "reconcile.replace = true\n";
    place.write("db.toml", &(text + "uuid = \"22222222-2222-4222-8222-222222222222\"\n"));
    place.write("web.toml", &domain("web", 131_072));
    let told = watching.event("held-back", |told| told["name"] == "db");
    assert!(told["reason"].as_str().unwrap().contains("--allow replace"), "{told:#}");
    watching.reconciled("web");
}

fn systemd(abstract_name: bool) {
    let place = Place::new(&["web"]);
    let path = place.path("notify");
    let name = format!("virt-notify-{}", std::process::id());
    let (address, variable) = match abstract_name {
        true => (SocketAddr::from_abstract_name(&name).unwrap(), format!("@{name}")),
        false => (SocketAddr::from_pathname(&path).unwrap(), path.display().to_string()),
    };
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let next = || {
        let mut bytes = [0; 1024];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut command = virt(&["watch", "-o", "json", "-c", &place.uri()]);
    command.arg(place.manifests());
    command.env("NOTIFY_SOCKET", variable).env("WATCHDOG_USEC", "200000");
    let mut watching = Watching::run(command);
    watching.reconciled("web");
    let until = |wanted: &str| {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|last: &String| last != wanted) {
            heard.push(next());
        }
        heard
    };
    until("READY=1");
    until("STATUS=1 in sync");
    let begun = Instant::now();
    (0..5).for_each(|_| drop(until("WATCHDOG=1")));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    place.write("bad.toml", &domain("bad", 65_536).replace("hvm", "nonsense"));
    until("STATUS=1 in sync, 1 blocked");
    watching.end();
    until("STOPPING=1");
}

fn fleet() {
    let place = Place::new(&["web"]);
    let host = |name: &str| {
        let state = place.manifests().join(format!("{name}.xml"));
        format!("[hosts.{name}]\nconnect = \"test:///default?state={}\"\n", state.display())
    };
    let virt_toml = |names: &[&str]| {
        let hosts: String = names.iter().map(|name| host(name)).collect();
        replace_virt_toml(&place, &format!("set = \"watched\"\n{hosts}"));
    };
    virt_toml(&["one", "two"]);
    let manifests = place.manifests();
    let mut watching = Watching::start(&[manifests.to_str().unwrap()]);
    let mut hosts = [watching.reconciled("web"), watching.reconciled("web")];
    hosts.sort_by_key(|told| told["host"].to_string());
    assert_eq!((&hosts[0]["host"], &hosts[1]["host"]), (&"one".into(), &"two".into()));
    // one goes, and another one comes
    virt_toml(&["two", "three"]);
    assert_eq!(watching.reconciled("web")["host"], "three");
    let before = fs::read_to_string(place.manifests().join("one.xml")).unwrap();
    place.write("web.toml", &domain("web", 131_072));
    let mut hosts = [watching.reconciled("web"), watching.reconciled("web")];
    hosts.sort_by_key(|told| told["host"].to_string());
    assert_eq!((&hosts[0]["host"], &hosts[1]["host"]), (&"three".into(), &"two".into()));
    assert_eq!(fs::read_to_string(place.manifests().join("one.xml")).unwrap(), before);
    watching.end();
}

fn replace_virt_toml(place: &Place, text: &str) {
    super::replace(&place.manifests().join("virt.toml"), text);
}

fn refused() {
    let place = Place::new(&["web"]);
    let (uri, manifests) = (place.uri(), place.manifests());
    let file = manifests.join("web.toml");
    for arguments in [
        ["--prune", file.to_str().unwrap()],
        ["--read-only", manifests.to_str().unwrap()],
        ["--interval=0", manifests.to_str().unwrap()],
    ] {
        run(virt(&["watch", "-c", &uri]).args(arguments)).expect(64);
    }
}
