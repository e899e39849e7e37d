//! Changes of files, and their effects on a watch.

use super::{Place, domain, replace};
use crate::support::{Needs, Watching, tool, trial, trial_if, virt};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use virt::manifest::{Changes, Grammars};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("watch/files/an_edit_is_applied_once", edit),
        trial("watch/files/f19_whatever_an_editor_does_is_one_change", editors),
        trial("watch/files/f20_a_config_map_is_exchanged_whole", config_map),
        trial("watch/files/f20_f22_what_vanishes_prunes_nothing", vanishes),
        trial("watch/files/f20_f22_what_vanishes_of_two_prunes_nothing", one_of_two),
        trial("watch/files/f21_a_flood_of_events_is_one_rescan", flood),
        trial_if(queue(), "watch/files/f21_a_queue_that_runs_over_is_one_rescan", overflow),
        trial("watch/files/f23_one_bad_file_holds_up_no_other", one_bad),
        trial("watch/files/what_stays_unreadable_is_told_once", unreadable),
        trial("watch/files/what_a_mock_host_keeps_there_wakes_nobody", the_mocks_state),
        trial("watch/files/what_comes_and_goes_in_new_directories", directories),
        trial("watch/files/f20_a_directory_in_the_place_of_another_is_heard", replaced),
        trial_if(unshare(), "watch/files/f21_without_watches_it_looks_by_itself", without_watches),
    ]
}

/// Long enough for anything that follows from a change to show.
pub(super) const CALM: Duration = Duration::from_millis(1_000);

#[track_caller]
fn count(events: &[Value], event: &str) -> usize {
    events.iter().filter(|told| told["event"] == event).count()
}

fn edit() {
    let place = Place::new(&["web", "db"]);
    let mut watching = place.watch(&[]);
    place.write("web.toml", &domain("web", 131_072));
    let told = watching.reconciled("web");
    assert_eq!(told["cause"], "manifests changed");
    assert_eq!(told["fields"][0]["after"], "131072 KiB", "{told:#}");
    let took = told["took"].as_f64().unwrap();
    assert!((0.25..5.0).contains(&took), "{took}");
    assert_eq!(watching.within(CALM), [] as [Value; 0], "its own events lead to nothing");
    place.is_in_sync();
}

/// Saves a text in the place of the one that a file has.
type Save = fn(&Path, &str);

/// Methods by which editors save a file.
const EDITORS: [(&str, Save); 5] = [
    // the old file becomes the backup, a new one is written
    ("vim", |path, text| {
        let directory = path.parent().unwrap();
        fs::write(directory.join(".web.toml.swp"), "b0VIM").unwrap();
        File::create(directory.join("4913")).unwrap();
        fs::remove_file(directory.join("4913")).unwrap();
        fs::rename(path, directory.join("web.toml~")).unwrap();
        let mut file = File::create(path).unwrap();
        for part in text.as_bytes().chunks(40) {
            file.write_all(part).unwrap();
        }
        file.sync_all().unwrap();
        drop(file);
        fs::remove_file(directory.join("web.toml~")).unwrap();
        fs::remove_file(directory.join(".web.toml.swp")).unwrap();
    }),
    ("emacs", |path, text| {
        let directory = path.parent().unwrap();
        symlink("user@host.1:1", directory.join(".#web.toml")).unwrap();
        fs::write(directory.join("#web.toml#"), text).unwrap();
        fs::copy(path, directory.join("web.toml~")).unwrap();
        fs::write(path, text).unwrap();
        fs::remove_file(directory.join("#web.toml#")).unwrap();
        fs::remove_file(directory.join(".#web.toml")).unwrap();
    }),
    // gone for a moment
    ("remove and write", |path, text| {
        fs::remove_file(path).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        fs::write(path, text).unwrap();
    }),
    ("rename into place", replace),
    ("sed -i", |path, text| {
        let memory = text.lines().find(|line| line.starts_with("memory")).unwrap();
        let script = format!("s/^memory.*/{memory}/");
        assert!(Command::new("sed").args(["-i", &script]).arg(path).status().unwrap().success());
    }),
];

fn editors() {
    let place = Place::new(&["web", "db"]);
    let mut watching = place.watch(&["--prune", "--max-prune", "9"]);
    for (memory, (editor, save)) in (1..).zip(EDITORS) {
        save(&place.manifests().join("web.toml"), &domain("web", 65_536 + memory));
        watching.reconciled("web");
        let after = watching.within(Duration::from_millis(600));
        assert_eq!(count(&after, "reconciled"), 0, "{editor}: {after:#?}");
        assert_eq!(count(&after, "manifests"), 0, "{editor}: {after:#?}");
        place.is_in_sync();
    }
}

/// Kubernetes' way: the files are links through `..data`, which is exchanged.
fn config_map() {
    const NAMES: [&str; 20] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        "s", "t",
    ];
    let place = Place::new(&[]);
    let manifests = place.manifests();
    let version = |number: u32| {
        let directory = manifests.join(format!("..{number}"));
        fs::create_dir(&directory).unwrap();
        for name in NAMES {
            fs::write(directory.join(format!("{name}.toml")), domain(name, 65_536 + number))
                .unwrap();
        }
        let link = manifests.join("..data_tmp");
        symlink(format!("..{number}"), &link).unwrap();
        fs::rename(link, manifests.join("..data")).unwrap();
    };
    version(1);
    for name in NAMES {
        symlink(format!("..data/{name}.toml"), manifests.join(format!("{name}.toml"))).unwrap();
    }
    let mut watching = place.watch(&["--prune", "--max-prune", "99"]);
    for number in 2..5 {
        version(number);
        fs::remove_dir_all(manifests.join(format!("..{}", number - 1))).unwrap();
        for name in NAMES {
            watching.reconciled(name);
        }
        let after = watching.within(Duration::from_millis(600));
        assert_eq!(after, [] as [Value; 0], "all came with one reading");
        place.is_in_sync();
    }
}

/// Message about a path that had manifests.
const EMPTY: &str = "/manifests: there are no manifests any more";

/// One of two paths is a disk that is not mounted any more.
fn one_of_two() {
    let (place, other) = (Place::new(&["web", "db"]), Place::new(&["app"]));
    let path = other.manifests();
    let path = path.to_str().unwrap();
    let mut watching = place.watch(&["--prune", "--max-prune", "9", path]);
    watching.reconciled("app");
    fs::remove_file(other.manifests().join("app.toml")).unwrap();
    fs::remove_file(other.manifests().join("virt.toml")).unwrap();
    let told = watching.event("manifests", |_| true);
    let why = told["stale"].as_str().unwrap();
    assert!(why.starts_with(path) && why.ends_with(EMPTY), "{told:#}");
    assert_eq!(told["resources"], 3);
    place.write("db.toml", &domain("db", 131_072));
    assert_eq!(watching.within(CALM), [] as [Value; 0]);
    assert!(place.state().contains("<name>app</name>"));
    // it is back, with less
    other.write("more.toml", &domain("more", 65_536));
    for (name, action) in [("db", "update"), ("more", "create"), ("app", "delete")] {
        let told = watching.event("reconciled", |_| true);
        assert!(name != told["name"] || told["action"] == action, "{told:#}");
    }
}

fn vanishes() {
    let place = Place::new(&["web", "db"]);
    let mut watching = place.watch(&["--prune", "--max-prune", "99"]);
    let (manifests, away) = (place.manifests(), place.path("away"));
    // the directory as a whole
    fs::rename(&manifests, &away).unwrap();
    let told = watching.event("manifests", |told| !told["stale"].is_null());
    assert!(told["stale"].as_str().unwrap().contains("No such file"), "{told:#}");
    assert_eq!(told["resources"], 2);
    fs::rename(&away, &manifests).unwrap();
    watching.event("manifests", |told| told["stale"].is_null());
    // the content of the directory
    fs::create_dir(&away).unwrap();
    for name in ["web.toml", "db.toml"] {
        fs::rename(manifests.join(name), away.join(name)).unwrap();
    }
    watching
        .event("manifests", |told| told["stale"].as_str().is_some_and(|why| why.ends_with(EMPTY)));
    fs::rename(away.join("web.toml"), manifests.join("web.toml")).unwrap();
    // a file that is missing now is missing on purpose
    let told = watching.reconciled("db");
    assert_eq!(told["action"], "delete");
    place.write("web.toml", &domain("web", 131_072));
    watching.reconciled("web");
}

fn flood() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&[]);
    let manifests = place.manifests();
    // a creation, an opening, a change, a closing and a removal each
    for i in 0..6_000 {
        fs::write(manifests.join(format!("{i}.txt")), "x").unwrap();
        if i == 3_000 {
            place.write("web.toml", &domain("web", 131_072));
        }
    }
    for i in 0..6_000 {
        fs::remove_file(manifests.join(format!("{i}.txt"))).unwrap();
    }
    let over = Instant::now();
    watching.reconciled("web");
    assert!(over.elapsed() < Duration::from_secs(5), "{:?}", over.elapsed());
    let after = watching.within(CALM);
    assert_eq!(after, [] as [Value; 0]);
    assert_eq!(watching.count("manifests"), 2, "at the start, and once after the flood");
    // and it still hears
    place.write("web.toml", &domain("web", 65_536));
    watching.reconciled("web");
}

/// Returns the number of events that the system queues for a process.
fn queue_length() -> Option<usize> {
    fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").ok()?.trim().parse().ok()
}

fn queue() -> Needs {
    let works = queue_length().is_some_and(|length| length <= 100_000);
    works.then_some(()).ok_or_else(|| "needs a queue of events that can be filled".to_owned())
}

fn overflow((): ()) {
    let place = Place::new(&["web", "db"]);
    let below = place.manifests().join("below");
    fs::create_dir(&below).unwrap();
    let mut watching = place.watch(&["--prune", "--max-prune", "9"]);
    std::thread::sleep(CALM);
    let manifests = place.manifests();
    watching.signal(Signal::SIGSTOP);
    // a creation, an opening, a change and a closing each
    for i in 0..=queue_length().unwrap() / 4 {
        fs::write(manifests.join(format!("{i}.txt")), "x").unwrap();
    }
    // no event shows this, nor that a directory is another one
    place.write("web.toml", &domain("web", 131_072));
    fs::remove_file(manifests.join("db.toml")).unwrap();
    fs::remove_dir(&below).unwrap();
    fs::create_dir(&below).unwrap();
    let over = Instant::now();
    watching.signal(Signal::SIGCONT);
    for _ in 0..2 {
        let told = watching.event("reconciled", |_| true);
        let deed = if told["name"] == "web" { "update" } else { "delete" };
        assert_eq!(told["action"], deed, "{told:#}");
    }
    assert!(over.elapsed() < Duration::from_secs(3), "{:?}", over.elapsed());
    assert_eq!(watching.within(CALM), [] as [Value; 0]);
    assert_eq!(watching.count("manifests"), 2, "at the start, and once after the flood");
    // and it still hears, everywhere
    let begun = Instant::now();
    fs::write(below.join("new.toml"), domain("new", 65_536)).unwrap();
    assert_eq!(watching.reconciled("new")["action"], "create");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    place.is_in_sync();
}

/// Checks a replaced file, which may have the inode number of the one before, depending on the file system.
fn replaced() {
    let place = Place::new(&["web"]);
    let below = place.manifests().join("below");
    fs::create_dir(&below).unwrap();
    fs::write(below.join("new.toml"), domain("new", 65_536)).unwrap();
    let mut watching = place.watch(&["--prune", "--max-prune", "9"]);
    for memory in [65_600, 65_700, 65_800] {
        fs::remove_dir_all(&below).unwrap();
        fs::create_dir(&below).unwrap();
        fs::write(below.join("new.toml"), domain("new", memory)).unwrap();
        assert_eq!(watching.reconciled("new")["action"], "update");
        let begun = Instant::now();
        fs::write(below.join("new.toml"), domain("new", memory + 1)).unwrap();
        assert_eq!(watching.reconciled("new")["action"], "update");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        // the directory itself goes and is back
        fs::rename(&below, place.path("away")).unwrap();
        fs::rename(place.path("away"), &below).unwrap();
        assert_eq!(watching.within(CALM), [] as [Value; 0]);
        let begun = Instant::now();
        fs::write(below.join("new.toml"), domain("new", memory + 2)).unwrap();
        assert_eq!(watching.reconciled("new")["action"], "update");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

fn one_bad() {
    let place = Place::new(&["web", "db", "app"]);
    place.write("app.toml", &(domain("app", 65_536) + "reconcile.depends_on = [\"domain/db\"]\n"));
    let mut watching = place.watch(&["--prune"]);
    place.write("db.toml", &domain("db", 65_536).replace("hvm", "nonsense"));
    place.write("web.toml", &domain("web", 131_072));
    let told = watching.event("manifests", |_| true);
    // whether what the grammar refuses is held back is for each host to say
    assert_eq!((&told["resources"], &told["held_back"]), (&3.into(), &0.into()), "{told:#}");
    let mut held: Vec<String> = Vec::new();
    let mut reconciled = false;
    while held.len() < 2 || !reconciled {
        let told = watching.event_of(&["held-back", "reconciled"]);
        match told["event"] == "held-back" {
            true => held.push(told["name"].as_str().unwrap().to_owned()),
            false => reconciled = told["name"] == "web" && told["outcome"] == "done",
        }
    }
    held.sort();
    assert_eq!(held, ["app", "db"]);
    // mended, they go on
    place.write("db.toml", &domain("db", 131_072));
    watching.reconciled("db");
    place.is_in_sync();
}

fn unreadable() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&[]);
    symlink("nowhere", place.manifests().join("bad.toml")).unwrap();
    watching.event("manifests", |told| told["problems"] == 1);
    for _ in 0..3 {
        watching.signal(nix::sys::signal::Signal::SIGHUP);
        assert_eq!(watching.within(Duration::from_millis(700)), [] as [Value; 0]);
    }
    fs::remove_file(place.manifests().join("bad.toml")).unwrap();
    watching.event("manifests", |told| told["problems"] == 0);
}

fn directories() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&["--prune", "--max-prune", "9"]);
    let below = place.manifests().join("more/still");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join("new.toml"), domain("new", 65_536)).unwrap();
    assert_eq!(watching.reconciled("new")["action"], "create");
    fs::write(below.join("new.toml"), domain("new", 131_072)).unwrap();
    assert_eq!(watching.reconciled("new")["action"], "update");
    fs::remove_dir_all(place.manifests().join("more")).unwrap();
    assert_eq!(watching.reconciled("new")["action"], "delete");
    assert!(!place.state().contains("<name>new</name>"));
}

/// Whether a process may have limits of its own here.
pub(super) fn unshare() -> Needs {
    tool("unshare")?;
    let limited = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    let works = limited.is_ok_and(|status| status.success());
    works.then_some(()).ok_or_else(|| "needs user namespaces".to_owned())
}

/// Watches where the system has nothing to watch with.
pub(super) fn deaf(place: &Place, options: &[&str]) -> Watching {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c"]);
    command.arg("echo 0 >/proc/sys/user/max_inotify_instances && exec \"$@\"").arg("sh");
    let (uri, manifests) = (place.uri(), place.manifests());
    let watch = virt(&["watch", "-o", "json", "-c", &uri, manifests.to_str().unwrap()]);
    command.arg(watch.get_program()).args(watch.get_args()).args(options);
    Watching::run(command)
}

fn without_watches((): ()) {
    let place = Place::new(&["web"]);
    let mut watching = deaf(&place, &[]);
    watching.event("polling", |_| true);
    watching.reconciled("web");
    // nobody tells it, and whoever asks need not wait for the next look
    place.write("web.toml", &domain("web", 131_072));
    watching.signal(Signal::SIGHUP);
    watching.reconciled("web");
    place.is_in_sync();
}

/// Checks that the state files of a mock host among the manifests, which every apply writes, cause nothing.
fn the_mocks_state() {
    let place = Place::new(&["web"]);
    place.write("virt.toml", "set = \"s\"\nconnect = \"test:///default?state=host.xml\"\n");
    let tell = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&tell);
    let mut changes =
        Changes::follow(vec![place.manifests()], (Grammars::Embedded, None), move || {
            told.fetch_add(1, Ordering::SeqCst);
        });
    let first = changes.first();
    assert_eq!(first.loaded.counts, (1, 0));
    let mut looks = |what: &str| {
        let before = tell.load(Ordering::SeqCst);
        place.write("host.xml.lock", "");
        place.write("host.xml.new", what);
        let at = |name: &str| place.manifests().join(name);
        fs::rename(at("host.xml.new"), at("host.xml")).unwrap();
        std::thread::sleep(Duration::from_millis(600));
        assert!(changes.read_settled(Instant::now()).is_none());
        tell.load(Ordering::SeqCst) - before
    };
    assert_eq!(looks("<virt-test-host version='1'/>"), 0, "it was woken");
    assert_eq!(looks("<virt-test-host version='1'></virt-test-host>"), 0, "it was woken");
    // and a manifest wakes it
    place.write("db.toml", &domain("db", 65_536));
    std::thread::sleep(Duration::from_millis(600));
    assert!(tell.load(Ordering::SeqCst) > 0);
    assert_eq!(changes.read_settled(Instant::now()).unwrap().loaded.counts, (2, 0));
}
