//! Facts about hypervisors that drivers give to a planner as capabilities.

use crate::model::{Defaults, LiveDevices};

/// The hypervisor behind a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hypervisor {
    /// QEMU, with KVM or without.
    Qemu,
    /// Xen.
    Xen,
    /// A mock: ours, or libvirt's test driver.
    Test,
    /// Any other hypervisor that libvirt drives.
    Other,
}

impl Hypervisor {
    /// First three bytes of MAC addresses that are generated for its guests: those that the hypervisor's own
    /// organization has been assigned.
    pub fn mac_prefix(self) -> [u8; 3] {
        match self {
            Self::Xen => [0x00, 0x16, 0x3e],
            Self::Qemu | Self::Test | Self::Other => [0x52, 0x54, 0x00],
        }
    }

    /// The table of values that it fills in by itself.
    pub fn defaults(self) -> Defaults {
        match self {
            Self::Qemu => Defaults::QemuMachines,
            Self::Xen | Self::Test | Self::Other => Defaults::Parser,
        }
    }

    /// Changes that the devices and processors of a running domain take: libvirt's `qemu_hotplug.c` and
    /// `libxl_driver.c` by what they refuse.
    pub fn live_devices(self) -> LiveDevices {
        match self {
            Self::Qemu => LiveDevices {
                graphics: true,
                moves_interfaces: true,
                addresses: true,
                fixed_vcpus: true,
                ..LiveDevices::UNKNOWN
            },
            Self::Xen => LiveDevices {
                only: Some(&["disk", "interface", "hostdev", "controller/usb"]),
                fields: false,
                ..LiveDevices::UNKNOWN
            },
            Self::Test => LiveDevices { moves_interfaces: true, ..LiveDevices::UNKNOWN },
            Self::Other => LiveDevices::UNKNOWN,
        }
    }
}
