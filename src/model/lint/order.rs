//! Orders of siblings that libvirtd's own schema check refuses, though its grammar allows them.
//!
//! libvirt's grammar lets children come in any order, by interleave patterns within interleave
//! patterns. libxml2, which libvirtd checks with, hands each group of an interleave its members as
//! a chain. When a group that is an interleave itself is done, libxml2 restores the document's own
//! order between the group's first and last member, and so breaks the chains of the groups whose
//! turn is yet to come: what stands in that stretch is followed by its neighbour again, and not by
//! the next of its own group. `virsh define --validate` then refuses the document.

use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

/// The groups among the children of one element, in the order that libvirt's grammar has them; of
/// groups that have one member or come first without being interleaves, nothing depends.
const GROUPS: [(&str, &[&[&str]]); 6] = [
    ("domain", &[BOOT, RESOURCES, LIFECYCLE, &["seclabel"]]),
    ("os", &[&["kernel", "initrd", "root", "cmdline", "shim", "dtb"], &["boot"]]),
    ("interface", &[&["ip", "route"], &["portForward"]]),
    ("hostdev", &[&["driver", "teaming", "source"]]),
    ("iotune", &THROTTLING),
    ("throttlegroup", &THROTTLING),
];

const BOOT: &[&str] = &["bootloader", "bootloader_args", "os"];
const RESOURCES: &[&str] = &[
    "memory",
    "maxMemory",
    "currentMemory",
    "memoryBacking",
    "vcpu",
    "vcpus",
    "iothreads",
    "iothreadids",
    "defaultiothread",
    "blkiotune",
    "memtune",
    "cputune",
    "numatune",
    "resource",
];
const LIFECYCLE: &[&str] = &["on_reboot", "on_poweroff", "on_crash", "on_lockfailure"];
const THROTTLING: [&[&str]; 6] = [
    &["read_bytes_sec", "write_bytes_sec"],
    &["read_iops_sec", "write_iops_sec"],
    &["read_bytes_sec_max", "write_bytes_sec_max"],
    &["read_iops_sec_max", "write_iops_sec_max"],
    &["read_bytes_sec_max_length", "write_bytes_sec_max_length"],
    &["read_iops_sec_max_length", "write_iops_sec_max_length"],
];

/// Warns of children of `root` and its descendants that libvirtd's schema check wants in another order, once
/// per element. Only manual order needs it: documents made from TOML have the grammar's order.
pub fn check_order(root: NodeRef<'_>, out: &mut Diagnostics) {
    let mut open = vec![root];
    while let Some(element) = open.pop() {
        if element.name().namespace.is_some() || element.is("metadata") {
            continue;
        }
        let groups = GROUPS.iter().find(|(name, _)| element.name().local == *name);
        if let Some((_, groups)) = groups
            && let Some((kept, strayed)) = torn(element, groups)
        {
            let (kept, name) = (&kept.name().local, &strayed.name().local);
            out.push(
                Diagnostic::warning(
                    "sibling-order",
                    "libvirtd's own schema check refuses this order",
                )
                .at(strayed.span())
                .detail(format!(
                    "\"virsh define --validate\" stumbles over <{name}> away from <{kept}>, \
                         though any order is valid"
                ))
                .hint(format!("put <{name}> right after <{kept}>")),
            );
        }
        open.extend(element.elements());
    }
}

/// The first two children that libxml2 wants side by side and that are not.
fn torn<'a>(element: NodeRef<'a>, groups: &[&[&str]]) -> Option<(NodeRef<'a>, NodeRef<'a>)> {
    let children: Vec<NodeRef<'_>> = element.elements().collect();
    let places = |group: &[&str]| -> Vec<usize> {
        let member =
            |e: NodeRef<'_>| e.name().namespace.is_none() && group.contains(&&*e.name().local);
        children.iter().enumerate().filter(|(_, e)| member(**e)).map(|(i, _)| i).collect()
    };
    let places: Vec<Vec<usize>> = groups.iter().map(|group| places(group)).collect();
    let mut found: Option<(usize, usize)> = None;
    let mut tear = |places: &[usize], stretch: std::ops::Range<usize>| {
        for (a, b) in places.iter().zip(places.iter().skip(1)) {
            if stretch.contains(a) && *b != a + 1 && found.is_none_or(|(_, other)| *b < other) {
                found = Some((*a, *b));
            }
        }
    };
    for (n, group) in places.iter().enumerate() {
        if let (Some(first), Some(last)) = (group.first(), group.last()) {
            for later in places.iter().skip(n + 1) {
                tear(later, *first..*last);
            }
        }
    }
    if is_tried_twice(element) {
        for group in places.iter().take(1) {
            tear(group, 0..usize::MAX);
        }
    }
    found.and_then(|(a, b)| Some((*children.get(a)?, *children.get(b)?)))
}

/// Whether the first group is a choice of which a wrong one is tried first. It breaks the group's
/// own chain, for those that come after it.
fn is_tried_twice(element: NodeRef<'_>) -> bool {
    match element.name().local.as_str() {
        // the paravirtualised way to boot is the first of the choice
        "domain" => {
            let kind = element.descend(&["os", "type"]).map(NodeRef::text);
            !matches!(kind.as_deref(), Some("xen" | "linux"))
        }
        "hostdev" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    /// The hints on a document that is written as names and nesting.
    fn hints(text: &str) -> Vec<String> {
        let root = parse(SourceId::NONE, text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check_order(root.node(), &mut out);
        out.iter().map(|d| d.hint.clone().unwrap()).collect()
    }

    /// Verdicts as xmllint has them with libvirt's own grammar.
    #[test]
    fn what_libxml2_refuses() {
        for (inside, expected) in [
            ("<memory/><name/><on_reboot/><currentMemory/><on_poweroff/>", "on_poweroff on_reboot"),
            ("<on_reboot/><memory/><currentMemory/><on_poweroff/>", ""),
            ("<memory/><on_reboot/><on_poweroff/><vcpu/>", ""),
            ("<on_reboot/><memory/><on_poweroff/><name/>", ""),
            ("<memory/><seclabel/><vcpu/><seclabel/>", "seclabel seclabel"),
            ("<on_crash/><seclabel/><on_reboot/><seclabel/>", "seclabel seclabel"),
            ("<seclabel/><memory/><seclabel/>", ""),
            ("<bootloader/><memory/><os><type>hvm</type></os>", "os bootloader"),
            ("<bootloader/><memory/><os><type>linux</type></os>", ""),
            ("<bootloader/><memory/><os><type>linux</type></os><vcpu/>", "vcpu memory"),
            ("<devices><hostdev><source/><address/><driver/></hostdev></devices>", "driver source"),
            ("<devices><hostdev><address/><source/><driver/></hostdev></devices>", ""),
            ("<os><kernel/><boot/><initrd/><boot/></os>", "boot boot"),
            ("<os><boot/><kernel/><initrd/><boot/></os>", ""),
            (
                "<devices><disk><iotune><read_bytes_sec/><read_iops_sec/><write_bytes_sec/>\
                 <write_iops_sec/></iotune></disk></devices>",
                "write_iops_sec read_iops_sec",
            ),
            (
                "<devices><interface><ip/><portForward/><ip/><portForward/></interface></devices>",
                "portForward portForward",
            ),
            ("<metadata><os xmlns='urn:x'><kernel/><boot/><initrd/><boot/></os></metadata>", ""),
        ] {
            let expected: Vec<String> = expected
                .split_once(' ')
                .map(|(a, b)| format!("put <{a}> right after <{b}>"))
                .into_iter()
                .collect();
            assert_eq!(hints(&format!("<domain>{inside}</domain>")), expected, "{inside}");
        }
    }
}
