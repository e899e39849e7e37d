//! Governors: fields that determine values which a host fills in. When a governor moves, its dependent values
//! are no longer sent along, and the host fills them in anew.
//!
//! The rows are those of libvirt 11.3's post-parse code, each seen on its QEMU driver. Two questions
//! decide a host-filled value: what governs it, and has that changed?

use super::field::touches;
use super::values::{amount, quantity, same_value};
use crate::model::Kind;
use xmltree::{Element, Path};

/// Condition under which a governor counts as moved although the definition has the manifest's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moves {
    /// Never: only a different value moves the governor.
    ByValue,
    /// The manifest starts to write the governor: the host then takes other defaults beside it.
    ByWriting,
}
use Moves::{ByValue, ByWriting};

/// Field that determines others.
struct Governor {
    kind: Kind,
    /// The element in which it stands, as the names of its path; `*` is any name.
    at: &'static str,
    /// The values that govern, as paths from there.
    by: &'static [&'static str],
    moves: Moves,
    /// Renewed fields, as paths relative to that element; an empty path is the element itself.
    renews: &'static [&'static str],
    /// Whether the element is another object afterwards, not the same one with other values.
    replaces: bool,
}

const fn domain(
    at: &'static str,
    by: &'static [&'static str],
    moves: Moves,
    renews: &'static [&'static str],
) -> Governor {
    Governor { kind: Kind::Domain, at, by, moves, renews, replaces: false }
}

const fn network(
    at: &'static str,
    by: &'static [&'static str],
    moves: Moves,
    renews: &'static [&'static str],
) -> Governor {
    Governor { kind: Kind::Network, at, by, moves, renews, replaces: false }
}

/// Fields that choose a domain's firmware.
const FIRMWARE: &[&str] = &[
    "os/@firmware",
    "os/firmware/feature/@name",
    "os/firmware/feature/@enabled",
    "os/loader",
    "os/loader/@type",
    "os/loader/@format",
    "os/loader/@readonly",
    "os/loader/@secure",
    "os/loader/@stateless",
    "os/nvram/@template",
    "os/nvram/@templateFormat",
    "os/nvram/@format",
    "features/smm/@state",
];

/// Table of all governors.
const GOVERNORS: &[Governor] = &[
    domain("", &["@type"], ByValue, &["cpu", "devices/emulator"]),
    domain("", &["os/type/@arch"], ByValue, &["devices/emulator"]),
    domain(
        "",
        &["os/type", "os/type/@arch", "os/type/@machine"],
        ByValue,
        &[
            "cpu",
            "features",
            "os",
            "os/nvram/@template",
            "os/nvram/@templateFormat",
            "os/nvram/@format",
            "pm",
            "devices",
        ],
    ),
    domain(
        "",
        FIRMWARE,
        ByWriting,
        &[
            "os/@firmware",
            "os/loader",
            "os/firmware",
            "os/nvram/@template",
            "os/nvram/@templateFormat",
            "os/nvram/@format",
            "features/smm",
        ],
    ),
    // a machine without the controller of PS/2 has none of its devices
    domain("", &["features/ps2/@state"], ByValue, &["devices/input"]),
    domain("", &["vcpu/@placement"], ByValue, &["numatune", "vcpu/@cpuset"]),
    domain("", &["numatune/memory/@placement"], ByValue, &["vcpu/@placement"]),
    domain(
        "",
        &["clock/@offset"],
        ByValue,
        &["clock/@adjustment", "clock/@basis", "clock/@timezone", "clock/@start"],
    ),
    domain("cpu", &["@mode", "@match", "@check", "model"], ByWriting, &[""]),
    domain("sysinfo", &["@type"], ByValue, &[""]),
    domain("seclabel", &["@type", "@model"], ByValue, &[""]),
    domain("launchSecurity", &["@type"], ByValue, &[""]),
    domain("numatune/memory", &["@nodeset", "@placement"], ByWriting, &[""]),
    domain("devices", &["graphics/@type"], ByValue, &["audio", "sound/audio", "video"]),
    domain("devices", &["audio/@id", "audio/@type"], ByWriting, &["audio"]),
    domain("devices", &["watchdog/@action"], ByValue, &["watchdog"]),
    domain("devices/disk", &["@device"], ByValue, &[""]),
    domain("devices/disk", &["target/@bus"], ByValue, &["address"]),
    domain(
        "devices/disk",
        &[
            "@type",
            "source/@file",
            "source/@dev",
            "source/@dir",
            "source/@protocol",
            "source/@name",
            "source/@pool",
            "source/@volume",
        ],
        ByValue,
        &["source", "backingStore", "driver/@type", "encryption", "mirror"],
    ),
    domain("devices/interface", &["@type"], ByValue, &[""]),
    domain(
        "devices/interface",
        &["source/@network", "source/@bridge", "source/@dev"],
        ByValue,
        &["source", "target", "virtualport"],
    ),
    domain("devices/interface", &["model/@type"], ByValue, &["driver"]),
    domain("devices/interface/virtualport", &["@type"], ByValue, &[""]),
    domain(
        "devices/graphics",
        &["@autoport", "@port", "@tlsPort"],
        ByWriting,
        &["@autoport", "@port", "@tlsPort", "@listen", "listen"],
    ),
    domain(
        "devices/graphics",
        &[
            "@listen",
            "@socket",
            "listen/@type",
            "listen/@address",
            "listen/@network",
            "listen/@socket",
        ],
        ByWriting,
        &["@listen", "@socket", "listen", "@autoport", "@port", "@tlsPort"],
    ),
    domain("devices/video", &["model/@type"], ByValue, &["model", "driver"]),
    domain(
        "devices/serial",
        &["target/@type", "target/model/@name"],
        ByValue,
        &["target", "address"],
    ),
    domain("devices/console", &["target/@type"], ByValue, &["target", "address"]),
    domain("devices/channel", &["target/@type"], ByValue, &["target", "address"]),
    domain("devices/controller", &["@model"], ByWriting, &["", "address"]),
    domain("devices/input", &["@bus"], ByValue, &["", "address"]),
    domain("devices/iommu", &["@model"], ByValue, &["", "address"]),
    domain("devices/memballoon", &["@model"], ByValue, &["", "address"]),
    domain("devices/rng", &["@model"], ByValue, &["", "address"]),
    domain("devices/rng", &["backend/@model"], ByValue, &["backend"]),
    domain("devices/tpm", &["@model", "backend/@type", "backend/@version"], ByValue, &[""]),
    domain("devices/filesystem", &["@type", "driver/@type", "source/@socket"], ByValue, &[""]),
    domain("devices/audio", &["@type"], ByValue, &[""]),
    domain("devices/smartcard", &["@mode"], ByValue, &["", "address"]),
    domain("devices/shmem", &["model/@type"], ByValue, &[""]),
    domain("devices/vsock", &["@model"], ByValue, &[""]),
    domain("devices/hostdev", &["@mode", "@model"], ByValue, &[""]),
    domain("devices/redirdev", &["@bus"], ByValue, &["", "address"]),
    domain("devices/crypto", &["@model"], ByValue, &["", "address"]),
    // the source of a device is another object for another type
    Governor { replaces: true, ..domain("devices/*", &["@type"], ByValue, SOURCE) },
    domain("devices/smartcard", &["@type"], ByValue, &["", "address"]),
    network("", &["forward/@mode"], ByWriting, &["bridge", "forward", "mac"]),
    network("forward", &["@dev"], ByValue, &["interface"]),
    network("forward", &["interface/@dev"], ByValue, &["@dev"]),
    network("virtualport", &["@type"], ByValue, &[""]),
    network("portgroup/virtualport", &["@type"], ByValue, &[""]),
];

/// Elements of a device that say where its data come from and go to. By another type they are not the
/// same elements, whatever their names.
const SOURCE: &[&str] = &["source", "virtualport", "script", "protocol", "portOptions"];

/// Parts of a renewed element that are kept as long as they fit, since the guest's identity depends on them,
/// by the names of the element's path.
const KEEPS: &[(&str, &[&str])] = &[
    // of another machine, the guest keeps its cards' addresses and the names that users gave
    ("devices", &["*/alias", "interface/mac", "vsock/cid", "interface/virtualport/parameters"]),
    ("devices/interface", &["mac", "alias", "address", "model", "virtualport/parameters"]),
    ("devices/vsock", &["alias", "address", "cid"]),
    // the place of a controller is its number
    ("devices/controller", &["@index", "alias", "address"]),
    ("devices/*", &["alias", "address"]),
    ("os", &["nvram", "varstore"]),
];

/// Lists whose entries a host numbers by their place, and where the number stands.
const NUMBERED: &[(&str, &str)] = &[
    ("cpu/numa/cell", "@id"),
    ("devices/console", "target"),
    ("devices/controller", "@index"),
    ("devices/parallel", "target"),
    ("devices/serial", "target"),
];

/// Part of a definition that the host is to fill in anew: values in it that no manifest writes are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renewed {
    /// The names of the path, and `@name` for an attribute.
    at: String,
    keeps: &'static [&'static str],
    /// Whether the part is another object afterwards, not the same one with other values.
    pub(crate) replaced: bool,
}

impl Renewed {
    fn new(parent: &str, what: &str, replaced: bool) -> Self {
        let at = join(parent, what);
        let row = KEEPS.iter().find(|(row, _)| matches(row, &at)).map(|(_, keeps)| *keeps);
        Self { keeps: row.unwrap_or(&[]), at, replaced }
    }

    /// The number that entries of a list at `list` have by their place, if they have one.
    pub(crate) fn number_of(list: &str) -> Option<Self> {
        let row = NUMBERED.iter().find(|(row, _)| *row == list)?;
        Some(Self::new(list, row.1, false))
    }

    /// The address of a device whose bus goes.
    pub(crate) fn address_of(device: &str) -> Self {
        Self::new(device, "address", false)
    }

    /// Whether the value at `key` is dropped: the names of its path, and `@name` for an attribute.
    pub(crate) fn covers(&self, key: &str) -> bool {
        if self.at == key {
            return true;
        }
        let inside = match self.at.as_str() {
            "" => Some(key),
            at => key.strip_prefix(at).and_then(|rest| rest.strip_prefix('/')),
        };
        let kept = |inside: &str| {
            let fits = |row: &&&str| {
                let depth = row.split('/').count();
                let first: Vec<&str> = inside.split('/').take(depth).collect();
                matches(row, &first.join("/"))
            };
            self.keeps.iter().any(|row| fits(&row))
        };
        inside.is_some_and(|inside| !kept(inside))
    }

    /// Whether the element with this key is itself replaced by another object.
    pub(crate) fn replaces(&self, key: &str) -> bool {
        self.replaced && self.at == key
    }
}

/// Whether the field at `path` can govern any other: a cheap check of each element.
pub(crate) fn may_govern(path: &Path) -> bool {
    path.steps.len() <= 2
        || path.steps.len() == 3 && path.steps.last().is_some_and(|s| s.name == "virtualport")
}

/// Returns the parts of `live`, whose path has these names, that the host is to fill in anew when `want` is
/// merged in.
///
/// `last` is what the manifest had there when it was applied last: `None` if that is not known, or is
/// what it has now; `Some(None)` if it had nothing there.
pub(crate) fn renewed(
    kind: Kind,
    at: &str,
    live: &Element,
    want: &Element,
    last: Option<Option<&Element>>,
) -> Vec<Renewed> {
    let mut found = Vec::new();
    for row in GOVERNORS.iter().filter(|row| {
        row.kind == kind && (row.at == at || row.at.ends_with('*') && matches(row.at, at))
    }) {
        let moved = |by: &&&str| has_moved(row.moves, by, live, want, last);
        if row.by.iter().any(|by| moved(&by)) {
            found.extend(row.renews.iter().map(|what| Renewed::new(at, what, row.replaces)));
        }
    }
    if at == "devices/interface" && has_own_models(want) != has_own_models(live) {
        found.push(Renewed::new(at, "model", false));
    }
    if at == "devices/video" && has_address(want) != has_address(live) {
        found.push(Renewed::new(at, "address", false));
    }
    let grows = |by: &&str| has_moved(ByValue, by, live, want, last);
    if kind.is_guest()
        && at.is_empty()
        && has_filled_cell(live)
        && ["maxMemory/@slots", "memory"].iter().any(grows)
    {
        found.push(Renewed::new(at, "cpu/numa", false));
    }
    if kind.is_guest() && at.is_empty() && !found.is_empty() && !has_variables(want) {
        found.push(Renewed::new(at, "os/nvram", false));
        found.push(Renewed::new(at, "os/varstore", false));
    }
    found
}

/// Returns the fields that the host fills in anew where the field `changed` changes, as the names of their
/// paths.
pub(super) fn hanging_on(kind: Kind, changed: &str) -> Vec<String> {
    let mut found = Vec::new();
    for row in GOVERNORS.iter().filter(|row| row.kind == kind) {
        let depth = row.at.split('/').filter(|name| !name.is_empty()).count();
        let names: Vec<&str> = changed.split('/').take(depth).collect();
        let at = names.join("/");
        let governs = |by: &&str| touches(&join(&at, by), changed);
        if (depth == 0 || matches(row.at, &at)) && row.by.iter().any(governs) {
            found.extend(row.renews.iter().map(|what| join(&at, what)));
        }
    }
    found
}

/// Whether an interface's model is not the one that any interface gets.
fn has_own_models(nic: &Element) -> bool {
    matches!(nic.attr("type"), Some("hostdev" | "vhostuser" | "vdpa" | "vds"))
}

/// Whether the only cell of a domain is the one that a host fills in for memory that can grow.
fn has_filled_cell(domain: &Element) -> bool {
    let cells = domain.descend(&["cpu", "numa"]).map(|numa| numa.elements().collect::<Vec<_>>());
    let is_plain = |cell: &&Element| {
        let mut names = cell.attributes.iter().map(|a| a.name.local.as_str());
        cell.elements().next().is_none()
            && names.all(|name| matches!(name, "id" | "cpus" | "memory" | "unit"))
    };
    domain.child("maxMemory").is_some()
        && cells.is_some_and(|cells| cells.len() == 1 && cells.iter().all(is_plain))
}

/// Whether a video card is a device on a bus.
fn has_address(video: &Element) -> bool {
    let model = video.child("model").and_then(|m| m.attr("type"));
    !matches!(model, Some("ramfb" | "none"))
}

/// Whether a domain has a firmware with variables of its own.
fn has_variables(want: &Element) -> bool {
    let Some(os) = want.child("os") else { return false };
    let loader = os.child("loader");
    let stateless = loader.is_some_and(|l| l.attr("stateless") == Some("yes"));
    let by_loader = loader.is_some_and(|l| l.attr("type") == Some("pflash"));
    !stateless && (os.attr("firmware") == Some("efi") || by_loader || os.child("nvram").is_some())
}

fn has_moved(
    moves: Moves,
    by: &str,
    live: &Element,
    want: &Element,
    last: Option<Option<&Element>>,
) -> bool {
    let (is, asked) = (values(live, by), values(want, by));
    let was = last.map(|last| last.map(|last| values(last, by)).unwrap_or_default());
    if asked.is_empty() {
        // the former governor no longer holds, and the machine of a guest stays
        let stays = matches!(by, "os/type/@machine" | "os/type/@arch" | "os/type");
        return !stays && was.is_some_and(|was| !was.is_empty());
    }
    let same = asked.len() == is.len() && asked.iter().zip(&is).all(|(a, b)| is_same(by, a, b));
    let newly = was.is_some_and(|was| was.is_empty());
    !same || newly && moves == ByWriting
}

fn is_same(by: &str, asked: &str, is: &str) -> bool {
    if by == "os/type/@machine" {
        return family(asked) == family(is);
    }
    let (element, attribute) = by.rsplit_once('@').map_or((by, None), |(e, a)| (e, Some(a)));
    let element = element.trim_end_matches('/').rsplit('/').next().unwrap_or("");
    same_value(element, attribute, asked, is).is_some()
}

/// The machine without its version.
fn family(machine: &str) -> &str {
    match machine {
        "pc-q35" => "q35",
        "pc-i440fx" => "pc",
        other => {
            let version = |v: &str| v.starts_with(|c: char| c.is_ascii_digit());
            match other.rsplit_once('-').filter(|(_, v)| version(v)) {
                Some((stem, _)) => family(stem),
                None => other,
            }
        }
    }
}

/// All values at a path such as `graphics/@type`, in one order.
fn values(element: &Element, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(element, path, &mut found);
    found.sort_unstable();
    found
}

fn collect(element: &Element, path: &str, found: &mut Vec<String>) {
    let (first, rest) = path.split_once('/').map_or((path, None), |(f, r)| (f, Some(r)));
    if let Some(attribute) = first.strip_prefix('@') {
        found.extend(element.attr(attribute).map(str::to_owned));
        return;
    }
    for child in element.children_named(first) {
        match rest {
            Some(rest) => collect(child, rest, found),
            None => {
                let kib = quantity(&element.name.local, first)
                    .and_then(|unit| amount(&child.text(), child.attr("unit"), unit));
                found.push(kib.map_or_else(|| child.text(), |kib| kib.to_string()));
            }
        }
    }
}

/// Devices that a hypervisor adds by itself for a machine: of another one they are others. Those of USB
/// are only for some machines; of one that stays, they are somebody's.
pub(crate) fn is_implicit_device(device: &Element, of_machine: bool) -> bool {
    match device.name.local.as_str() {
        "controller" | "memballoon" | "video" | "audio" | "hub" | "iommu" | "panic"
        | "emulator" => true,
        "input" => {
            matches!(device.attr("type"), Some("mouse" | "keyboard"))
                && (of_machine || device.attr("bus") != Some("usb"))
        }
        "watchdog" => device.attr("model") == Some("itco"),
        _ => false,
    }
}

/// The numbers of PCI controllers that are another controller by the manifest: no device stays on a
/// bus that goes.
pub(crate) fn lost_buses(live: &Element, want: &Element) -> Vec<u32> {
    let is_pci = |e: &&Element| e.is("controller") && e.attr("type") == Some("pci");
    let number = |e: &Element| e.attr("index").and_then(|i| i.parse::<u32>().ok());
    let there = live.elements().filter(is_pci);
    let lost = there.filter(|l| {
        let (index, model) = (number(l), l.attr("model"));
        let same = want.elements().filter(is_pci).find(|w| index.is_some() && number(w) == index);
        same.is_some_and(|w| w.attr("model").is_some() && w.attr("model") != model)
    });
    lost.filter_map(number).collect()
}

/// Whether names of a path are those of a row, in which `*` is any name.
fn matches(row: &str, at: &str) -> bool {
    let (mut row, mut at) = (row.split('/'), at.split('/'));
    loop {
        match (row.next(), at.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "*" => {}
            _ => return false,
        }
    }
}

fn join(parent: &str, what: &str) -> String {
    match (parent, what) {
        ("", what) => what.to_owned(),
        (parent, "") => parent.to_owned(),
        (parent, what) => format!("{parent}/{what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    /// An element with one value at a path, or with none.
    fn with(path: &str, value: Option<&str>) -> Element {
        let mut element = Element::new("x");
        let Some(value) = value else { return element };
        match path.split_once('/') {
            _ if path.starts_with('@') => element.set_attr(path.trim_start_matches('@'), value),
            Some((child, rest)) => {
                element
                    .push(Element { name: xmltree::Name::local(child), ..with(rest, Some(value)) });
            }
            None => element.push(Element::new(path).with_text(value)),
        }
        element
    }

    fn names(
        row: &Governor,
        live: &Element,
        want: &Element,
        last: Option<&Element>,
    ) -> Vec<String> {
        let at = row.at.replace('*', "sound");
        let last = last.map(Some);
        renewed(row.kind, &at, live, want, last).into_iter().map(|r| r.at).collect()
    }

    #[test]
    fn each_governor_renews_what_hangs_on_it_when_it_moves() {
        for row in GOVERNORS {
            let at = row.at.replace('*', "sound");
            assert!(may_govern(&Path::parse(&at).unwrap_or_default()), "{at}");
            let hang: Vec<String> = row.renews.iter().map(|what| join(&at, what)).collect();
            for by in row.by {
                let [a, b, none] = [with(by, Some("one")), with(by, Some("two")), with(by, None)];
                let all = |found: Vec<String>| hang.iter().all(|h| found.contains(h));
                assert!(all(names(row, &a, &b, Some(&a))), "{by} of {at} changes");
                assert!(all(names(row, &a, &b, None)), "{by} of {at} is another one on the host");
                assert!(names(row, &a, &a, Some(&a)).is_empty(), "{by} of {at} stays");
                assert!(names(row, &a, &none, None).is_empty(), "{by} of {at} is left to the host");
                let stays = by.starts_with("os/type");
                let gone = names(row, &a, &none, Some(&a));
                assert_eq!(all(gone), !stays, "{by} of {at} goes");
                let written = names(row, &a, &a, Some(&none));
                assert_eq!(all(written), row.moves == ByWriting, "{by} of {at} is written");
            }
        }
    }

    fn tree(text: &str) -> Element {
        parse(SourceId::NONE, text, &Limits::default()).expect("well-formed")
    }

    #[test]
    fn a_machine_is_another_one_by_its_family() {
        let os = |machine: &str| tree(&format!("<d><os><type machine='{machine}'/></os></d>"));
        for (live, want, moved) in [
            ("pc-q35-10.0", "q35", false),
            ("pc-q35-10.0", "pc-q35-7.2", false),
            ("pc-i440fx-10.0", "pc", false),
            ("pc-q35-10.0", "pc", true),
            ("pc-i440fx-7.2", "pc-q35-7.2", true),
            ("virt-9.0", "virt", false),
            ("microvm", "q35", true),
        ] {
            let found = renewed(Kind::Domain, "", &os(live), &os(want), None);
            assert_eq!(!found.is_empty(), moved, "{live} {want}");
        }
    }

    #[test]
    fn what_a_guest_knows_itself_by_is_kept() {
        let covers = |at: &str, key: &str| Renewed::new("", at, false).covers(key);
        assert!(covers("devices/interface", "devices/interface/target/@dev"));
        assert!(covers("cpu", "cpu/feature"));
        assert!(covers("devices", "devices/disk/address"));
        for (at, key) in [
            ("devices/interface", "devices/interface/mac/@address"),
            ("devices/interface", "devices/interface/address"),
            ("devices/disk", "devices/disk/alias"),
            ("devices", "devices/disk/alias"),
            ("devices", "devices/interface/mac"),
            ("os", "os/nvram"),
            ("cpu", "clock"),
        ] {
            assert!(!covers(at, key), "{key}");
        }
        // a field that is named itself is dropped all the same
        assert!(covers("devices/disk/address", "devices/disk/address"));
    }

    #[test]
    fn devices_on_a_bus_that_is_another_one_lose_it() {
        let devices = |model: &str| {
            tree(&format!(
                "<devices><controller type='pci' index='0' model='pcie-root'/>\
                 <controller type='pci' index='1' model='{model}'/></devices>"
            ))
        };
        let (port, bridge) = (devices("pcie-root-port"), devices("pcie-to-pci-bridge"));
        assert_eq!(lost_buses(&port, &bridge), [1]);
        assert!(lost_buses(&port, &port).is_empty());
    }
}
