//! Convergence, the property that everything else serves: an applied manifest is in sync. Each of libvirt's
//! own test definitions that a libvirtd accepts is a manifest here; it is applied, and the next plan is
//! empty.

use super::corpus::{documents, unpacked};
use crate::support::ops;
use crate::support::{Libvirtd, testdata, tool, trial_if};
use diagnostics::SourceId;
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use virt::drivers::{self, Connection, Driver, Environment, ExecContext};
use virt::manifest::load;
use virt::model::{
    Call, Capabilities, Desired, Kind, NAMESPACE, Op, Outcome, ResourceId, Scope, Target,
    UndefineKeep, Uuid,
};
use virt::reconcile::{Options, Plan, Side, SystemClock, apply, overlay, plan};
use xmltree::{Element, Limits, Name, parse, write};

/// Least share of the accepted definitions that is in sync after one apply.
const SHARE: f64 = 0.98;

/// Definitions that libvirtd takes and that are not in sync after an apply, and why. One that is,
/// or that is not taken, has no place here.
pub(super) const LEFT: &[(&str, &str)] = &[
    (
        "channel-virtio-autoassign",
        "the manifest puts channels on a controller's bus 0, and libvirt moves them to one with room",
    ),
    (
        "numad-auto-memory-vcpu-no-cpuset-and-placement",
        "libvirt turns placement='auto' of memory into that of processors too, whatever they say",
    ),
];

/// Definitions that libvirtd takes and a manifest may not say, and why.
pub(super) const NOT_A_MANIFEST: &[(&str, &str)] = &[
    (
        "disk-cdrom-empty-network-invalid",
        "a disk of type network has no source; libvirt's own grammar asks for one, too",
    ),
    (
        "disk-network-iscsi-zero-hosts-invalid",
        "an iSCSI disk has no host; libvirt's own grammar asks for one, too",
    ),
    ("net-mcast", "this is not a multicast address"),
    (
        "numatune-auto-nodeset-invalid",
        "placement='auto' has a nodeset beside it; libvirt's own grammar refuses it, too",
    ),
    (
        "pci-rom-disabled-invalid",
        "the ROM's file is no absolute path; libvirt's own grammar refuses it, too",
    ),
];

/// Parts of a manifest that a merged definition lacks, by the path's beginning, each with the reason.
const DISCARDED: &[(&str, &str)] = &[
    ("/cpu/model", "the host's own model has no other name"),
    ("/devices/channel/source", "the path is one that libvirt generates"),
    ("/devices/console", "the first one is the first serial port under another name"),
    ("/devices/disk/mirror", "only a running guest has one"),
    ("/devices/disk/source/seclabel", "one that is skipped is written only while the guest runs"),
    ("/devices/interface/coalesce", "it says what is the default"),
    ("/devices/interface/driver", "it says the default, or a hostdev has none"),
    ("/devices/interface/filterref", "a hostdev has none"),
    ("/devices/parallel/protocol", "a raw one is the default"),
    ("/devices/redirdev/protocol", "a raw one is the default"),
    ("/devices/rng/backend/protocol", "a raw one is the default"),
    ("/devices/serial/protocol", "a raw one is the default"),
    ("/devices/smartcard/protocol", "a raw one is the default"),
    ("/memtune", "unlimited is the default"),
    ("/metadata/", "of each namespace there is one element, and none without"),
    ("/seclabel/imagelabel", "only a running guest has one"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let needs = || {
        Libvirtd::available()?;
        Ok((testdata("libvirt-11.3.0-tests.tar.xz")?, tool("tar")?))
    };
    vec![
        trial_if(needs(), "real/convergence/domains", |(archive, tar)| {
            let corpus = unpacked(&archive, &tar);
            let folder = corpus.path().join("tests/qemuxmlconfdata");
            converge(Kind::Domain, &folder, LEFT, NOT_A_MANIFEST);
        }),
        trial_if(needs(), "real/convergence/networks", |(archive, tar)| {
            let corpus = unpacked(&archive, &tar);
            converge(Kind::Network, &corpus.path().join("tests/networkxml2xmlin"), &[], &[]);
        }),
    ]
}

/// Fate of a definition.
enum Fate {
    /// Refused by libvirtd.
    Refused,
    /// The manifests' loader does not take it; the first problem.
    NotAManifest(String),
    /// Applied, with the next plan's changes; empty is in sync.
    Applied { pair: Box<Pair>, left: String },
}

/// Manifest, and the definition on a host that has applied it.
struct Pair {
    name: String,
    manifest: Element,
    host: Element,
}

#[expect(clippy::print_stdout, reason = "the share is worth seeing when all is well, too")]
fn converge(kind: Kind, folder: &Path, left: &[(&str, &str)], unsound: &[(&str, &str)]) {
    let libvirtd = Libvirtd::start();
    let host = Host::open(&libvirtd);
    let (mut refused, mut pairs) = (0, Vec::new());
    let (mut found_left, mut found_unsound) = (BTreeMap::new(), BTreeMap::new());
    for path in inputs(folder) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        match host.fate(kind, &path) {
            Fate::Refused => refused += 1,
            Fate::NotAManifest(why) => {
                found_unsound.insert(name, why);
            }
            Fate::Applied { pair, left } => {
                if !left.is_empty() {
                    found_left.insert(name, left);
                }
                pairs.push(*pair);
            }
        }
    }
    let (of, taken) = (pairs.len() - found_left.len(), pairs.len() + found_unsound.len());
    let share = of as f64 / taken as f64;
    println!(
        "{kind}: of {} definitions libvirtd takes {taken}; {} of them {} no manifest for us, and \
         {of} ({:.1} %) are in sync after one apply",
        taken + refused,
        found_unsound.len(),
        if found_unsound.len() == 1 { "is" } else { "are" },
        100.0 * share,
    );
    expect_explained("not in sync", &found_left, left);
    expect_explained("no manifest", &found_unsound, unsound);
    assert!(taken > 30 && share >= SHARE, "{share}");
    merges_settle(kind, &pairs);
    merges_lose_nothing(kind, &pairs);
}

/// Fails unless exactly the names of `explained` were found.
fn expect_explained(title: &str, found: &BTreeMap<String, String>, explained: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (name, why) in found {
        if !explained.iter().any(|(explained, _)| name == explained) {
            let _ = writeln!(wrong, "{title}, and no reason is known: {name}: {why}");
        }
    }
    for (name, _) in explained.iter().filter(|(name, _)| !found.contains_key(*name)) {
        let _ = writeln!(wrong, "{title} no longer: take {name} out of the list");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Merges a manifest into the definition of another machine, and then into the result: the second time there
/// is nothing left to change.
fn merges_settle(kind: Kind, pairs: &[Pair]) {
    let mut wrong = String::new();
    for (a, b) in strangers(pairs) {
        let once = overlay(kind, Side::NextBoot, &b.host, &a.manifest, None, &[]);
        let twice = overlay(kind, Side::NextBoot, &once.merged, &a.manifest, None, &[]);
        for change in &twice.changes {
            let (path, before, after) = (&change.path, &change.before, &change.after);
            let _ = writeln!(wrong, "{} on {}: {path} {before:?} -> {after:?}", a.name, b.name);
        }
    }
    assert!(wrong.is_empty(), "laid over twice, these change again:\n{wrong}");
}

/// Checks that each element of a manifest is in the merged definition, by its path, unless the host would
/// discard it.
fn merges_lose_nothing(kind: Kind, pairs: &[Pair]) {
    let (mut lost, mut explained) = (BTreeMap::new(), BTreeSet::new());
    for (a, b) in strangers(pairs) {
        let merged = overlay(kind, Side::NextBoot, &b.host, &a.manifest, None, &[]).merged;
        let (mut said, mut has) = (BTreeMap::new(), BTreeMap::new());
        count("", &a.manifest, &mut said);
        count("", &merged, &mut has);
        said.retain(|path, n| has.get(path).is_none_or(|kept| kept < n));
        for path in said.into_keys() {
            match DISCARDED.iter().find(|(discarded, _)| path.starts_with(discarded)) {
                Some((discarded, _)) => {
                    explained.insert(*discarded);
                }
                None => {
                    lost.entry(path).or_insert_with(|| format!("{} on {}", a.name, b.name));
                }
            }
        }
    }
    assert!(lost.is_empty(), "{kind}: lost, and no reason is known: {lost:#?}");
    let stale: Vec<_> = DISCARDED.iter().filter(|(path, _)| !explained.contains(path)).collect();
    assert!(kind == Kind::Network || stale.is_empty(), "not lost: {stale:?}");
}

/// Returns pairs of each manifest with itself and with unrelated ones.
fn strangers(pairs: &[Pair]) -> impl Iterator<Item = (&Pair, &Pair)> {
    let at = move |n: usize| pairs.get(n % pairs.len()).unwrap();
    (0..pairs.len()).flat_map(move |n| [0, 1, 7, 31].map(|far| (at(n), at(n + far))))
}

/// Counts the occurrences of each path of names in a tree.
fn count(path: &str, element: &Element, counts: &mut BTreeMap<String, usize>) {
    for child in element.elements() {
        let path = format!("{path}/{}", label(child));
        *counts.entry(path.clone()).or_default() += 1;
        count(&path, child, counts);
    }
}

/// An element's name, whatever prefix it is written with.
fn label(element: &Element) -> String {
    match &element.name.namespace {
        Some(namespace) => format!("{{{namespace}}}{}", element.name.local),
        None => element.name.local.clone(),
    }
}

/// A libvirtd to apply manifests to.
struct Host {
    driver: Box<dyn Driver>,
    capabilities: Capabilities,
    manifests: tempfile::TempDir,
}

impl Host {
    fn open(libvirtd: &Libvirtd) -> Self {
        let uri = Connection::of_operator(&libvirtd.qemu_uri()).unwrap();
        let driver = drivers::open(&uri, &Environment::new(None, None)).unwrap();
        let capabilities = driver.capabilities().unwrap();
        Self { driver, capabilities, manifests: tempfile::tempdir().unwrap() }
    }

    fn fate(&self, kind: Kind, path: &Path) -> Fate {
        // some hold bytes that are no text, and a manifest is text
        let Ok(text) = fs::read_to_string(path) else { return Fate::Refused };
        let Ok(document) = parse(SourceId::NONE, &text, &Limits::default()) else {
            return Fate::Refused;
        };
        let name = document.child_text("name").unwrap_or_default();
        let id = ResourceId::new(kind, name);
        if self.define(&id, text) != Outcome::Done {
            return Fate::Refused;
        }
        self.undefine(&id);
        let manifest = self.manifests.path().join("manifest.xml");
        fs::write(&manifest, write(&with_power_manual(document))).unwrap();
        let loaded = load(&[manifest]);
        let Some(wanted) = loaded.desired.resources.get(&id) else {
            let problem = loaded.diagnostics.iter().next();
            return Fate::NotAManifest(problem.map_or("?".to_owned(), |d| d.summary.to_string()));
        };
        for network in &wanted.depends_on {
            // a domain's network has to be there
            let xml = write(
                &Element::new("network").with_child(Element::new("name").with_text(&network.name)),
            );
            self.define(network, xml);
        }
        let first = self.plan(&loaded.desired);
        assert!(first.refusals.is_empty(), "{}: {:?}", path.display(), first.refusals);
        let report = apply(&first, &*self.driver, &SystemClock, 1, &mut |_| {});
        let left = if first.is_empty() {
            format!("{:?}", first.blocked)
        } else if report.is_done() {
            still(&self.plan(&loaded.desired))
        } else {
            format!("{report:?}")
        };
        let observed = self.driver.observe(&Scope::all()).unwrap().resources.remove(&id);
        self.undefine(&id);
        let host =
            observed.and_then(|o| o.persistent).unwrap_or_else(|| Element::new("none").into());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let pair =
            Pair { name, manifest: wanted.definition.to_element(), host: host.into_element() };
        Fate::Applied { pair: Box::new(pair), left }
    }

    fn plan(&self, desired: &Desired) -> Plan {
        let observed = self.driver.observe(&Scope::all()).unwrap();
        plan(desired, &observed, &self.capabilities, &Options::default())
    }

    fn define(&self, id: &ResourceId, xml: String) -> Outcome {
        self.call(id, Uuid::nil(), ops::define(id.kind, xml))
    }

    fn undefine(&self, id: &ResourceId) {
        let found = self.driver.observe(&Scope::all()).unwrap().resources.remove(id);
        if let Some(found) = found {
            let keep =
                if id.kind.is_guest() { UndefineKeep::Remove } else { UndefineKeep::Nothing };
            let done = self.call(id, found.uuid, ops::undefine(id.kind, keep));
            assert_eq!(done, Outcome::Done, "undefine {id}");
        }
    }

    fn call(&self, id: &ResourceId, uuid: Uuid, op: Op) -> Outcome {
        let target = Target { id: id.clone(), uuid };
        self.driver.execute(&[Call { target, op }], &ExecContext::default()).pop().unwrap()
    }
}

/// Returns the changes of a plan, in one line.
fn still(plan: &Plan) -> String {
    let fields = plan.changes.iter().flat_map(|c| &c.fields);
    let fields = fields.map(|f| format!("{} {:?} -> {:?}", f.path, f.before, f.after));
    let held = plan.blocked.values().cloned();
    fields.chain(held).collect::<Vec<_>>().join("; ")
}

/// The document as a manifest that is defined and not started.
fn with_power_manual(mut document: Element) -> Element {
    let reconcile = Element::named(Name::qualified("virt", NAMESPACE, "reconcile"));
    document.child_or_new("metadata").push(reconcile.with_attr("power", "manual"));
    document
}

/// The inputs among the files of a folder: outputs have the architecture and version of a QEMU
/// behind a dot in their names.
pub(super) fn inputs(folder: &Path) -> Vec<PathBuf> {
    let is_output = |path: &PathBuf| {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        stem.split('.').skip(1).any(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    let mut paths = documents(folder);
    paths.retain(|path| !is_output(path));
    paths.sort();
    paths
}
