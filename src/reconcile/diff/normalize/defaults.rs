//! Values that a hypervisor drops as defaults, owns itself, or has only in a running instance.

use super::kinds::label;
use super::values::quantity;
use xmltree::{Element, Name, Path, Step};

/// Values that a host drops as equal to their absence. A row is (last names of the path, attribute or "" for
/// the text, value; a value that ends in `*` is a prefix).
const DISCARDED: &[(&str, &str, &str)] = &[
    // tap devices are named by libvirt; the prefixes are reserved
    ("interface/target", "dev", "vnet*"),
    ("interface/target", "dev", "macvtap*"),
    ("interface/target", "dev", "macvlan*"),
    ("interface/coalesce/rx/frames", "max", "0"),
    ("interface/driver", "queues", "1"),
    // 2^53 - 1 KiB is how libvirt writes "unlimited"
    ("memtune/hard_limit", "", "9007199254740991"),
    ("memtune/soft_limit", "", "9007199254740991"),
    ("memtune/swap_hard_limit", "", "9007199254740991"),
    ("disk/driver", "cache", "default"),
    ("video/model", "primary", "no"),
    // paths that libvirt generates for a domain are taken out again, so that they follow its name
    ("channel/source", "mode", "bind"),
    ("channel/source", "path", "/var/lib/libvirt/qemu/channel/*"),
    ("channel/source", "path", "/run/libvirt/qemu/channel/*"),
    ("graphics", "socket", "/var/lib/libvirt/qemu/*"),
    ("protocol", "type", "raw"),
    // without a security driver, or with another one, the host keeps no such label
    ("seclabel", "labelskip", "yes"),
    ("", "ipv6", "no"),
    ("ip", "family", "ipv4"),
    ("route", "family", "ipv4"),
    ("graphics", "port", "-1"),
    ("graphics", "tlsPort", "-1"),
    // any device
    ("redirfilter/usbdev", "class", "-1"),
    ("redirfilter/usbdev", "product", "-1"),
    ("redirfilter/usbdev", "vendor", "-1"),
    ("redirfilter/usbdev", "version", "-1"),
    // a rate that is none
    ("disk/iotune/*", "", "0"),
];

/// Elements that a host drops when there is nothing in them.
const EMPTY: &[&str] = &[
    "allocation",
    "bandwidth",
    "blkiotune",
    "cache",
    "coalesce",
    "cputune",
    "dhcp",
    "dns",
    "driver",
    "features",
    "frames",
    "iotune",
    "memoryBacking",
    "memtune",
    "parameters",
    "metadata_cache",
    "model",
    "nat",
    "numatune",
    "pm",
    "port",
    "rom",
    "rx",
    "source",
    "suspend-to-disk",
    "suspend-to-mem",
    "target",
    "tune",
];

/// Attributes and elements that only a running instance has, or that are the host's own affair, by
/// the last names of their path.
const NEVER: &[(&str, &str)] = &[
    ("channel/target", "state"),
    ("disk/source", "index"),
    ("disk/target", "tray"),
    ("backingStore", "index"),
    ("console", "tty"),
    ("console/target", "port"),
    ("serial", "tty"),
    ("interface/source", "portid"),
    ("disk/mirror", ""),
    ("seclabel/imagelabel", ""),
    ("interface/actual", ""),
    ("forward/interface", "connections"),
];

/// Values that a running instance chooses by itself, whatever its definition has.
const CHOSEN: &[(&str, &str)] = &[("graphics", "websocket"), ("clock", "adjustment")];

/// Values of a running instance that mean "no limit", left where a limit was removed while it ran.
const NO_LIMIT: &[(&str, &str)] = &[
    ("cputune/quota", "-1"),
    ("cputune/global_quota", "-1"),
    ("cputune/emulator_quota", "-1"),
    ("cputune/iothread_quota", "-1"),
];

/// Identity of a guest: leaving one of these out of a manifest never removes it from a definition. A row is
/// the last names of the path.
const KEPT: &[&str] = &["uuid", "name", "os/nvram", "mac"];

/// Elements that stay themselves, while their attributes may go.
const KEPT_ELEMENTS: &[&str] = &["memory", "vcpu"];

/// Attributes that are kept, by the names of their element's path.
const KEPT_ATTRIBUTES: &[(&str, &str)] =
    &[("os/type", "machine"), ("os/type", "arch"), ("bridge", "name")];

/// Values that a host drops beside another one: (parent and element, condition, dropped part). A condition is
/// `@attribute=value`, `@attribute!=value`, the same of a child, `element` or `!element`.
const DROPPED_BESIDE: &[(&str, &str, &str)] = &[
    ("os/bootmenu", "@enable=no", "@timeout"),
    // a host model's fallback is only for a model that is named
    ("domain/cpu", "@mode=host-model", "model"),
    ("domain/cpu", "@mode=host-passthrough", "model"),
    ("domain/cpu", "@mode=maximum", "model"),
    ("numatune/memory", "@placement=auto", "@nodeset"),
    ("devices/disk", "readonly", "@snapshot"),
    ("devices/disk", "@device=cdrom", "@snapshot"),
    ("disk/target", "@bus!=usb", "@removable"),
    // values that a console gets while it runs
    ("devices/serial", "@type=pty", "source"),
    ("devices/console", "@type=pty", "source"),
    ("devices/parallel", "@type=pty", "source"),
    ("devices/channel", "@type=pty", "source"),
    ("devices/graphics", "@autoport=yes", "@port"),
    ("devices/graphics", "@autoport=yes", "@tlsPort"),
    ("devices/graphics", "listen/@type=none", "@autoport"),
    ("devices/graphics", "listen/@type=socket", "@autoport"),
    ("domain/seclabel", "@type=dynamic", "label"),
    ("domain/cpu", "@mode=host-passthrough", "@match"),
    ("domain/cpu", "@mode=maximum", "@match"),
    // a skipped label is written only while the domain runs
    ("source/seclabel", "@labelskip=yes", "@model"),
    // a lease without an end has no unit
    ("range/lease", "@expiry=0", "@unit"),
    ("host/lease", "@expiry=0", "@unit"),
    // libvirt has no filters and no queues on these
    ("devices/interface", "@type=hostdev", "filterref"),
    ("devices/interface", "@type=hostdev", "driver"),
    ("devices/interface", "@type=vhostuser", "filterref"),
];

/// Paths that a running instance has in another form than its definition, whatever was asked for.
const NOT_RUNNING: &[&str] = &["cpu", "seclabel", "os/loader", "os/nvram"];

/// Whether a host drops `value` at `path`.
pub(crate) fn is_discarded(path: &Path, value: &str) -> bool {
    let pattern = path.pattern();
    let attribute = path.attribute.as_deref().unwrap_or("");
    DISCARDED.iter().any(|(p, a, v)| {
        *a == attribute
            && ends_with(&pattern, p)
            && match v.strip_suffix('*') {
                Some(prefix) => value.starts_with(prefix),
                None => value == *v,
            }
    })
}

/// Whether an element that has nothing in it at `path` is dropped. One of several of its name counts
/// among them, so that it stays.
fn is_dropped_empty(path: &Path) -> bool {
    path.steps.last().is_some_and(|s| s.ordinal.is_none() && EMPTY.contains(&s.name.as_str()))
}

/// Whether everything in an element is dropped by the host, so that it is not there at all.
pub(crate) fn vanishes(path: &Path, want: &Element) -> bool {
    let parent = path.steps.iter().rev().nth(1).map_or("domain", |s| &s.name);
    let quantity = quantity(parent, &want.name.local).is_some();
    let gone = |path: &Path, value: &str| is_discarded(path, value) || never_compared(path, value);
    let mut attributes =
        want.attributes.iter().filter(|a| !(quantity && a.name.local == "unit")).peekable();
    let text = want.text();
    if attributes.peek().is_none() && text.is_empty() && want.elements().next().is_none() {
        return is_dropped_empty(path) || never_compared(path, "");
    }
    attributes.all(|a| gone(&path.at(&a.name.written()), &a.value))
        && (text.is_empty() || gone(path, &text))
        && want.elements().all(|e| {
            let step = Step { name: label(e), key: None, ordinal: None };
            vanishes(&path.join(step), e)
        })
}

/// Whether an element at `path` only says that there is no limit.
pub(crate) fn is_no_limit(path: &Path, element: &Element) -> bool {
    let pattern = path.pattern();
    let mut inside = element.elements().peekable();
    if inside.peek().is_none() {
        return NO_LIMIT.iter().any(|(p, value)| pattern == *p && element.text() == *value);
    }
    let mut below =
        |e: &Element| is_no_limit(&path.join(Step { name: label(e), key: None, ordinal: None }), e);
    element.attributes.is_empty() && inside.all(&mut below)
}

/// Whether `path` is never compared. `value` is the manifest's.
pub(crate) fn never_compared(path: &Path, value: &str) -> bool {
    let pattern = path.pattern();
    let attribute = path.attribute.as_deref().unwrap_or("");
    if pattern.is_empty() && matches!(attribute, "id" | "connections") {
        return true;
    }
    // libvirt keeps an alias only if it starts with `ua-`
    if attribute == "name" && ends_with(&pattern, "alias") && !pattern.contains("qemu:") {
        return !value.starts_with("ua-");
    }
    NEVER.iter().any(|(p, a)| *a == attribute && !p.is_empty() && ends_with(&pattern, p))
}

/// Elements that several parties share, each with its own content, by their paths.
const SHARED: &[&str] =
    &["metadata", "features", "cputune", "memtune", "blkiotune", "dns", "ip/dhcp"];

/// Whether the element at `path` is shared with others, so that theirs stays when its owner's part is
/// removed: `is` has more than `was`. Devices come and go one by one in any case.
pub(crate) fn stays_shared(path: &Path, is: &Element, was: &Element) -> bool {
    let count = |of: &Element, name: &Name| of.elements().filter(|e| e.name == *name).count();
    let has_more = || is.elements().any(|e| count(is, &e.name) > count(was, &e.name));
    let pattern = path.pattern();
    path.attribute.is_none()
        && (pattern == "devices" || SHARED.contains(&pattern.as_str()) && has_more())
}

/// Whether the value at `path` stays in a definition when the manifest stops naming it.
pub(crate) fn is_kept(path: &Path) -> bool {
    let pattern = path.pattern();
    // a device's own address; those of a NAT range or of a pool of cards are no identity, and the port
    // of a panic device is the same in each guest
    let address = pattern.starts_with("devices/")
        && pattern != "devices/panic/address"
        && path.steps.len() == 3
        && path.steps.last().is_some_and(|s| s.name == "address");
    let of_element = path.attribute.is_none();
    address
        || KEPT.iter().any(|row| (of_element || *row != "os/nvram") && ends_with(&pattern, row))
        || match path.attribute.as_deref() {
            None => KEPT_ELEMENTS.contains(&pattern.as_str()),
            Some(a) => KEPT_ATTRIBUTES.iter().any(|(row, name)| *name == a && pattern == *row),
        }
}

/// Whether the value of a running instance at `path` is its own choice.
pub(crate) fn is_chosen_while_running(path: &Path) -> bool {
    let attribute = path.attribute.as_deref().unwrap_or("");
    let pattern = path.pattern();
    CHOSEN.iter().any(|(row, name)| *name == attribute && ends_with(&pattern, row))
}

/// Whether `path` is one that a running instance shows in another form, and that only a boot changes.
pub(crate) fn only_at_boot(path: &Path) -> bool {
    let pattern = path.pattern();
    NOT_RUNNING
        .iter()
        .any(|p| pattern == *p || pattern.strip_prefix(p).is_some_and(|r| r.starts_with('/')))
}

/// Removes from a manifest, recursively, the values that a host drops beside another one.
pub(crate) fn drop_beside(parent: &str, element: &mut Element) {
    for (at, condition, what) in DROPPED_BESIDE {
        let name = element.name.local.as_str();
        let rest = at.strip_suffix(name).and_then(|rest| rest.strip_suffix('/'));
        let here = rest == Some(parent) && element.name.namespace.is_none();
        if here && holds(element, condition) {
            match what.strip_prefix('@') {
                Some(attribute) => {
                    element.remove_attr(attribute);
                }
                None => {
                    element.remove_elements(|e| e.is(what));
                }
            }
        }
    }
    let name = element.name.local.clone();
    for child in element.elements_mut() {
        drop_beside(&name, child);
    }
}

fn holds(element: &Element, condition: &str) -> bool {
    if let Some((child, condition)) = condition.split_once('/') {
        return element.child(child).is_some_and(|child| holds(child, condition));
    }
    if let Some(attribute) = condition.strip_prefix('@') {
        return match attribute.split_once("!=") {
            Some((name, value)) => element.attr(name).is_some_and(|v| v != value),
            None => attribute
                .split_once('=')
                .is_some_and(|(name, value)| element.attr(name) == Some(value)),
        };
    }
    match condition.strip_prefix('!') {
        Some(child) => element.child(child).is_none(),
        None => element.child(condition).is_some(),
    }
}

/// Whether the last names of a path are those of a row, in which `*` at the end is any name.
fn ends_with(pattern: &str, row: &str) -> bool {
    if let Some(parent) = row.strip_suffix("/*") {
        return pattern.rsplit_once('/').is_some_and(|(above, _)| ends_with(above, parent));
    }
    pattern == row
        || !row.is_empty() && pattern.strip_suffix(row).is_some_and(|rest| rest.ends_with('/'))
}
