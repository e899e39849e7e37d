//! Rows of the manifests and of the clock.

use super::host::cases;
use super::strike::{Column, recovers};
use crate::support::Recording;
use crate::support::site::{Site, converge, observe, plan_for};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use virt::drivers::{TestDriver, TestHost};
use virt::manifest::{self, Loaded};
use virt::model::{Kind, ResourceId};
use virt::reconcile::{Clock, Event, Options, Status, apply};

/// Files that may ask for the time of day: people read it, certificates end by it.
const WALL_CLOCK: [&str; 5] = [
    "src/cli/",
    "src/daemon/",
    "src/pki/",
    "src/reconcile/watch/board.rs",
    "src/reconcile/watch/record.rs",
];

/// F17: no step asks for the time of day, so that nothing can come of it when somebody sets the clock.
pub(super) fn no_wall_clock(_: Column) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let name = file.strip_prefix(root).unwrap().to_string_lossy();
        let may = WALL_CLOCK.iter().any(|place| name.starts_with(place));
        let asks = ["SystemTime::now", "Timestamp::now", "Zoned::now", "ZonedDateTime::now"]
            .iter()
            .any(|word| text.contains(word));
        assert!(may || !asks, "{name} asks for the time of day");
    }
    files.len()
}

fn sources(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// F17: the clock that deadlines are read from stands still while a machine sleeps, or leaps ahead
/// once it wakes. A wait that is over by that fails, and the guest is not forced.
pub(super) fn leaps_of_the_clock(_: Column) -> usize {
    let leaps = [Duration::ZERO, Duration::from_secs(3600), Duration::from_secs(10 * 365 * 86_400)];
    for case in cases() {
        for leap in leaps {
            let words = format!("{} leap of {leap:?}", case.scenario.name);
            let host = case.host();
            let clock = Leaping { start: Instant::now(), leap, passed: Cell::default() };
            let report = apply(&case.plan, &host, &clock, 16, &mut |_: Event<'_>| {});
            let failed = |s: &Status| matches!(s, Status::Failed(_));
            assert!(report.is_done() || report.count(failed) > 0, "{words}: {report:?}");
            case.approved(&host.take().0, &words);
            host.calm_down();
            recovers(case, &host, &words);
        }
    }
    cases().len() * leaps.len()
}

/// A clock that leaps whenever it is read, and goes on while somebody sleeps.
struct Leaping {
    start: Instant,
    leap: Duration,
    passed: Cell<Duration>,
}

impl Clock for Leaping {
    fn now(&self) -> Instant {
        self.passed.set(self.passed.get() + self.leap);
        self.start + self.passed.get()
    }

    fn sleep(&self, time: Duration) {
        self.passed.set(self.passed.get() + time);
    }
}

/// Manifests of three kinds, in files of their own; web needs both the network and db.
const FILES: [(&str, &str); 4] = [
    ("net.toml", "[[network]]\nname = 'net'\nip = { address = '10.9.0.1', prefix = 24 }\n"),
    ("db.toml", "[[domain]]\ntype = 'test'\nname = 'db'\nmemory = 65536\nos.type = 'hvm'\n"),
    ("job.toml", "[[domain]]\ntype = 'test'\nname = 'job'\nmemory = 65536\nos.type = 'hvm'\n"),
    (
        "web.toml",
        "[[domain]]\ntype = 'test'\nname = 'web'\nmemory = 65536\nos.type = 'hvm'\n\
         [[domain.devices.interface]]\ntype = 'network'\nsource.network = 'net'\n\
         [domain.reconcile]\ndepends_on = ['domain/db']\n",
    ),
];

/// Who goes with whom.
const DEPENDENTS: [(&str, &[&str]); 4] = [
    ("net.toml", &["net", "web"]),
    ("db.toml", &["db", "web"]),
    ("job.toml", &["job"]),
    ("web.toml", &["web"]),
];

fn prune() -> Options {
    Options { prune: true, max_prune: Some(100), ..Options::default() }
}

fn host() -> Recording<TestDriver> {
    Recording::new(TestDriver::open(TestHost::Default, None).unwrap())
}

fn load(site: &Site) -> Loaded {
    manifest::load(&[site.path().to_owned()])
}

/// F22: without a manifest that can be read nothing is pruned, and nothing else happens either.
pub(super) fn all_manifests_gone(_: Column) -> usize {
    type Spoil = fn(&Site);
    let gone: [(&str, Spoil); 5] = [
        ("empty", |site| FILES.iter().for_each(|(name, _)| site.remove(name))),
        ("no directory", |site| fs::remove_dir_all(site.path()).unwrap()),
        ("a file in its place", |site| {
            fs::remove_dir_all(site.path()).unwrap();
            fs::write(site.path(), "").unwrap();
        }),
        ("not text", |site| {
            FILES.iter().for_each(|(name, _)| fs::write(site.path().join(name), b"\xff").unwrap());
        }),
        ("empty files", |site| FILES.iter().for_each(|(name, _)| site.write(name, ""))),
    ];
    for (what, spoil) in gone {
        for options in [Options::default(), prune()] {
            let host = host();
            let site = Site::new(&FILES);
            assert!(converge(&host, &site.load(), &Options::default()).1.is_done());
            spoil(&site);
            let loaded = load(&site);
            let plan = plan_for(&host, &loaded, &options);
            assert!(plan.is_empty(), "{what}: {:?}", plan.steps);
            let says = !plan.refusals.is_empty() || loaded.diagnostics.has_errors();
            assert!(says || !options.prune, "{what}: nothing is said");
            // the same manifests again: nothing was lost
            let again = plan_for(&host, &Site::new(&FILES).load(), &options);
            assert!(again.is_empty(), "{what}: {:?}", again.steps);
        }
    }
    gone.len() * 2
}

/// F23: one manifest of four is invalid, in each way: it and those that need it are held back, as they
/// are; the others are applied, and nothing is pruned unless it is known what it is about.
pub(super) fn one_manifest_invalid(_: Column) -> usize {
    let ways: [fn(&str) -> String; 4] = [
        |text| text.replacen("[[", "[", 1),
        |text| text.replacen("name = ", "nmae = ", 1),
        |text| format!("{text}[["),
        |text| text.replacen("]]\n", "]]\nuuid = 'none'\n", 1),
    ];
    let (mut runs, mut named) = (0, 0);
    for (broken, held) in DEPENDENTS {
        for way in ways {
            let host = host();
            let site = Site::new(&FILES);
            site.write("gone.toml", &FILES[1].1.replace("db", "gone"));
            assert!(converge(&host, &site.load(), &Options::default()).1.is_done());
            site.remove("gone.toml");
            let before = definitions(&host);
            // all are edited, one of them badly
            for (name, text) in FILES {
                let text = text.replace("65536", "131072").replace("10.9.0.1", "10.9.1.1");
                let text = if name == broken { way(&text) } else { text };
                site.write(name, &text);
            }
            let loaded = load(&site);
            assert!(loaded.diagnostics.has_errors(), "{broken}: taken for valid");
            // of one whose name cannot be read nobody knows who needs it; who does has what it had
            let is_named = loaded.desired.held_back.keys().any(|id| id.name == held[0]);
            let held = if is_named { held } else { &held[..1] };
            named += usize::from(is_named);
            let options = Options { allow: [virt::model::Effect::Restart].into(), ..prune() };
            let plan = plan_for(&host, &loaded, &options);
            let goes = plan.steps.iter().any(|step| step.target.id.name == "gone");
            assert_eq!(goes, plan.refusals.is_empty(), "{broken}: {:?}", plan.refusals);
            assert!(is_named || !goes, "{broken}: pruned, and nobody knows what is missing");
            let options = Options { prune: false, ..options };
            assert!(converge(&host, &loaded, &options).1.is_done(), "{broken}");
            for (id, now) in definitions(&host) {
                let stays = held.contains(&id.name.as_str())
                    || ["test", "default", "gone"].contains(&id.name.as_str());
                assert_eq!(before.get(&id) == Some(&now), stays, "{broken}: {id}");
            }
            runs += 1;
        }
    }
    assert!((1..runs).contains(&named), "{named} of {runs}");
    runs
}

fn definitions(host: &Recording<TestDriver>) -> BTreeMap<ResourceId, String> {
    let text = |r: &virt::model::ObservedResource| {
        let definition = r.persistent.as_ref().map(virt::xml::write).unwrap_or_default();
        format!("{definition} {:?}", r.state)
    };
    let observed = observe(host);
    let known = [Kind::Domain, Kind::Network];
    let resources = observed.resources.values().filter(|r| known.contains(&r.id.kind));
    resources.map(|r| (r.id.clone(), text(r))).collect()
}
