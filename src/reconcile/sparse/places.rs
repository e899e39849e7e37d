//! Addresses and controllers: which of them the host would choose by itself.
//!
//! An address goes where its kind of place is the one that libvirt gives to such a device; which of
//! several alike places it was is not kept. One in another kind of place was chosen by somebody, and
//! stays with the controller that it is on.

use super::table::is_bare;
use crate::model::address_number;
use crate::reconcile::diff::normalize::key_of;
use std::collections::{BTreeMap, BTreeSet};
use xmltree::{Element, Path, Step};

/// Models of the PCI controllers, by index.
type Buses = BTreeMap<u32, String>;

fn number(element: &Element, attribute: &str) -> Option<u32> {
    address_number(element.attr(attribute)?)
}

/// Context in which an address is judged.
struct Around {
    buses: Buses,
    has_video: bool,
    /// Whether the first SCSI controller has more than 7 places.
    is_wide: bool,
    /// Whether a USB device is behind a hub.
    has_hubs: bool,
}

impl Around {
    fn of(devices: &Element) -> Self {
        let controllers = || devices.children_named("controller");
        let of_type = |kind| controllers().filter(move |c| c.attr("type") == Some(kind));
        let pci =
            of_type("pci").filter_map(|c| Some((number(c, "index")?, c.attr("model")?.to_owned())));
        let scsi = of_type("scsi").find(|c| number(c, "index") == Some(0));
        let addresses = devices.elements().filter_map(|e| e.child("address"));
        let behind = |a: &Element| {
            a.attr("type") == Some("usb") && a.attr("port").is_some_and(|p| p.contains('.'))
        };
        Self {
            buses: pci.collect(),
            has_video: devices.child("video").is_some(),
            is_wide: scsi.and_then(|c| c.attr("model")).is_some_and(|model| model != "lsilogic"),
            has_hubs: addresses.into_iter().any(behind),
        }
    }
}

/// Removes the addresses that the host would choose, except those that the last applied manifest wrote.
pub(super) fn drop_addresses(document: &mut Element, written: Option<&Element>) {
    let Some(devices) = document.child_mut("devices") else { return };
    let around = Around::of(devices);
    let on_pci = devices.elements().filter_map(|e| e.child("address"));
    let on_pci = on_pci.filter(|a| a.attr("type") == Some("pci")).count();
    // a bus that is nearly full leaves libvirt no room for another order
    let is_full = !around.buses.contains_key(&1) && on_pci >= FULL;
    let gone: Vec<bool> = devices
        .elements()
        .map(|device| {
            let named = path_of(device).and_then(|path| path.find(written?));
            let chosen = named.is_some_and(|device| device.child("address").is_some());
            !chosen
                && !is_full
                && device.child("address").is_some_and(|a| is_usual(device, a, &around))
        })
        .collect();
    for (device, gone) in devices.elements_mut().zip(gone) {
        if gone {
            device.remove_elements(|e| e.is("address"));
        }
    }
}

/// Number of devices from which on their places on a machine's only conventional bus are all kept.
const FULL: usize = 24;

/// Whether the host would give a device such an address.
fn is_usual(device: &Element, address: &Element, around: &Around) -> bool {
    match address.attr("type") {
        Some("pci") => is_usual_pci(device, address, &around.buses, around.has_video),
        Some("drive") => is_usual_drive(device, address, around.is_wide),
        Some("usb") => number(address, "bus") == Some(0) && !around.has_hubs,
        Some("virtio-serial") => number(address, "controller") == Some(0),
        Some("ccid") => number(address, "controller") == Some(0),
        Some("ccw") => address.attr("cssid") == Some("0xfe"),
        Some("virtio-mmio") => true,
        _ => false,
    }
}

/// Devices that are on a conventional bus: element, where its model stands, and the model.
const CONVENTIONAL: &[(&str, &str)] = &[
    ("interface", "rtl8139"),
    ("interface", "e1000"),
    ("interface", "pcnet"),
    ("interface", "ne2k_pci"),
    ("sound", "ac97"),
    ("sound", "ich6"),
    ("sound", "es1370"),
    ("watchdog", "i6300esb"),
    ("controller", "lsilogic"),
    ("controller", "piix3-uhci"),
];

fn model(device: &Element) -> Option<&str> {
    device.child("model").and_then(|m| m.attr("type")).or_else(|| device.attr("model"))
}

fn is_usual_pci(device: &Element, address: &Element, buses: &Buses, has_video: bool) -> bool {
    let (Some(bus), Some(slot), Some(function)) =
        (number(address, "bus"), number(address, "slot"), number(address, "function"))
    else {
        return false;
    };
    let more = ["multifunction", "hostname"].iter().any(|a| address.attr(a).is_some())
        || address.elements().next().is_some()
        || number(address, "domain").is_some_and(|d| d != 0);
    let is_port = device.is("controller") && device.attr("type") == Some("pci");
    if is_port {
        return device.attr("model").is_some_and(is_automatic) && bus == 0
            || device.attr("model") == Some("pcie-to-pci-bridge") && slot == 0;
    }
    let conventional =
        || CONVENTIONAL.iter().any(|(name, of)| device.is(name) && model(device) == Some(of));
    match buses.get(&bus).map(String::as_str) {
        _ if more => false,
        Some("pci-root") => {
            function == 0 && (slot > 2 || slot == 2 && !has_video)
                || is_builtin(device, (slot, function))
        }
        Some("pcie-root") => is_builtin(device, (slot, function)),
        Some("pcie-root-port") => (slot, function) == (0, 0) && !conventional(),
        Some("pcie-to-pci-bridge") => function == 0 && conventional(),
        _ => false,
    }
}

/// Devices that have a place of their own on the machine's bus.
fn is_builtin(device: &Element, place: (u32, u32)) -> bool {
    match device.name.local.as_str() {
        "video" => matches!(place, (1 | 2, 0)),
        "sound" => device.attr("model") == Some("ich9") && place == (0x1b, 0),
        "controller" => match (device.attr("type"), device.attr("model")) {
            (Some("sata"), _) => place == (0x1f, 2),
            (Some("ide"), _) => place == (1, 1),
            (Some("usb"), Some("piix3-uhci")) => place == (1, 2),
            _ => false,
        },
        _ => false,
    }
}

/// A disk's place on its bus follows from its target's name.
fn is_usual_drive(disk: &Element, address: &Element, is_wide: bool) -> bool {
    let target = disk.child("target");
    let Some(index) = target.and_then(|t| t.attr("dev")).and_then(disk_index) else { return false };
    let at = |name: &str| number(address, name).unwrap_or(0);
    let is = |controller: u32, bus: u32, unit: u32| {
        (at("controller"), at("bus"), at("target"), at("unit")) == (controller, bus, 0, unit)
    };
    match target.and_then(|t| t.attr("bus")) {
        Some("ide") => is(index / 4, index % 4 / 2, index % 2),
        Some("sata") => is(index / 6, 0, index % 6),
        Some("fdc") => is(index / 2, 0, index % 2),
        Some("scsi") => {
            // a narrow bus has 7 places, as its eighth is the controller's own
            let units = if is_wide { 16 } else { 7 };
            let unit = index % units;
            is(index / units, 0, if unit >= 7 && !is_wide { unit + 1 } else { unit })
                && index < units.min(7)
        }
        _ => false,
    }
}

/// The number of a target: 0 of `vda`, 25 of `sdz`, 26 of `hdaa`.
fn disk_index(dev: &str) -> Option<u32> {
    let letters =
        ["fd", "hd", "vd", "sd", "xvd", "ubd"].iter().find_map(|p| dev.strip_prefix(p))?;
    let mut index: u32 = 0;
    for (n, letter) in letters.bytes().enumerate() {
        let value = u32::from(letter.checked_sub(b'a').filter(|v| *v < 26)?);
        index = index.checked_add(u32::from(n > 0))?.checked_mul(26)?.checked_add(value)?;
    }
    (!letters.is_empty()).then_some(index)
}

/// Bridges that libvirt adds as it needs them.
fn is_automatic(model: &str) -> bool {
    matches!(model, "pcie-root-port" | "pcie-to-pci-bridge")
}

/// Root ports beyond those with a device on them that libvirt adds, for one to be plugged in.
const SPARE: usize = 1;

/// Drops the controllers that the host would add for the devices that are left.
pub(super) fn drop_controllers(document: &mut Element) {
    let os_type = document.descend(&["os", "type"]);
    let machine = os_type.and_then(|t| t.attr("machine")).unwrap_or_default();
    let is_q35 = machine == "q35" || machine.starts_with("pc-q35-");
    let is_pc = machine == "pc" || machine.starts_with("pc-i440fx-");
    let Some(devices) = document.child_mut("devices") else { return };
    plain_ports(devices);
    let needed = Needed::of(devices, is_q35);
    let usb =
        devices.children_named("controller").filter(|c| c.attr("type") == Some("usb")).count();
    devices.remove_elements(|c| {
        let (kind, model) = (c.attr("type").unwrap_or_default(), c.attr("model"));
        let index = number(c, "index");
        let plain = c.elements().next().is_none()
            && c.attributes
                .iter()
                .all(|a| ["type", "index", "model"].contains(&a.name.local.as_str()));
        c.is("controller")
            && plain
            && match kind {
                "pci" => match model {
                    Some("pcie-root") => is_q35 && index == Some(0),
                    Some("pci-root") => is_pc && index == Some(0),
                    Some("pcie-root-port") => is_q35 && needed.ports_are_automatic,
                    Some("pcie-to-pci-bridge") => {
                        is_q35 && needed.ports_are_automatic && needed.has_conventional
                    }
                    _ => false,
                },
                "usb" => {
                    let usual = match model {
                        Some("qemu-xhci") => is_q35,
                        Some("piix3-uhci") => is_pc,
                        _ => false,
                    };
                    usual && usb == 1 && index == Some(0)
                }
                "sata" => {
                    model.is_none()
                        && (is_q35 && index == Some(0) || needed.has_disk("sata", index))
                }
                "ide" => model.is_none() && is_pc && needed.has_disk("ide", index),
                "fdc" => model.is_none() && needed.has_disk("fdc", index),
                "scsi" => {
                    model == Some("lsilogic") && (is_pc || is_q35) && needed.has_disk("scsi", index)
                }
                "virtio-serial" => model.is_none() && index == Some(0) && needed.has_virtio_serial,
                "ccid" => model.is_none() && index == Some(0) && needed.has_smartcard,
                _ => false,
            }
    });
}

/// Removes from bridges the values that libvirt fills in once their index is known.
fn plain_ports(devices: &mut Element) {
    for c in devices.elements_mut().filter(|e| e.is("controller") && e.attr("type") == Some("pci"))
    {
        let index = c.attr("index").map(str::to_owned);
        let name = match c.attr("model") {
            Some("pcie-root-port") => "pcie-root-port",
            Some("pcie-to-pci-bridge") => "pcie-pci-bridge",
            Some("pci-bridge") => "pci-bridge",
            _ => continue,
        };
        c.remove_elements(|e| {
            e.is("model") && e.attributes.len() == 1 && e.attr("name") == Some(name)
        });
        // the port's number follows from its place
        let has_address = c.child("address").is_some();
        c.remove_elements(|e| {
            e.is("target")
                && !has_address
                && e.attr("chassis") == index.as_deref()
                && e.attributes.iter().all(|a| ["chassis", "port"].contains(&a.name.local.as_str()))
                && e.elements().next().is_none()
        });
        c.remove_elements(|e| e.is("target") && is_bare(e));
    }
}

/// Controllers that the devices need.
struct Needed {
    /// Disks by bus, and the number of the controller.
    disks: BTreeSet<(String, u32)>,
    has_virtio_serial: bool,
    has_smartcard: bool,
    has_conventional: bool,
    ports_are_automatic: bool,
}

impl Needed {
    fn of(devices: &Element, is_q35: bool) -> Self {
        let disks = devices.children_named("disk").filter_map(|disk| {
            let target = disk.child("target")?;
            let bus = target.attr("bus")?;
            let named = disk.child("address").and_then(|a| number(a, "controller"));
            let per = match bus {
                "ide" => 4,
                "sata" => 6,
                "fdc" => 2,
                _ => 7,
            };
            let index = named.or_else(|| Some(disk_index(target.attr("dev")?)? / per))?;
            Some((bus.to_owned(), index))
        });
        let virtio =
            |e: &&Element| e.child("target").and_then(|t| t.attr("type")) == Some("virtio");
        let chars = devices.children_named("channel").chain(devices.children_named("console"));
        let is_conventional = |e: &&Element| {
            e.child("address").is_none()
                && CONVENTIONAL.iter().any(|(name, of)| e.is(name) && model(e) == Some(of))
        };
        Self {
            disks: disks.collect(),
            has_virtio_serial: chars.into_iter().any(|e| virtio(&e)),
            has_smartcard: devices.child("smartcard").is_some(),
            has_conventional: devices.elements().any(|e| is_conventional(&e)),
            ports_are_automatic: is_q35 && ports_are_automatic(devices),
        }
    }

    fn has_disk(&self, bus: &str, controller: Option<u32>) -> bool {
        controller.is_some_and(|n| self.disks.contains(&(bus.to_owned(), n)))
    }
}

/// Whether the number of root ports is the one that libvirt creates for the devices that have none of their
/// own. Further ones were asked for by somebody, as room to plug in; and a device that stays in its place
/// needs its port.
fn ports_are_automatic(devices: &Element) -> bool {
    let pci = |e: &&Element| e.is("controller") && e.attr("type") == Some("pci");
    let bridges: Vec<&Element> =
        devices.elements().filter(pci).filter(|c| number(c, "index") != Some(0)).collect();
    let all_automatic = bridges
        .iter()
        .all(|c| c.attr("model").is_some_and(is_automatic) && c.elements().next().is_none());
    let placed = devices
        .elements()
        .filter_map(|e| e.child("address"))
        .any(|a| a.attr("type") == Some("pci") && number(a, "bus") != Some(0));
    let ports = bridges.iter().filter(|c| c.attr("model") == Some("pcie-root-port")).count();
    let bridged = bridges.len() - ports;
    let used = devices.elements().filter(|e| is_on_a_port(e)).count() + bridged;
    all_automatic && !placed && ports <= used + SPARE
}

/// Whether a device without an address gets a root port of its own.
fn is_on_a_port(device: &Element) -> bool {
    let has_address = device.child("address").is_some();
    let attr = |name| device.attr(name);
    let target_bus = device.child("target").and_then(|t| t.attr("bus"));
    !has_address
        && match device.name.local.as_str() {
            "disk" => target_bus == Some("virtio"),
            "interface" => !matches!(
                model(device),
                None | Some("rtl8139" | "e1000" | "pcnet" | "ne2k_pci" | "usb-net")
            ),
            "controller" => match attr("type") {
                Some("virtio-serial") => true,
                Some("usb") => matches!(attr("model"), Some("qemu-xhci" | "nec-xhci")),
                Some("scsi") => attr("model") == Some("virtio-scsi"),
                Some("sata") => number(device, "index").is_some_and(|n| n > 0),
                _ => false,
            },
            "hostdev" => matches!(attr("type"), Some("pci" | "mdev")),
            "memballoon" | "rng" => attr("model").is_some_and(|m| m.starts_with("virtio")),
            "filesystem" | "vsock" | "shmem" | "crypto" => true,
            "input" => attr("bus") == Some("virtio"),
            _ => false,
        }
}

/// A device's path by its key; `None` if it has none.
fn path_of(device: &Element) -> Option<Path> {
    let (at, value) = key_of("devices", device)?;
    let key = (!at.is_empty() && !at.contains('+')).then(|| (at.to_owned(), value))?;
    let step = |name: &str, key| Step { name: name.to_owned(), key, ordinal: None };
    let steps = vec![step("devices", None), step(&device.name.local, Some(key))];
    Some(Path { steps, attribute: None })
}
