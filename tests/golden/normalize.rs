//! Rewrites of manifests by hosts, row by row: each case holds a manifest, libvirt 11.3.0's version of it,
//! and edits of the manifest with the comparison's results.
//!
//!     case WHAT IT SHOWS
//!     with NAME…               elements to record beside those that the manifest has
//!     manifest                 what stands in the definition
//!     host                     what became of it, as the next boot has it
//!     host elsewhere           the same from a libvirtd that has what the tests' own one lacks
//!     running                  the same of a guest that runs
//!     edit PATH = VALUE        with this value in the manifest, exactly PATH differs
//!     same PATH = VALUE        with this value in the manifest, nothing differs
//!     turn PATH = NAME VALUE   with another attribute in place of this one, nothing differs
//!     drop PATH                applied and then left out, exactly PATH is removed
//!     kept PATH                applied and then left out, nothing is removed
//!     add PARENT ELEMENT       with this element in the manifest, exactly what follows differs
//!
//! ` => PATHS`, separated by blanks, names the differences where they are others. The hosts' parts
//! are recorded (`UPDATE_EXPECT=1`) and compared with a
//! libvirtd of that version; one of another version has to be in sync with them.

use super::sections::{Section, cases, files, folder, save, update};
use crate::support::ops;
use crate::support::{Libvirtd, tool, trial, trial_if};
use diagnostics::SourceId;
use libtest_mimic::Trial;
use std::path::PathBuf;
use virt::drivers::{self, Connection, Driver, Environment, ExecContext};
use virt::model::{Call, Kind, Outcome, ResourceId, Scope, Target, UndefineKeep, Uuid, Version};
use virt::reconcile::{Side, overlay};
use xmltree::{Attribute, Element, Limits, Node, Path, Step, parse, value_at, write};

/// The libvirt that the hosts' parts are recorded from.
const RECORDED: Version = Version::new(11, 3, 0);

/// Folders of cases, with their kind, the driver of a libvirtd, and the rows of the tables: one file each.
const ROWS: [(&str, Kind, &str, &[&str]); 3] = [
    (
        "domain",
        Kind::Domain,
        "qemu",
        &[
            "addresses",
            "aliases",
            "boot",
            "channels",
            "chardev",
            "controllers",
            "cpu",
            "disks",
            "features",
            "firmware",
            "graphics",
            "identity",
            "implicit-devices",
            "interfaces",
            "lifecycle-clock",
            "lists-of-numbers",
            "live-only",
            "machine",
            "memory-alignment",
            "memory-hotplug",
            "memory-units",
            "memtune",
            "numa",
            "qemu-metadata",
            "seclabel",
            "serial-console",
            "small-devices",
            "text-layout",
            "unknown-xml",
            "vcpu",
            "video",
        ],
    ),
    (
        "network",
        Kind::Network,
        "qemu",
        &[
            "bridge",
            "bridge-mac",
            "child-order",
            "dhcp",
            "dns-portgroup-route",
            "forward",
            "forward-hostdev",
            "ipv6-and-domain",
            "netmask-prefix",
            "uuid",
        ],
    ),
    ("test-driver", Kind::Domain, "test", &["common-post-parse"]),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial("golden/normalize/every_row_has_cases", every_row_has_cases)];
    for (name, kind, uri, rows) in ROWS {
        for row in rows {
            let path = folder("normalize").join(name).join(format!("{row}.txt"));
            trials.push(trial(format!("golden/normalize/{name}/{row}"), move || {
                let cases = cases(&path);
                let cases = cases.iter().filter_map(|c| Case::of(kind, c));
                let wrong: Vec<String> = cases.flat_map(|c| c.check()).collect();
                assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            }));
        }
        let needs = Libvirtd::available().and_then(|()| tool("qemu-system-x86_64"));
        trials.push(trial_if(needs, format!("real/normalize/{name}"), move |_| {
            let recorder = Recorder::open(kind, uri);
            let path = |row: &&str| folder("normalize").join(name).join(format!("{row}.txt"));
            let wrong: Vec<String> = rows.iter().flat_map(|r| recorder.record(path(r))).collect();
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }));
    }
    trials
}

fn every_row_has_cases() {
    for (name, kind, _, rows) in ROWS {
        let stem = |p: &PathBuf| p.file_stem().unwrap().to_string_lossy().into_owned();
        let mut found: Vec<String> =
            files(&folder("normalize").join(name)).iter().map(stem).collect();
        found.sort();
        assert_eq!(found, rows, "files and rows");
        for row in rows {
            let cases = cases(&folder("normalize").join(name).join(format!("{row}.txt")));
            assert!(cases.iter().any(|c| Case::of(kind, c).is_some()), "{name}/{row} has no case");
        }
    }
}

/// One case, read.
struct Case<'a> {
    kind: Kind,
    name: &'a str,
    sections: &'a [Section],
    manifest: Element,
}

impl<'a> Case<'a> {
    fn of(kind: Kind, sections: &'a [Section]) -> Option<Self> {
        let name = sections.first().map(Section::as_str).filter(|(word, _)| *word == "case")?.1;
        let manifest = sections.iter().find(|s| s.head == "manifest").expect(name);
        Some(Self { kind, name, sections, manifest: manifest.document(root(kind)) })
    }

    /// Returns the failures.
    fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut against = None;
        for section in self.sections {
            let (word, rest) = section.as_str();
            match word {
                "host" | "running" => {
                    let side = if word == "host" { Side::NextBoot } else { Side::Running };
                    let host = section.document(root(self.kind));
                    wrong.extend(self.expect(&self.manifest, side, &host, None, &[], word));
                    let _ = against.get_or_insert((side, host));
                }
                "edit" | "same" | "turn" | "drop" | "kept" | "add" => {
                    let (side, host) = against.as_ref().expect(self.name);
                    wrong.extend(self.directive(word, rest, *side, host));
                }
                _ => assert!(matches!(word, "case" | "with" | "manifest" | "#"), "{word}"),
            }
        }
        assert!(against.is_some(), "{}: no host", self.name);
        wrong
    }

    fn directive(&self, word: &str, rest: &str, side: Side, host: &Element) -> Option<String> {
        let (what, expected) = match rest.split_once(" => ") {
            Some((what, paths)) => (what, Some(paths.split_whitespace().collect::<Vec<_>>())),
            None => (rest, None),
        };
        let mut edited = self.manifest.clone();
        let mut last = None;
        let path = match word {
            "edit" | "same" => {
                let (path, value) = what.split_once(" = ").expect(rest);
                set_at(&mut edited, &Path::parse(path).expect(path), value);
                path
            }
            "turn" => {
                let (path, other) = what.split_once(" = ").expect(rest);
                let (name, value) = other.split_once(' ').expect(rest);
                let path = Path::parse(path).expect(path);
                last = Some(&self.manifest);
                remove_at(&mut edited, &path);
                enter(&mut edited, &path.steps).set_attr(name, value);
                what
            }
            "drop" | "kept" => {
                last = Some(&self.manifest);
                remove_at(&mut edited, &Path::parse(what).expect(what));
                what
            }
            _ => {
                let (path, element) = what.split_once(' ').expect(rest);
                let element = parse(SourceId::NONE, element, &Limits::default()).expect(element);
                let parent = match path {
                    "." => &mut edited,
                    _ => enter(&mut edited, &Path::parse(path).expect(path).steps),
                };
                parent.push(element);
                path
            }
        };
        let expected = match word {
            "same" | "kept" => Vec::new(),
            "turn" => expected.unwrap_or_default(),
            _ => expected.unwrap_or_else(|| vec![path]),
        };
        self.expect(&edited, side, host, last, &expected, &format!("{word} {rest}"))
    }

    fn expect(
        &self,
        manifest: &Element,
        side: Side,
        host: &Element,
        last: Option<&Element>,
        expected: &[&str],
        what: &str,
    ) -> Option<String> {
        let laid = overlay(self.kind, side, host, manifest, last, &[]);
        let found: Vec<String> = laid.changes.iter().map(|c| c.path.to_string()).collect();
        let detail = || {
            let lines = laid
                .changes
                .iter()
                .map(|c| format!("  found {}: {:?} -> {:?}", c.path, c.before, c.after));
            lines.collect::<Vec<_>>().join("\n")
        };
        let again = overlay(self.kind, side, &laid.merged, manifest, None, &[]).changes;
        if found != expected {
            Some(format!("{}: {what}\n  expected {expected:?}\n{}", self.name, detail()))
        } else if side == Side::NextBoot && !again.is_empty() {
            Some(format!("{}: {what}\n  once merged it differs: {again:?}", self.name))
        } else {
            None
        }
    }
}

/// The root element's start tag that cases leave out.
fn root(kind: Kind) -> &'static str {
    if kind.is_guest() { "domain type='qemu'" } else { kind.as_str() }
}

/// The element that steps lead to; those that are missing are made.
fn enter<'a>(element: &'a mut Element, steps: &[Step]) -> &'a mut Element {
    let Some((step, rest)) = steps.split_first() else { return element };
    let fits = |e: &Element| {
        let key = step.key.as_ref();
        e.name.written() == step.name
            && key.is_none_or(|(path, value)| value_at(e, path).as_ref() == Some(value))
    };
    let found: Vec<usize> = (0..element.children.len())
        .filter(|n| matches!(&element.children[*n], Node::Element(e) if fits(e)))
        .collect();
    let at = found.get(step.ordinal.map_or(0, |n| n - 1)).copied().unwrap_or_else(|| {
        assert!(step.key.is_none() && step.ordinal.is_none(), "no {step}");
        element.push(Element::new(&step.name));
        element.children.len() - 1
    });
    let Node::Element(child) = &mut element.children[at] else { unreachable!() };
    enter(child, rest)
}

fn set_at(root: &mut Element, path: &Path, value: &str) {
    let element = enter(root, &path.steps);
    match &path.attribute {
        Some(name) => match element.attributes.iter_mut().find(|a| a.name.written() == *name) {
            Some(Attribute { value: old, .. }) => value.clone_into(old),
            None => element.set_attr(name, value),
        },
        None => element.set_text(value),
    }
}

fn remove_at(root: &mut Element, path: &Path) {
    match &path.attribute {
        Some(name) => assert!(enter(root, &path.steps).remove_attr(name), "no {path}"),
        None => {
            let (step, parents) = path.steps.split_last().unwrap();
            let parent = enter(root, parents);
            let gone = enter(parent, std::slice::from_ref(step)).clone();
            assert!(parent.remove_elements(|e| *e == gone), "no {path}");
        }
    }
}

/// Recorder of a libvirtd's versions of manifests.
struct Recorder {
    kind: Kind,
    /// The `type` of domains.
    driver_type: &'static str,
    driver: Box<dyn Driver>,
    /// Whether the libvirtd is of the version that the cases are recorded from: others only have to be in
    /// sync.
    as_recorded: bool,
    /// Ends when the recorder does.
    _libvirtd: Libvirtd,
}

impl Recorder {
    fn open(kind: Kind, driver_type: &'static str) -> Self {
        let libvirtd = Libvirtd::start();
        let uri = if driver_type == "test" { libvirtd.test_uri() } else { libvirtd.qemu_uri() };
        let env = Environment::new(None, None);
        let driver = drivers::open(&Connection::of_operator(&uri).unwrap(), &env).unwrap();
        let as_recorded = driver.capabilities().unwrap().version == RECORDED;
        Self { kind, driver_type, driver, as_recorded, _libvirtd: libvirtd }
    }

    /// Compares the records of a file with the host's versions of its manifests, or records them; returns the
    /// differences.
    fn record(&self, path: PathBuf) -> Vec<String> {
        let mut all = cases(&path);
        let mut wrong = Vec::new();
        for sections in &mut all {
            let Some(case) = Case::of(self.kind, sections) else { continue };
            let name = case.name.to_owned();
            let with = sections.iter().map(Section::as_str).find(|(word, _)| *word == "with");
            let with: Vec<String> =
                with.map_or("", |w| w.1).split(' ').map(str::to_owned).collect();
            let manifest = case.manifest.clone();
            let whole = self.whole(&manifest);
            for section in sections {
                let running = match section.head.as_str() {
                    "host" => false,
                    "running" => true,
                    _ => continue,
                };
                let made = match self.made(&whole, running) {
                    Ok(made) => made,
                    Err(error) => {
                        wrong.push(format!("{name}: {error}"));
                        continue;
                    }
                };
                let side = if running { Side::Running } else { Side::NextBoot };
                let changes = overlay(self.kind, side, &made, &whole, None, &[]).changes;
                let mut part = part(&manifest, &with, &made);
                if !changes.is_empty() {
                    wrong.push(format!("{name}: {changes:#?}"));
                }
                mask(&mut part, &write(&manifest).to_lowercase());
                if update() {
                    section.set_document(&part);
                } else {
                    let recorded = section.document(root(self.kind));
                    let recorded = bare(recorded);
                    if self.as_recorded && part != recorded {
                        wrong.push(format!(
                            "{name}: recorded\n{}\nfound\n{}",
                            write(&recorded),
                            write(&part)
                        ));
                    }
                }
            }
        }
        if update() {
            save(&path, &all);
        }
        wrong
    }

    /// Completes a manifest with the parts that a host requires of any definition.
    fn whole(&self, manifest: &Element) -> Element {
        let mut whole = manifest.clone();
        let mut least = vec!["<name>guest</name>"];
        if self.kind == Kind::Domain {
            whole.set_attr("type", self.driver_type);
            least.push("<memory unit='MiB'>64</memory>");
            least.push("<os><type arch='x86_64' machine='pc'>hvm</type></os>");
        }
        for text in least {
            let element = parse(SourceId::NONE, text, &Limits::default()).unwrap();
            if whole.child(&element.name.local).is_none() {
                whole.push(element);
            }
        }
        whole
    }

    /// Returns the host's version of a whole definition.
    fn made(&self, whole: &Element, running: bool) -> Result<Element, String> {
        let id = ResourceId::new(self.kind, whole.child_text("name").unwrap());
        let call = |uuid, op| {
            let call = Call { target: Target { id: id.clone(), uuid }, op };
            match self.driver.execute(&[call], &ExecContext::default()).pop().unwrap() {
                Outcome::Done => Ok(()),
                Outcome::Refused(error) | Outcome::NotSent(error) | Outcome::Unknown(error) => {
                    Err(error.message.clone())
                }
            }
        };
        let observe = || {
            let mut observed = self.driver.observe(&Scope::all()).unwrap();
            observed.resources.remove(&id).unwrap()
        };
        call(Uuid::nil(), ops::define(self.kind, write(whole)))?;
        let uuid = observe().uuid;
        let started = match running {
            true => call(uuid, ops::create(self.kind, self.kind == Kind::Domain)),
            false => Ok(()),
        };
        let made = observe();
        if running && started.is_ok() {
            call(uuid, ops::destroy(self.kind))?;
        }
        call(uuid, ops::undefine(self.kind, UndefineKeep::Nothing))?;
        started?;
        Ok(if running { made.live } else { made.persistent }.unwrap().into_element())
    }
}

/// Returns the host's version of the elements that the manifest has, and of those named beside them: devices
/// by themselves, all else whole.
fn part(manifest: &Element, with: &[String], made: &Element) -> Element {
    let named = |said: Option<&Element>, e: &Element| {
        said.is_some_and(|said| said.elements().any(|s| s.name == e.name))
            || with.contains(&e.name.local)
    };
    let mut part = bare(made.clone());
    part.remove_elements(|e| !e.is("devices") && !named(Some(manifest), e));
    if let Some(devices) = part.child_mut("devices") {
        devices.remove_elements(|e| !named(manifest.child("devices"), e));
    }
    part.remove_elements(|e| e.is("devices") && e.elements().next().is_none());
    part
}

/// Returns the definition without the attributes of its root element.
fn bare(mut definition: Element) -> Element {
    definition.attributes.clear();
    definition.namespaces.clear();
    definition
}

/// Replaces values that differ each time by constants: identifiers that the manifest does not have, and
/// terminals. White space is removed.
fn mask(element: &mut Element, manifest: &str) {
    // a UUID may be written without its hyphens
    let chosen = |value: &str| {
        let value = value.to_lowercase();
        manifest.contains(&value) || manifest.contains(&value.replace('-', ""))
    };
    if (element.is("uuid") || element.is("genid")) && !chosen(&element.text()) {
        element.set_text("00000000-0000-4000-8000-000000000001");
    }
    if element.is("mac")
        && let Some(address) = element.attr("address").filter(|a| !chosen(a))
    {
        let prefix: String = address.chars().take(9).collect();
        element.set_attr("address", format!("{prefix}00:00:01"));
    }
    for attribute in &mut element.attributes {
        if attribute.value.starts_with("/dev/pts/") {
            attribute.value = "/dev/pts/1".to_owned();
        }
        if attribute.name.local == "interfaceid" && !chosen(&attribute.value) {
            attribute.value = "00000000-0000-4000-8000-000000000002".to_owned();
        }
    }
    element.children.retain(|n| !matches!(n, Node::Text(t) if t.value.trim().is_empty()));
    element.elements_mut().for_each(|child| mask(child, manifest));
}
