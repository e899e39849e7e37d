//! Canonical form of definitions for comparison: without the identity of an object, in an order of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use virt::model::{Kind, NAMESPACE};
use xmltree::Element;

/// Placeholder for the host's choice.
const CHOSEN: &str = "of the host's choice";

/// An element without its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) children: Vec<Self>,
}

/// First difference between two definitions, with the content of each.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) path: String,
    pub(crate) got: String,
    pub(crate) expected: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, got, expected } = self;
        write!(f, "{path} is {got}, by virsh define {expected}")
    }
}

/// A controller that nobody wrote down, by type and index; its model.
type Controllers = BTreeMap<(String, String), Option<String>>;

impl Tree {
    pub(crate) fn of(element: &Element) -> Self {
        let name = match &element.name.namespace {
            Some(namespace) => format!("{{{namespace}}}{}", element.name.local),
            None => element.name.local.clone(),
        };
        Self {
            name,
            attributes: element
                .attributes
                .iter()
                .map(|a| (a.name.local.clone(), a.value.clone()))
                .collect(),
            text: element.text().trim().to_owned(),
            children: element.elements().map(Self::of).collect(),
        }
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|c| c.name == name)
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |c| c.name == name)
    }

    fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |tree, name| tree.child(name))
    }

    pub(crate) fn attr(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    fn attr_of(&self, child: &str, name: &str) -> Option<&str> {
        self.child(child)?.attr(name)
    }

    fn each(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        self.children.iter().for_each(|c| c.each(visit));
    }

    fn each_mut(&mut self, visit: &mut impl FnMut(&mut Self)) {
        visit(self);
        self.children.iter_mut().for_each(|c| c.each_mut(visit));
    }

    /// Returns the difference in one line, cut off where it gets long.
    pub(crate) fn brief(&self) -> String {
        let mut text = String::new();
        self.print(&mut text);
        if text.chars().count() > 160 {
            text = text.chars().take(157).chain("...".chars()).collect();
        }
        text
    }

    fn print(&self, into: &mut String) {
        into.push_str(&format!("<{}", self.name));
        for (name, value) in &self.attributes {
            into.push_str(&format!(" {name}='{value}'"));
        }
        if self.text.is_empty() && self.children.is_empty() {
            into.push_str("/>");
            return;
        }
        into.push_str(&format!(">{}", self.text));
        self.children.iter().for_each(|c| c.print(into));
        into.push_str(&format!("</{}>", self.name));
    }
}

/// Returns the first difference between `mine` and `plain` beyond identity, where `said` is the manifest
/// behind both and `was` the one that was applied before.
pub(crate) fn compare(
    kind: Kind,
    mine: &Element,
    plain: &Element,
    said: &Element,
    was: &Element,
) -> Option<Difference> {
    let (said, was) = (Tree::of(said), Tree::of(was));
    let mut mine = canonical(kind, mine, &said);
    let mut plain = canonical(kind, plain, &said);
    if kind == Kind::Domain {
        let (ours, theirs) = (of_the_host(&mut mine, &said), of_the_host(&mut plain, &said));
        if let Some(found) = controllers(&ours, &theirs, &said, &was) {
            return Some(found);
        }
    }
    difference(&mine, &plain, "")
}

/// Returns the definition without identity, without controllers that nobody wrote down, and without redundant
/// parts.
pub(crate) fn bare(kind: Kind, definition: &Element, said: &Element) -> Tree {
    let said = Tree::of(said);
    let mut root = canonical(kind, definition, &said);
    if kind == Kind::Domain {
        of_the_host(&mut root, &said);
    }
    drop_empty(&mut root);
    root
}

fn drop_empty(tree: &mut Tree) {
    tree.children.iter_mut().for_each(drop_empty);
    tree.children
        .retain(|c| !(c.attributes.is_empty() && c.text.is_empty() && c.children.is_empty()));
}

fn canonical(kind: Kind, definition: &Element, said: &Tree) -> Tree {
    let mut root = Tree::of(definition);
    if let Some(metadata) = root.child_mut("metadata") {
        metadata.children.retain(|c| !c.name.starts_with(&format!("{{{NAMESPACE}}}")));
    }
    root.children.retain(|c| c.name != "metadata" || !c.children.is_empty());
    let mut words = BTreeSet::new();
    said.each(&mut |tree| {
        if tree.name == "parameters" {
            words.extend(tree.attributes.values().map(|v| v.to_lowercase()));
        }
    });
    root.each_mut(&mut |tree| {
        if tree.name == "parameters" {
            for name in ["interfaceid", "instanceid"] {
                if let Some(value) = tree.attributes.get_mut(name)
                    && !words.contains(&value.to_lowercase())
                {
                    CHOSEN.clone_into(value);
                }
            }
        }
    });
    if kind.is_guest() {
        domain(&mut root, said);
    } else {
        network(&mut root, said);
    }
    let by_mac = nics(said).iter().all(Option::is_some);
    arrange(&mut root, by_mac);
    root
}

fn network(root: &mut Tree, said: &Tree) {
    if said.child("mac").is_none()
        && let Some(mac) = root.child_mut("mac")
    {
        mac.attributes.insert("address".to_owned(), CHOSEN.to_owned());
    }
    if said.attr_of("bridge", "name").is_none_or(str::is_empty)
        && let Some(bridge) = root.child_mut("bridge")
    {
        bridge.attributes.insert("name".to_owned(), CHOSEN.to_owned());
    }
    // written or not, that is what it is
    root.each_mut(&mut |tree| {
        if ["ip", "route"].contains(&tree.name.as_str()) && tree.attr("family") == Some("ipv4") {
            tree.attributes.remove("family");
        }
    });
}

fn domain(root: &mut Tree, said: &Tree) {
    let blank = |tree: Option<&Tree>| tree.is_none_or(|t| t.text.is_empty());
    let versioned = |name: &str| name.strip_prefix("pc-").is_some_and(|n| n.contains('-'));
    let machine = said.at(&["os", "type"]).and_then(|t| t.attr("machine")).unwrap_or_default();
    if !versioned(machine)
        && let Some(found) = root.child_mut("os").and_then(|os| os.child_mut("type"))
        && let Some(name) = found.attributes.get_mut("machine")
    {
        if name.starts_with("pc-q35-") {
            "q35".clone_into(name);
        } else if name.starts_with("pc-i440fx-") {
            "pc".clone_into(name);
        }
    }
    if blank(said.child("genid"))
        && let Some(genid) = root.child_mut("genid")
    {
        CHOSEN.clone_into(&mut genid.text);
    }
    let nvram = said.at(&["os", "nvram"]);
    if blank(nvram)
        && nvram.is_none_or(|n| n.child("source").is_none())
        && let Some(found) = root.child_mut("os").and_then(|os| os.child_mut("nvram"))
    {
        CHOSEN.clone_into(&mut found.text);
    }
    let devices = |tree: &Tree| tree.child("devices").cloned();
    let written = devices(said);
    // a disk and a host device on two buses may have the same numbers
    let place = |device: &Tree, address: &Tree| (device.name.clone(), numbers(address));
    let addresses: BTreeSet<_> = written
        .iter()
        .flat_map(|d| &d.children)
        .flat_map(|d| d.named("address").map(|a| place(d, a)).collect::<Vec<_>>())
        .collect();
    let mut hubs = written.map_or(0, |d| d.named("hub").count());
    let Some(devices) = root.child_mut("devices") else { return };
    devices.children.retain(|device| {
        let is_hub = device.name == "hub";
        let keep = !is_hub || hubs > 0;
        hubs = hubs.saturating_sub(usize::from(is_hub));
        keep
    });
    for device in &mut devices.children {
        let name = device.name.clone();
        device
            .children
            .retain(|c| c.name != "address" || addresses.contains(&(name.clone(), numbers(c))));
        if device.name == "controller" && device.attr("type") == Some("pci") {
            let index = device.attr("index").map(str::to_owned);
            let is_written = said.child("devices").is_some_and(|devices| {
                let same = |c: &Tree| c.attr("index").map(str::to_owned) == index;
                devices.named("controller").any(|c| same(c) && c.child("target").is_some())
            });
            // a slot and a chassis, counted through; what was asked for counts
            device.children.retain(|c| c.name != "target" || is_written);
        }
    }
}

/// Attributes by value: 0x01, 0x1 and 1 are one number.
fn numbers(address: &Tree) -> BTreeMap<String, String> {
    let number = |value: &str| match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).map(|n| n.to_string()),
        None => value.parse::<u64>().map(|n| n.to_string()),
    };
    let attributes = address.attributes.iter().filter(|(name, _)| *name != "multifunction");
    attributes
        .map(|(name, value)| (name.clone(), number(value).unwrap_or_else(|_| value.clone())))
        .collect()
}

/// Returns the MAC address of each interface, if one is written; zeros are none.
pub(crate) fn nics(root: &Tree) -> Vec<Option<String>> {
    let mac = |nic: &Tree| {
        let mac = nic.attr_of("mac", "address")?;
        mac.contains(|c| c != '0' && c != ':').then(|| mac.to_lowercase())
    };
    root.child("devices").map_or(Vec::new(), |d| d.named("interface").map(mac).collect())
}

/// Children whose order means nothing, whatever they hold.
const ANY_ORDER: [&str; 18] = [
    "hostdev",
    "rng",
    "input",
    "redirdev",
    "sound",
    "shmem",
    "watchdog",
    "tpm",
    "panic",
    "range",
    "host",
    "route",
    "txt",
    "srv",
    "parameter",
    "seclabel",
    "hostname",
    "usbdev",
];

/// Parents of children whose order means nothing.
const SETS: [&str; 5] = ["features", "hyperv", "kvm", "metadata", "cputune"];

/// Returns the key of a child among its siblings, if a key alone identifies it.
fn key(tree: &Tree) -> Option<Vec<String>> {
    let number = |text: Option<&str>| format!("{:>12}", text.unwrap_or("0"));
    let word = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let key = match tree.name.as_str() {
        "disk" => vec![word(tree.attr_of("target", "dev")), word(tree.attr_of("target", "bus"))],
        "controller" => {
            vec![word(tree.attr("type")), number(tree.attr("index")), word(tree.attr("model"))]
        }
        "filesystem" => vec![word(tree.attr_of("target", "dir"))],
        "channel" => {
            vec![word(tree.attr_of("target", "name")), word(tree.attr_of("target", "type"))]
        }
        "graphics" => vec![word(tree.attr("type"))],
        "serial" | "parallel" | "console" => vec![number(tree.attr_of("target", "port"))],
        "audio" | "tag" | "iothread" => vec![number(tree.attr("id"))],
        "timer" | "feature" | "portgroup" => vec![word(tree.attr("name"))],
        "vcpupin" => vec![number(tree.attr("vcpu"))],
        "iothreadpin" => vec![number(tree.attr("iothread"))],
        _ => return None,
    };
    Some(key)
}

/// Sorts children independently of their author where order has no meaning.
fn arrange(tree: &mut Tree, by_mac: bool) {
    tree.children.iter_mut().for_each(|c| arrange(c, by_mac));
    let is_set = SETS.contains(&tree.name.as_str());
    let is_devices = tree.name == "devices";
    let place = |child: &Tree| -> Vec<String> {
        if child.name == "interface" && is_devices {
            return if by_mac {
                vec![child.attr_of("mac", "address").unwrap_or_default().to_owned()]
            } else {
                Vec::new()
            };
        }
        match key(child) {
            Some(key) => key,
            None if is_set || ANY_ORDER.contains(&child.name.as_str()) => {
                vec![format!("{child:?}")]
            }
            None => Vec::new(),
        }
    };
    tree.children.sort_by_cached_key(|child| (child.name.clone(), place(child)));
}

/// Controllers that nobody wrote down, taken out of the definition.
fn of_the_host(root: &mut Tree, said: &Tree) -> Controllers {
    let of = |c: &Tree| {
        (c.attr("type").unwrap_or_default().to_owned(), c.attr("index").map(str::to_owned))
    };
    let written: BTreeSet<_> = match said.child("devices") {
        Some(devices) => devices.named("controller").map(of).collect(),
        None => BTreeSet::new(),
    };
    let mut found = Controllers::new();
    let Some(devices) = root.child_mut("devices") else { return found };
    devices.children.retain(|c| {
        let (kind, index) = of(c);
        let is_written = |index| written.contains(&(kind.clone(), index));
        if c.name != "controller" || is_written(index.clone()) || is_written(None) {
            return true;
        }
        let index = index.unwrap_or_default();
        if kind != "pci" || index == "0" {
            found.insert((kind, index), c.attr("model").map(str::to_owned));
        }
        false
    });
    found
}

/// Checks controllers: those of `virsh define` have to be there. Others may be left from earlier, but none of
/// another machine, and none that the manifest before had and this one has not.
fn controllers(
    ours: &Controllers,
    theirs: &Controllers,
    said: &Tree,
    was: &Tree,
) -> Option<Difference> {
    let chipset = |m: &Tree| {
        let machine = m.at(&["os", "type"]).map(|t| t.attributes.clone());
        (m.attr("type").map(str::to_owned), machine)
    };
    let is_new = chipset(said) != chipset(was);
    let was_written = |kind: &str, index: &str| {
        let same = |c: &Tree| c.attr("type") == Some(kind) && c.attr("index") == Some(index);
        was.child("devices").is_some_and(|d| d.named("controller").any(same))
    };
    let show = |model: Option<&Option<String>>| match model {
        None => "not there".to_owned(),
        Some(model) => format!("of model {}", model.as_deref().unwrap_or("-")),
    };
    for key @ (kind, index) in ours.keys().chain(theirs.keys()) {
        let (a, b) = (ours.get(key), theirs.get(key));
        if a == b || (b.is_none() && !is_new && !was_written(kind, index)) {
            continue;
        }
        let path = format!("devices/controller[{kind} {index}]");
        return Some(Difference { path, got: show(a), expected: show(b) });
    }
    None
}

/// The first difference of two trees.
pub(crate) fn difference(mine: &Tree, plain: &Tree, path: &str) -> Option<Difference> {
    let here = if path.is_empty() { mine.name.clone() } else { path.to_owned() };
    let show = |value: Option<&str>| value.map_or("not there".to_owned(), |v| format!("'{v}'"));
    let names: BTreeSet<&String> = mine.attributes.keys().chain(plain.attributes.keys()).collect();
    for name in names {
        let (a, b) = (mine.attr(name), plain.attr(name));
        if a != b {
            let path = format!("{here}/@{name}");
            return Some(Difference { path, got: show(a), expected: show(b) });
        }
    }
    if mine.text != plain.text {
        let (got, expected) = (show(Some(&mine.text)), show(Some(&plain.text)));
        return Some(Difference { path: here, got, expected });
    }
    let names: BTreeSet<&String> =
        mine.children.iter().chain(&plain.children).map(|c| &c.name).collect();
    for name in names {
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (mine.named(name).collect(), plain.named(name).collect());
        let most = ours.len().max(theirs.len());
        for n in 0..most {
            let label = name.rsplit('}').next().unwrap_or(name);
            let number = if most > 1 { format!("[{}]", n + 1) } else { String::new() };
            let slash = if path.is_empty() { "" } else { "/" };
            let at = format!("{path}{slash}{label}{number}");
            let found = match (ours.get(n), theirs.get(n)) {
                (Some(a), Some(b)) => difference(a, b, &at),
                (a, b) => {
                    let show = |t: Option<&&Tree>| t.map_or("not there".to_owned(), |t| t.brief());
                    Some(Difference { path: at, got: show(a), expected: show(b) })
                }
            };
            if found.is_some() {
                return found;
            }
        }
    }
    None
}
