//! Values that are written and say nothing: addresses of zeros, and what only an instance that runs
//! has.

use crate::model::Mac;
use crate::xml::Element;

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
        // only virtio has these
        let model = device.child("model").and_then(|m| m.attr("type"));
        let other = model.is_some_and(|model| !model.starts_with("virtio"));
        if device.is("interface") && other {
            if let Some(driver) = device.child_mut("driver") {
                driver.attributes.clear();
            }
            if let Some(backend) = device.child_mut("backend") {
                backend.remove_attr("vhost");
            }
        }
    }
}

/// Takes out of a network what its host devices are driven by where it names none.
pub(super) fn drop_driver_of_nothing(want: &mut Element) {
    let Some(forward) = want.child_mut("forward") else { return };
    let names = ["pf", "interface", "address"];
    if !names.iter().any(|name| forward.child(name).is_some()) {
        forward.remove_elements(|e| e.is("driver"));
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
