//! Rows of the manifests and of the clock.

use super::host::cases;
use super::strike::{Column, recovers};
use crate::support::Recording;
use crate::support::site::{Site, converge, observe, plan_for};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use virt::drivers::{MockDriver, MockHost};
use virt::manifest::{self, Loaded};
use virt::model::{DesiredResource, Kind, ResourceId};
use virt::reconcile::{Clock, Event, Options, Status, apply};

/// Files that may ask for the time of day: people read it, certificates end by it, and ownership records have
/// it. No wait and no order depends on it.
const WALL_CLOCK: [&str; 4] = ["src/cli/", "src/status_server/", "src/pki/", "src/controller/"];

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

/// Files, each with the objects that depend on its content.
const DEPENDENTS: [(&str, &[&str]); 4] = [
    ("net.toml", &["net", "web"]),
    ("db.toml", &["db", "web"]),
    ("job.toml", &["job"]),
    ("web.toml", &["web"]),
];

fn prune() -> Options {
    Options { prune: true, max_prune: Some(100), ..Options::default() }
}

fn host() -> Recording<MockDriver> {
    Recording::new(MockDriver::open(MockHost::Default, None).unwrap())
}

fn load(site: &Site) -> Loaded {
    manifest::load(&[site.path().to_owned()])
}

/// Tries F18: an apply reads half a manifest, of each length. Objects in the missing half are left alone on
/// the host; nothing is pruned because of it, nor is any other manifest blocked.
pub(super) fn half_written(_: Column) -> usize {
    let xml = "<domain type='test'><name>xml</name><memory>131072</memory>\
               <os><type>hvm</type></os></domain>\n";
    let toml = FILES[2].1.replace("65536", "131072");
    let wholes: [(&str, &str, &str); 2] = [("xml.xml", xml, "xml"), ("job.toml", &toml, "job")];
    let mut runs = 0;
    for (file, whole, name) in wholes {
        let before = Site::new(&FILES);
        before.write("xml.xml", &xml.replace("131072", "65536"));
        for length in 1..whole.trim_end().len() {
            let (half, _) = whole.split_at(length);
            let host = host();
            assert!(converge(&host, &before.load(), &Options::default()).1.is_done());
            let site = Site::new(&FILES);
            site.write("xml.xml", &xml.replace("131072", "65536"));
            site.write("db.toml", &FILES[1].1.replace("65536", "131072"));
            site.write(file, half);
            let loaded = load(&site);
            // some halves of TOML are manifests, and no single look can tell
            if !loaded.diagnostics.has_errors() {
                continue;
            }
            let plan = plan_for(&host, &loaded, &prune());
            let touched: Vec<&str> =
                plan.steps.iter().map(|step| step.target.id.name.as_str()).collect();
            assert!(!touched.contains(&name), "{half}: {touched:?}");
            assert!(touched.contains(&"db"), "{half}: {touched:?}");
            runs += 1;
        }
    }
    runs
}

/// Tries F20: the directory is exchanged while an apply reads it, as Kubernetes does it: the run has one
/// version or the other, or reports that it could not be read.
pub(super) fn directory_swapped(_: Column) -> usize {
    const FILES: usize = 40;
    let site = Site::new(&[]);
    let name = |n: usize| format!("m{n}.toml");
    for version in [1, 2] {
        let directory = site.path().join(format!("..{version}"));
        fs::create_dir(&directory).unwrap();
        for n in 0..FILES {
            let text = format!(
                "[[domain]]\ntype = 'test'\nname = 'm{n}'\nmemory = {version}\nos.type = 'hvm'\n"
            );
            fs::write(directory.join(name(n)), text).unwrap();
        }
    }
    let exchange = |version: usize| {
        let link = site.path().join("..data_tmp");
        symlink(format!("..{version}"), &link).unwrap();
        fs::rename(link, site.path().join("..data")).unwrap();
    };
    exchange(1);
    for n in 0..FILES {
        symlink(format!("..data/{}", name(n)), site.path().join(name(n))).unwrap();
    }
    let over = AtomicBool::new(false);
    let (mut whole, mut refused) = ([0; 3], 0);
    std::thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            // now faster than anybody can read, now slow enough; the time in a directory's inode
            // tells nothing that is faster than the kernel's clock ticks
            for n in (0..).take_while(|_| !over.load(Ordering::SeqCst)) {
                exchange(n % 2 + 1);
                let pause = if n / 50 % 2 == 0 { 11 } else { 40 };
                std::thread::sleep(Duration::from_millis(pause));
            }
        });
        for _ in 0..30 {
            let loaded = load(&site);
            if loaded.diagnostics.has_errors() {
                assert!(loaded.desired.resources.is_empty() && !loaded.desired.complete);
                refused += 1;
                continue;
            }
            let memory = |r: &Arc<DesiredResource>| {
                let memory = r.definition.root().child("memory").map(|m| m.text());
                memory.and_then(|text| text.trim().parse::<usize>().ok()).unwrap()
            };
            let versions: BTreeSet<usize> = loaded.desired.resources.values().map(memory).collect();
            assert_eq!(loaded.desired.resources.len(), FILES);
            assert_eq!(versions.len(), 1, "a mix of both");
            whole[*versions.first().unwrap()] += 1;
        }
    });
    assert!(whole[1] > 0 && whole[2] > 0, "{whole:?}, refused {refused}");
    whole[1] + whole[2] + refused
}

/// Says that something is over when it goes, also where a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
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

/// Tries F23: one manifest of four is invalid, in each way. It and its dependants are blocked, as they are;
/// the others are applied, and nothing is pruned unless its manifest is known to be gone.
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
            let is_named = loaded.desired.blocked.keys().any(|id| id.name == held[0]);
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

fn definitions(host: &Recording<MockDriver>) -> BTreeMap<ResourceId, String> {
    let text = |r: &virt::model::ObservedResource| {
        let definition = r
            .persistent
            .as_ref()
            .map(xmltree::Document::as_element)
            .map(xmltree::write)
            .unwrap_or_default();
        format!("{definition} {:?}", r.state)
    };
    let observed = observe(host);
    let known = [Kind::Domain, Kind::Network];
    let resources = observed.resources.values().filter(|r| known.contains(&r.id.kind));
    resources.map(|r| (r.id.clone(), text(r))).collect()
}
