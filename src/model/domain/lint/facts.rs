//! Facts of a domain that several of its lints ask for.

use xmltree::NodeRef;

/// The devices in document order.
pub(super) fn devices(root: NodeRef<'_>) -> impl Iterator<Item = NodeRef<'_>> {
    root.children_named("devices").flat_map(NodeRef::elements)
}

/// Whether a console is only the other name of the first serial port, so that its problems are not reported
/// twice.
pub(super) fn is_serial_again(device: NodeRef<'_>) -> bool {
    device.is("console")
        && device.child("target").is_none_or(|t| matches!(t.attr("type"), None | Some("serial")))
}

/// Whether QEMU runs the domain: a refusal by its driver alone is an error only there.
pub(super) fn is_qemu(root: NodeRef<'_>) -> bool {
    matches!(root.attr("type"), Some("qemu" | "kvm"))
}

/// Whether the domain is written for a PC; without an architecture it is the host's, which no
/// manifest knows.
pub(super) fn is_x86(root: NodeRef<'_>) -> bool {
    let arch = root.descend(&["os", "type"]).and_then(|kind| kind.attr("arch"));
    matches!(arch, Some("x86_64" | "i686"))
}

/// The most processors of the domain; `None` if the number cannot be read.
pub(super) fn vcpus(root: NodeRef<'_>) -> Option<u32> {
    root.child("vcpu").map_or(Some(1), |v| v.text().parse().ok())
}

/// Returns the number of NUMA cells.
pub(super) fn cells(root: NodeRef<'_>) -> usize {
    root.descend(&["cpu", "numa"]).map_or(0, |numa| numa.children_named("cell").count())
}
