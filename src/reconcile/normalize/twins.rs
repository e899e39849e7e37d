//! Facts that a hypervisor writes twice: a manifest that says one of them says both, so that they change
//! and go together.

use crate::model::number_set;
use crate::reconcile::overlay::Change;
use crate::xml::{Element, Node, Path};

/// Places where one fact is written twice, as the names of their paths: an attribute, and the element
/// that says the same.
const TWINS: &[(&str, &str)] = &[
    ("devices/graphics/@listen", "devices/graphics/listen"),
    ("forward/@dev", "forward/interface"),
];

/// Leaves out of `changes` the second of two twins that change together: what is said stays as the
/// manifest writes it.
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
    let became_serial = live.child("devices").is_some_and(|d| d.child("serial").is_some());
    let Some(devices) = want.child_mut("devices") else { return };
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

/// Takes the first console out of a merged definition where it is an alias of the first serial port:
/// the host writes it anew from that.
pub(super) fn drop_first_console(merged: &mut Element) {
    if let Some(devices) = merged.child_mut("devices")
        && devices.child("serial").is_some()
    {
        let mut first = true;
        devices.remove_elements(|e| e.is("console") && std::mem::take(&mut first) && is_serial(e));
    }
}

fn is_serial(console: &Element) -> bool {
    let target = console.child("target").and_then(|t| t.attr("type"));
    matches!(target, None | Some("serial"))
}

/// Where a console listens stands in an attribute and in its first `<listen>`.
pub(super) fn spell_listen_twice(want: &mut Element) {
    let devices = want.child_mut("devices").into_iter().flat_map(Element::elements_mut);
    for graphics in devices.filter(|e| e.is("graphics")) {
        let by_attribute = graphics.attribute("listen").cloned();
        match (by_attribute, graphics.child("listen")) {
            (Some(attribute), None) => {
                let mut listen = Element::new("listen").with_attr("type", "address");
                listen.span = attribute.span;
                listen.set_attr("address", attribute.value.clone());
                if let Some(address) = listen.attributes.last_mut() {
                    address.span = attribute.span;
                }
                graphics.push(listen);
            }
            (None, Some(first)) if first.attr("type") == Some("address") => {
                if let Some(mut address) = first.attribute("address").cloned() {
                    address.name.local = "listen".to_owned();
                    graphics.attributes.push(address);
                }
            }
            _ => {}
        }
    }
}

/// What a network forwards to stands in an attribute and in its first `<interface>`.
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
