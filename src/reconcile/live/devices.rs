//! Devices: which can be plugged in and out while running, and which of their fields can be changed.

use super::address::Places;
use super::tuning::tuning;
use super::verdict::{LiveContext, Verdict};
use crate::model::domain::Disk;
use crate::model::{Affect, DomainOp};
use crate::reconcile::diff::difference::{Change, Edit};
use crate::reconcile::plan::step::{Otherwise, StepAction, Until};
use std::time::Duration;
use xmltree::{Element, NodeRef, Path, write_compact};

/// Time that a guest has to release a device, after the 5 s that libvirt waits.
const UNPLUG: Duration = Duration::from_secs(5);

/// Judges a change of a device, or of something in it.
pub(super) fn device(
    context: LiveContext<'_>,
    places: &mut Places,
    n: usize,
    change: &Change,
) -> Verdict {
    let Some(steps) = change.path.steps.get(..2) else {
        return Verdict::waits("it is read only when the domain starts");
    };
    let root = Path { steps: steps.to_vec(), attribute: None };
    match &change.edit {
        Edit::Add(element) if change.path == root => attach(context, places, element),
        Edit::Remove if change.path == root => match root.find(context.live.as_element()) {
            Some(element) => detach(context, places, &root, element),
            None => Verdict::waits("the device cannot be found"),
        },
        _ => match (tuning(context, change), stats_period(change)) {
            (Some(tuned), _) => tuned,
            (None, Some(period)) => period,
            (None, None) => update(context, n, &root),
        },
    }
}

fn attach(context: LiveContext<'_>, places: &mut Places, device: &Element) -> Verdict {
    if let Err(why) = pluggable(device, context, true) {
        return Verdict::Waits(why);
    }
    match places.with_address(device, context.next_boot.as_element()) {
        Ok(device) => {
            Verdict::call(DomainOp::Attach { xml: write_compact(&device), affect: Affect::Live })
        }
        Err(why) => Verdict::Waits(why),
    }
}

/// Removes the device, with time for the guest to release it.
fn detach(context: LiveContext<'_>, places: &Places, path: &Path, device: &Element) -> Verdict {
    if let Err(why) = pluggable(device, context, false).and_then(|()| places.lets_go(device)) {
        return Verdict::Waits(why);
    }
    let alias = device.child("alias").and_then(|a| a.attr("name")).map(str::to_owned);
    let until = Until::Detached { device: path.clone(), alias };
    let call = StepAction::Call(
        DomainOp::Detach { xml: write_compact(device), affect: Affect::Live }.into(),
    );
    let wait = StepAction::Wait { until, timeout: UNPLUG, otherwise: Otherwise::Leave };
    Verdict::Live(vec![call, wait], Vec::new())
}

/// Fields of the device at `root` that can be changed in place go together in one call; the others
/// stay as they run, so that what waits holds nothing up.
fn update(context: LiveContext<'_>, n: usize, root: &Path) -> Verdict {
    let (Some(live), Some((_, merged))) = (
        root.find(context.live.as_element()),
        context.overlay.touched.iter().find(|(path, _)| path == root),
    ) else {
        return Verdict::waits("the device cannot be found");
    };
    let name = &live.name.local;
    let changes =
        || context.overlay.changes.iter().enumerate().filter(|(_, c)| root.covers(&c.path));
    let now: Vec<usize> = changes()
        .filter(|(_, c)| can_update(context, live, merged, c) && tuning(context, c).is_none())
        .map(|(i, _)| i)
        .collect();
    if !now.contains(&n) {
        let path = changes().find(|(i, _)| *i == n).map(|(_, c)| field(&c.path));
        let path = path.unwrap_or_default();
        return Verdict::Waits(format!("{path} of a {name} is fixed while it runs"));
    }
    let element = match now.len() == changes().count() {
        true => Some(merged.clone()),
        false => patched(live, root, now.iter().filter_map(|i| context.overlay.changes.get(*i))),
    };
    match element {
        Some(element) => {
            let xml = write_compact(&element);
            let update = DomainOp::Update { xml, affect: Affect::Live };
            Verdict::Live(vec![StepAction::Call(update.into())], now)
        }
        None => Verdict::waits("it cannot be distinguished from what waits for the next boot"),
    }
}

/// The running device with some of its changes; `None` if one of them cannot be made by itself.
fn patched<'a>(
    live: &Element,
    root: &Path,
    changes: impl Iterator<Item = &'a Change>,
) -> Option<Element> {
    let mut device = live.clone();
    for change in changes {
        let steps = change.path.steps.get(root.steps.len()..)?;
        let (parents, last) = match (&change.edit, &change.path.attribute) {
            (_, Some(_)) | (Edit::Set, None) => (steps, None),
            (Edit::Add(_) | Edit::Remove, None) => {
                let (last, parents) = steps.split_last()?;
                (parents, Some(last))
            }
        };
        let mut at = &mut device;
        for step in parents {
            // list entries would need keys
            if step.key.is_some() || step.ordinal.is_some() {
                return None;
            }
            at = at.child_mut(&step.name)?;
        }
        match (&change.edit, &change.path.attribute, last) {
            (Edit::Add(element), None, _) => at.push(element.clone()),
            (Edit::Remove, None, Some(step)) => {
                if step.key.is_some() || step.ordinal.is_some() {
                    return None;
                }
                at.remove_elements(|e| e.is(&step.name)).then_some(())?;
            }
            (_, Some(attribute), _) => at.put_attr(attribute, change.after.as_deref()),
            (_, None, _) => at.set_text(change.after.clone().unwrap_or_default()),
        }
    }
    Some(device)
}

/// A field of a device, as people read it: without the device.
fn field(path: &Path) -> String {
    let inside = Path {
        steps: path.steps.iter().skip(2).cloned().collect(),
        attribute: path.attribute.clone(),
    };
    inside.to_string()
}

/// Judges a change of the period, in seconds, of the balloon's statistics.
fn stats_period(change: &Change) -> Option<Verdict> {
    let pattern = change.path.pattern();
    let attribute = change.path.attribute.as_deref();
    let period = match (pattern.as_str(), attribute, &change.edit) {
        ("devices/memballoon/stats", None, Edit::Add(stats)) => {
            stats.attr("period")?.parse().ok()?
        }
        ("devices/memballoon/stats", None, Edit::Remove) => 0,
        ("devices/memballoon/stats", Some("period"), Edit::Remove) => 0,
        ("devices/memballoon/stats", Some("period"), _) => change.after.as_deref()?.parse().ok()?,
        _ => return None,
    };
    Some(Verdict::call(DomainOp::SetMemoryStatsPeriod { seconds: period }))
}

/// Checks that the device can be plugged in (`attach`) or out while its domain runs; the error is the reason
/// why not.
fn pluggable(device: &Element, context: LiveContext<'_>, attach: bool) -> Result<(), String> {
    let of = |child: &str, attribute: &str| device.child(child).and_then(|c| c.attr(attribute));
    let kind = device.attr("type").unwrap_or_default();
    let name = device.name.local.as_str();
    let verb = if attach { "plugged in" } else { "unplugged" };
    let never = |what: &str| Err(format!("{what} cannot be {verb} while the domain runs"));
    if let Some(only) = context.capabilities.domain.live.only {
        let is_it = |one: &&str| match one.split_once('/') {
            Some((device, of)) => device == name && of == kind,
            None => *one == name,
        };
        return match only.iter().any(is_it) {
            true => Ok(()),
            false => never(&format!("a {name}")),
        };
    }
    match name {
        "disk" => {
            let what = device.attr("device").unwrap_or("disk");
            // default of libvirt where neither the bus nor the name shows another
            let bus = Disk::new(device.node()).bus().unwrap_or("ide");
            let fits = match what {
                "disk" | "lun" => matches!(bus, "virtio" | "scsi" | "usb"),
                "cdrom" => matches!(bus, "scsi" | "usb"),
                _ => false,
            };
            if fits { Ok(()) } else { never(&format!("a {what} on the bus {bus}")) }
        }
        "interface" => match kind {
            "server" | "client" | "mcast" | "udp" | "internal" | "null" | "vds" => {
                never(&format!("an interface of the type {kind}"))
            }
            _ => Ok(()),
        },
        "hostdev" | "redirdev" | "rng" | "lease" => Ok(()),
        "vsock" | "shmem" if !attach => Ok(()),
        "vsock" => match context.live.descend(&["devices", "vsock"]) {
            Some(_) => Err("the domain has a vsock, and takes one only".to_owned()),
            None => Ok(()),
        },
        "shmem" => match of("model", "type") {
            Some("ivshmem") => never("a shmem of the model ivshmem"),
            _ => Ok(()),
        },
        "controller" => match (kind, attach) {
            ("scsi", true) | ("virtio-serial", true) => Ok(()),
            ("scsi", false) if in_use(device, context) => {
                Err("there are disks on the controller".to_owned())
            }
            ("scsi", false) => Ok(()),
            _ => never(&format!("a controller of the type {kind}")),
        },
        "channel" | "console" => match of("target", "type") {
            Some("virtio") => Ok(()),
            _ => never(&format!("a {name} that is not virtio")),
        },
        "serial" => match of("target", "type") {
            Some("pci-serial" | "usb-serial") => Ok(()),
            _ => never("a serial port that is neither pci-serial nor usb-serial"),
        },
        "input" => match device.attr("bus") {
            Some("usb" | "virtio") => Ok(()),
            _ if kind == "evdev" => Ok(()),
            _ => never("an input device that is neither usb, virtio nor evdev"),
        },
        "watchdog" => match device.attr("model") {
            Some("i6300esb") => Ok(()),
            _ => never("a watchdog that is not an i6300esb"),
        },
        "filesystem" => match (of("driver", "type"), shares_memory(context.live.as_element())) {
            (Some("virtiofs"), true) => Ok(()),
            (Some("virtiofs"), false) => {
                Err("virtiofs needs memory that was shared when the domain started".to_owned())
            }
            _ => never("a filesystem that is not virtiofs"),
        },
        "memory" => match (attach, context.live.child("maxMemory")) {
            (true, None) => Err("without maxMemory a running domain takes no memory".to_owned()),
            _ => Ok(()),
        },
        _ => never(&format!("a {name}")),
    }
}

/// Whether a disk is on that SCSI controller, and stays there.
fn in_use(controller: &Element, context: LiveContext<'_>) -> bool {
    let index = controller.attr("index").unwrap_or("0");
    let goes: Vec<NodeRef<'_>> = context
        .overlay
        .changes
        .iter()
        .filter(|c| c.edit == Edit::Remove && c.path.pattern() == "devices/disk")
        .filter_map(|c| c.path.find(context.live.as_element()).map(Element::node))
        .collect();
    let disks = context.live.child("devices").into_iter().flat_map(|d| d.children_named("disk"));
    let stays = |disk: &NodeRef<'_>| !goes.iter().any(|gone| gone.is_same(*disk));
    let mut on_scsi = disks.filter(stays).filter(|disk| Disk::new(*disk).bus() == Some("scsi"));
    on_scsi.any(|disk| disk.child("address").and_then(|a| a.attr("controller")) == Some(index))
}

fn shares_memory(live: &Element) -> bool {
    let access = live.descend(&["memoryBacking", "access"]);
    let cells = live.descend(&["cpu", "numa"]).into_iter().flat_map(Element::elements);
    access.and_then(|a| a.attr("mode")) == Some("shared")
        || cells.into_iter().any(|cell| cell.attr("memAccess") == Some("shared"))
}

/// Fields that UpdateDevice changes, as they stand in the device: a name ends in `/` if everything
/// below it is meant, too.
const DISK: &[&str] = &["@type", "@snapshot", "source", "source/", "driver/@type"];
const INTERFACE: &[&str] = &[
    "@trustGuestRxFilters",
    "link",
    "link/",
    "bandwidth",
    "bandwidth/",
    "virtualport",
    "virtualport/",
    "vlan",
    "vlan/",
    "port",
    "port/",
    "filterref",
    "filterref/",
    "coalesce",
    "coalesce/",
];
const INTERFACE_SOURCE: &[&str] = &["@type", "source", "source/@network", "source/@bridge"];
const GRAPHICS: &[&str] = &["@passwd", "@passwdValidTo", "@connected"];
const MEMORY: &[&str] = &["target/requested"];

/// Whether UpdateDevice takes this change of `device`, which will be `merged`.
fn can_update(
    context: LiveContext<'_>,
    device: &Element,
    merged: &Element,
    change: &Change,
) -> bool {
    let path = field_pattern(&change.path);
    let among = |fields: &[&str]| {
        fields.iter().any(|field| match field.strip_suffix('/') {
            Some(parent) => path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/')),
            None => path == *field,
        })
    };
    let live = context.capabilities.domain.live;
    let plain = |e: &Element| matches!(e.attr("type"), Some("network" | "bridge"));
    match device.name.local.as_str() {
        "disk" => matches!(device.attr("device"), Some("cdrom" | "floppy")) && among(DISK),
        _ if !live.fields => false,
        "interface" if matches!(device.attr("type"), Some("hostdev" | "vdpa")) => false,
        "interface" => {
            among(INTERFACE) || plain(device) && plain(merged) && among(INTERFACE_SOURCE)
        }
        "graphics" => live.graphics && among(GRAPHICS),
        "memory" => device.attr("model") == Some("virtio-mem") && among(MEMORY),
        _ => false,
    }
}

/// The names of a path below its device, with its attribute.
fn field_pattern(path: &Path) -> String {
    let steps = path.steps.iter().skip(2).map(|s| s.name.clone());
    let attribute = path.attribute.as_ref().map(|a| format!("@{a}"));
    steps.chain(attribute).collect::<Vec<_>>().join("/")
}
