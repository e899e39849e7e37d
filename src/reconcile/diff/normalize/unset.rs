//! Values that are written without a meaning: addresses of zeros, and those that only a running instance has.

use crate::model::Mac;
use std::collections::HashMap;
use xmltree::Element;

/// Takes addresses of zeros out of a manifest: the host chooses, as if they were not written.
pub(super) fn drop_zeros(want: &mut Element) {
    // a firmware that the host chooses brings the format of its variables along
    if let Some(os) = want.child_mut("os").filter(|os| os.attr("firmware").is_some())
        && let Some(nvram) = os.child_mut("nvram")
    {
        nvram.remove_attr("format");
    }
    for device in want.child_mut("devices").into_iter().flat_map(Element::elements_mut) {
        device.remove_elements(|e| {
            e.is("mac") && is_zero_mac(e) || e.is("address") && is_zero_address(e)
        });
        // a console of SPICE without a port has none by itself
        let spice = device.is("graphics") && device.attr("type") == Some("spice");
        let has_port = ["port", "tlsPort"].iter().any(|name| device.attr(name).is_some());
        if spice && !has_port && device.attr("autoport") == Some("no") {
            device.remove_attr("autoport");
        }
        // the bridge of a network is the network's
        if device.is("interface") && device.attr("type") == Some("network") {
            for source in device.elements_mut().filter(|e| e.is("source")) {
                source.remove_attr("bridge");
            }
        }
    }
}

/// Removes from a manifest's interfaces the settings that only virtio models have. An interface whose model
/// is left to the host has the one in `live`.
pub(super) fn drop_what_only_virtio_has(want: &mut Element, live: &Element) {
    let mac = |nic: &Element| nic.child("mac").and_then(|m| m.attr("address")).and_then(Mac::parse);
    let model = |nic: &Element| nic.child("model").and_then(|m| m.attr("type")).map(str::to_owned);
    let there: Vec<&Element> =
        live.child("devices").map_or(Vec::new(), |d| d.children_named("interface").collect());
    // the first of several with one address
    let by_mac: HashMap<Mac, &Element> =
        there.iter().rev().filter_map(|nic| Some((mac(nic)?, *nic))).collect();
    let devices = want.child_mut("devices").into_iter().flat_map(Element::elements_mut);
    for (n, nic) in devices.filter(|e| e.is("interface")).enumerate() {
        let twin = || match mac(nic) {
            Some(own) => by_mac.get(&own).copied(),
            None => there.get(n).copied(),
        };
        let model = model(nic).or_else(|| model(twin()?));
        if model.is_none_or(|model| model.starts_with("virtio")) {
            continue;
        }
        if let Some(driver) = nic.child_mut("driver") {
            driver.attributes.clear();
        }
        if let Some(backend) = nic.child_mut("backend") {
            backend.remove_attr("vhost");
        }
    }
}

/// Elements of which a host reads the first ones only: their parent's name, their own, and how many.
const FIRST: &[(&str, &str, usize)] = &[("os", "boot", 4)];

/// Elements of which a host reads one of each name: the names of the path to their parent, of which
/// `*` is any, their own name, and the attribute that tells them apart.
const ONCE: &[(&[&str], &str, &str)] = &[
    (&["cpu", "numa", "cell", "distances"], "sibling", "id"),
    (&["os", "firmware"], "feature", "name"),
    (&["sysinfo", "bios"], "entry", "name"),
    (&["sysinfo", "system"], "entry", "name"),
    (&["sysinfo", "baseBoard"], "entry", "name"),
    (&["sysinfo", "chassis"], "entry", "name"),
];

/// Removes from a manifest the entries that a host ignores: those beyond its number, repeated ones, and pins
/// of processors that the domain does not have.
pub(super) fn drop_beyond(want: &mut Element) {
    for (parent, name, most) in FIRST {
        if let Some(parent) = want.child_mut(parent) {
            let mut count = 0;
            parent.remove_elements(|e| {
                count += usize::from(e.is(name));
                e.is(name) && count > *most
            });
        }
    }
    for (path, name, key) in ONCE {
        for_each(want, path, &mut |parent| {
            let mut seen = Vec::new();
            parent.remove_elements(|e| {
                let key = e.attr(key).filter(|_| e.is(name)).map(str::to_owned);
                let again = key.is_some() && seen.contains(&key);
                seen.extend(key.is_some().then_some(key));
                again
            });
        });
    }
    let count = want.child_text("vcpu").and_then(|n| n.parse::<u32>().ok());
    if let (Some(count), Some(tune)) = (count, want.child_mut("cputune")) {
        let vcpu = |e: &Element| e.attr("vcpu").and_then(|n| n.parse::<u32>().ok());
        tune.remove_elements(|e| e.is("vcpupin") && vcpu(e).is_some_and(|n| n >= count));
    }
}

/// Visits all elements at a path below another.
fn for_each(element: &mut Element, path: &[&str], visit: &mut impl FnMut(&mut Element)) {
    match path.split_first() {
        None => visit(element),
        Some((first, rest)) => {
            for child in element.elements_mut().filter(|e| e.is(first)) {
                for_each(child, rest, visit);
            }
        }
    }
}

/// Takes out of a manifest the label that a host without a security driver cannot give: `live` has
/// that there is none.
pub(super) fn drop_label_of_no_driver(want: &mut Element, live: &Element) {
    let is_none = |e: &Element| e.is("seclabel") && e.attr("model") == Some("none");
    if live.elements().any(is_none) {
        let by_driver =
            |e: &Element| e.attr("type") == Some("dynamic") && e.attr("model").is_none();
        want.remove_elements(|e| e.is("seclabel") && by_driver(e));
    }
}

fn is_zero_mac(mac: &Element) -> bool {
    mac.attr("address").and_then(Mac::parse).is_some_and(|mac| mac.0 == [0; 6])
}

/// Slot 0 of the first bus is the host bridge's. Behind a port, slot 0 is the only one there is.
fn is_zero_address(address: &Element) -> bool {
    let is_zero = |name: &str| {
        let digits = |v: &str| v.strip_prefix("0x").unwrap_or(v).chars().all(|c| c == '0');
        address.attr(name).is_none_or(digits)
    };
    address.attr("type") == Some("pci")
        && address.attr("bus").is_some()
        && ["domain", "bus", "slot", "function"].into_iter().all(is_zero)
}
