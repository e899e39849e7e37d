//! What is certainly wrong with a domain's disks, interfaces and displays.

use super::{Disk, DiskDevice, Domain, Graphics, Interface, InterfaceSource};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::model::Mac;
use crate::model::values::{check_mac, found};
use crate::xml::{Attribute, Element};
use std::collections::HashMap;
use std::net::IpAddr;

pub(super) fn check_devices(root: &Element, out: &mut Diagnostics) {
    let domain = Domain::new(root);
    let mut targets = HashMap::new();
    for disk in domain.disks() {
        check_disk(disk, &mut targets, out);
    }
    let mut macs = HashMap::new();
    for interface in domain.interfaces() {
        check_interface(interface, &mut macs, out);
    }
    for graphics in domain.graphics() {
        check_graphics(graphics, out);
    }
}

fn check_disk<'a>(disk: Disk<'a>, seen: &mut HashMap<&'a str, Span>, out: &mut Diagnostics) {
    let element = disk.element();
    let Some(target) = element.child("target").and_then(|t| t.attribute("dev")) else {
        out.push(
            Diagnostic::error("missing-target", "the disk has no target")
                .at(element.span)
                .detail("the target names it inside the guest and keeps it apart from the others")
                .hint("add a target, such as dev vda on bus virtio"),
        );
        return;
    };
    if let Some(first) = seen.insert(&target.value, target.span) {
        out.push(
            Diagnostic::error("duplicate-target", "two disks have the same target")
                .at(target.span)
                .detail(found(&target.value))
                .related(first, "the first one")
                .hint("give each disk a name of its own"),
        );
    }
    check_disk_source(disk, out);
}

/// A hard disk has to have its data somewhere; a drive may be empty.
fn check_disk_source(disk: Disk<'_>, out: &mut Diagnostics) {
    let element = disk.element();
    let key = match element.attr("type").unwrap_or("file") {
        "file" => "file",
        "block" => "dev",
        _ => return,
    };
    if disk.source().is_some() || disk.device() != DiskDevice::Disk {
        return;
    }
    let source = element.child("source");
    // a source can be bare where a start-up policy or a pool fills it
    if source.is_some_and(|s| !s.attributes.is_empty()) {
        return;
    }
    out.push(
        Diagnostic::error("missing-source", "the disk has no source")
            .at(source.unwrap_or(element).span)
            .hint(format!("add a source with {key}, or make the device a cdrom")),
    );
}

fn check_interface(interface: Interface<'_>, seen: &mut HashMap<Mac, Span>, out: &mut Diagnostics) {
    let element = interface.element();
    if let Some(attribute) = element.child("mac").and_then(|m| m.attribute("address"))
        && let Some(mac) = check_mac(attribute, out)
        // the two interfaces of a team share their address
        && element.child("teaming").is_none()
        && let Some(first) = seen.insert(mac, attribute.span)
    {
        out.push(
            // libvirt lets it pass, and on two networks it works
            Diagnostic::warning("duplicate-mac", "two interfaces have the same MAC address")
                .at(attribute.span)
                .detail(found(&attribute.value))
                .related(first, "the first one")
                .hint("leave one out: a stable one is made"),
        );
    }
    check_interface_source(interface, out);
    for ip in element.children_named("ip") {
        check_ip(ip, out);
    }
}

fn check_interface_source(interface: Interface<'_>, out: &mut Diagnostics) {
    let element = interface.element();
    let source = element.child("source");
    let place = source.unwrap_or(element).span;
    let mut missing = |what: &str, hint: &str| {
        out.push(
            Diagnostic::error("missing-source", format!("the interface does not say {what}"))
                .at(place)
                .hint(format!("add a source with {hint}")),
        );
    };
    let (address, port) = match interface.source() {
        InterfaceSource::Network(None) => return missing("which network it is on", "network"),
        InterfaceSource::Bridge(None) => return missing("which bridge it is on", "bridge"),
        InterfaceSource::Mcast { address: None, .. } => {
            return missing("which group it joins", "address and port");
        }
        InterfaceSource::Client { address: None, .. } => {
            return missing("which server it connects to", "address and port");
        }
        InterfaceSource::Mcast { port: None, .. }
        | InterfaceSource::Server { port: None, .. }
        | InterfaceSource::Client { port: None, .. } => {
            return missing("which port it uses", "a port");
        }
        InterfaceSource::Mcast { .. }
        | InterfaceSource::Server { .. }
        | InterfaceSource::Client { .. } => {
            let attribute = |key| source.and_then(|s| s.attribute(key));
            (attribute("address"), attribute("port"))
        }
        InterfaceSource::User
        | InterfaceSource::Network(Some(_))
        | InterfaceSource::Bridge(Some(_))
        | InterfaceSource::Ethernet
        | InterfaceSource::Other(_) => return,
    };
    if let Some(port) = port {
        check_port(port, 1, out);
    }
    if let (InterfaceSource::Mcast { .. }, Some(group)) = (interface.source(), address)
        && !group.value.parse::<IpAddr>().is_ok_and(|a| a.is_multicast())
    {
        out.push(
            Diagnostic::error("not-multicast", "this is not a multicast address")
                .at(group.span)
                .detail(format!("{}; expected one such as 230.0.0.1", found(&group.value))),
        );
    }
}

fn check_ip(ip: &Element, out: &mut Diagnostics) {
    let Some(address) = ip.attribute("address") else { return };
    if address.value.parse::<IpAddr>().is_err() {
        out.push(
            Diagnostic::error("bad-ip", "this is not an IP address")
                .at(address.span)
                .detail(found(&address.value)),
        );
    }
}

fn check_graphics(graphics: Graphics<'_>, out: &mut Diagnostics) {
    for key in ["port", "tlsPort", "websocket"] {
        if let Some(port) = graphics.element().attribute(key) {
            check_port(port, -1, out);
        }
    }
}

fn check_port(port: &Attribute, least: i32, out: &mut Diagnostics) {
    if port.value.parse::<i32>().is_ok_and(|n| (least..=65_535).contains(&n)) {
        return;
    }
    out.push(
        Diagnostic::error("bad-port", "this is not a port")
            .at(port.span)
            .detail(format!("{}; expected {least} to 65535", found(&port.value))),
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use crate::diag::SourceId;
    use crate::xml::{Limits, parse};

    fn codes(devices: &str) -> Vec<&'static str> {
        let text = format!("<domain><devices>{devices}</devices></domain>");
        let root = parse(SourceId::NONE, &text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check_devices(&root, &mut out);
        out.iter().map(|d| d.code).collect()
    }

    #[test]
    fn devices_that_cannot_work() {
        let mac = "<source network='n'/><mac address='52:54:00:00:00:0a'/>";
        let same = "<source network='n'/><mac address='52:54:00:0:0:A'/>";
        let twice = format!(
            "<interface type='network'>{mac}</interface><interface type='network'>{same}</interface>"
        );
        let team = twice.replace("<mac", "<teaming type='persistent'/><mac");
        for (devices, expected) in [
            ("<disk><source file='/a'/></disk>", vec!["missing-target"]),
            ("<disk><target dev='vda'/></disk>", vec!["missing-source"]),
            ("<disk type='block'><source/><target dev='vda'/></disk>", vec!["missing-source"]),
            ("<disk type='network'><target dev='vda'/></disk>", vec![]),
            ("<disk device='cdrom'><target dev='a'/></disk>", vec![]),
            (
                "<disk device='cdrom'><target dev='a'/></disk><disk device='floppy'>\
                 <target dev='a'/></disk>",
                vec!["duplicate-target"],
            ),
            (&twice, vec!["duplicate-mac"]),
            (&team, vec![]),
            ("<interface type='network'/>", vec!["missing-source"]),
            ("<interface type='bridge'><source/></interface>", vec!["missing-source"]),
            ("<interface type='vhostuser'/>", vec![]),
            ("<interface><mac address='52:54'/></interface>", vec!["bad-mac"]),
            ("<interface><mac address='01:00:00:00:00:01'/></interface>", vec!["bad-mac"]),
            ("<interface><ip address='10.0.0.256'/></interface>", vec!["bad-ip"]),
            ("<interface type='server'/>", vec!["missing-source"]),
            (
                "<interface type='client'><source address='a' port='65536'/></interface>",
                vec!["bad-port"],
            ),
            (
                "<interface type='mcast'><source address='10.0.0.1' port='1'/></interface>",
                vec!["not-multicast"],
            ),
            ("<graphics type='vnc' port='-2'/>", vec!["bad-port"]),
        ] {
            assert_eq!(codes(devices), expected, "{devices}");
        }
    }
}
