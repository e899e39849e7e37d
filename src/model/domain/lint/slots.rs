//! Buses inside the guest: slots that a PCI controller lacks, IDE on machines without it.

use super::facts::{devices, is_qemu};
use crate::model::domain::{Disk, Domain};
use crate::model::lint::c_number;
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use std::collections::HashMap;
use xmltree::{Attribute, NodeRef};

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    if is_qemu(root) {
        check_slots(root, out);
        check_ide(root, out);
    }
}

/// The slots behind a PCI controller by its model, first and last: a port has one, and on a bridge
/// the first is its own.
const SLOTS: [(&str, u64, u64); 4] = [
    ("pcie-root-port", 0, 0),
    ("pcie-switch-downstream-port", 0, 0),
    ("pcie-to-pci-bridge", 1, 31),
    ("pci-bridge", 1, 31),
];

fn check_slots(root: NodeRef<'_>, out: &mut Diagnostics) {
    let mut buses = HashMap::new();
    for controller in devices(root).filter(|d| d.is("controller")) {
        if controller.attr("type") == Some("pci")
            && let Some(index) = controller.attr("index").and_then(c_number)
            && let Some(row) = SLOTS.iter().find(|row| controller.attr("model") == Some(row.0))
        {
            buses.insert(index, row);
        }
    }
    for address in devices(root).filter_map(|d| d.child("address")) {
        let number = |key: &str| address.attr(key).map_or(Some(0), c_number);
        if address.attr("type") == Some("pci")
            && number("domain") == Some(0)
            && let Some((model, first, last)) = number("bus").and_then(|bus| buses.get(&bus))
            && let Some(slot) = number("slot")
            && !(*first..=*last).contains(&slot)
        {
            let expected = match last {
                0 => "0, the only one there".to_owned(),
                _ => format!("{first} to {last}"),
            };
            let place = address.attribute("slot").map_or(address.span(), |a| a.span);
            out.push(
                Diagnostic::error("pci-slot", "the controller has no such slot")
                    .at(place)
                    .detail(format!(
                        "{} behind a {model}; expected {expected}",
                        found(&slot.to_string())
                    ))
                    .hint("leave the address out: the host finds a free one"),
            );
        }
    }
}

/// Whether the machine is the one with PCI Express that Intel's Q35 chipset gave its name.
fn is_q35(root: NodeRef<'_>) -> bool {
    let machine = Domain::new(root).os().and_then(|os| os.machine());
    machine.is_some_and(|m| m == "q35" || m.starts_with("pc-q35-"))
}

fn check_ide(root: NodeRef<'_>, out: &mut Diagnostics) {
    if !is_q35(root) {
        return;
    }
    for device in devices(root) {
        let target = || device.child("target");
        let place: Option<&Attribute> = match device.name().local.as_str() {
            "disk" if Disk::new(device).bus() == Some("ide") => {
                target().and_then(|t| t.attribute("bus").or_else(|| t.attribute("dev")))
            }
            "controller" => device.attribute("type").filter(|kind| kind.value == "ide"),
            _ => None,
        };
        if let Some(place) = place {
            out.push(
                Diagnostic::error("no-ide", "the machine q35 has no IDE")
                    .at(place.span)
                    .hint("make the bus sata, or the machine pc"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, problems};
    use super::*;

    #[test]
    fn slots_behind_controllers() {
        for (model, slot, is_there) in [
            ("pcie-root-port", "0x00", true),
            ("pcie-root-port", "0x01", false),
            ("pcie-switch-downstream-port", "1", false),
            ("pcie-to-pci-bridge", "0", false),
            ("pci-bridge", "31", true),
            ("pci-bridge", "0", false),
            ("dmi-to-pci-bridge", "0", true),
        ] {
            let devices = |bus: &str| {
                format!(
                    "<devices><controller type='pci' index='1' model='{model}'/><disk>\
                     <address type='pci' bus='{bus}' slot='{slot}'/></disk></devices>"
                )
            };
            let at = format!("{} pci-slot!", 112 + model.len());
            let expected: &[&str] = if is_there { &[] } else { &[&at] };
            finds(check, &[(&devices("1"), expected), (&devices("2"), &[])]);
        }
    }

    #[test]
    fn ide() {
        let hda = "<disk><target dev='hda'/></disk>";
        let bus = "<disk><target dev='sda' bus='ide'/></disk>";
        let controller = "<controller type='ide'/>";
        let sata = "<disk><target dev='hda' bus='sata'/></disk>";
        for (kind, machine, device, expected) in [
            ("kvm", "q35", hda, Some("87 no-ide!")),
            ("kvm", "q35", bus, Some("97 no-ide!")),
            ("kvm", "pc-q35-9.0", controller, Some("93 no-ide!")),
            ("kvm", "q35", sata, None),
            ("kvm", "pc", hda, None),
            ("kvm", "pc-i440fx-9.0", bus, None),
            ("test", "q35", hda, None),
        ] {
            let text = format!(
                "<domain type='{kind}'><os><type machine='{machine}'>hvm</type></os>\
                 <devices>{device}</devices></domain>"
            );
            assert_eq!(problems(&text, check), Vec::from_iter(expected), "{text}");
        }
    }
}
