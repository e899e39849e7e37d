//! Pairs of manifests from libvirt's own test definitions: parts of one are put in place of another's,
//! taken out, exchanged and added, and back. The same edits of definitions that people have published.

use super::super::convergence;
use super::super::corpus::{documents, unpacked};
use super::super::oracle::with_settings;
use super::generate::{Pair, spread};
use diagnostics::SourceId;
use std::fs;
use std::path::Path;
use virt::model::Kind;
use xmltree::{Element, Limits, Node, parse, write};

/// Parts that are put in place of another document's: where they stand, and how many pairs of each.
const PARTS: [(Kind, &[&str], &str); 34] = [
    (Kind::Domain, &[], "cpu"),
    (Kind::Domain, &[], "os"),
    (Kind::Domain, &[], "features"),
    (Kind::Domain, &[], "clock"),
    (Kind::Domain, &[], "memoryBacking"),
    (Kind::Domain, &[], "vcpu"),
    (Kind::Domain, &[], "cputune"),
    (Kind::Domain, &[], "sysinfo"),
    (Kind::Domain, &[], "pm"),
    (Kind::Domain, &["devices"], "disk"),
    (Kind::Domain, &["devices"], "controller"),
    (Kind::Domain, &["devices"], "interface"),
    (Kind::Domain, &["devices"], "graphics"),
    (Kind::Domain, &["devices"], "video"),
    (Kind::Domain, &["devices"], "serial"),
    (Kind::Domain, &["devices"], "console"),
    (Kind::Domain, &["devices"], "channel"),
    (Kind::Domain, &["devices"], "watchdog"),
    (Kind::Domain, &["devices"], "input"),
    (Kind::Domain, &["devices"], "hostdev"),
    (Kind::Domain, &["devices"], "sound"),
    (Kind::Domain, &["devices"], "rng"),
    (Kind::Domain, &["devices"], "tpm"),
    (Kind::Domain, &["devices"], "filesystem"),
    (Kind::Domain, &["devices"], "memballoon"),
    (Kind::Domain, &["devices"], "shmem"),
    (Kind::Network, &[], "forward"),
    (Kind::Network, &[], "bridge"),
    (Kind::Network, &[], "ip"),
    (Kind::Network, &[], "dns"),
    (Kind::Network, &[], "virtualport"),
    (Kind::Network, &[], "portgroup"),
    (Kind::Network, &[], "bandwidth"),
    (Kind::Network, &[], "domain"),
];

/// Parts whose edits may be refused before anything is done, and why.
const MAY_REFUSE: [(&str, &str); 2] = [
    ("corpus os", "another machine is another computer"),
    ("corpus sysinfo", "another UUID of the system is another domain"),
];

/// Pairs of documents for each part.
const EACH: usize = 24;

/// Edits of each sort in one document, each there and back.
const EDITS: usize = 1;

/// Number of edits of each sort in a published definition.
const WILD_EDITS: usize = 4;

/// Elements that are never removed: they identify, or everything depends on them.
const KEPT: [&str; 12] = [
    "name", "uuid", "memory", "type", "os", "devices", "metadata", "mac", "emulator", "vcpu",
    "address", "target",
];

/// Attributes that are never removed.
const KEPT_ATTRIBUTES: [&str; 6] = ["type", "name", "index", "id", "device", "bus"];

struct Document {
    name: String,
    kind: Kind,
    tree: Element,
}

pub(super) fn pairs(archive: &Path, tar: &Path) -> Vec<Pair> {
    let corpus = unpacked(archive, tar);
    let mut all = Vec::new();
    for (kind, folder) in
        [(Kind::Domain, "tests/qemuxmlconfdata"), (Kind::Network, "tests/networkxml2xmlin")]
    {
        for path in documents(&corpus.path().join(folder)) {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap_or_default();
            // outputs have an architecture and a version in their names
            let is_output = name.split('.').skip(1).any(|p| p.starts_with(char::is_alphabetic));
            let by_itself = |table: &[(&str, &str)]| table.iter().any(|(left, _)| *left == name);
            if by_itself(convergence::LEFT) || by_itself(convergence::NOT_A_MANIFEST) {
                continue;
            }
            let Some(tree) = (!is_output).then(|| adapted(kind, &text)).flatten() else { continue };
            all.push(Document { name, kind, tree });
        }
    }
    all.sort_by_key(|document| spread(&document.name));
    let mut pairs = Vec::new();
    for (kind, place, part) in PARTS {
        graft(&all, kind, place, part, &mut pairs);
    }
    for document in &all {
        edits(document, "", EDITS, &mut pairs);
    }
    pairs
}

/// Edits of definitions as people publish them.
pub(super) fn wild(folder: &Path) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for path in documents(folder) {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let adapted = |kind| adapted(kind, &text).map(|tree| (kind, tree));
        let Some((kind, tree)) = adapted(Kind::Domain).or_else(|| adapted(Kind::Network)) else {
            continue;
        };
        let document = Document { name: format!("wild {file}"), kind, tree };
        edits(&document, "wild: ", WILD_EDITS, &mut pairs);
    }
    pairs
}

/// A document for a host with QEMU for x86_64, with our settings; `None` if it is for another.
fn adapted(kind: Kind, text: &str) -> Option<Element> {
    let mut root = parse(SourceId::NONE, text, &Limits::default()).ok()?;
    if !root.is(kind.as_str()) {
        return None;
    }
    if kind == Kind::Domain {
        if root.attr("type") == Some("kvm") {
            root.set_attr("type", "qemu");
        }
        let machine = root.child_mut("os")?.child_mut("type")?;
        if machine.attr("arch").is_some_and(|arch| arch != "x86_64") {
            return None;
        }
        let name = machine.attr("machine").unwrap_or("pc").to_owned();
        match &name {
            name if name.contains("q35") => machine.set_attr("machine", "q35"),
            name if name.starts_with("pc") => machine.set_attr("machine", "pc"),
            _ => {}
        }
        if let Some(devices) = root.child_mut("devices") {
            for device in devices.elements_mut() {
                if device.is("emulator") {
                    device.set_text("/usr/bin/qemu-system-x86_64");
                } else if device.is("interface")
                    && let Some(source) = device.child_mut("source")
                    && source.attr("network").is_some()
                {
                    source.set_attr("network", "lan");
                }
            }
        }
    }
    // the host of the tests has no security driver
    root.remove_elements(|e| e.is("seclabel"));
    root.child_or_new("name").set_text("trial");
    root.remove_elements(|e| e.is("uuid"));
    Some(with_settings(root))
}

/// Puts the part that one document has in place of another's, or in where that has none.
fn graft(all: &[Document], kind: Kind, place: &[&str], part: &str, pairs: &mut Vec<Pair>) {
    let has = |d: &&Document| {
        d.kind == kind && d.tree.descend(place).is_some_and(|parent| parent.child(part).is_some())
    };
    let holders: Vec<&Document> = all.iter().filter(has).collect();
    let others: Vec<&Document> = all.iter().filter(|d| d.kind == kind).collect();
    let from = |n: usize, of: &[&Document], salt: u64| {
        let number = spread(part).wrapping_add(salt).wrapping_add(n as u64 * 7919);
        usize::try_from(number % of.len() as u64).unwrap()
    };
    for n in 0..EACH.min(holders.len() * 2) {
        let into = if n % 4 == 3 { &others } else { &holders };
        let (donor, base) = (holders[from(n, &holders, 1)], into[from(n, into, 2)]);
        let parts: Vec<Element> = donor
            .tree
            .descend(place)
            .map_or(Vec::new(), |parent| parent.children_named(part).cloned().collect());
        let mut after = base.tree.clone();
        let Some(parent) = descend_mut(&mut after, place) else { continue };
        parent.remove_elements(|e| e.is(part));
        parts.into_iter().for_each(|e| parent.push(e));
        let name = format!("{} of {} in {}", part, donor.name, base.name);
        both_ways(kind, &format!("corpus {part}"), &name, &base.tree, &after, pairs);
    }
}

fn descend_mut<'a>(root: &'a mut Element, place: &[&str]) -> Option<&'a mut Element> {
    place.iter().try_fold(root, |element, name| element.child_mut(name))
}

fn both_ways(
    kind: Kind,
    governor: &str,
    name: &str,
    one: &Element,
    other: &Element,
    pairs: &mut Vec<Pair>,
) {
    if one == other {
        return;
    }
    for (way, before, after) in [("there", one, other), ("back", other, one)] {
        pairs.push(Pair {
            name: format!("corpus/{kind}/{name}/{way}"),
            governor: governor.to_owned(),
            kind,
            before: write(before),
            after: write(after),
            may_refuse: MAY_REFUSE
                .iter()
                .find(|(row, _)| *row == governor)
                .map(|(_, why)| (*why).to_owned()),
        });
    }
}

/// Place of an edit: the indices of the children to descend.
type Place = Vec<usize>;

/// Adds up to `edits` edits of each sort, whose governors' names begin with `of`.
fn edits(document: &Document, of: &str, edits: usize, pairs: &mut Vec<Pair>) {
    let mut places = Vec::new();
    collect(&document.tree, &mut Vec::new(), &mut places);
    let order = |sort: &str, place: &Place| spread(&format!("{sort} {} {place:?}", document.name));
    type Edit = fn(&mut Element, &[usize], u64) -> Option<String>;
    let sorts: [(&str, Edit); 4] = [
        ("element removed", without_element),
        ("attribute removed", without_attribute),
        ("neighbours exchanged", exchanged),
        ("neighbour added", doubled),
    ];
    for (sort, edit) in sorts {
        places.sort_by_key(|place| order(sort, place));
        let mut made = 0;
        for place in &places {
            let mut after = document.tree.clone();
            let Some(what) = edit(&mut after, place, order(sort, place)) else { continue };
            let at: Vec<String> = place.iter().map(usize::to_string).collect();
            let name = format!("{sort}: {what} {} of {}", at.join("."), document.name);
            let governor = format!("{of}{sort}");
            both_ways(document.kind, &governor, &name, &document.tree, &after, pairs);
            made += 1;
            if made == edits {
                break;
            }
        }
    }
}

fn collect(element: &Element, here: &mut Place, into: &mut Vec<Place>) {
    for (n, node) in element.children.iter().enumerate() {
        let Node::Element(child) = node else { continue };
        if child.is("metadata") || child.name.namespace.is_some() {
            continue;
        }
        here.push(n);
        into.push(here.clone());
        collect(child, here, into);
        here.pop();
    }
}

/// Returns the parent of a place, the index there, and the names on the way.
fn at<'a>(root: &'a mut Element, place: &[usize]) -> Option<(&'a mut Element, usize, String)> {
    let (last, way) = place.split_last()?;
    let mut names = String::new();
    let mut element = root;
    for n in way {
        let Some(Node::Element(child)) = element.children.get_mut(*n) else { return None };
        names = format!("{names}{}/", child.name.local);
        element = child;
    }
    Some((element, *last, names))
}

fn without_element(root: &mut Element, place: &[usize], _: u64) -> Option<String> {
    let (parent, n, names) = at(root, place)?;
    let Some(Node::Element(child)) = parent.children.get(n) else { return None };
    let name = child.name.local.clone();
    if KEPT.contains(&name.as_str()) {
        return None;
    }
    parent.children.remove(n);
    Some(format!("{names}{name}"))
}

fn without_attribute(root: &mut Element, place: &[usize], dice: u64) -> Option<String> {
    let (parent, n, names) = at(root, place)?;
    let Some(Node::Element(child)) = parent.children.get_mut(n) else { return None };
    let free: Vec<String> = child.attributes.iter().map(|a| a.name.local.clone()).collect();
    let free: Vec<&String> =
        free.iter().filter(|a| !KEPT_ATTRIBUTES.contains(&a.as_str())).collect();
    let name = *free.get(usize::try_from(dice % free.len().max(1) as u64).ok()?)?;
    child.remove_attr(name).then(|| format!("{names}{}/@{name}", child.name.local))
}

/// The number of the next child of the same name.
fn neighbour(parent: &Element, n: usize) -> Option<usize> {
    let Some(Node::Element(child)) = parent.children.get(n) else { return None };
    let same = |node: &Node| matches!(node, Node::Element(e) if e.name == child.name);
    (n + 1..parent.children.len()).find(|m| same(&parent.children[*m]))
}

fn exchanged(root: &mut Element, place: &[usize], _: u64) -> Option<String> {
    let (parent, n, names) = at(root, place)?;
    let other = neighbour(parent, n)?;
    parent.children.swap(n, other);
    let Some(Node::Element(child)) = parent.children.get(n) else { return None };
    Some(format!("{names}{}", child.name.local))
}

/// One more of a kind before the first: identity has to go by place.
fn doubled(root: &mut Element, place: &[usize], _: u64) -> Option<String> {
    let (parent, n, names) = at(root, place)?;
    neighbour(parent, n)?;
    let Some(Node::Element(child)) = parent.children.get(n) else { return None };
    let (copy, name) = (child.clone(), child.name.local.clone());
    parent.children.insert(n, Node::Element(copy));
    Some(format!("{names}{name}"))
}
