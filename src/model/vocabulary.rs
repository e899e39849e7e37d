//! The words of libvirt's domain and network documents, as far as a notation without a difference
//! between attributes and elements has to know them.
//!
//! TOML writes `vcpu = 2` and `type = "kvm"` alike, yet the first is an element and the second an
//! attribute. The rule: **a scalar is an attribute unless `SCALAR_ELEMENTS` has it**; that table
//! is short because libvirt puts almost everything into attributes. A key that is not known is an
//! attribute, too; a table always is an element, so both can be said of any name, known or not.
//! What is valid is not decided here: that is the grammar's work.

use crate::diag::closest;

/// How a scalar value of a key is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// An attribute of the element.
    Attribute,
    /// A child element with the value as its text.
    Element,
    /// A child element without content that is there or not: `true` or `false`.
    Flag,
}

/// What a scalar `key` of the element `parent` is; `grandparent` is the element around it, or
/// empty at the root.
pub fn scalar(grandparent: &str, parent: &str, key: &str) -> Scalar {
    if listed(SCALAR_ELEMENTS, grandparent, parent, key) {
        Scalar::Element
    } else if listed(FLAGS, grandparent, parent, key) {
        Scalar::Flag
    } else {
        Scalar::Attribute
    }
}

/// The two words a truth value has in the attribute `key`: true first.
pub fn truth_words(key: &str) -> (&'static str, &'static str) {
    if ON_OFF.contains(&key) { ("on", "off") } else { ("yes", "no") }
}

/// Whether the element `name` has an attribute `value`, and no text.
pub fn has_value_attribute(name: &str) -> bool {
    VALUE_ATTRIBUTE.contains(&name)
}

/// Whether a text stands for itself even where it looks like a number: names and identifiers.
pub fn is_words(key: &str) -> bool {
    WORDS.contains(&key)
}

/// The known child elements directly in `parent`, where the list is complete as of libvirt 11.
fn known_children(grandparent: &str, parent: &str) -> Option<&'static [&'static str]> {
    match (grandparent, parent) {
        ("", "domain") => Some(DOMAIN),
        ("", "network") => Some(NETWORK),
        ("domain", "devices") => Some(DEVICES),
        _ => None,
    }
}

/// The known child of `parent` that `name` may be a slip of; `None` if it is known or like none.
pub fn did_you_mean(grandparent: &str, parent: &str, name: &str) -> Option<&'static str> {
    let known = known_children(grandparent, parent)?;
    if known.contains(&name) { None } else { closest(name, known.iter().copied()) }
}

type Table = &'static [(&'static str, &'static [&'static str])];

/// Whether `table` has the key under `parent` or `grandparent/parent`. A row with the grandparent
/// comes before the plain one and hides it.
fn listed(table: Table, grandparent: &str, parent: &str, key: &str) -> bool {
    let row = table
        .iter()
        .find(|(place, _)| place.split_once('/') == Some((grandparent, parent)))
        .or_else(|| table.iter().find(|(place, _)| *place == parent));
    row.is_some_and(|(_, keys)| keys.contains(&key))
}

/// Child elements that hold a plain value, by parent, or by grandparent and parent where the same
/// parent means different things.
const SCALAR_ELEMENTS: Table = &[
    (
        "domain",
        &[
            "name",
            "uuid",
            "genid",
            "title",
            "description",
            "memory",
            "currentMemory",
            "maxMemory",
            "vcpu",
            "iothreads",
            "bootloader",
            "bootloader_args",
            "on_poweroff",
            "on_reboot",
            "on_crash",
            "on_lockfailure",
        ],
    ),
    // the DNS domain of a network
    ("network/domain", &[]),
    ("network", &["name", "uuid", "title", "description"]),
    (
        "os",
        &[
            "type",
            "loader",
            "nvram",
            "kernel",
            "initrd",
            "cmdline",
            "root",
            "dtb",
            "shim",
            "init",
            "initarg",
            "initdir",
            "inituser",
            "initgroup",
        ],
    ),
    ("acpi", &["table"]),
    ("smm", &["tseg"]),
    ("hpt", &["maxpagesize"]),
    ("tcg", &["tb-cache"]),
    ("resource", &["partition"]),
    ("cpu", &["arch", "model", "vendor"]),
    ("oemStrings", &["entry"]),
    ("bios", &["entry"]),
    ("system", &["entry"]),
    ("baseBoard", &["entry"]),
    ("chassis", &["entry"]),
    ("blkiotune", &["weight"]),
    (
        "blkiotune/device",
        &["path", "weight", "read_iops_sec", "write_iops_sec", "read_bytes_sec", "write_bytes_sec"],
    ),
    (
        "cputune",
        &[
            "shares",
            "period",
            "quota",
            "global_period",
            "global_quota",
            "emulator_period",
            "emulator_quota",
            "iothread_period",
            "iothread_quota",
        ],
    ),
    ("memtune", &["hard_limit", "soft_limit", "swap_hard_limit", "min_guarantee"]),
    (
        "launchSecurity",
        &[
            "cbitpos",
            "reducedPhysBits",
            "policy",
            "dhCert",
            "session",
            "guestVisibleWorkarounds",
            "idBlock",
            "idAuth",
            "hostData",
            "mrConfigId",
            "mrOwner",
            "mrOwnerConfig",
            "quoteGenerationService",
        ],
    ),
    ("seclabel", &["label", "baselabel", "imagelabel"]),
    ("devices", &["emulator"]),
    ("disk", &["serial", "wwn", "vendor", "product"]),
    ("iotune", IO_LIMITS),
    ("throttlegroup", IO_LIMITS),
    ("metadata_cache", &["max_size"]),
    ("cookies", &["cookie"]),
    ("controller", &["pcihole64"]),
    ("controller/target", &["node"]),
    ("tune", &["sndbuf"]),
    ("rng", &["backend"]),
    ("memory", &["uuid"]),
    ("memory/source", &["path", "nodemask", "pagesize", "alignsize"]),
    ("memory/target", &["size", "node", "block", "requested", "current"]),
    ("label", &["size"]),
    ("shmem", &["size"]),
    ("pstore", &["path", "size"]),
    ("smartcard", &["certificate", "database"]),
    ("lease", &["lockspace", "key"]),
    ("filesystem", &["space_hard_limit", "space_soft_limit"]),
    ("host", &["hostname"]),
    // our own settings
    ("reconcile", &["depends_on", "allow", "ignore"]),
];

const IO_LIMITS: &[&str] = &[
    "group_name",
    "total_bytes_sec",
    "read_bytes_sec",
    "write_bytes_sec",
    "total_iops_sec",
    "read_iops_sec",
    "write_iops_sec",
    "size_iops_sec",
    "total_bytes_sec_max",
    "read_bytes_sec_max",
    "write_bytes_sec_max",
    "total_iops_sec_max",
    "read_iops_sec_max",
    "write_iops_sec_max",
    "total_bytes_sec_max_length",
    "read_bytes_sec_max_length",
    "write_bytes_sec_max_length",
    "total_iops_sec_max_length",
    "read_iops_sec_max_length",
    "write_iops_sec_max_length",
];

/// Child elements that only are there or not.
const FLAGS: Table = &[
    ("features", &["pae", "acpi", "apic", "hap", "viridian", "privnet", "vmport", "pmu"]),
    ("memoryBacking", &["hugepages", "locked", "nosharepages", "discard"]),
    ("disk", &["readonly", "shareable", "transient"]),
    ("filesystem", &["readonly"]),
    ("hostdev", &["readonly", "shareable"]),
    ("memory/source", &["pmem"]),
    ("memory/target", &["readonly"]),
    ("active_pcr_banks", &["sha1", "sha256", "sha384", "sha512"]),
];

/// Attributes whose truth values are `on` and `off`; all others take `yes` and `no`.
const ON_OFF: &[&str] = &[
    "append",
    "ats",
    "autodeflate",
    "bar",
    "blob",
    "caching_mode",
    "compression",
    "copy_on_read",
    "csum",
    "deprecated_features",
    "discard_no_unref",
    "display",
    "dma_translation",
    "dumpCore",
    "ecn",
    "eim",
    "eoi",
    "event_idx",
    "flock",
    "freePageReporting",
    "gso",
    "hotplug",
    "intremap",
    "ioeventfd",
    "iommu",
    "iotlb",
    "migratable",
    "mrg_rxbuf",
    "multifunction",
    "packed",
    "page_per_vq",
    "posix",
    "ramfb",
    "removable",
    "repeat",
    "rss",
    "rss_hash_report",
    "state",
    "stp",
    "tso4",
    "tso6",
    "ufo",
    "xattr",
];

/// Elements with an attribute `value`.
const VALUE_ATTRIBUTE: &[&str] = &[
    "qemu:arg",
    "qemu:env",
    "qemu:property",
    "dnsmasq:option",
    "bhyve:arg",
    "bhyve:env",
    "txt",
    "sibling",
    "line",
    "latency",
    "bandwidth",
    "cfpc",
    "sbbc",
    "ibs",
    "vendor_id",
    "aia",
];

const WORDS: &[&str] =
    &["name", "uuid", "title", "description", "serial", "cmdline", "passwd", "depends_on"];

const DOMAIN: &[&str] = &[
    "name",
    "uuid",
    "genid",
    "hwuuid",
    "title",
    "description",
    "metadata",
    "memory",
    "maxMemory",
    "currentMemory",
    "memoryBacking",
    "memtune",
    "vcpu",
    "vcpus",
    "iothreads",
    "iothreadids",
    "defaultiothread",
    "cputune",
    "numatune",
    "blkiotune",
    "throttlegroups",
    "resource",
    "sysinfo",
    "bootloader",
    "bootloader_args",
    "os",
    "idmap",
    "features",
    "cpu",
    "clock",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "on_lockfailure",
    "pm",
    "perf",
    "keywrap",
    "launchSecurity",
    "devices",
    "seclabel",
];

const NETWORK: &[&str] = &[
    "name",
    "uuid",
    "title",
    "description",
    "metadata",
    "forward",
    "bridge",
    "mtu",
    "mac",
    "domain",
    "dns",
    "ip",
    "route",
    "portgroup",
    "virtualport",
    "vlan",
    "bandwidth",
    "port",
];

const DEVICES: &[&str] = &[
    "emulator",
    "disk",
    "controller",
    "lease",
    "filesystem",
    "interface",
    "smartcard",
    "serial",
    "parallel",
    "console",
    "channel",
    "input",
    "tpm",
    "graphics",
    "sound",
    "audio",
    "video",
    "hostdev",
    "redirdev",
    "redirfilter",
    "hub",
    "watchdog",
    "memballoon",
    "rng",
    "nvram",
    "panic",
    "shmem",
    "memory",
    "iommu",
    "vsock",
    "crypto",
    "pstore",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test may fail by panicking")]

    use super::*;

    #[test]
    fn the_place_decides() {
        assert_eq!(scalar("", "domain", "name"), Scalar::Element);
        assert_eq!(scalar("", "domain", "type"), Scalar::Attribute);
        assert_eq!(scalar("network", "domain", "name"), Scalar::Attribute);
        assert_eq!(scalar("domain", "features", "acpi"), Scalar::Flag);
        assert_eq!(scalar("memory", "source", "path"), Scalar::Element);
        assert_eq!(scalar("channel", "source", "path"), Scalar::Attribute);
        assert_eq!(scalar("tpm", "device", "path"), Scalar::Attribute);
        assert_eq!(scalar("blkiotune", "device", "path"), Scalar::Element);
        assert_eq!(truth_words("stp"), ("on", "off"));
        assert_eq!(truth_words("autoport"), ("yes", "no"));
    }

    #[test]
    fn no_key_is_both_and_none_stands_twice() {
        for (place, keys) in SCALAR_ELEMENTS.iter().chain(FLAGS) {
            for (i, key) in keys.iter().enumerate() {
                assert!(!keys[..i].contains(key), "{place}/{key} stands twice");
            }
            let (grandparent, parent) = place.split_once('/').unwrap_or(("", place));
            let both = |key: &&&str| {
                listed(SCALAR_ELEMENTS, grandparent, parent, key)
                    && listed(FLAGS, grandparent, parent, key)
            };
            assert_eq!(keys.iter().find(both), None, "{place}");
        }
    }

    #[test]
    fn suggests_only_for_slips() {
        assert_eq!(did_you_mean("", "domain", "memmory"), Some("memory"));
        assert_eq!(did_you_mean("", "domain", "memory"), None);
        assert_eq!(did_you_mean("domain", "devices", "dsik"), Some("disk"));
        assert_eq!(did_you_mean("devices", "disk", "targt"), None);
    }
}
