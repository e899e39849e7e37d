//! Values that a host fills in again by itself, whether or not a manifest writes them.
//!
//! A manifest that stops to write a default takes nothing away, and a plan does not promise that it
//! would. Whatever else it stops to write has to be gone after an apply.

use super::difference::{Change, ChangeCause};
use super::normalize::governed;
use crate::model::{Defaults, Kind};
use crate::reconcile::ownership::record::without_owner_record;
use crate::reconcile::sparse::sparse;
use xmltree::{Element, Path, Step};

/// Leaves out of `changes` the removals of values that the host fills in again, and returns their paths;
/// `definition` is the host's and `want` the manifest's document.
pub(crate) fn drop_filled_in(
    kind: Kind,
    defaults: Defaults,
    definition: &Element,
    want: &Element,
    changes: &mut Vec<Change>,
) -> Vec<Path> {
    if !changes.iter().any(|c| c.after.is_none()) {
        return Vec::new();
    }
    // a default of another model or type is none any more
    let full = with_values(without_owner_record(definition), changes);
    let mut written = full.clone();
    sparse(kind, defaults, &mut written, None);
    let mut dropped = Vec::new();
    changes.retain(|change| {
        let filled = change.after.is_none() && is_filled_in(&full, &written, want, &change.path);
        if filled {
            dropped.push(change.path.clone());
        }
        !filled
    });
    dropped
}

/// The definition with the attributes that the manifest changes, and with all that it takes away.
fn with_values(mut definition: Element, changes: &[Change]) -> Element {
    for change in changes {
        if let (Some(name), Some(value)) = (&change.path.attribute, &change.after)
            && let Some(element) = find_mut(&mut definition, &change.path.steps)
        {
            element.set_attr(name, value.clone());
        }
    }
    definition
}

fn find_mut<'a>(element: &'a mut Element, steps: &[Step]) -> Option<&'a mut Element> {
    let Some((first, rest)) = steps.split_first() else { return Some(element) };
    let one = Path { steps: vec![first.clone()], attribute: None };
    let at = one.find(element).map(std::ptr::from_ref)?;
    let next = element.elements_mut().find(|e| std::ptr::eq(*e, at))?;
    find_mut(next, rest)
}

/// Fields that no host fills in by itself, beside the entries of governed lists.
const SOUGHT: &[&str] = &[
    "bandwidth",
    "blkiotune",
    "blkiotune/device",
    "blkiotune/weight",
    "cpu/feature",
    "cputune",
    "cputune/emulatorpin",
    "cputune/emulatorpin/@cpuset",
    "cputune/period",
    "cputune/quota",
    "cputune/shares",
    "cputune/vcpupin",
    "description",
    "devices/channel",
    "devices/disk/encryption",
    "devices/disk/iotune",
    "devices/disk/serial",
    "devices/disk/shareable",
    "devices/disk/wwn",
    "devices/graphics",
    "devices/graphics/@listen",
    "devices/graphics/@passwd",
    "devices/graphics/@socket",
    "devices/graphics/@websocket",
    "devices/graphics/listen/@address",
    "devices/interface/bandwidth",
    "devices/interface/filterref",
    "devices/interface/vlan",
    "devices/parallel",
    "devices/tpm",
    "devices/video",
    "devices/watchdog",
    "domain",
    "forward/@dev",
    "forward/interface",
    "memoryBacking",
    "memoryBacking/hugepages",
    "memoryBacking/locked",
    "memtune",
    "memtune/hard_limit",
    "memtune/min_guarantee",
    "memtune/soft_limit",
    "memtune/swap_hard_limit",
    "os/cmdline",
    "os/dtb",
    "os/initrd",
    "os/kernel",
    "qemu:commandline",
    "qemu:commandline/qemu:arg",
    "title",
];

/// Keeps of `changes`, the result of a check for removals, only fields that no host fills in by itself: of
/// others, a default cannot be told from a failed removal.
pub(crate) fn keep_sought(changes: &mut Vec<Change>) {
    changes.retain(|change| {
        let path = &change.path;
        let pattern = path.pattern();
        let (parent, name) = pattern.rsplit_once('/').unwrap_or(("network", &pattern));
        let parent = parent.rsplit('/').next().unwrap_or_default();
        let key = match &path.attribute {
            Some(attribute) => format!("{pattern}/@{attribute}"),
            None => pattern.clone(),
        };
        let entry = path.attribute.is_none() && governed(parent, name);
        let sought = entry || SOUGHT.contains(&key.as_str()) && !is_of_machine(path);
        change.after.is_some() || change.origin == ChangeCause::Drift || sought
    });
}

/// Whether the path leads to the only model of a device that is part of the machine, and comes back with it.
fn is_of_machine(path: &Path) -> bool {
    let itco = |step: &Step| step.key.as_ref().is_some_and(|(_, value)| value == "itco");
    path.steps.last().is_some_and(|step| step.name == "watchdog" && itco(step))
}

/// Values that a host fills in again in an element that a manifest still writes, though it would leave
/// the whole element out of a text that says no more than it has to.
const AGAIN: &[(&str, &str)] = &[
    ("clock", "offset"),
    ("devices/input", "bus"),
    ("devices/memballoon", "model"),
    ("devices/panic", "model"),
    ("devices/watchdog", "action"),
];

/// Whether the content of `full` at `path` need not be written. `want` is the written content.
fn is_filled_in(full: &Element, written: &Element, want: &Element, path: &Path) -> bool {
    let (mut here, mut there) = (full, Some(written));
    for step in &path.steps {
        let one = Path { steps: vec![step.clone()], attribute: None };
        let Some(next) = one.find(here) else { return false };
        // omitted entries shift the numbers of the others
        there = there.and_then(|root| match step.ordinal {
            Some(_) => root.elements().find(|e| is_part_of(e, next)),
            None => one.find(root),
        });
        here = next;
    }
    let stays = |path: &Path| {
        let steps = path.steps.iter().map(|s| Step { key: None, ordinal: None, ..s.clone() });
        Path { steps: steps.collect(), attribute: None }.find(want).is_some()
    };
    match (&path.attribute, there) {
        (None, None) => !is_spare(want, path, here),
        (Some(name), None) => {
            !stays(path) || AGAIN.contains(&(path.pattern().as_str(), name.as_str()))
        }
        (Some(name), Some(there)) => there.attr_written(name).is_none(),
        (None, Some(there)) => here.has_text() && !there.has_text(),
    }
}

/// Whether `want` still writes an entry like `gone`, which was at `path`: the host fills in no second.
fn is_spare(want: &Element, path: &Path, gone: &Element) -> bool {
    let Some((last, above)) = path.steps.split_last() else { return false };
    let parent = Path { steps: above.to_vec(), attribute: None };
    last.ordinal.is_some()
        && parent.find(want).is_some_and(|list| list.elements().any(|e| is_part_of(e, gone)))
}

/// Whether all of `part` is in `whole`.
fn is_part_of(part: &Element, whole: &Element) -> bool {
    part.name == whole.name
        && part.attributes.iter().all(|a| whole.attributes.contains(a))
        && (!part.has_text() || part.text() == whole.text())
        && part.elements().all(|p| whole.elements().any(|w| is_part_of(p, w)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::diff::difference::Edit;
    use diagnostics::{SourceId, Span};
    use xmltree::{Limits, parse};

    const DOMAIN: &str = "<domain type='kvm'><name>web</name><memory unit='KiB'>65536</memory>\
        <currentMemory unit='KiB'>65536</currentMemory><vcpu placement='static'>2</vcpu>\
        <os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type><boot dev='hd'/></os>\
        <clock offset='utc'/><on_reboot>restart</on_reboot><on_crash>preserve</on_crash><devices>\
        <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/a'/>\
        <target dev='vda' bus='virtio'/></disk>\
        <input type='tablet' bus='usb'><address type='usb' bus='0' port='1'/></input><input type='mouse' bus='ps2'/>\
        <input type='keyboard' bus='ps2'/><memballoon model='virtio'/></devices></domain>";

    fn removal(path: &str) -> Change {
        Change {
            path: Path::parse(path).expect("a path"),
            before: Some(String::new()),
            after: None,
            span: Span::NONE,
            origin: ChangeCause::Manifest,
            edit: Edit::Remove,
        }
    }

    #[test]
    fn what_no_host_fills_in_is_looked_for() {
        for (path, sought) in [
            ("devices/disk[target/@dev='vdb']", true),
            ("devices/graphics[@type='vnc']/@listen", true),
            ("ip/dhcp/host[@mac='52:54:00:00:00:01']", true),
            ("route", true),
            ("forward/@mode", false),
            ("devices/controller[1]/@model", false),
            ("devices/watchdog[@model='i6300esb']", true),
            ("devices/watchdog[@model='itco']", false),
        ] {
            let mut changes = vec![removal(path)];
            keep_sought(&mut changes);
            assert_eq!(!changes.is_empty(), sought, "{path}");
        }
    }

    #[test]
    fn a_default_that_is_not_written_any_more_is_not_taken_away() {
        let domain = parse(SourceId::NONE, DOMAIN, &Limits::default()).expect("well-formed");
        for (path, filled) in [
            ("on_reboot", true),
            ("on_crash", false),
            ("vcpu/@placement", true),
            ("devices/memballoon", true),
            ("devices/memballoon/@model", true),
            ("devices/disk[target/@dev='vda']/driver", true),
            ("devices/disk[target/@dev='vda']/driver/@name", true),
            ("devices/disk[target/@dev='vda']/source", false),
            ("devices/input[1]", false),
            ("devices/input[2]", true),
            ("os/type/@machine", false),
        ] {
            let mut changes = vec![removal(path)];
            let want = Element::new("domain");
            drop_filled_in(Kind::Domain, Defaults::QemuMachines, &domain, &want, &mut changes);
            assert_eq!(changes.is_empty(), filled, "{path}");
        }
    }

    #[test]
    fn a_default_of_another_model_is_none() {
        let qxl =
            "<video><model type='qxl' ram='65536' vram='65536' heads='1' primary='yes'/></video>";
        let domain = DOMAIN.replace("<memballoon", &format!("{qxl}<memballoon"));
        let domain = parse(SourceId::NONE, &domain, &Limits::default()).expect("well-formed");
        let of = |model: &str| {
            let set = Change {
                after: Some(model.to_owned()),
                edit: Edit::Set,
                ..removal("devices/video/model/@type")
            };
            let gone =
                ["ram", "heads", "primary"].map(|a| removal(&format!("devices/video/model/@{a}")));
            let mut changes: Vec<Change> = std::iter::once(set).chain(gone).collect();
            let video = format!(
                "<domain><devices><video><model type='{model}'/></video></devices></domain>"
            );
            let want = parse(SourceId::NONE, &video, &Limits::default()).expect("well-formed");
            drop_filled_in(Kind::Domain, Defaults::QemuMachines, &domain, &want, &mut changes);
            let name = |c: Change| c.path.attribute.unwrap_or_default();
            changes.into_iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(of("qxl"), ["type"]);
        assert_eq!(of("cirrus"), ["type", "ram"]);
        assert_eq!(of("none"), ["type", "ram", "heads", "primary"]);
    }

    #[test]
    fn a_second_entry_like_a_default_is_taken_away() {
        let mouse = "<input type='mouse' bus='ps2'/>";
        let two = DOMAIN.replace(mouse, &mouse.repeat(2));
        let domain = parse(SourceId::NONE, &two, &Limits::default()).expect("well-formed");
        for (writes, filled) in [(mouse, false), ("<input type='mouse'/>", false), ("", true)] {
            let want = format!("<domain><devices>{writes}</devices></domain>");
            let want = parse(SourceId::NONE, &want, &Limits::default()).expect("well-formed");
            let mut changes = vec![removal("devices/input[3]")];
            drop_filled_in(Kind::Domain, Defaults::QemuMachines, &domain, &want, &mut changes);
            assert_eq!(changes.is_empty(), filled, "{writes}");
        }
    }
}
