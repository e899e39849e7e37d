//! The prefixes that people write for the namespaces of our grammars.
//!
//! XML declares its prefixes; TOML may do without a declaration for these.

/// The namespace of the settings of manifests, and of ownership records.
pub(super) const OURS: &str = "urn:virt:reconcile:1";

/// Prefixes and their namespaces.
const PREFIXES: &[(&str, &str)] = &[
    ("bhyve", "http://libvirt.org/schemas/domain/bhyve/1.0"),
    ("dnsmasq", "http://libvirt.org/schemas/network/dnsmasq/1.0"),
    ("fs", "http://libvirt.org/schemas/storagepool/fs/1.0"),
    ("lxc", "http://libvirt.org/schemas/domain/lxc/1.0"),
    ("qemu", "http://libvirt.org/schemas/domain/qemu/1.0"),
    ("rbd", "http://libvirt.org/schemas/storagepool/rbd/1.0"),
    ("virt", OURS),
    ("vmware", "http://libvirt.org/schemas/domain/vmware/1.0"),
    ("xen", "http://libvirt.org/schemas/domain/xen/1.0"),
];

/// The namespace that a prefix stands for where nothing declares it.
pub fn namespace_of(prefix: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, uri)| *uri)
}

/// The prefix that a namespace is usually given.
pub fn prefix_of(namespace: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(_, uri)| *uri == namespace).map(|(prefix, _)| *prefix)
}
