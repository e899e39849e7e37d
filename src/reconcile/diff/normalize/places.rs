//! Places on the buses of a machine. A place that a manifest gives is granted: a device that stands there by
//! the host's choice gets another one.

use crate::model::address_number;
use xmltree::Element;

/// Attributes of an address that tell one place of its type from another.
const NUMBERS: &[(&str, &[&str])] = &[
    ("pci", &["domain", "bus", "slot", "function"]),
    ("usb", &["bus", "port"]),
    ("drive", &["controller", "bus", "target", "unit"]),
    ("virtio-serial", &["controller", "bus", "port"]),
    ("ccid", &["controller", "slot"]),
    ("ccw", &["cssid", "ssid", "devno"]),
];

/// Place of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The type of its address, and the bus of a drive.
    bus: (&'static str, String),
    /// Numbers of the place; missing ones are 0.
    numbers: Vec<Number>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Number {
    Of(u32),
    /// A port behind a hub.
    Text(String),
}

/// Returns the place of a device, if its address has one.
pub(crate) fn place_of(device: &Element) -> Option<Place> {
    let address = device.child("address")?;
    let kind = address.attr("type")?;
    let (kind, names) = NUMBERS.iter().find(|(row, _)| *row == kind)?;
    if names.iter().all(|name| address.attr(name).is_none()) {
        return None;
    }
    let bus = device.child("target").and_then(|t| t.attr("bus")).filter(|_| *kind == "drive");
    let number = |name: &&str| match address.attr(name) {
        None => Number::Of(0),
        Some(text) => {
            address_number(text).map_or_else(|| Number::Text(text.to_owned()), Number::Of)
        }
    };
    Some(Place {
        bus: (kind, bus.unwrap_or_default().to_owned()),
        numbers: names.iter().map(number).collect(),
    })
}

/// A place that a manifest gives to a device.
#[derive(Debug)]
pub(crate) struct Claim {
    place: Place,
    /// Whether the place is a whole slot of the PCI bus, which leaves no port that a host would fill with
    /// others.
    is_slot: bool,
}

impl Claim {
    /// Whether a device stands there.
    pub(crate) fn takes(&self, device: &Element) -> bool {
        place_of(device).is_some_and(|place| {
            self.place == place
                || self.is_slot
                    && device.is("controller")
                    && self.place.bus == place.bus
                    && self.place.slot() == place.slot()
        })
    }
}

impl Place {
    /// The numbers without that of the function.
    fn slot(&self) -> Option<&[Number]> {
        self.numbers.split_last().map(|(_, slot)| slot)
    }
}

/// The places that a manifest gives to devices and that some device has in the definition.
pub(crate) fn claims(want: &Element, live: &Element) -> Vec<Claim> {
    let claims = want.elements().filter_map(|device| {
        let place = place_of(device)?;
        let shares = device.child("address").and_then(|a| a.attr("multifunction")) == Some("on");
        let is_first = place.bus.0 == "pci" && place.numbers.last() == Some(&Number::Of(0));
        let is_slot = is_first && !shares && !device.is("controller");
        Some(Claim { place, is_slot })
    });
    claims.filter(|claim| live.elements().any(|device| claim.takes(device))).collect()
}

fn places(devices: Option<&Element>) -> Vec<Place> {
    devices.into_iter().flat_map(Element::elements).filter_map(place_of).collect()
}

/// Ports of a USB controller, by its model; one of XHCI may say how many.
const PORTS: &[(&str, u32)] = &[
    ("piix3-uhci", 2),
    ("piix4-uhci", 2),
    ("vt82c686b-uhci", 2),
    ("pci-ohci", 3),
    ("ich9-ehci1", 6),
    ("nec-xhci", 4),
    ("qemu-xhci", 4),
];

/// Ports of the hubs that hosts add where ports run out.
const HUB: usize = 8;

/// Frees ports for the hubs that a host is going to add: each needs one itself, and where all are
/// taken, the host adds none and refuses. `want` is what the manifest has; what it places stays.
pub(super) fn free_ports_for_hubs(want: &Element, merged: &mut Element) {
    let Some(devices) = merged.child_mut("devices") else { return };
    let Some(ports) = usb_ports(devices) else { return };
    let on_usb = |e: &&Element| is_on_usb(e);
    let lacking = devices.elements().filter(on_usb).count().saturating_sub(ports);
    if lacking == 0 {
        return;
    }
    let needed = lacking.div_ceil(HUB - 1);
    let placed = devices.elements().filter(on_usb).filter(|e| place_of(e).is_some()).count();
    let mut to_free = needed.saturating_sub(ports.saturating_sub(placed));
    let kept = places(want.child("devices"));
    let mut chosen: Vec<&mut Element> = devices
        .elements_mut()
        .filter(|e| is_on_usb(e) && !e.is("hub"))
        .filter(|e| place_of(e).is_some_and(|place| !kept.contains(&place)))
        .collect();
    while let (Some(device), true) = (chosen.pop(), to_free > 0) {
        device.remove_elements(|e| e.is("address"));
        to_free -= 1;
    }
}

/// Counts the USB ports; `None` if a controller is not known.
fn usb_ports(devices: &Element) -> Option<usize> {
    let mut sum = 0_usize;
    for controller in devices.children_named("controller") {
        // companions share the ports of their master
        if controller.attr("type") != Some("usb") || controller.child("master").is_some() {
            continue;
        }
        let model = controller.attr("model")?;
        let (_, ports) = PORTS.iter().find(|(row, _)| *row == model)?;
        let own = controller.attr("ports").and_then(|ports| ports.parse().ok());
        sum = sum.saturating_add(usize::try_from(own.unwrap_or(*ports)).ok()?);
    }
    let hubs = devices.children_named("hub").count();
    Some(sum.saturating_add(hubs.saturating_mul(HUB)))
}

/// Whether a device has a port of USB.
fn is_on_usb(device: &Element) -> bool {
    let of = |child: &str, name: &str| device.child(child).and_then(|c| c.attr(name));
    match device.name.local.as_str() {
        "hub" => true,
        "input" | "redirdev" => device.attr("bus") == Some("usb"),
        "disk" => of("target", "bus") == Some("usb"),
        "hostdev" => device.attr("type") == Some("usb"),
        "filesystem" => of("driver", "type") == Some("mtp"),
        "sound" => device.attr("model") == Some("usb"),
        "serial" => of("target", "type") == Some("usb-serial"),
        "interface" => of("model", "type") == Some("usb-net"),
        "controller" => device.attr("type") == Some("ccid"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    fn tree(text: &str) -> Element {
        parse(SourceId::NONE, text, &Limits::default()).expect("well-formed")
    }

    #[test]
    fn a_place_is_its_numbers() {
        for (one, other, same) in [
            (
                "type='pci' bus='0' slot='2'",
                "type='pci' bus='0x00' slot='0x02' function='0x0'",
                true,
            ),
            ("type='pci' bus='17'", "type='pci' domain='0' bus='0x11' slot='0'", true),
            ("type='pci' slot='2'", "type='pci' slot='2' function='1'", false),
            ("type='usb' bus='0' port='1.2'", "type='usb' bus='0' port='1.2'", true),
            ("type='usb' bus='0' port='1'", "type='ccid' controller='0' slot='1'", false),
            ("type='drive' unit='1'", "type='drive' controller='0' unit='1'", true),
        ] {
            let of = |text| place_of(&tree(&format!("<rng><address {text}/></rng>")));
            assert!(of(one).is_some() && of(other).is_some());
            assert_eq!(of(one) == of(other), same, "{one} {other}");
        }
        // drives of two buses have the same numbers
        let disk = |bus| {
            tree(&format!("<disk><target bus='{bus}'/><address type='drive' unit='0'/></disk>"))
        };
        assert_ne!(place_of(&disk("sata")), place_of(&disk("scsi")));
        assert_eq!(place_of(&tree("<rng><address type='pci'/></rng>")), None);
    }

    #[test]
    fn a_slot_that_is_given_away_is_given_whole() {
        let device = |name: &str, address: &str| {
            tree(&format!("<{name}><address type='pci' {address}/></{name}>"))
        };
        let first = "bus='0' slot='2' function='0'";
        for (claimant, address, holder, at, taken) in [
            ("rng", first, "memballoon", "bus='0x00' slot='0x02'", true),
            ("rng", first, "controller", "bus='0x00' slot='0x02' function='0x1'", true),
            ("rng", first, "controller", "bus='0x00' slot='0x03' function='0x1'", false),
            ("rng", first, "sound", "bus='0x00' slot='0x02' function='0x1'", false),
            ("controller", first, "controller", "bus='0' slot='2' function='1'", false),
            (
                "rng",
                "bus='0' slot='2' multifunction='on'",
                "controller",
                "bus='0' slot='2' function='1'",
                false,
            ),
        ] {
            let devices = |device| Element::new("devices").with_child(device);
            let (want, live) = (device(claimant, address), device(holder, at));
            let found = claims(&devices(want), &devices(live.clone()));
            assert_eq!(found.iter().any(|claim| claim.takes(&live)), taken, "{address} {at}");
        }
    }

    #[test]
    fn each_port_is_counted_once() {
        let port = |n: u32| format!("<address type='usb' bus='0' port='{n}'/>");
        for (controllers, ports) in
            [("piix3-uhci", 2), ("ich9-ehci1", 6), ("pci-ohci", 3), ("qemu-xhci", 4)]
        {
            let placed = (1..=ports).map(|n| format!("<redirdev bus='usb'>{}</redirdev>", port(n)));
            let text = |new: &str| {
                tree(&format!(
                    "<domain><devices><controller type='usb' model='{controllers}'/>\
                     <controller type='usb' model='ich9-uhci1'><master startport='0'/></controller>\
                     {}{new}</devices></domain>",
                    placed.clone().collect::<String>()
                ))
            };
            let freed = |mut merged: Element, want: &Element| {
                let before = places(merged.child("devices")).len();
                free_ports_for_hubs(want, &mut merged);
                before - places(merged.child("devices")).len()
            };
            let (full, more) = (text(""), text("<input type='tablet' bus='usb'/>"));
            let none = Element::new("domain");
            assert_eq!(freed(full, &none), 0, "{controllers}");
            assert_eq!(freed(more.clone(), &none), 1, "{controllers}");
            // devices that the manifest places stay
            assert_eq!(freed(more.clone(), &more), 0, "{controllers}");
        }
    }
}
