//! Defaults and checks of a domain's devices, as libvirt has them.

use super::errors::fault;
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Mac, Uuid};
use std::collections::BTreeSet;
use xmltree::{Element, Node};

/// Attributes that a device has when nothing else is said.
const DEVICE_DEFAULTS: [(&str, &str, &str); 4] = [
    ("disk", "type", "file"),
    ("disk", "device", "disk"),
    ("interface", "type", "user"),
    ("hostdev", "managed", "no"),
];

/// Buses of disks by the start of the target's name.
const BUSES: [(&str, &str); 6] = [
    ("fd", "fdc"),
    ("hd", "ide"),
    ("sd", "scsi"),
    ("ubd", "uml"),
    ("vd", "virtio"),
    ("xvd", "xen"),
];

/// First three bytes of the MAC addresses generated here.
pub(crate) const MAC_PREFIX: [u8; 3] = [0x52, 0x54, 0x00];

/// Fills in all devices and adds those that they need; refuses two disks with one target.
pub(crate) fn devices(devices: &mut Element) -> Result<()> {
    devices.elements_mut().try_for_each(device)?;
    let mut disks: Vec<&Element> = Vec::new();
    for disk in devices.children_named("disk") {
        let target = attr_of(disk, "target", "dev");
        if let Some(twin) = disks.iter().find(|d| attr_of(d, "target", "dev") == target) {
            return Err(duplicate_target(twin, disk));
        }
        disks.push(disk);
    }
    controllers(devices);
    interface_names(devices);
    consoles(devices);
    primary_video(devices);
    Ok(())
}

/// Fills in one device.
pub(crate) fn device(device: &mut Element) -> Result<()> {
    for (name, attribute, value) in DEVICE_DEFAULTS {
        if device.is(name) && device.attr(attribute).is_none() {
            device.set_attr(attribute, value);
        }
    }
    match device.name.local.as_str() {
        "disk" => disk(device),
        "interface" => interface(device),
        "graphics" => {
            graphics(device);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The bus that a disk's target name implies.
pub(crate) fn bus_of(target: &str) -> Option<&'static str> {
    let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase());
    let bus = BUSES.iter().find(|(prefix, _)| target.strip_prefix(prefix).is_some_and(digits));
    bus.map(|(_, bus)| *bus)
}

/// The error for two disks with one target.
pub(crate) fn duplicate_target(one: &Element, other: &Element) -> Error {
    let dev = attr_of(one, "target", "dev");
    let (a, b) = (source_of(one), source_of(other));
    let message = format!("target '{dev}' duplicated for disk sources '{a}' and '{b}'");
    fault(ErrorCode::XML_ERROR, ErrorDomain::DOMAIN, message)
}

fn disk(disk: &mut Element) -> Result<()> {
    let source = source_of(disk);
    let Some(target) = disk.child_mut("target").filter(|t| t.attr("dev").is_some()) else {
        let message = format!("missing target information for device {source}");
        return Err(Error::host(ErrorCode::NO_TARGET, ErrorDomain::DOMAIN, message));
    };
    if target.attr("bus").is_none() {
        let dev = target.attr("dev").unwrap_or_default();
        let Some(bus) = bus_of(dev) else {
            let message = format!("Unknown disk name '{dev}' and no address specified");
            return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::DOMAIN, message));
        };
        target.set_attr("bus", bus);
    }
    if disk.attr("device") == Some("cdrom") {
        disk.child_or_new("readonly");
    }
    Ok(())
}

fn interface(interface: &mut Element) -> Result<()> {
    if interface.attr("type") == Some("network") && interface.child("source").is_none() {
        let message = "interface type='network' requires a 'source' element";
        return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::DOMAIN, message));
    }
    if interface.child("mac").is_none() {
        let mac = Element::new("mac").with_attr("address", new_mac().to_string());
        interface.children.insert(0, Node::Element(mac));
    }
    lower_mac(interface.child_or_new("mac"), ErrorDomain::DOMAIN)
}

fn graphics(graphics: &mut Element) {
    if !matches!(graphics.attr("type"), Some("vnc" | "spice")) {
        return;
    }
    if graphics.attr("port").is_none_or(|port| port == "-1") {
        graphics.set_attr("port", "-1");
        graphics.set_attr("autoport", "yes");
    }
    if graphics.child("listen").is_none() {
        graphics.push(Element::new("listen").with_attr("type", "address"));
    }
}

/// Adds the controllers that the disks and channels need.
fn controllers(devices: &mut Element) {
    let mut needed: Vec<&str> = Vec::new();
    for bus in ["scsi", "fdc", "ide", "sata"] {
        if devices.children_named("disk").any(|d| attr_of(d, "target", "bus") == bus) {
            needed.push(bus);
        }
    }
    if devices.children_named("channel").any(|c| attr_of(c, "target", "type") == "virtio") {
        needed.push("virtio-serial");
    }
    for kind in needed {
        if !devices.children_named("controller").any(|c| c.attr("type") == Some(kind)) {
            let controller = Element::new("controller").with_attr("type", kind);
            devices.push(controller.with_attr("index", "0"));
        }
    }
}

/// Gives each interface without one the lowest free name of a tap device.
fn interface_names(devices: &mut Element) {
    let names = devices.children_named("interface").map(|e| attr_of(e, "target", "dev"));
    let mut taken: BTreeSet<String> = names.collect();
    for interface in devices.elements_mut().filter(|e| e.is("interface")) {
        if attr_of(interface, "target", "dev").is_empty() {
            let mut names = (0_u32..).map(|n| format!("testnet{n}"));
            if let Some(name) = names.find(|name| taken.insert(name.clone())) {
                interface.child_or_new("target").set_attr("dev", name);
            }
        }
    }
}

/// Makes the first video device the primary one if none is.
fn primary_video(devices: &mut Element) {
    let videos = devices.elements_mut().filter(|e| e.is("video"));
    let mut models: Vec<&mut Element> = videos.filter_map(|v| v.child_mut("model")).collect();
    if models.iter().any(|model| model.attr("primary") == Some("yes")) {
        return;
    }
    if let Some(model) = models.first_mut() {
        model.set_attr("primary", "yes");
    }
}

/// Numbers the serial ports; the first is the console too.
fn consoles(devices: &mut Element) {
    let mut first = None;
    for (port, serial) in devices.elements_mut().filter(|e| e.is("serial")).enumerate() {
        let target = serial.child_or_new("target");
        if target.attr("port").is_none() {
            target.set_attr("port", port.to_string());
        }
        first.get_or_insert_with(|| serial.attr("type").unwrap_or("pty").to_owned());
    }
    let Some(kind) = first.filter(|_| devices.child("console").is_none()) else { return };
    let target = Element::new("target").with_attr("type", "serial").with_attr("port", "0");
    devices.push(Element::new("console").with_attr("type", kind).with_child(target));
}

fn new_mac() -> Mac {
    let [a, b, c] = MAC_PREFIX;
    let [d, e, f, ..] = *Uuid::new_v4().as_bytes();
    Mac([a, b, c, d, e, f])
}

fn attr_of(element: &Element, child: &str, attribute: &str) -> String {
    let value = element.child(child).and_then(|c| c.attr(attribute));
    value.unwrap_or_default().to_owned()
}

/// Describes the source of a disk, for messages.
fn source_of(disk: &Element) -> String {
    let source = disk.child("source");
    let source = source.and_then(|s| s.attr("file").or(s.attr("dev")).or(s.attr("name")));
    source.unwrap_or_default().to_owned()
}

/// Checks a MAC address and writes it in small letters.
pub(crate) fn lower_mac(element: &mut Element, parser: ErrorDomain) -> Result<()> {
    let text = element.attr("address").unwrap_or_default();
    let Some(mac) = Mac::parse(text) else {
        let message = format!("unable to parse mac address '{text}'");
        return Err(fault(ErrorCode::XML_ERROR, parser, message));
    };
    if mac.is_multicast() {
        let message = format!("expected unicast mac address, found multicast '{text}'");
        return Err(fault(ErrorCode::XML_ERROR, parser, message));
    }
    element.set_attr("address", mac.to_string());
    Ok(())
}
