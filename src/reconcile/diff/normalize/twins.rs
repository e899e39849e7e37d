//! Facts that a hypervisor writes twice: a manifest that says one of them says both, so that they change
//! and go together.

use super::field::touches;
use crate::model::number_set;
use crate::reconcile::diff::difference::Change;
use xmltree::{Attribute, Element, Name, Node, Path};

/// Places where one fact is written twice, as the names of their paths: an attribute, and the element
/// that says the same.
const TWINS: &[(&str, &str)] = &[
    ("devices/graphics/@listen", "devices/graphics/listen"),
    ("devices/graphics/@socket", "devices/graphics/listen"),
    ("forward/@dev", "forward/interface"),
];

/// The twins of a field, both as the names of their paths.
pub(super) fn twins_of(changed: &str) -> impl Iterator<Item = &'static str> {
    TWINS.iter().flat_map(move |(one, other)| {
        let is = |field: &str| touches(field, changed);
        is(one).then_some(*other).into_iter().chain(is(other).then_some(*one))
    })
}

/// Leaves out of `changes` the second of two twins that change together: the one that the manifest writes is
/// reported.
pub(super) fn drop_second(want: &Element, changes: &mut Vec<Change>) {
    let mut second = Vec::new();
    for (attribute, element) in TWINS {
        let Some((_, name)) = attribute.rsplit_once("/@") else { continue };
        let ones = changes.iter().filter(|c| {
            c.path.attribute.as_deref() == Some(name)
                && attribute.strip_suffix(name).and_then(|a| a.strip_suffix("/@"))
                    == Some(c.path.pattern().as_str())
        });
        for one in ones {
            let owner = Path { attribute: None, ..one.path.clone() };
            let others = changes
                .iter()
                .filter(|c| c.path.pattern() == *element && owner.covers(&c.path) && says(c, one));
            let written = one.path.value(want).is_some();
            for other in others {
                let dropped = if written || other.path.find(want).is_none() { other } else { one };
                second.push(dropped.path.clone());
            }
        }
    }
    changes.retain(|c| !second.contains(&c.path));
}

/// Whether the change of an element is that of the attribute with the same value.
fn says(element: &Change, attribute: &Change) -> bool {
    let has = |shown: &Option<String>, value: &Option<String>| match (shown, value) {
        (Some(shown), Some(value)) => shown.contains(value.as_str()),
        (shown, value) => shown.is_none() && value.is_none(),
    };
    match element.path.attribute {
        Some(_) => element.after == attribute.after,
        None => has(&element.after, &attribute.after) || has(&element.before, &attribute.before),
    }
}

/// The first console and the first serial port are one device; where the definition has a serial
/// port, the manifest's console is compared as the serial port that it became.
pub(super) fn one_console_device(want: &mut Element, live: &Element) {
    let became_serial = first_serial(live).is_some();
    let by_itself = first_serial(want).filter(|serial| is_mirrored(serial)).is_none();
    let Some(devices) = want.child_mut("devices") else { return };
    if by_itself && let Some(serial) = devices.child("serial").cloned() {
        // its other content is the port's
        if let Some(console) = devices.child_mut("console").filter(|c| is_serial(c)) {
            console.attributes.retain(|a| a.name.local == "type");
            console.put_attr("type", serial.attr("type"));
            console.children.clear();
            console.push(Element::new("target").with_attr("type", "serial"));
        }
        return;
    }
    if !became_serial || !devices.child("console").is_some_and(is_serial) {
        return;
    }
    let at = devices.children.iter().position(|n| matches!(n, Node::Element(e) if e.is("console")));
    let Some(Node::Element(mut console)) = at.map(|at| devices.children.remove(at)) else { return };
    if devices.child("serial").is_none() {
        console.name.local = "serial".to_owned();
        console.remove_elements(|e| e.is("target") || e.is("alias"));
        console.remove_attr("tty");
        devices.push(console);
    }
}

/// Takes the first console out of a merged definition where it is an alias of the first serial port,
/// or was one in the definition before: the host writes it anew from that port. A port that is not
/// mirrored by itself keeps the console that somebody wrote.
pub(super) fn drop_first_console(want: &Element, live: &Element, merged: &mut Element) {
    let (was, is) = (first_serial(live), first_serial(merged));
    let is_written =
        |e: &Element| e.child("devices").and_then(|d| d.child("console")).is_some_and(is_serial);
    let stays = is.is_some_and(|serial| !is_mirrored(serial))
        && (is_written(want) || was.is_some_and(|serial| !is_mirrored(serial)));
    if stays || was.is_none() && is.is_none() {
        return;
    }
    if let Some(devices) = merged.child_mut("devices") {
        let mut first = true;
        devices.remove_elements(|e| e.is("console") && std::mem::take(&mut first) && is_serial(e));
    }
}

fn first_serial(domain: &Element) -> Option<&Element> {
    domain.child("devices")?.child("serial")
}

/// Types of serial ports that hosts do not mirror as a console by themselves.
const NOT_MIRRORED: &[&str] = &["isa-debug", "pci-serial", "usb-serial"];

fn is_mirrored(serial: &Element) -> bool {
    let kind = serial.child("target").and_then(|t| t.attr("type"));
    !kind.is_some_and(|kind| NOT_MIRRORED.contains(&kind))
}

fn is_serial(console: &Element) -> bool {
    let target = console.child("target").and_then(|t| t.attr("type"));
    matches!(target, None | Some("serial"))
}

/// Writes the listen address of a console in both places, the attribute and the first `<listen>`.
pub(super) fn spell_listen_twice(want: &mut Element) {
    let devices = want.child_mut("devices").into_iter().flat_map(Element::elements_mut);
    for graphics in devices.filter(|e| e.is("graphics")) {
        let vnc = graphics.attr("type") == Some("vnc");
        for (attribute, kind, inside) in LISTENS.iter().filter(|row| vnc || row.0 != "socket") {
            let written = graphics.attribute(attribute).cloned();
            if written.as_ref().is_some_and(|a| a.value.starts_with(GENERATED)) {
                continue;
            }
            match (written, graphics.child("listen")) {
                (Some(written), None) => {
                    let mut listen = Element::new("listen").with_attr("type", *kind);
                    listen.span = written.span;
                    listen.attributes.push(named(&written, inside));
                    graphics.push(listen);
                }
                (None, Some(first)) if first.attr("type") == Some(kind) => {
                    if let Some(value) = first.attribute(inside) {
                        graphics.attributes.push(named(value, attribute));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Directory of the sockets that a host generates: it removes them from a definition again.
const GENERATED: &str = "/var/lib/libvirt/qemu/";

/// Attributes of a console (of VNC only, for a socket), and the type and the attribute of the `<listen>` that says the same.
const LISTENS: &[(&str, &str, &str)] =
    &[("listen", "address", "address"), ("socket", "socket", "socket")];

/// An attribute under another name.
fn named(attribute: &Attribute, name: &str) -> Attribute {
    Attribute { name: Name::local(name), ..attribute.clone() }
}

/// Writes the forward device of a network in both places, the attribute and the first `<interface>`.
pub(super) fn spell_forward_device_twice(want: &mut Element) {
    let Some(forward) = want.child_mut("forward") else { return };
    match (forward.attribute("dev").cloned(), forward.child("interface")) {
        (None, Some(first)) => {
            forward.attributes.extend(first.attribute("dev").cloned());
        }
        (Some(dev), None) if forward.child("pf").is_none() => {
            let mut interface = Element::new("interface");
            interface.span = dev.span;
            interface.attributes.push(dev);
            forward.push(interface);
        }
        _ => {}
    }
}

/// Processors that no NUMA cell has are in the first one.
pub(super) fn fill_first_cell(want: &mut Element) {
    /// Most processors of a domain that are counted one by one; libvirt's own limit is 16,384.
    const VCPUS_MAX: u64 = 16_384;
    let count = want.child_text("vcpu").and_then(|n| n.parse::<u64>().ok());
    let Some(count) = count.filter(|n| *n <= VCPUS_MAX) else { return };
    let numa = want.child_mut("cpu").and_then(|cpu| cpu.child_mut("numa"));
    let Some(numa) = numa else { return };
    let of = |cell: &Element| cell.attr("cpus").and_then(number_set).unwrap_or_default();
    let taken: Vec<_> = numa.children_named("cell").flat_map(of).collect();
    let free: Vec<String> = (0..count)
        .filter(|n| !taken.iter().any(|t| u64::from(*t) == *n))
        .map(|n| n.to_string())
        .collect();
    if free.is_empty() {
        return;
    }
    let first = numa.elements_mut().filter(|e| e.is("cell"));
    let first = { first }.min_by_key(|cell| cell.attr("id").and_then(|id| id.parse::<u64>().ok()));
    if let Some(cell) = first {
        let own = cell.attr("cpus").filter(|cpus| !cpus.is_empty()).map(str::to_owned);
        let all: Vec<String> = own.into_iter().chain(free).collect();
        cell.set_attr("cpus", all.join(","));
    }
}
