//! Certain errors in a domain's disks and interfaces, beyond its grammar.

use super::{Disk, DiskDevice, Domain, Interface, InterfaceSource};
use crate::model::Mac;
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics, Span};
use std::collections::HashMap;
use std::net::IpAddr;
use xmltree::NodeRef;

pub(super) fn check_devices(root: NodeRef<'_>, out: &mut Diagnostics) {
    let domain = Domain::new(root);
    let mut targets = HashMap::new();
    for disk in domain.disks() {
        check_disk(disk, &mut targets, out);
    }
    let mut macs = HashMap::new();
    for interface in domain.interfaces() {
        check_interface(interface, &mut macs, out);
    }
}

fn check_disk<'a>(disk: Disk<'a>, seen: &mut HashMap<&'a str, Span>, out: &mut Diagnostics) {
    let element = disk.element();
    // the grammar asks for one
    let Some(target) = element.child("target").and_then(|t| t.attribute("dev")) else { return };
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
    if source.is_some_and(|s| !s.attributes().is_empty()) {
        return;
    }
    out.push(
        Diagnostic::error("missing-source", "the disk has no source")
            .at(source.unwrap_or(element).span())
            .hint(format!("add a source with {key}, or make the device a cdrom")),
    );
}

fn check_interface(interface: Interface<'_>, seen: &mut HashMap<Mac, Span>, out: &mut Diagnostics) {
    let element = interface.element();
    if let Some(attribute) = element.child("mac").and_then(|m| m.attribute("address"))
        && let Some(mac) = Mac::parse(&attribute.value)
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
}

/// Refuses interface sources that pass the grammar, and that no host can start.
fn check_interface_source(interface: Interface<'_>, out: &mut Diagnostics) {
    let Some(source) = interface.element().child("source") else { return };
    let group = match interface.source() {
        InterfaceSource::Mcast { .. } => source.attribute("address"),
        InterfaceSource::Server { .. } | InterfaceSource::Client { .. } => None,
        InterfaceSource::User
        | InterfaceSource::Network(_)
        | InterfaceSource::Bridge(_)
        | InterfaceSource::Ethernet
        | InterfaceSource::Other(_) => return,
    };
    // the grammar's ports may be -1 or 0, for any that is free: nobody would find it
    if let Some(port) = source.attribute("port")
        && port.value.parse::<i32>().is_ok_and(|n| n < 1)
    {
        out.push(
            Diagnostic::error("bad-port", "this is not a port")
                .at(port.span)
                .detail(format!("{}; expected 1 to 65535", found(&port.value))),
        );
    }
    if let Some(group) = group
        && group.value.parse::<IpAddr>().is_ok_and(|a| !a.is_multicast())
    {
        out.push(
            Diagnostic::error("not-multicast", "this is not a multicast address")
                .at(group.span)
                .detail(format!("{}; expected one such as 230.0.0.1", found(&group.value))),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    fn codes(devices: &str) -> Vec<&'static str> {
        let text = format!("<domain><devices>{devices}</devices></domain>");
        let root = parse(SourceId::NONE, &text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check_devices(root.node(), &mut out);
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
            ("<disk><source file='/a'/></disk>", vec![]),
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
            ("<interface type='network'/>", vec![]),
            ("<interface type='vhostuser'/>", vec![]),
            ("<interface><mac address='52:54'/></interface>", vec![]),
            ("<interface type='server'/>", vec![]),
            ("<interface type='server'><source port='0'/></interface>", vec!["bad-port"]),
            ("<interface type='client'><source address='a' port='65536'/></interface>", vec![]),
            (
                "<interface type='mcast'><source address='10.0.0.1' port='1'/></interface>",
                vec!["not-multicast"],
            ),
        ] {
            assert_eq!(codes(devices), expected, "{devices}");
        }
    }
}
