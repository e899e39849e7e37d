//! Adding, removing and changing devices in a definition.

use super::errors::{fault, read};
use super::{device_defaults, post_parse};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Affect, Kind, Mac};
use xmltree::{Element, Path};

/// Kinds of devices that come and go, and what tells two of a kind apart: paths whose values must
/// agree, or none where the whole element is compared.
const KINDS: [(&str, &[&str]); 11] = [
    ("channel", &["target/@name"]),
    ("controller", &["@type", "@index"]),
    ("disk", &["target/@dev"]),
    ("filesystem", &["target/@dir"]),
    ("hostdev", &[]),
    ("input", &["@type", "@bus"]),
    ("interface", &["mac/@address"]),
    ("redirdev", &[]),
    ("rng", &[]),
    ("shmem", &["@name"]),
    ("watchdog", &["@model"]),
];

/// Kinds of devices that can be changed in place.
const UPDATED: [(&str, &[&str]); 3] =
    [("disk", &["target/@dev"]), ("graphics", &["@type"]), ("interface", &["mac/@address"])];

/// Buses on which a disk can be plugged while the guest runs.
const HOTPLUG_BUSES: [&str; 3] = ["scsi", "usb", "virtio"];

/// Reads a device and fills in what its definition will fill in, its MAC address among it, so that
/// one call gives both definitions the same device.
pub(crate) fn read_device(xml: &str) -> Result<Element> {
    let mut device = read(Kind::Domain, xml)?;
    device_defaults::device(&mut device)?;
    Ok(device)
}

/// Adds a device.
pub(crate) fn attach(definition: &mut Element, device: &Element, affect: Affect) -> Result<()> {
    let word = action("attach", affect);
    let keys = keys_of(&KINDS, device, &word)?;
    check_bus(device, affect)?;
    let devices = definition.child_or_new("devices");
    if let Some(twin) = devices.elements().find(|e| same(e, device, keys)) {
        return Err(duplicate(twin, device));
    }
    devices.push(device.clone());
    post_parse::domain(definition)
}

/// Removes a device.
pub(crate) fn detach(definition: &mut Element, device: &Element, affect: Affect) -> Result<()> {
    let keys = keys_of(&KINDS, device, &action("detach", affect))?;
    check_bus(device, affect)?;
    let devices = definition.child_or_new("devices");
    if devices.remove_elements(|e| same(e, device, keys)) {
        return Ok(());
    }
    Err(fault(ErrorCode::DEVICE_MISSING, ErrorDomain::TEST, missing(device, keys)))
}

/// Puts a changed device in the place of the one it changes.
pub(crate) fn update(definition: &mut Element, device: &Element) -> Result<()> {
    let keys = keys_of(&UPDATED, device, "persistent update")?;
    let devices = definition.child_or_new("devices");
    match devices.elements_mut().find(|e| same(e, device, keys)) {
        Some(place) => *place = device.clone(),
        None if device.is("disk") => {
            let dev = value(device, "target/@dev").unwrap_or_default();
            let message = format!("target {dev} doesn't exist.");
            return Err(fault(ErrorCode::INVALID_ARG, ErrorDomain::TEST, message));
        }
        None => {
            return Err(fault(ErrorCode::DEVICE_MISSING, ErrorDomain::TEST, missing(device, keys)));
        }
    }
    post_parse::domain(definition)
}

fn action(verb: &str, affect: Affect) -> String {
    match affect {
        Affect::Live | Affect::Both => format!("live {verb}"),
        Affect::Config => format!("persistent {verb}"),
    }
}

fn keys_of<'a>(
    table: &[(&str, &'a [&'a str])],
    device: &Element,
    what: &str,
) -> Result<&'a [&'a str]> {
    if let Some((_, keys)) = table.iter().find(|(name, _)| device.is(name)) {
        return Ok(keys);
    }
    let name = device.name.written();
    if post_parse::is_device(device) {
        let message = format!("{what} of device '{name}' is not supported");
        return Err(fault(ErrorCode::OPERATION_UNSUPPORTED, ErrorDomain::TEST, message));
    }
    let message = format!("unknown device type '{name}'");
    Err(fault(ErrorCode::CONFIG_UNSUPPORTED, ErrorDomain::DOMAIN, message))
}

/// Refuses to plug a disk while the guest runs on a bus that cannot.
fn check_bus(device: &Element, affect: Affect) -> Result<()> {
    if affect == Affect::Config || !device.is("disk") {
        return Ok(());
    }
    let dev = value(device, "target/@dev").unwrap_or_default();
    let bus = value(device, "target/@bus");
    let bus = bus.as_deref().or(device_defaults::bus_of(&dev)).unwrap_or("");
    if bus.is_empty() || HOTPLUG_BUSES.contains(&bus) {
        return Ok(()); // a disk without a bus is refused for that
    }
    let message = format!("disk bus '{bus}' cannot be hotplugged.");
    Err(fault(ErrorCode::OPERATION_UNSUPPORTED, ErrorDomain::TEST, message))
}

fn same(there: &Element, device: &Element, keys: &[&str]) -> bool {
    if there.name != device.name {
        return false;
    }
    if keys.is_empty() {
        return there == device;
    }
    keys.iter().all(|key| match (value(there, key), value(device, key)) {
        (Some(a), Some(b)) => match (Mac::parse(&a), Mac::parse(&b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
        _ => false,
    })
}

fn value(device: &Element, key: &str) -> Option<String> {
    Path::parse(key)?.value(device)
}

fn missing(device: &Element, keys: &[&str]) -> String {
    let named: Vec<String> =
        keys.iter().filter_map(|k| Some(format!("{k} '{}'", value(device, k)?))).collect();
    format!("no {} with {}", device.name.written(), named.join(", "))
}

fn duplicate(twin: &Element, device: &Element) -> Error {
    if device.is("disk") {
        return device_defaults::duplicate_target(twin, device);
    }
    let message = format!("a {} like this one already exists", device.name.written());
    fault(ErrorCode::OPERATION_INVALID, ErrorDomain::DOMAIN, message)
}
