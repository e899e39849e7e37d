//! PCI address for a device that is plugged in: free both now and at the next boot, so that the guest finds
//! the device in the same place.

use super::verdict::LiveContext;
use crate::model::address_number;
use crate::model::domain::Disk;
use std::collections::BTreeSet;
use xmltree::Element;

/// Slots of a conventional bus. The first three of the machine's own are its bridge, its disk
/// controller and its video card.
const SLOTS: std::ops::RangeInclusive<u32> = 3..=31;

/// A place: bus and slot.
type Place = (u32, u32);

/// The places of a running domain that are given to devices.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Buses into which devices can be plugged now: those that a definition adds for the next boot do not
    /// count.
    bus: Option<Bus>,
    /// Whether the machine tells its guest of PCI devices by ACPI, and the guest has none.
    lacks_acpi: bool,
    /// Taken now.
    now: BTreeSet<Place>,
    /// Taken at the next boot.
    later: BTreeSet<Place>,
    /// Devices that have got a place, and which.
    pub(super) given: Vec<(Element, Element)>,
}

impl Places {
    /// Returns the places of a domain with both its definitions. Where the bus is of an unknown sort, the
    /// host chooses.
    pub(super) fn of(context: LiveContext<'_>) -> Self {
        if !context.capabilities.domain.live.addresses {
            return Self::default();
        }
        Self {
            bus: Bus::of(context.live.as_element()),
            lacks_acpi: lacks_acpi(context.live.as_element()),
            now: taken(context.live.as_element()).collect(),
            later: taken(context.next_boot.as_element()).collect(),
            given: Vec::new(),
        }
    }

    /// The device with an address on the PCI bus, if it needs one and has none.
    ///
    /// # Errors
    /// No place is free.
    pub(super) fn with_address(
        &mut self,
        device: &Element,
        next_boot: &Element,
    ) -> Result<Element, String> {
        let mut placed = device.clone();
        let Some(bus) = &self.bus else { return Ok(placed) };
        if let Some(wanted) = place(device) {
            self.reachable(wanted, "plugged in")?;
            return match self.now.insert(wanted) {
                true => Ok(placed),
                false => Err("another device of the running domain has its PCI slot".to_owned()),
            };
        }
        let is_on_pci = is_on_pci(device);
        if device.child("address").is_some() || !is_on_pci && !is_conventional(device) {
            return Ok(placed);
        }
        if self.lacks_acpi {
            return Err(NO_ACPI.to_owned());
        }
        if !is_on_pci {
            // the host places it on a bridge, if there is one
            return if bus.takes_conventional() { Ok(placed) } else { Err(NO_BRIDGE.to_owned()) };
        }
        // the definition for the next boot may have the device already, where the host has put it
        let theirs = twin(next_boot, device).and_then(place);
        let place = match theirs {
            Some(place) if !self.now.contains(&place) && bus.has(place) => place,
            // it is somewhere else until then
            Some(_) => bus.places().find(|p| !self.now.contains(p)).ok_or(NO_SLOT)?,
            None => {
                let is_free = |p: &Place| !self.now.contains(p) && !self.later.contains(p);
                bus.places().find(is_free).ok_or(NO_SLOT)?
            }
        };
        self.now.insert(place);
        self.later.insert(place);
        placed.push(address(place));
        self.given.push((device.clone(), address(place)));
        Ok(placed)
    }
}

/// Reason for which a device waits for a place.
const NO_SLOT: &str = "no PCI slot of the running machine is free for it; a spare pcie-root-port \
                       would be one after the next boot";

/// Reason for which a device of conventional PCI waits on a machine of PCI Express.
const NO_BRIDGE: &str = "the running machine has no slot of conventional PCI: a pcie-to-pci-bridge \
                         would have some after the next boot";

/// Reason for which no device can be plugged on a bus that needs ACPI.
const NO_ACPI: &str = "without acpi among its features the running machine has no PCI hot-plug";

impl Places {
    /// Checks whether a running device can be released, as far as its place shows.
    ///
    /// # Errors
    /// It cannot, for this reason.
    pub(super) fn lets_go(&self, device: &Element) -> Result<(), String> {
        place(device).map_or(Ok(()), |place| self.reachable(place, "unplugged"))
    }

    /// Whether devices come and go at a place.
    fn reachable(&self, (number, _): Place, verb: &str) -> Result<(), String> {
        if self.lacks_acpi {
            return Err(NO_ACPI.to_owned());
        }
        match &self.bus {
            None | Some(Bus::Conventional) => Ok(()),
            Some(Bus::Ports { fixed, .. }) if fixed.contains(&number) => {
                Err(format!("nothing on PCI bus {number} can be {verb} while the domain runs"))
            }
            Some(Bus::Ports { all, .. }) if !all.contains(&number) => {
                Err(format!("the running machine has no PCI bus {number}"))
            }
            Some(Bus::Ports { .. }) => Ok(()),
        }
    }
}

/// Whether the domain is a PC, whose PCI hot-plug goes by ACPI, and has none.
fn lacks_acpi(domain: &Element) -> bool {
    let machine = domain.descend(&["os", "type"]);
    let is_pc = machine.is_some_and(|t| {
        matches!(t.attr("arch"), Some("x86_64" | "i686"))
            && t.attr("machine").is_some_and(|m| m == "pc" || m.starts_with("pc-i440fx"))
    });
    is_pc && domain.descend(&["features", "acpi"]).is_none()
}

/// Puts the address that a device has got into the definition for the next boot, if it has none
/// there.
pub(crate) fn pin_address(next_boot: &mut Element, device: &Element, address: &Element) {
    let place = twin_position(next_boot, device);
    let devices = next_boot.child_mut("devices").into_iter().flat_map(Element::elements_mut);
    let Some(twin) = place.and_then(|n| { devices }.nth(n)) else { return };
    if twin.child("address").is_none() {
        twin.push(address.clone());
    }
}

/// The address element of a place.
fn address((bus, slot): Place) -> Element {
    Element::new("address")
        .with_attr("type", "pci")
        .with_attr("domain", "0x0000")
        .with_attr("bus", format!("{bus:#04x}"))
        .with_attr("slot", format!("{slot:#04x}"))
        .with_attr("function", "0x0")
}

/// Buses into which devices can be plugged.
#[derive(Debug)]
enum Bus {
    /// A conventional bus, as the machine `pc` has it.
    Conventional,
    /// A PCI Express machine.
    Ports {
        /// Ports that take a device while it runs, each a bus with one slot.
        open: Vec<u32>,
        /// Buses without hot-plug: the machine's own, and ports that were configured so.
        fixed: Vec<u32>,
        /// All buses that it has.
        all: Vec<u32>,
        /// Whether the machine has a bus of conventional PCI.
        conventional: bool,
    },
}

impl Bus {
    fn of(domain: &Element) -> Option<Self> {
        let controllers = || {
            let devices = domain.child("devices").into_iter().flat_map(Element::elements);
            devices.filter(|d| d.is("controller") && d.attr("type") == Some("pci"))
        };
        if controllers().any(|c| c.attr("model") == Some("pci-root")) {
            return Some(Self::Conventional);
        }
        controllers().any(|c| c.attr("model") == Some("pcie-root")).then(|| {
            let fixed =
                |c: &Element| c.child("target").and_then(|t| t.attr("hotplug")) == Some("off");
            let index = |c: &Element| c.attr("index")?.parse().ok();
            let is_port = |c: &Element| {
                matches!(c.attr("model"), Some("pcie-root-port" | "pcie-switch-downstream-port"))
            };
            let is_own = |c: &Element| c.attr("model") == Some("pcie-root");
            Self::Ports {
                open: controllers()
                    .filter(|c| c.attr("model") == Some("pcie-root-port") && !fixed(c))
                    .filter_map(index)
                    .collect(),
                fixed: controllers()
                    .filter(|c| is_own(c) || is_port(c) && fixed(c))
                    .filter_map(index)
                    .collect(),
                all: controllers().filter_map(index).collect(),
                conventional: controllers().any(|c| {
                    c.attr("model")
                        .is_some_and(|m| m == "pci-bridge" || m.ends_with("-to-pci-bridge"))
                }),
            }
        })
    }

    /// Whether the bus has slots of conventional PCI.
    fn takes_conventional(&self) -> bool {
        match self {
            Self::Conventional => true,
            Self::Ports { conventional, .. } => *conventional,
        }
    }

    fn places(&self) -> Box<dyn Iterator<Item = Place> + '_> {
        match self {
            Self::Conventional => Box::new(SLOTS.map(|slot| (0, slot))),
            Self::Ports { open, .. } => Box::new(open.iter().map(|bus| (*bus, 0))),
        }
    }

    fn has(&self, place: Place) -> bool {
        self.places().any(|p| p == place)
    }
}

/// The places that a domain's devices have.
fn taken(domain: &Element) -> impl Iterator<Item = Place> + '_ {
    domain.child("devices").into_iter().flat_map(Element::elements).filter_map(place)
}

fn place(device: &Element) -> Option<Place> {
    let address = device.child("address").filter(|a| a.attr("type") == Some("pci"))?;
    let number = |name: &str| address_number(address.attr(name)?);
    Some((number("bus")?, number("slot")?))
}

/// Returns the same device in another definition.
fn twin<'a>(definition: &'a Element, device: &Element) -> Option<&'a Element> {
    let n = twin_position(definition, device)?;
    definition.child("devices")?.elements().nth(n)
}

/// Returns the index of the same device in another definition: by its key, or by equal content.
fn twin_position(definition: &Element, device: &Element) -> Option<usize> {
    let key = |e: &Element| match e.name.local.as_str() {
        "disk" => e.child("target").and_then(|t| t.attr("dev")).map(str::to_owned),
        "interface" => e.child("mac").and_then(|m| m.attr("address")).map(str::to_lowercase),
        _ => None,
    };
    let wanted = key(device);
    definition.child("devices")?.elements().position(|e| {
        e.name == device.name && if wanted.is_some() { key(e) == wanted } else { e == device }
    })
}

/// Whether a device takes a slot of conventional PCI.
fn is_conventional(device: &Element) -> bool {
    let of = |child: &str, attribute: &str| device.child(child).and_then(|c| c.attr(attribute));
    match device.name.local.as_str() {
        "interface" => matches!(
            of("model", "type"),
            Some("e1000" | "rtl8139" | "ne2k_pci" | "pcnet" | "i82551" | "i82557b" | "i82559er")
        ),
        "watchdog" => device.attr("model") == Some("i6300esb"),
        "serial" => of("target", "type") == Some("pci-serial"),
        _ => false,
    }
}

/// Whether a device takes a slot that any bus has: not those of conventional PCI, which a PCI
/// Express machine has bridges for, and which the host places.
fn is_on_pci(device: &Element) -> bool {
    let model = |child: &str| device.child(child).and_then(|m| m.attr("type"));
    let virtio = |model: Option<&str>| model.is_some_and(|m| m.starts_with("virtio"));
    match device.name.local.as_str() {
        "disk" => Disk::new(device.node()).bus() == Some("virtio"),
        "interface" => virtio(model("model")),
        "rng" => virtio(device.attr("model")),
        "vsock" | "filesystem" => true,
        "input" => device.attr("bus") == Some("virtio"),
        "controller" => {
            virtio(device.attr("model")) || device.attr("type") == Some("virtio-serial")
        }
        _ => false,
    }
}
