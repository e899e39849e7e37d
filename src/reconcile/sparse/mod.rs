//! Sparse definitions, without the values that the host fills in by itself: close to a person's manifest.
//!
//! What the host fills in is a table of rows ([`table`]), and what depends on several devices at once
//! is beside it: controllers, addresses, twins. Each takes something away only where what is left says
//! the same to the host; the order is such that a condition sees what will be left. What identifies a
//! guest (UUID, MAC addresses, the machine's version) and what is only usual stays.
//!
//! No host is asked: libvirt has no call that fills in a definition without storing it, and an export
//! changes nothing. So each row is held to a real libvirtd by `tests/real/export.rs`.
//!
//! - `places.rs`: addresses and controllers that the host would choose by itself
//! - `table.rs`: values that a host fills in, as rows
//! - `tests.rs`: tests of each row of the table, and of its effect on a definition

mod places;
mod table;

use super::kinds::rules;
use crate::model::{Defaults, Kind, NAMESPACE};
use places::{drop_addresses, drop_controllers};
use table::{Gone, ROWS, Row, Scope};
use xmltree::Element;

/// Amount that is left out of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sparse {
    /// Values that the host fills in again identically.
    Same,
    /// Identity of the object, too: UUID, MAC addresses, the version of the machine.
    Anew,
}

/// Removes from a definition the values that a host of this kind fills in identically. `owner_record` shows
/// what a manifest wrote: addresses in it are no choice of the host's.
pub(super) fn sparse(
    kind: Kind,
    defaults: Defaults,
    document: &mut Element,
    written: Option<&Element>,
) {
    let scope = Scope::of(defaults, document);
    if kind.is_guest() {
        drop_twins(document);
        if scope.has(Scope::X86) {
            drop_default_cpu(document);
            drop_emulator(document);
        }
        if scope.is_qemu() {
            drop_raw(document);
            drop_addresses(document, written);
            drop_controllers(document);
        }
    }
    for row in ROWS.iter().filter(|row| row.kind == kind && scope.has(row.scope)) {
        apply(row, document, &mut Vec::new());
    }
    if kind.is_guest() && scope.has(Scope::X86) {
        drop_serial_targets(document);
    }
}

/// Applies a row to all places that it is for.
fn apply(row: &Row, element: &mut Element, above: &mut Vec<String>) {
    if fits(row.at, element, above) && row.holds(element) {
        match row.drop {
            Gone::Attribute(name, value) => {
                if element.attr(name) == Some(value) {
                    element.remove_attr(name);
                }
            }
            Gone::Child(name) => {
                element.remove_elements(|e| e.is(name) && table::is_bare(e));
            }
            Gone::Element(pattern) => {
                element.remove_elements(|e| table::matches(e, pattern));
            }
        }
    }
    above.push(element.name.local.clone());
    for child in element.elements_mut().filter(|e| e.name.uri() != NAMESPACE) {
        apply(row, child, above);
    }
    above.pop();
}

/// Whether an element stands where the row is for: the last names of its path.
fn fits(at: &str, element: &Element, above: &[String]) -> bool {
    let mut names = at.rsplit('/');
    names.next().is_some_and(|name| element.is(name))
        && names
            .zip(above.iter().rev().map(Some).chain(std::iter::repeat(None)))
            .all(|(name, above)| name == "*" || above.is_some_and(|above| above == name))
}

/// Removes repeated content: the first console beside the first serial port, a listen address beside its
/// element, all of the memory beside the memory.
fn drop_twins(document: &mut Element) {
    let memory = document.child("memory").map(|m| (m.text(), m.attr("unit").map(str::to_owned)));
    let full = |e: &Element| {
        e.is("currentMemory") && memory == Some((e.text(), e.attr("unit").map(str::to_owned)))
    };
    // with NUMA cells, the sum that the host has worked out
    if document.descend(&["cpu", "numa"]).is_none() {
        document.remove_elements(full);
    }
    let ordered =
        document.child("devices").is_some_and(|d| d.elements().any(|e| e.child("boot").is_some()));
    let is_hvm = document.descend(&["os", "type"]).is_some_and(|t| t.text() == "hvm");
    if let Some(os) = document.child_mut("os")
        && is_hvm
        && !ordered
        && os.children_named("boot").count() == 1
    {
        os.remove_elements(|e| table::matches(e, "boot dev=hd"));
    }
    let Some(devices) = document.child_mut("devices") else { return };
    let serial = devices.child("serial").cloned();
    let mut first = true;
    devices.remove_elements(|e| {
        e.is("console")
            && std::mem::take(&mut first)
            && serial.as_ref().is_some_and(|s| mirrors(e, s))
    });
    for graphics in devices.elements_mut().filter(|e| e.is("graphics")) {
        let alone = graphics.children_named("listen").count() == 1;
        let address = graphics.attr("listen").map(str::to_owned);
        graphics.remove_elements(|e| {
            let bare = e.attributes.len() == 1 && address.is_none();
            let twin = e.attributes.len() == 2 && address.as_deref() == e.attr("address");
            alone
                && e.is("listen")
                && e.attr("type") == Some("address")
                && (bare || address.is_some() && twin)
        });
    }
}

/// The program that libvirt finds by itself for the guest's architecture.
fn drop_emulator(document: &mut Element) {
    let arch = document.descend(&["os", "type"]).and_then(|t| t.attr("arch"));
    let program = if arch == Some("i686") { "i386" } else { "x86_64" };
    let usual = format!("emulator: /usr/bin/qemu-system-{program}");
    if let Some(devices) = document.child_mut("devices") {
        devices.remove_elements(|e| table::matches(e, &usual));
    }
}

/// The format of a disk that says none, but where an encryption has to have one beside it.
fn drop_raw(document: &mut Element) {
    let devices = document.child_mut("devices").into_iter().flat_map(Element::elements_mut);
    for disk in devices.filter(|e| e.is("disk")) {
        let source = disk.child("source").and_then(|source| source.child("encryption"));
        let is_encrypted = source.or_else(|| disk.child("encryption")).is_some();
        if let Some(driver) = disk.child_mut("driver")
            && !is_encrypted
            && driver.attr("type") == Some("raw")
        {
            driver.remove_attr("type");
        }
    }
}

/// Serial ports that are numbered as they stand need no target.
fn drop_serial_targets(document: &mut Element) {
    let Some(devices) = document.child_mut("devices") else { return };
    let usual = |(n, serial): (usize, &Element)| {
        let pattern = format!("target type=isa-serial port={n}");
        serial.child("target").is_none_or(|t| table::matches(t, &pattern))
    };
    if devices.children_named("serial").enumerate().all(usual) {
        for serial in devices.elements_mut().filter(|e| e.is("serial")) {
            serial.remove_elements(|e| e.is("target"));
        }
    }
}

/// Removes the CPU model that QEMU takes by itself on x86; a manifest's topology stays.
fn drop_default_cpu(document: &mut Element) {
    let arch = document.descend(&["os", "type"]).and_then(|t| t.attr("arch"));
    let usual = match arch {
        Some("x86_64") => "model fallback=forbid: qemu64",
        _ => "model fallback=forbid: qemu32",
    };
    let Some(cpu) = document.child_mut("cpu") else { return };
    let says = |name, value| cpu.attr(name) == Some(value);
    let is_usual = cpu.attributes.len() == 3
        && says("mode", "custom")
        && says("match", "exact")
        && says("check", "none")
        && cpu.elements().all(|e| e.is("topology") || e.is("numa") || table::matches(e, usual))
        && cpu.child("model").is_some();
    if is_usual {
        cpu.attributes.clear();
        cpu.remove_elements(|e| e.is("model"));
        document.remove_elements(|e| e.is("cpu") && table::is_bare(e));
    }
}

/// Whether the first console is the first serial port once more.
fn mirrors(console: &Element, serial: &Element) -> bool {
    let plain = |e: &Element| {
        let mut copy = e.clone();
        copy.remove_elements(|c| c.is("target") || c.is("alias") || c.is("address"));
        copy.name = xmltree::Name::local("chardev");
        copy
    };
    let target = console.child("target");
    let port = serial.child("target").and_then(|t| t.attr("type"));
    let on_its_own_bus = matches!(port, Some("pci-serial" | "usb-serial"));
    !on_its_own_bus
        && target.is_none_or(|t| {
            t.attr("type").is_none_or(|kind| kind == "serial")
                && t.attr("port").is_none_or(|port| port == "0")
        })
        && plain(console) == plain(serial)
}

/// Removes the identity of an object, for another one like it.
pub(super) fn drop_identity(kind: Kind, document: &mut Element) {
    document.remove_elements(|e| e.is("uuid") || e.is("genid") && !e.text().is_empty());
    (rules(kind).drop_identity)(document);
}

#[cfg(test)]
mod tests;
