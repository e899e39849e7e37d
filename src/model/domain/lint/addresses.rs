//! Addresses inside the guest and devices of the host: no two devices share one.

use super::facts::{devices, is_serial_again};
use crate::model::domain::Disk;
use crate::model::lint::{Claims, c_number};
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics, Span};
use xmltree::NodeRef;

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    for vsock in devices(root).filter(|d| d.is("vsock")) {
        check_context(vsock, out);
    }
    let (mut addresses, mut controllers, mut passed) =
        (Claims::default(), Claims::default(), Claims::default());
    for device in devices(root).filter(|d| !is_serial_again(*d)) {
        let address = device.child("address");
        let mut claim =
            |claims: &mut Claims<String>, key: Option<String>, span: Span, rule: &Rule| {
                if let Some(key) = key
                    && let Some(first) = claims.claim(key.clone(), span)
                {
                    out.push(
                        Diagnostic::error(rule.code, rule.summary)
                            .at(span)
                            .detail(key)
                            .related(first, "the first one")
                            .hint(rule.hint),
                    );
                }
            };
        if let Some(address) = address {
            claim(&mut addresses, place(device, address), address.span(), &ADDRESS);
        }
        claim(&mut controllers, controller(device), device.span(), &CONTROLLER);
        claim(&mut passed, host_device(device), device.span(), &HOSTDEV);
    }
}

/// The lowest number of a guest on the sockets between it and the host; 2 is the host itself.
const CONTEXT_MIN: u32 = 3;

fn check_context(vsock: NodeRef<'_>, out: &mut Diagnostics) {
    if let Some(context) = vsock.child("cid").and_then(|cid| cid.attribute("address"))
        && context.value.parse::<u32>().is_ok_and(|n| n < CONTEXT_MIN)
    {
        out.push(
            Diagnostic::error("vsock-cid", "this is not a context ID of a guest")
                .at(context.span)
                .detail(format!("{}; expected at least {CONTEXT_MIN}", found(&context.value)))
                .hint("leave the address out and make auto yes, or choose another"),
        );
    }
}

/// Diagnostic for a second claim.
struct Rule {
    code: &'static str,
    summary: &'static str,
    hint: &'static str,
}

const ADDRESS: Rule = Rule {
    code: "duplicate-address",
    summary: "two devices have one address",
    hint: "leave the address out: the host finds a free one",
};
const CONTROLLER: Rule = Rule {
    code: "duplicate-controller",
    summary: "two controllers of a type have one index",
    hint: "count the controllers of each type from 0",
};
const HOSTDEV: Rule = Rule {
    code: "duplicate-hostdev",
    summary: "a device of the host is passed through twice",
    hint: "remove one of them",
};

/// Returns the place of a device inside the guest, if its address is complete.
fn place(device: NodeRef<'_>, address: NodeRef<'_>) -> Option<String> {
    let number = |key: &str| address.attr(key).map_or(Some(0), c_number);
    match address.attr("type")? {
        "pci" => {
            let at = pci(address)?;
            // all zeros stand for an address to be found
            (at != "0000:00:00.0").then(|| format!("PCI address {at}"))
        }
        "usb" => Some(format!("USB bus {}, port {}", number("bus")?, address.attr("port")?)),
        "drive" => {
            let bus = match device.name().local.as_str() {
                "disk" => Disk::new(device).bus()?,
                "hostdev" if device.attr("type") == Some("scsi") => "scsi",
                _ => return None,
            };
            let [controller, channel, target, unit] =
                ["controller", "bus", "target", "unit"].map(number);
            Some(format!(
                "{bus} controller {}, bus {}, target {}, unit {}",
                controller?, channel?, target?, unit?
            ))
        }
        "virtio-serial" => {
            // port 0 stands for one to be found
            let port = number("port").filter(|p| *p != 0)?;
            Some(format!("virtio-serial controller {}, port {port}", number("controller")?))
        }
        "ccid" => Some(format!(
            "CCID controller {}, slot {}",
            number("controller")?,
            address.attr("slot")?
        )),
        "ccw" => Some(format!(
            "CCW device {:x}.{:x}.{:04x}",
            c_number(address.attr("cssid")?)?,
            c_number(address.attr("ssid")?)?,
            c_number(address.attr("devno")?)?
        )),
        "spapr-vio" => Some(format!("VIO register {:#x}", c_number(address.attr("reg")?)?)),
        "dimm" => Some(format!("memory slot {}", c_number(address.attr("slot")?)?)),
        _ => None,
    }
}

fn pci(address: NodeRef<'_>) -> Option<String> {
    let number = |key: &str| address.attr(key).map_or(Some(0), c_number);
    let [domain, bus, slot, function] = ["domain", "bus", "slot", "function"].map(number);
    Some(format!("{:04x}:{:02x}:{:02x}.{:x}", domain?, bus?, slot?, function?))
}

fn controller(device: NodeRef<'_>) -> Option<String> {
    // USB controllers of one index are companions
    let kind = device.attr("type").filter(|t| device.is("controller") && *t != "usb")?;
    let index: u32 = device.attr("index")?.parse().ok()?;
    Some(format!("{kind} controller {index}"))
}

/// The device of the host that is passed through, if one and no other can be meant.
pub(crate) fn host_device(device: NodeRef<'_>) -> Option<String> {
    if !device.is("hostdev") || device.attr("mode").is_some_and(|m| m != "subsystem") {
        return None;
    }
    let source = device.child("source")?;
    let address = source.child("address")?;
    match device.attr("type")? {
        "pci" => Some(format!("PCI device {}", pci(address)?)),
        "usb" => {
            let part = |key| address.attr(key).and_then(c_number);
            Some(format!("USB device {}:{}", part("bus")?, part("device")?))
        }
        "mdev" => Some(format!("mediated device {}", address.attr("uuid")?.to_ascii_lowercase())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    fn two(a: &str, b: &str) -> String {
        let device = |inside: &str| match inside.split_once('|') {
            Some((name, address)) => format!("<{name}><address {address}/></{}>", &name[..4]),
            None => format!("<{inside}/>"),
        };
        format!("<devices>{}{}</devices>", device(a), device(b))
    }

    #[test]
    fn places_in_the_guest() {
        let one = "type='pci' bus='0x00' slot='0x07'";
        for (a, b, clash) in [
            (one, "type='pci' domain='0' bus='0' slot='7' function='0'", true),
            (one, "type='pci' bus='0' slot='7' function='1'", false),
            ("type='pci'", "type='pci'", false),
            ("type='usb' bus='0' port='1'", "type='usb' bus='0' port='1'", true),
            ("type='usb' bus='0' port='1'", "type='usb' bus='0' port='1.1'", false),
            ("type='virtio-serial' port='1'", "type='virtio-serial' controller='0' port='1'", true),
            ("type='virtio-serial'", "type='virtio-serial'", false),
            ("type='dimm' slot='0'", "type='dimm' slot='0'", true),
            ("type='ccid' slot='0'", "type='ccid' controller='0' slot='0'", true),
            ("type='spapr-vio' reg='0x1000'", "type='spapr-vio' reg='4096'", true),
            (
                "type='ccw' cssid='0xfe' ssid='0' devno='1'",
                "type='ccw' cssid='0xfe' ssid='0x0' devno='0x0001'",
                true,
            ),
        ] {
            let text = two(&format!("disk|{a}"), &format!("disk|{b}"));
            let at = format!("{} duplicate-address!", 59 + a.len());
            let expected: &[&str] = if clash { &[&at] } else { &[] };
            finds(check, &[(&text, expected)]);
        }
    }

    #[test]
    fn drives_are_apart_by_bus() {
        let disk = |dev: &str, unit| {
            format!("<disk><target dev='{dev}'/><address type='drive' unit='{unit}'/></disk>")
        };
        let devices = |a: String, b: String| format!("<devices>{a}{b}</devices>");
        finds(
            check,
            &[
                (&devices(disk("hda", 0), disk("hdb", 0)), &["118 duplicate-address!"]),
                (&devices(disk("hda", 0), disk("hdb", 1)), &[]),
                (&devices(disk("hda", 0), disk("sdb", 0)), &[]),
            ],
        );
    }

    #[test]
    fn contexts_of_guests() {
        let vsock = |cid: &str| format!("<devices><vsock><cid {cid}/></vsock></devices>");
        finds(
            check,
            &[
                (&vsock("address='2'"), &["50 vsock-cid!"]),
                (&vsock("auto='yes' address='1'"), &["61 vsock-cid!"]),
                (&vsock("address='3'"), &[]),
                (&vsock("auto='yes'"), &[]),
            ],
        );
    }

    #[test]
    fn controllers_and_passed_devices() {
        let scsi = "<controller type='scsi' index='0'/>";
        let usb = "<controller type='usb' index='0'/>";
        let pci = "<hostdev mode='subsystem' type='pci'><source><address bus='1' slot='2'/></source>\
                   </hostdev>";
        let twice = |one: &str| format!("<devices>{one}{one}</devices>");
        finds(
            check,
            &[
                (&twice(scsi), &["64 duplicate-controller!"]),
                (&twice(usb), &[]),
                (&twice(pci), &["120 duplicate-hostdev!"]),
            ],
        );
    }
}
