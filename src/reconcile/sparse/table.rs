//! Values that a host fills in, as rows. A row holds on libvirt 11.3.0 and QEMU 10.0, and nothing that is
//! known speaks against it on others; `tests/real/export.rs` gives each to a libvirtd.
// long: a table, each row of which a test defines on a real host

use crate::model::{Defaults, Kind};
use xmltree::Element;

/// Software that fills a row's value in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Parser of libvirt, for any hypervisor.
    Any,
    /// QEMU on any architecture.
    Qemu,
    /// QEMU on x86.
    X86,
    /// QEMU's q35.
    Q35,
    /// QEMU's i440fx.
    I440fx,
}

impl Scope {
    /// Returns the scope of a definition: the narrowest.
    pub(super) fn of(defaults: Defaults, document: &Element) -> Self {
        let os_type = document.descend(&["os", "type"]);
        let attr = |name| os_type.and_then(|t| t.attr(name)).unwrap_or_default();
        let is_x86 = matches!(attr("arch"), "x86_64" | "i686");
        match attr("machine") {
            _ if defaults == Defaults::Parser => Self::Any,
            m if is_x86 && (m == "q35" || m.starts_with("pc-q35-")) => Self::Q35,
            m if is_x86 && (m == "pc" || m.starts_with("pc-i440fx-")) => Self::I440fx,
            _ if is_x86 => Self::X86,
            _ => Self::Qemu,
        }
    }

    /// Whether a row of the scope `of` is for this one.
    pub(super) fn has(self, of: Self) -> bool {
        let rank = |scope| match scope {
            Self::Any => 0,
            Self::Qemu => 1,
            Self::X86 => 2,
            Self::Q35 | Self::I440fx => 3,
        };
        self == of || rank(of) < rank(self)
    }

    pub(super) fn is_qemu(self) -> bool {
        self != Self::Any
    }
}

/// Part that is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gone {
    /// An attribute with a value.
    Attribute(&'static str, &'static str),
    /// A child that has nothing in it.
    Child(&'static str),
    /// Children by a pattern, see [`matches()`].
    Element(&'static str),
}

/// Value that is filled in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) scope: Scope,
    /// The element that it is in: the last names of its path, `*` for any.
    pub(super) at: &'static str,
    /// Conditions on that element, joined by ` & `: `@a`, `@a=v`, `@a!=v`, `child`, `!child`, `child/@a=v`,
    /// `#child=n` for a count.
    when: &'static str,
    pub(super) drop: Gone,
}

impl Row {
    pub(super) fn holds(&self, element: &Element) -> bool {
        self.when.split(" & ").filter(|c| !c.is_empty()).all(|c| condition(element, c))
    }
}

fn condition(element: &Element, condition: &str) -> bool {
    if let Some(rest) = condition.strip_prefix('!') {
        return !self::condition(element, rest);
    }
    if let Some((child, attribute)) = condition.split_once("/@") {
        let of = format!("@{attribute}");
        return element.children_named(child).any(|e| self::condition(e, &of));
    }
    if let Some((name, number)) = condition.strip_prefix('#').and_then(|c| c.split_once('=')) {
        return element.children_named(name).count().to_string() == number;
    }
    let Some(attribute) = condition.strip_prefix('@') else {
        return element.child(condition).is_some();
    };
    match (attribute.split_once("!="), attribute.split_once('=')) {
        (Some((name, value)), _) => element.attr(name) != Some(value),
        (None, Some((name, value))) => element.attr(name) == Some(value),
        (None, None) => element.attr(attribute).is_some(),
    }
}

/// Whether an element is empty.
pub(super) fn is_bare(element: &Element) -> bool {
    element.attributes.is_empty() && element.elements().next().is_none() && !element.has_text()
}

/// Whether an element is as a pattern says and has nothing else: its name, its attributes as `a=v`,
/// its text behind `: `, and an only child behind ` > `.
pub(super) fn matches(element: &Element, pattern: &str) -> bool {
    let (own, child) = match pattern.split_once(" > ") {
        Some((own, child)) => (own, Some(child)),
        None => (pattern, None),
    };
    let (head, text) = own.split_once(": ").unwrap_or((own, ""));
    let mut words = head.split(' ');
    let named = words.next().is_some_and(|name| element.is(name));
    let attributes: Vec<&str> = words.collect();
    let has = |word: &&str| {
        word.split_once('=').is_some_and(|(name, value)| element.attr(name) == Some(value))
    };
    let inside: Vec<&Element> = element.elements().collect();
    named
        && element.attributes.len() == attributes.len()
        && attributes.iter().all(has)
        && element.text() == text
        && match (child, inside.as_slice()) {
            (None, []) => true,
            (Some(child), [only]) => matches(only, child),
            _ => false,
        }
}

const fn row(kind: Kind, scope: Scope, at: &'static str, when: &'static str, drop: Gone) -> Row {
    Row { kind, scope, at, when, drop }
}

use Gone::{Attribute, Child, Element as Whole};
use Kind::{Domain, Network};
use Scope::{Any, I440fx, Q35, Qemu, X86};

/// Rows, in the order in which they are applied: an element that one leaves empty is dropped by a later one.
pub(super) const ROWS: &[Row] = &[
    // values for every hypervisor's domains
    row(Domain, Any, "domain/vcpu", "", Attribute("placement", "static")),
    row(Domain, Any, "domain", "", Whole("vcpu: 1")),
    row(Domain, Any, "domain/clock", "", Attribute("offset", "utc")),
    row(Domain, Any, "domain", "", Child("clock")),
    row(Domain, Any, "domain", "", Whole("on_poweroff: destroy")),
    row(Domain, Any, "domain", "", Whole("on_reboot: restart")),
    row(Domain, Any, "domain", "", Whole("on_crash: destroy")),
    row(Domain, Any, "devices/disk", "@device=cdrom", Child("readonly")),
    row(Domain, Any, "devices/disk", "", Attribute("device", "disk")),
    row(Domain, Any, "devices/hostdev", "", Attribute("managed", "no")),
    row(Domain, Any, "devices/graphics", "@autoport=yes", Attribute("port", "-1")),
    row(Domain, Any, "devices/graphics", "@autoport=yes", Attribute("tlsPort", "-1")),
    // QEMU's
    row(Domain, Qemu, "disk/driver", "", Attribute("name", "qemu")),
    row(Domain, Qemu, "devices/disk", "", Child("driver")),
    row(Domain, Qemu, "domain/cpu", "@mode=host-passthrough", Attribute("check", "none")),
    row(Domain, Qemu, "domain/cpu", "@mode=host-passthrough", Attribute("migratable", "on")),
    row(Domain, Qemu, "domain/cpu", "@mode=maximum", Attribute("check", "none")),
    row(Domain, Qemu, "domain/cpu", "@mode=maximum", Attribute("migratable", "on")),
    row(Domain, Qemu, "domain/cpu", "@mode=host-model", Attribute("check", "partial")),
    row(Domain, Qemu, "cpu/topology", "", Attribute("dies", "1")),
    row(Domain, Qemu, "cpu/topology", "", Attribute("clusters", "1")),
    row(Domain, Qemu, "domain/features/hyperv", "", Attribute("mode", "custom")),
    // QEMU's on x86
    row(Domain, X86, "serial/target", "@type=isa-serial", Whole("model name=isa-serial")),
    row(Domain, Q35, "domain/devices", "", Whole("input type=mouse bus=ps2")),
    row(Domain, Q35, "domain/devices", "", Whole("input type=keyboard bus=ps2")),
    row(Domain, I440fx, "domain/devices", "", Whole("input type=mouse bus=ps2")),
    row(Domain, I440fx, "domain/devices", "", Whole("input type=keyboard bus=ps2")),
    row(Domain, X86, "domain/devices", "", Whole("memballoon model=virtio")),
    row(
        Domain,
        Q35,
        "domain/devices",
        "watchdog/@action=reset & !watchdog/@model=i6300esb & !watchdog/@model=diag288",
        Whole("watchdog model=itco action=reset"),
    ),
    row(
        Domain,
        X86,
        "domain/devices",
        "#audio=1 & !graphics/@type=spice & !graphics/@type=sdl",
        Whole("audio id=1 type=none"),
    ),
    row(Domain, X86, "domain/devices", "graphics/@type=spice", Whole("audio id=1 type=spice")),
    row(Domain, X86, "video/model", "@type=cirrus", Attribute("vram", "16384")),
    row(Domain, X86, "video/model", "@type=vga", Attribute("vram", "16384")),
    row(Domain, X86, "video/model", "@type=bochs", Attribute("vram", "16384")),
    row(Domain, X86, "video/model", "@type=qxl", Attribute("vram", "65536")),
    row(Domain, X86, "video/model", "@type=qxl", Attribute("ram", "65536")),
    row(Domain, X86, "video/model", "@type=qxl", Attribute("vgamem", "16384")),
    row(Domain, X86, "video/model", "@type!=none", Attribute("heads", "1")),
    row(Domain, X86, "video/model", "@type!=none", Attribute("primary", "yes")),
    row(Domain, X86, "domain/devices", "graphics & #video=1", Whole("video > model type=cirrus")),
    // networks
    row(Network, Any, "network/bridge", "", Attribute("stp", "on")),
    row(Network, Any, "network/bridge", "", Attribute("delay", "0")),
    row(Network, Any, "network/ip", "", Attribute("family", "ipv4")),
];
