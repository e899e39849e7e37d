//! Disks: names that do not suit the bus or the device, identities that do not fit.

use super::facts::{devices, is_qemu};
use crate::model::domain::Disk;
use crate::model::domain::devices::{DISK_BUSES, buses_of};
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use std::collections::HashSet;
use xmltree::{Attribute, NodeRef};

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    let groups: HashSet<String> = root
        .child("throttlegroups")
        .into_iter()
        .flat_map(|g| g.children_named("throttlegroup"))
        .filter_map(|g| g.child_text("group_name"))
        .collect();
    for disk in devices(root).filter(|d| d.is("disk")) {
        if let Some(target) = disk.child("target")
            && let Some(name) = target.attribute("dev")
        {
            check_name(root, disk, name, out);
            check_bus(root, disk, name, target.attribute("bus"), out);
        }
        check_lun(disk, out);
        if is_qemu(root) {
            check_io(disk, out);
        }
        check_words(root, disk, out);
        check_filters(disk, &groups, out);
    }
}

fn device(disk: NodeRef<'_>) -> &str {
    disk.attr("device").unwrap_or("disk")
}

/// Whether libvirt reads a place on the bus from the name: a prefix, letters, and digits at most.
fn is_disk_name(name: &str) -> bool {
    let prefix =
        ["fd", "hd", "vd", "sd", "xvd", "ubd", "nvme"].iter().find_map(|p| name.strip_prefix(p));
    let Some(rest) = prefix else { return false };
    let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
    // nvme0n1 has digits in between
    name.starts_with("nvme")
        || letters > 0 && rest.bytes().skip(letters).all(|b| b.is_ascii_digit())
}

fn check_name(root: NodeRef<'_>, disk: NodeRef<'_>, name: &Attribute, out: &mut Diagnostics) {
    if !is_disk_name(&name.value) {
        if disk.child("address").is_none() {
            out.push(
                Diagnostic::error("target-name", "the name of the disk does not say where it is")
                    .at(name.span)
                    .detail(format!("{}; expected one such as vda, sdb or hdc", found(&name.value)))
                    .hint("rename it, or add an address"),
            );
        }
        return;
    }
    let partition = name.value.ends_with(|c: char| c.is_ascii_digit());
    if partition && is_qemu(root) && !name.value.starts_with("nvme") {
        out.push(
            Diagnostic::error("target-name", "a partition cannot be the target of a disk")
                .at(name.span)
                .detail(found(&name.value))
                .hint("leave the digits out"),
        );
    }
}

fn check_bus(
    root: NodeRef<'_>,
    disk: NodeRef<'_>,
    name: &Attribute,
    bus: Option<&Attribute>,
    out: &mut Diagnostics,
) {
    let device = device(disk);
    let written = bus.map(|b| b.value.as_str());
    let place = bus.map_or(name.span, |b| b.span);
    let is_floppy_name = name.value.starts_with("fd");
    let refused = if device == "floppy" && written.is_some_and(|b| b != "fdc") {
        Some(("a floppy disk can only be on the bus fdc", "make the bus fdc"))
    } else if device != "floppy" && written == Some("fdc") {
        Some((
            "only a floppy disk can be on the bus fdc",
            "choose another bus, or make the device floppy",
        ))
    } else if device == "floppy" && !is_floppy_name {
        Some(("the name is not one of a floppy disk", "name it such as fda"))
    } else if device == "disk" && is_floppy_name {
        Some(("the name is one of a floppy disk", "name it such as vda"))
    } else if device == "cdrom" && written == Some("virtio") && is_qemu(root) {
        Some(("a CD-ROM drive cannot be on the bus virtio", "make the bus sata, scsi or ide"))
    } else {
        None
    };
    if let Some((summary, hint)) = refused {
        out.push(
            Diagnostic::error("disk-bus", summary)
                .at(place)
                .detail(format!(
                    "{device} {} on bus {}",
                    name.value,
                    written.unwrap_or("of its name")
                ))
                .hint(hint),
        );
        return;
    }
    if let (Some(written), Some((prefix, buses))) = (written, buses_of(&name.value))
        && !buses.contains(&written)
    {
        let fitting =
            DISK_BUSES.iter().find(|(_, buses)| buses.contains(&written)).map(|(p, _)| *p);
        let hint = fitting.map_or_else(
            || "leave the bus out to have the one of the name".to_owned(),
            |p| {
                format!("name it such as {p}a, or leave the bus out to have {}", buses.join(" or "))
            },
        );
        out.push(
            Diagnostic::warning("target-bus", "the disk's name is one of another bus")
                .at(name.span)
                .detail(format!(
                    "{prefix} is the prefix on {}, the bus is {written}; the guest sees \
                    another name",
                    buses.join(" or ")
                ))
                .hint(hint),
        );
    }
}

/// Refuses a LUN on a file: it is a device that is passed through.
fn check_lun(disk: NodeRef<'_>, out: &mut Diagnostics) {
    let kind = disk.attr("type").unwrap_or("file");
    if let Some(device) = disk.attribute("device").filter(|d| d.value == "lun")
        && ["file", "dir"].contains(&kind)
    {
        out.push(
            Diagnostic::error("disk-bus", "a file cannot be passed through as a LUN")
                .at(device.span)
                .detail(format!("the disk is of type {kind}; expected block, network or volume"))
                .hint("make the device a disk"),
        );
    }
}

/// The caches that leave the host's page cache out, which Linux's own asynchronous I/O needs.
const DIRECT: [&str; 2] = ["none", "directsync"];

fn check_io(disk: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(driver) = disk.child("driver") else { return };
    let cache = driver.attribute("cache");
    if let Some(io) = driver.attribute("io").filter(|io| io.value == "native")
        && cache.is_none_or(|cache| !DIRECT.contains(&cache.value.as_str()))
    {
        let written = cache.map_or("the default", |cache| cache.value.as_str());
        out.push(
            Diagnostic::error("disk-io", "native I/O needs a disk without the host's cache")
                .at(cache.unwrap_or(io).span)
                .detail(format!("cache is {written}; expected {}", DIRECT.join(" or ")))
                .hint("make cache none, or io io_uring or threads"),
        );
    }
}

/// Texts by which a disk identifies itself: the element, its longest text, and the buses on which QEMU
/// presents it.
const WORDS: [(&str, usize, &[&str]); 3] = [
    ("vendor", 8, &["scsi"]),
    ("product", 16, &["scsi", "ide", "sata"]),
    ("wwn", 16, &["scsi", "ide", "sata"]),
];

/// Longest serial number that QEMU's virtio, IDE and SATA disks show; they cut the rest.
const SERIAL_MAX: usize = 20;

fn check_words(root: NodeRef<'_>, disk: NodeRef<'_>, out: &mut Diagnostics) {
    let bus = Disk::new(disk).bus().unwrap_or_default();
    for (name, most, buses) in WORDS {
        let Some(element) = disk.child(name) else { continue };
        let text = element.text();
        // a WWN may be written as a number in C
        let text = text.strip_prefix("0x").filter(|_| name == "wwn").unwrap_or(&text);
        if text.len() > most {
            out.push(
                Diagnostic::error("disk-identity", format!("the {name} of the disk is too long"))
                    .at(element.text_span())
                    .detail(format!("{} characters; expected at most {most}", text.len()))
                    .hint("shorten it"),
            );
        } else if is_qemu(root) && bus == "virtio" {
            out.push(
                Diagnostic::error("disk-identity", format!("a virtio disk has no {name}"))
                    .at(element.span())
                    .detail(format!("expected one of the buses {}", buses.join(", ")))
                    .hint("use serial, which every disk has"),
            );
        }
    }
    if let Some(serial) = disk.child("serial")
        && is_qemu(root)
        && ["virtio", "ide", "sata"].contains(&bus)
        && serial.text().len() > SERIAL_MAX
    {
        out.push(
            Diagnostic::warning("serial-cut", "the guest sees only the start of the serial number")
                .at(serial.text_span())
                .detail(format!("{} bytes; on {bus} QEMU shows {SERIAL_MAX}", serial.text().len()))
                .hint("shorten it, so that what udev shows is what is written here"),
        );
    }
}

fn check_filters(disk: NodeRef<'_>, groups: &HashSet<String>, out: &mut Diagnostics) {
    let Some(filters) = disk.child("throttlefilters") else { return };
    for group in filters.children_named("throttlefilter").filter_map(|f| f.attribute("group")) {
        if !groups.contains(&group.value) {
            out.push(
                Diagnostic::error(
                    "unknown-throttle-group",
                    "the domain has no such throttle group",
                )
                .at(group.span)
                .detail(found(&group.value))
                .hint("add it to throttlegroups"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    fn disk(attributes: &str, target: &str, more: &str) -> String {
        format!("<devices><disk {attributes}><target {target}/>{more}</disk></devices>")
    }

    #[test]
    fn names_and_buses() {
        finds(
            check,
            &[
                (&disk("", "dev='vda' bus='virtio'", ""), &[]),
                (&disk("", "dev='vda'", ""), &[]),
                (&disk("", "dev='vda' bus='ide'", ""), &["49 target-bus"]),
                (&disk("", "dev='hda' bus='virtio'", ""), &["49 target-bus"]),
                (&disk("device='cdrom'", "dev='hdc' bus='sata'", ""), &[]),
                (&disk("device='cdrom'", "dev='vdc' bus='virtio'", ""), &["73 disk-bus!"]),
                (&disk("device='floppy'", "dev='fda' bus='virtio'", ""), &["74 disk-bus!"]),
                (&disk("device='floppy'", "dev='vda'", ""), &["64 disk-bus!"]),
                (&disk("", "dev='fda' bus='virtio'", ""), &["59 disk-bus!"]),
                (&disk("", "dev='fda' bus='fdc'", ""), &["59 disk-bus!"]),
                (&disk("device='lun'", "dev='sda'", ""), &["43 disk-bus!"]),
                (&disk("device='lun' type='block'", "dev='sda'", ""), &[]),
                (&disk("", "dev='root'", ""), &["49 target-name!"]),
                (&disk("", "dev='root'", "<address type='pci'/>"), &[]),
                (&disk("", "dev='vda1'", ""), &["49 target-name!"]),
            ],
        );
    }

    #[test]
    fn native_io_and_the_cache() {
        let of = |driver: &str| disk("", "dev='vda'", &format!("<driver {driver}/>"));
        finds(
            check,
            &[
                (&of("io='native' cache='none'"), &[]),
                (&of("cache='directsync' io='native'"), &[]),
                (&of("io='native'"), &["67 disk-io!"]),
                (&of("io='native' cache='default'"), &["82 disk-io!"]),
                (&of("io='io_uring' cache='writeback'"), &[]),
            ],
        );
    }

    #[test]
    fn what_a_disk_calls_itself() {
        let vda = |more| disk("", "dev='vda'", more);
        let sda = |more| disk("", "dev='sda'", more);
        finds(
            check,
            &[
                (&sda("<vendor>SEAGATE</vendor><wwn>5000c50015ea71ac</wwn>"), &[]),
                (&sda("<vendor>SEAGATE 7</vendor>"), &["63 disk-identity!"]),
                (&sda("<product>01234567890123456</product>"), &["64 disk-identity!"]),
                (&vda("<wwn>5000c50015ea71ac</wwn>"), &["55 disk-identity!"]),
                (&vda("<serial>01234567890123456789</serial>"), &[]),
                (&vda("<serial>012345678901234567890</serial>"), &["63 serial-cut"]),
                (&sda("<serial>012345678901234567890</serial>"), &[]),
                (
                    &vda("<throttlefilters><throttlefilter group='a'/></throttlefilters>"),
                    &["95 unknown-throttle-group!"],
                ),
            ],
        );
    }
}
