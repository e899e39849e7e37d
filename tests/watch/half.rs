//! Files that are half written.

use super::files::{CALM, deaf, unshare};
use super::{Place, domain};
use crate::support::{trial, trial_if};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("watch/files/f18_half_a_file_is_never_applied", half_written),
        trial("watch/files/f18_half_a_file_deletes_nothing", half_of_two),
        trial("watch/files/f18_half_a_virt_toml_changes_nothing", half_a_virt_toml),
        trial("watch/files/f18_what_names_nothing_any_more_deletes_nothing", emptied),
        trial_if(unshare(), "watch/files/f18_who_is_told_nothing_looks_twice", told_nothing),
    ]
}

fn half_written() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&[]);
    let path = place.manifests().join("web.toml");
    let pause = || std::thread::sleep(Duration::from_millis(5));
    // some of the halves are manifests, too: memory = 1
    let whole = domain("web", 131_072);
    let mut file = File::create(&path).unwrap();
    for byte in whole.as_bytes() {
        file.write_all(&[*byte]).unwrap();
        pause();
    }
    // written, and not closed
    assert_eq!(watching.within(CALM), [] as [Value; 0]);
    drop(file);
    let told = watching.reconciled("web");
    assert_eq!(told["fields"][0]["after"], "131072 KiB", "{told:#}");
    // closed after each byte
    let whole = domain("web", 262_144);
    File::create(&path).unwrap();
    for byte in whole.as_bytes() {
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&[*byte]).unwrap();
        pause();
    }
    let told = watching.reconciled("web");
    assert_eq!(told["fields"][0]["after"], "262144 KiB", "{told:#}");
    assert_eq!(watching.within(CALM), [] as [Value; 0]);
}

/// Checks that a file that stops between two domains does not remove the second.
fn half_of_two() {
    let place = Place::new(&[]);
    let both = |memory: u32| domain("web", memory) + &domain("db", memory);
    place.write("all.toml", &both(65_536));
    let mut watching = place.watch(&["--prune", "--max-prune", "9"]);
    let path = place.manifests().join("all.toml");
    let second = domain("web", 131_072).len();
    for make in [true, false] {
        let whole = both(if make { 131_072 } else { 262_144 });
        if make {
            fs::remove_file(&path).unwrap();
        }
        let mut file = File::create(&path).unwrap();
        for (at, byte) in (0..).zip(whole.as_bytes()) {
            // longest where what is there is a manifest by itself
            let long = at == 0 || at == second;
            std::thread::sleep(Duration::from_millis(if long { 1_500 } else { 5 }));
            file.write_all(&[*byte]).unwrap();
        }
        assert_eq!(watching.within(CALM), [] as [Value; 0], "it is not closed");
        drop(file);
        for name in ["db", "web"] {
            assert_eq!(watching.reconciled(name)["action"], "update");
        }
        place.is_in_sync();
    }
    // an idle writer is not waited for, but the missing part may still come
    let mut file = File::create(&path).unwrap();
    file.write_all(domain("web", 65_536).as_bytes()).unwrap();
    let told = watching.event_of(&["reconciled", "not-pruned"]);
    let other = watching.event_of(&["reconciled", "not-pruned"]);
    let told = if told["event"] == "reconciled" { told } else { other };
    assert_eq!((&told["name"], &told["action"]), (&"web".into(), &"update".into()), "{told:#}");
    assert!(place.state().contains("<name>db</name>"));
    file.write_all(domain("db", 65_536).as_bytes()).unwrap();
    drop(file);
    assert_eq!(watching.reconciled("db")["action"], "update");
    // a closed file is meant as it is
    fs::write(&path, domain("web", 65_536)).unwrap();
    assert_eq!(watching.reconciled("db")["action"], "delete");
}

/// Half of it names no set, and all else goes by that.
fn half_a_virt_toml() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&[]);
    let path = place.manifests().join("virt.toml");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"# the set\n").unwrap();
    place.write("web.toml", &domain("web", 131_072));
    let told = watching.event("manifests", |_| true);
    let why = told["stale"].as_str().unwrap();
    assert!(why.ends_with("virt.toml: its writer does not close it"), "{told:#}");
    assert_eq!(watching.count("reconciled"), 0);
    file.write_all(b"set = \"watched\"\n").unwrap();
    drop(file);
    watching.reconciled("web");
    assert_eq!(watching.count("manifests"), 3, "at the start, what is open, and what was read");
    place.is_in_sync();
}

fn emptied() {
    let place = Place::new(&["web", "db"]);
    let mut watching = place.watch(&["--prune", "--max-prune", "9"]);
    place.write("db.toml", "");
    let told = watching.event("not-pruned", |_| true);
    assert!(told["reason"].as_str().unwrap().contains("could not be read"), "{told:#}");
    place.write("db.toml", &domain("db", 131_072));
    assert_eq!(watching.reconciled("db")["action"], "update");
    place.write("db.toml", "# no more\n");
    watching.event("not-pruned", |_| true);
    assert_eq!(watching.count("reconciled"), 1);
    fs::remove_file(place.manifests().join("db.toml")).unwrap();
    assert_eq!(watching.reconciled("db")["action"], "delete");
}

/// Checks that without events, where open files are unknown, a file counts once it is the same twice.
fn told_nothing((): ()) {
    let place = Place::new(&["app"]);
    let both = |memory: u32| domain("web", memory) + &domain("db", memory);
    place.write("all.toml", &both(65_536));
    let mut watching = deaf(&place, &["--prune", "--max-prune", "9"]);
    for name in ["app", "db", "web"] {
        watching.reconciled(name);
    }
    let whole = both(131_072);
    let mut file = File::create(place.manifests().join("all.toml")).unwrap();
    for (at, byte) in whole.bytes().enumerate() {
        // requests at any time
        if at % 20 == 0 {
            watching.signal(Signal::SIGHUP);
        }
        file.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(file);
    // a file that is gone for a moment is not gone
    let away = place.path("all.toml");
    fs::rename(place.manifests().join("all.toml"), &away).unwrap();
    watching.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(100));
    fs::rename(&away, place.manifests().join("all.toml")).unwrap();
    for name in ["db", "web"] {
        let told = watching.reconciled(name);
        assert_eq!(told["action"], "update", "{told:#}");
        assert_eq!(told["fields"][0]["after"], "131072 KiB", "{told:#}");
    }
    assert_eq!(watching.count("manifests"), 2, "nothing was read in between");
    place.is_in_sync();
}
