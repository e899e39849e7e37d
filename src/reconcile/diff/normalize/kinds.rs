//! Tables of lists: the elements that form them, the keys of their entries, and those that a manifest
//! governs.

use crate::model::Mac;
use std::net::IpAddr;
use xmltree::value_at;
use xmltree::{Element, NodeRef};

/// Keys of list entries: relative paths, of which the first that is present counts; paths joined by `+` count
/// together. The pattern is the list's parent and the element's name; `*` stands for any parent.
const KEYS: &[(&str, &[&str])] = &[
    ("devices/disk", &["target/@dev"]),
    ("devices/interface", &["mac/@address", "alias/@name"]),
    ("devices/controller", &["@type+@index+@model", "@type+@index"]),
    ("devices/filesystem", &["target/@dir"]),
    ("devices/channel", &["target/@name"]),
    ("devices/shmem", &["@name"]),
    ("devices/audio", &["@id"]),
    ("devices/graphics", &["@type"]),
    ("devices/lease", &["key"]),
    ("devices/memballoon", &[""]),
    ("devices/panic", &["@model"]),
    ("devices/watchdog", &["@model"]),
    ("cpu/feature", &["@name"]),
    ("firmware/feature", &["@name"]),
    ("distances/sibling", &["@id"]),
    ("numa/cell", &["@id"]),
    ("cputune/vcpupin", &["@vcpu"]),
    ("cputune/vcpusched", &["@vcpus"]),
    ("cputune/iothreadsched", &["@iothreads"]),
    ("cputune/iothreadpin", &["@iothread"]),
    ("iothreadids/iothread", &["@id"]),
    ("vcpus/vcpu", &["@id"]),
    ("numatune/memnode", &["@cellid"]),
    ("clock/timer", &["@name"]),
    ("*/entry", &["@name"]),
    ("*/seclabel", &["@model"]),
    ("blkiotune/device", &["path"]),
    ("filterref/parameter", &["@name"]),
    ("throttlegroups/throttlegroup", &["group_name"]),
    ("throttlefilters/throttlefilter", &["@group"]),
    ("keywrap/cipher", &["@name"]),
    ("vlan/tag", &["@id"]),
    ("domain/qemu:env", &["@name"]),
    ("commandline/qemu:env", &["@name"]),
    ("qemu:commandline/qemu:env", &["@name"]),
    ("qemu:override/qemu:device", &["@alias"]),
    ("dhcp/host", &["@mac", "@id", "@name", "@ip"]),
    ("dns/host", &["@ip"]),
    ("dns/txt", &["@name"]),
    ("dns/srv", &["@service+@protocol+@domain+@target", "@service+@protocol"]),
    ("dhcp/range", &["@start+@end"]),
    ("network/route", &["@address+@prefix", "@address+@netmask", "@address"]),
    ("forward/interface", &["@dev"]),
    ("network/portgroup", &["@name"]),
];

/// Attributes without which a device is another device: entries that differ in them never pair.
const IDENTITY: &[(&str, &[&str])] = &[
    ("controller", &["type"]),
    ("hostdev", &["type"]),
    ("hub", &["type"]),
    ("input", &["type"]),
    ("memory", &["model"]),
    ("panic", &["model"]),
    ("sound", &["model"]),
    ("watchdog", &["model"]),
];

/// Lists whose order has no meaning: entries without a key are found by content. In all others the position
/// of an entry is its identity.
const ANY_ORDER: &[&str] = &[
    "devices/hostdev",
    "devices/input",
    "devices/panic",
    "devices/redirdev",
    "devices/rng",
    "devices/shmem",
    "devices/sound",
    "devices/tpm",
    "devices/watchdog",
];

/// Lists whose order is their content; they are compared and replaced as a whole.
const WHOLE: &[&str] = &[
    "os/boot",
    "os/initarg",
    "qemu:commandline/qemu:arg",
    "acpi/table",
    "oemStrings/entry",
    "dns/forwarder",
    "dnsmasq:options/dnsmasq:option",
];

/// Lists of entries with keys whose order has a meaning, too: the stages that data passes, and the preference
/// of devices.
const ORDERED: &[&str] = &["throttlefilters/throttlefilter", "forward/interface"];

/// Lists that a manifest governs once it has an entry of them: entries added by somebody else are then drift.
/// Kinds that hypervisors fill in themselves (controllers, inputs, video, channels, …) are not included.
const GOVERNED: &[&str] = &[
    "devices/disk",
    "devices/interface",
    "devices/filesystem",
    "devices/hostdev",
    "devices/redirdev",
    "devices/rng",
    "devices/shmem",
    "devices/sound",
    "devices/vsock",
    "dhcp/host",
    "dhcp/range",
    "dns/host",
    "dns/txt",
    "dns/srv",
    "dns/forwarder",
    "network/ip",
    "network/portgroup",
    "network/route",
    "vlan/tag",
];

/// The name that rules and paths know an element by: libvirt's own plain, its extensions as
/// `qemu:…` and `dnsmasq:…` whatever prefix a document gives them, others as written.
pub(crate) fn label(element: &Element) -> String {
    match element.name.namespace.as_deref() {
        Some("http://libvirt.org/schemas/domain/qemu/1.0") => {
            format!("qemu:{}", element.name.local)
        }
        Some("http://libvirt.org/schemas/network/dnsmasq/1.0") => {
            format!("dnsmasq:{}", element.name.local)
        }
        _ => element.name.written(),
    }
}

/// The key of `element` below a parent named `parent`: the relative path it was found at and its
/// value, in one spelling. `None` where nothing tells entries apart but their content or order.
pub(crate) fn key_of(parent: &str, element: &Element) -> Option<(&'static str, String)> {
    keys(parent, element).into_iter().next()
}

/// The attributes without which `element` would be another one, as far as it has them. Ports,
/// bridges and roots of a PCI bus never become each other, nor does what is built into a machine, as its
/// PS/2 mouse is, become what is plugged into it.
pub(crate) fn identity(element: NodeRef<'_>) -> Vec<Option<&str>> {
    let row = IDENTITY.iter().find(|(name, _)| element.is(name)).map(|(_, attributes)| *attributes);
    let is_pci = element.is("controller") && element.attr("type") == Some("pci");
    let model = is_pci.then(|| element.attr("model"));
    let built_in = |bus| if bus == "ps2" { "built in" } else { "plugged in" };
    let is_input = element.is("input");
    let plug = is_input.then(|| element.attr("bus").map(built_in));
    row.unwrap_or(&[]).iter().map(|a| element.attr(a)).chain(model).chain(plug).collect()
}

/// Whether nothing in their identity keeps `want` and `live` from being the same device.
pub(crate) fn same_identity(want: NodeRef<'_>, live: NodeRef<'_>) -> bool {
    let differ = |(a, b): (Option<&str>, Option<&str>)| a.is_some() && b.is_some() && a != b;
    !identity(want).into_iter().zip(identity(live)).any(differ)
}

/// Whether the order of the elements `name` below `parent` has no meaning.
pub(crate) fn has_any_order(parent: &str, name: &str) -> bool {
    ANY_ORDER.iter().any(|pattern| matches(pattern, parent, name))
}

/// All keys that `element` has, the strongest first: a DHCP host may be found by its name where
/// its MAC has changed.
pub(crate) fn keys(parent: &str, element: &Element) -> Vec<(&'static str, String)> {
    let paths = lookup(parent, &label(element)).unwrap_or(&[]);
    let found = paths.iter().filter_map(|path| {
        let mut values = Vec::new();
        for part in path.split('+') {
            let value = value_at(element, part)?;
            let mac = Mac::parse(&value).map(|mac| mac.to_string());
            let address = || value.parse::<IpAddr>().ok().map(|address| address.to_string());
            let plain = mac.or_else(address);
            values.push(plain.unwrap_or(value));
        }
        let value = values.join(" ");
        // an alias tells devices apart only if a user chose it
        let usable = *path != "alias/@name" || value.starts_with("ua-");
        usable.then_some((*path, value))
    });
    found.collect()
}

/// Whether the elements `name` below `parent` form one ordered list.
pub(crate) fn is_whole_list(parent: &str, name: &str) -> bool {
    WHOLE.iter().any(|pattern| matches(pattern, parent, name))
}

/// Whether the order of the elements `name` below `parent` has a meaning beside their content.
pub(crate) fn is_ordered(parent: &str, name: &str) -> bool {
    ORDERED.iter().any(|pattern| matches(pattern, parent, name))
}

/// Whether a manifest that has an element `name` below `parent` governs all of them.
pub(crate) fn governed(parent: &str, name: &str) -> bool {
    GOVERNED.iter().any(|pattern| matches(pattern, parent, name))
}

fn lookup(parent: &str, name: &str) -> Option<&'static [&'static str]> {
    KEYS.iter().find(|(pattern, _)| matches(pattern, parent, name)).map(|(_, keys)| *keys)
}

fn matches(pattern: &str, parent: &str, name: &str) -> bool {
    let rest = pattern.strip_suffix(name).and_then(|rest| rest.strip_suffix('/'));
    rest.is_some_and(|p| p == "*" || p == parent)
}
