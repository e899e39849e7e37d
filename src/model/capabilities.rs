//! Capabilities of a driver and the host behind it: data that the planner reads.

use super::{Kind, OpKind};
use std::collections::BTreeSet;
use std::fmt;

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

/// Capabilities of a driver and its host, by kind. A planner reads facts here, and never asks which hypervisor it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The version of libvirt that answers; ours for a driver without libvirt.
    pub version: Version,
    /// Whether the host is only looked at: nothing can be changed, and no secret is shown.
    pub read_only: bool,
    /// Domains.
    pub domain: DomainCapabilities,
    /// Networks.
    pub network: NetworkCapabilities,
    /// Storage pools and volumes.
    pub storage: StorageCapabilities,
}

/// Capabilities for domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainCapabilities {
    /// Operations that domains take.
    pub operations: BTreeSet<OpKind>,
    /// Whether undefine can keep NVRAM, and from libvirt 8.9 on TPM state.
    pub undefine_keeps_state: bool,
    /// Whether a domain can be started with its processors stopped.
    pub creates_paused: bool,
    /// First three bytes of generated MAC addresses.
    pub mac_prefix: [u8; 3],
    /// The table of values that the host fills in by itself.
    pub defaults: Defaults,
    /// Changes that the devices and processors of a running domain take.
    pub live: LiveDevices,
}

/// Names of the tables of values that hosts fill in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defaults {
    /// Those of libvirt's parser alone.
    Parser,
    /// Those of QEMU's machines, too.
    QemuMachines,
}

/// Changes that the devices and processors of a running domain take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveDevices {
    /// Names of the only devices that can be plugged in and out, a controller with its type
    /// (`controller/usb`); `None` where buses and models decide.
    pub only: Option<&'static [&'static str]>,
    /// Whether fields of devices can be changed beside the media of drives.
    pub fields: bool,
    /// Whether the passwords and listeners of displays can be changed.
    pub graphics: bool,
    /// Whether a network interface can be moved to another network.
    pub moves_interfaces: bool,
    /// Whether devices have addresses on buses that are known here, so that a plan can choose a free one.
    pub addresses: bool,
    /// Whether processors that are not hotpluggable stay.
    pub fixed_vcpus: bool,
}

impl LiveDevices {
    /// The same where nothing is known of the hypervisor: what it refuses, it refuses itself.
    pub const UNKNOWN: Self = Self {
        only: None,
        fields: true,
        graphics: false,
        moves_interfaces: false,
        addresses: false,
        fixed_vcpus: false,
    };
}

/// Capabilities for networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkCapabilities {
    /// Operations that networks take.
    pub operations: BTreeSet<OpKind>,
}

/// Storage pools and volumes that a driver can do: none of either, as yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageCapabilities {
    /// Operations that pools take.
    pub pool: BTreeSet<OpKind>,
    /// Operations that volumes take.
    pub volume: BTreeSet<OpKind>,
}

impl Capabilities {
    /// Whether there are resources of this kind at all.
    pub fn has(&self, kind: Kind) -> bool {
        !self.operations(kind).is_empty()
    }

    /// Whether resources of this kind take this operation.
    pub fn supports(&self, kind: Kind, op: OpKind) -> bool {
        self.operations(kind).contains(&op)
    }

    /// The operations that resources of this kind take.
    pub fn operations(&self, kind: Kind) -> &BTreeSet<OpKind> {
        match kind {
            Kind::Domain => &self.domain.operations,
            Kind::Network => &self.network.operations,
            Kind::Pool => &self.storage.pool,
            Kind::Volume => &self.storage.volume,
        }
    }

    /// The same without an operation, for a driver around another that can do less.
    #[must_use]
    pub fn without(mut self, kind: Kind, op: OpKind) -> Self {
        let operations = match kind {
            Kind::Domain => &mut self.domain.operations,
            Kind::Network => &mut self.network.operations,
            Kind::Pool => &mut self.storage.pool,
            Kind::Volume => &mut self.storage.volume,
        };
        operations.remove(&op);
        self
    }
}
