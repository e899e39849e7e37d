//! What can be changed while running: differences between a manifest and a running instance as
//! operations, as far as the host takes them.
//!
//! The rows are those of libvirt 11.3's QEMU driver; a host that refuses one says so when it is
//! asked, and the definition for the next boot is already right by then.

use super::normalize::{Unit, amount};
use super::overlay::{Change, Edit, Overlay};
use crate::model::{
    Affect, Capabilities, Effect, Hypervisor, Kind, MetadataKind, NetworkCommand, NetworkSection,
    Op, OpKind,
};
use crate::xml::{Element, Path, write_compact};

/// An operation on the running instance and the changes that it brings about.
#[derive(Clone, Debug)]
pub(crate) struct LiveChange {
    /// What to call.
    pub(crate) op: Op,
    /// What the guest notices.
    pub(crate) effect: Effect,
    /// Indices of the changes it covers.
    pub(crate) covers: Vec<usize>,
}

/// The operations that bring `changes` about on the running instance. What they do not cover waits
/// for the next start. `overlay` is of the manifest on the running definition `live`.
pub(crate) fn live_changes(
    kind: Kind,
    overlay: &Overlay,
    live: &Element,
    capabilities: &Capabilities,
) -> Vec<LiveChange> {
    let Overlay { changes, touched, merged } = overlay;
    let mut found: Vec<LiveChange> = Vec::new();
    for (n, change) in changes.iter().enumerate() {
        if found.iter().any(|f| f.covers.contains(&n)) {
            continue;
        }
        let next = match kind {
            Kind::Domain => match change.path.steps.first().map(|s| s.name.as_str()) {
                Some("devices") => device(n, changes, live, touched, capabilities),
                _ => setting(n, change, merged),
            },
            Kind::Network => section(n, changes, live, touched),
        };
        found.extend(next.filter(|f| capabilities.supports(kind, f.op.kind())));
    }
    // removals free what additions need: addresses, names, slots
    found.sort_by_key(|f| match &f.op {
        Op::Detach { .. } => 0,
        Op::NetworkUpdate { command: NetworkCommand::Delete, .. } => 0,
        Op::NetworkUpdate { command: NetworkCommand::Modify, .. } => 1,
        Op::Attach { .. } | Op::NetworkUpdate { .. } => 2,
        _ => 1,
    });
    found
}

fn setting(n: usize, change: &Change, merged: &Element) -> Option<LiveChange> {
    let affect = Affect::Live;
    let op = match change.path.to_string().as_str() {
        "title" | "description" => Op::SetMetadata {
            kind: if change.path.pattern() == "title" {
                MetadataKind::Title
            } else {
                MetadataKind::Description
            },
            value: change.after.clone(),
            affect,
        },
        "currentMemory" => {
            let kib = |name: &str| {
                let e = merged.child(name)?;
                amount(&e.text(), e.attr("unit"), Unit::KiB)
            };
            let wanted = kib("currentMemory")?;
            // the balloon cannot grow past what the guest was started with
            (wanted <= kib("memory")?).then_some(Op::SetMemory { kib: wanted, affect })?
        }
        "vcpu/@current" => {
            let before: u32 = change.before.as_deref()?.parse().ok()?;
            let count: u32 = change.after.as_deref()?.parse().ok()?;
            let most: u32 = merged.child_text("vcpu")?.parse().ok()?;
            // taking processors away needs the guest's help: that waits for the next boot
            (count > before && count <= most).then_some(Op::SetVcpus { count, affect })?
        }
        _ => return None,
    };
    Some(LiveChange { op, effect: Effect::Live, covers: vec![n] })
}

fn device(
    n: usize,
    changes: &[Change],
    live: &Element,
    touched: &[(Path, Element)],
    capabilities: &Capabilities,
) -> Option<LiveChange> {
    let change = changes.get(n)?;
    let root = Path { steps: change.path.steps.get(..2)?.to_vec(), attribute: None };
    let affect = Affect::Live;
    let whole = change.path == root;
    let op = match &change.edit {
        Edit::Add(element) if whole => pluggable(element, capabilities, OpKind::Attach)
            .then(|| Op::Attach { xml: write_compact(element), affect })?,
        Edit::Remove if whole => {
            let element = root.find(live)?;
            pluggable(element, capabilities, OpKind::Detach)
                .then(|| Op::Detach { xml: write_compact(element), affect })?
        }
        _ => {
            let inside = changes.iter().enumerate().filter(|(_, c)| root.covers(&c.path));
            let covers: Vec<usize> = inside.map(|(i, _)| i).collect();
            let (_, element) = touched.iter().find(|(path, _)| *path == root)?;
            let all = covers.iter().filter_map(|i| changes.get(*i));
            let updatable = all.clone().count() > 0
                && all.clone().all(|c| can_update(element, &c.path, capabilities.hypervisor));
            let op = updatable.then(|| Op::Update { xml: write_compact(element), affect })?;
            return Some(LiveChange { op, effect: Effect::Live, covers });
        }
    };
    Some(LiveChange { op, effect: Effect::Live, covers: vec![n] })
}

/// Whether the device can be plugged or unplugged while its domain runs.
fn pluggable(device: &Element, capabilities: &Capabilities, op: OpKind) -> bool {
    let of = |child: &str, attribute: &str| device.child(child).and_then(|c| c.attr(attribute));
    let kind = device.attr("type").unwrap_or_default();
    let name = device.name.local.as_str();
    match capabilities.hypervisor {
        // libxl takes disks, network cards and host devices
        Hypervisor::Xen => matches!(name, "disk" | "interface" | "hostdev"),
        Hypervisor::Test => true,
        Hypervisor::Qemu | Hypervisor::Other => match name {
            "disk" => match device.attr("device").unwrap_or("disk") {
                "disk" | "lun" => matches!(disk_bus(device), "virtio" | "scsi" | "usb"),
                "cdrom" => matches!(disk_bus(device), "scsi" | "usb"),
                _ => false,
            },
            "interface" => {
                matches!(
                    kind,
                    "network"
                        | "bridge"
                        | "direct"
                        | "ethernet"
                        | "user"
                        | "vhostuser"
                        | "vdpa"
                        | "hostdev"
                )
            }
            "hostdev" | "redirdev" | "rng" | "vsock" | "shmem" | "lease" => true,
            "controller" => kind == "scsi" || kind == "virtio-serial" && op == OpKind::Attach,
            "channel" => of("target", "type") == Some("virtio"),
            "input" => matches!(device.attr("bus"), Some("usb" | "virtio")) || kind == "evdev",
            "watchdog" => device.attr("model") == Some("i6300esb"),
            "filesystem" => of("driver", "type") == Some("virtiofs"),
            _ => false,
        },
    }
}

/// The bus of a disk: its own word, or what libvirt reads from the name of its target.
fn disk_bus(disk: &Element) -> &str {
    let Some(target) = disk.child("target") else { return "" };
    let guess = match target.attr("dev").unwrap_or_default() {
        dev if dev.starts_with("vd") => "virtio",
        dev if dev.starts_with("sd") => "scsi",
        dev if dev.starts_with("xvd") => "xen",
        dev if dev.starts_with("fd") => "fdc",
        _ => "ide",
    };
    target.attr("bus").unwrap_or(guess)
}

/// Whether UpdateDevice takes a change at `path` of `device`.
fn can_update(device: &Element, path: &Path, hypervisor: Hypervisor) -> bool {
    let inside = path.steps.get(2).map(|s| s.name.as_str());
    let attribute = path.attribute.as_deref();
    match device.name.local.as_str() {
        "disk" => {
            let removable = matches!(device.attr("device"), Some("cdrom" | "floppy"));
            let medium = inside == Some("source")
                || inside.is_none() && matches!(attribute, Some("type"))
                || inside == Some("driver") && attribute == Some("type");
            removable && medium
        }
        "interface" => {
            hypervisor != Hypervisor::Xen
                && (matches!(
                    inside,
                    Some(
                        "source"
                            | "link"
                            | "bandwidth"
                            | "vlan"
                            | "virtualport"
                            | "filterref"
                            | "coalesce"
                    )
                ) || attribute == Some("trustGuestRxFilters") && inside.is_none())
        }
        "graphics" => {
            hypervisor == Hypervisor::Qemu
                && inside.is_none()
                && matches!(attribute, Some("passwd" | "passwdValidTo" | "connected"))
        }
        _ => false,
    }
}

/// Sections that virNetworkUpdate changes, by the names on the path, and whether it can modify an
/// entry.
const SECTIONS: &[(&str, NetworkSection, bool)] = &[
    ("ip/dhcp/host", NetworkSection::IpDhcpHost, true),
    ("ip/dhcp/range", NetworkSection::IpDhcpRange, false),
    ("dns/host", NetworkSection::DnsHost, false),
    ("dns/txt", NetworkSection::DnsTxt, false),
    ("dns/srv", NetworkSection::DnsSrv, false),
    ("portgroup", NetworkSection::Portgroup, true),
    ("forward/interface", NetworkSection::ForwardInterface, false),
];

fn section(
    n: usize,
    changes: &[Change],
    live: &Element,
    touched: &[(Path, Element)],
) -> Option<LiveChange> {
    let change = changes.get(n)?;
    let steps = &change.path.steps;
    let (depth, section, modifies) = SECTIONS.iter().find_map(|(names, section, modifies)| {
        let depth = names.split('/').count();
        let here = Path { steps: steps.get(..depth)?.to_vec(), attribute: None };
        (here.pattern() == *names).then_some((depth, *section, *modifies))
    })?;
    let root = Path { steps: steps.get(..depth)?.to_vec(), attribute: None };
    let parent = match section {
        NetworkSection::IpDhcpHost | NetworkSection::IpDhcpRange => {
            let ordinal = steps.first().and_then(|s| s.ordinal).unwrap_or(1);
            i32::try_from(ordinal).ok()?.checked_sub(1)?
        }
        _ => -1,
    };
    let whole = change.path == root;
    let (command, element, covers) = match &change.edit {
        Edit::Add(element) if whole => (NetworkCommand::AddLast, element, vec![n]),
        Edit::Remove if whole => (NetworkCommand::Delete, root.find(live)?, vec![n]),
        _ => {
            let inside = changes.iter().enumerate().filter(|(_, c)| root.covers(&c.path));
            let covers = inside.map(|(i, _)| i).collect();
            let (_, element) = touched.iter().find(|(path, _)| *path == root)?;
            modifies.then_some((NetworkCommand::Modify, element, covers))?
        }
    };
    let xml = write_compact(element);
    let op = Op::NetworkUpdate { command, section, parent, xml, affect: Affect::Live };
    Some(LiveChange { op, effect: Effect::Live, covers })
}
