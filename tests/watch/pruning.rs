//! Pruning by a watch, and its limits.

use super::{Place, domain};
use crate::support::{Watching, run, trial, virt};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("watch/pruning/the_limit_is_of_the_set_and_not_of_a_plan", the_set),
        trial("watch/pruning/the_limit_counts_what_went_one_by_one", one_by_one),
        trial("watch/pruning/a_move_counts_what_went_from_the_other_host", moves),
    ]
}

/// Names of the objects, two of which may be pruned.
const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// Longer than anything takes that follows from a change.
const CALM: Duration = Duration::from_millis(1_500);

fn the_set() {
    let place = Place::new(&NAMES);
    let mut watching = place.watch(&["--prune"]);
    let before = place.state();
    for name in ["a", "b", "c"] {
        fs::remove_file(place.manifests().join(format!("{name}.toml"))).unwrap();
    }
    let told = watching.event("not-pruned", |_| true);
    assert!(told["reason"].as_str().unwrap().contains("3 of 10 objects"), "{told:#}");
    assert_eq!(place.state(), before);
    // something happens to one of them, so that the watch plans for it alone
    let other = place.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("virt.toml"), "set = \"watched\"\n").unwrap();
    fs::write(other.join("a.toml"), domain("a", 131_072)).unwrap();
    run(virt(&["apply", "-c", &place.uri()]).arg(&other)).expect(0);
    let after = watching.within(CALM);
    let pruned = |told: &&Value| told["event"] == "reconciled";
    assert_eq!(after.iter().filter(pruned).count(), 0, "{after:#?}");
    assert!(place.state().contains("<name>a</name>"));
    // all of them go when their number is allowed
    drop(watching);
    let mut watching = place.watch(&["--prune", "--max-prune", "3"]);
    for _ in 0..3 {
        let told = watching.event("reconciled", |_| true);
        assert_eq!(told["action"], "delete", "{told:#}");
    }
    place.is_in_sync();
}

fn one_by_one() {
    let place = Place::new(&NAMES);
    let mut watching = place.watch(&["--prune"]);
    for name in ["a", "b"] {
        fs::remove_file(place.manifests().join(format!("{name}.toml"))).unwrap();
        assert_eq!(watching.reconciled(name)["action"], "delete");
    }
    fs::remove_file(place.manifests().join("c.toml")).unwrap();
    let told = watching.event("not-pruned", |_| true);
    assert!(told["reason"].as_str().unwrap().contains("3 of 10 objects"), "{told:#}");
    let after = watching.within(CALM);
    assert_eq!(after, [] as [Value; 0]);
    assert!(place.state().contains("<name>c</name>"));
    // all else goes on, and what is wanted again does not count
    place.write("d.toml", &domain("d", 131_072));
    assert_eq!(watching.reconciled("d")["action"], "update");
    place.write("a.toml", &domain("a", 65_536));
    assert_eq!(watching.reconciled("a")["action"], "create");
}

/// Checks that objects pruned by one host's loop count when the loop of another takes a guest from there.
fn moves() {
    let place = Place::new(&[]);
    let connect = |host| format!("{host}.connect = 'test:///default?state={host}'\n");
    let hosts = ["one", "two"].map(connect);
    place.write("virt.toml", &format!("set = 'watched'\n[hosts]\n{}", hosts.concat()));
    let on = |host, name: &&str| format!("{}reconcile.hosts = ['{host}']\n", domain(name, 65_536));
    for name in NAMES {
        place.write(&format!("{name}.toml"), &on("one", &name));
    }
    let manifests = place.manifests();
    let manifests = manifests.to_str().unwrap();
    run(&mut virt(&["apply", manifests])).expect(0);
    let mut watching = Watching::start(&[manifests, "--interval", "1h", "--prune"]);
    for name in ["a", "b"] {
        fs::remove_file(place.manifests().join(format!("{name}.toml"))).unwrap();
        assert_eq!(watching.reconciled(name)["action"], "delete");
    }
    place.write("c.toml", &on("two", &"c"));
    let told = watching.event("held-back", |_| true);
    assert!(told.to_string().contains("3 of 10 objects"), "{told:#}");
    let there = |host| {
        let state = fs::read_to_string(place.manifests().join(host)).unwrap_or_default();
        state.contains("<name>c</name>")
    };
    assert!(there("one") && !there("two"));
}
