//! What a driver and the host behind it can do: data that the planner reads.

use super::{Kind, OpKind};
use std::collections::BTreeSet;
use std::fmt;

/// Which hypervisor does the work; it decides defaults such as the MAC prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hypervisor {
    /// QEMU, with KVM or without.
    Qemu,
    /// Xen.
    Xen,
    /// A mock: ours, or libvirt's test driver.
    Test,
    /// One that libvirt drives and that we know nothing of.
    Other,
}

/// libvirt's version numbers: major × 1,000,000 + minor × 1,000 + release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

impl Version {
    /// A version from its three numbers.
    pub const fn new(major: u64, minor: u64, release: u64) -> Self {
        Self(major * 1_000_000 + minor * 1_000 + release)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0 / 1_000_000, self.0 / 1_000 % 1_000, self.0 % 1_000)
    }
}

/// What a driver and its host can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Which hypervisor it is.
    pub hypervisor: Hypervisor,
    /// The version of libvirt that answers; ours for a driver without libvirt.
    pub version: Version,
    /// The operations that each kind of resource takes.
    pub operations: BTreeSet<(Kind, OpKind)>,
    /// Whether undefine can keep NVRAM, and from libvirt 8.9 on TPM state.
    pub undefine_keeps_state: bool,
    /// Whether a domain can be started with its processors stopped.
    pub creates_paused: bool,
    /// Whether the host is only looked at: nothing can be changed, and no secret is shown.
    pub read_only: bool,
    /// First three bytes of generated MAC addresses.
    pub mac_prefix: [u8; 3],
}

impl Capabilities {
    /// Whether there are resources of this kind at all.
    pub fn has(&self, kind: Kind) -> bool {
        self.operations.iter().any(|(of, _)| *of == kind)
    }

    /// Whether resources of this kind take this operation.
    pub fn supports(&self, kind: Kind, op: OpKind) -> bool {
        self.operations.contains(&(kind, op))
    }
}
