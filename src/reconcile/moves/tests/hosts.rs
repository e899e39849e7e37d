//! Capabilities of the hosts.

use crate::drivers::Hypervisor;
use crate::model::{
    Capabilities, DomainCapabilities, NetworkCapabilities, OpKind, StorageCapabilities, Version,
};

/// Those of a host that does everything.
pub(super) fn capabilities() -> Capabilities {
    let operations = || OpKind::ALL.into_iter().collect();
    Capabilities {
        version: Version::new(11, 3, 0),
        read_only: false,
        domain: DomainCapabilities {
            operations: operations(),
            undefine_keeps_state: true,
            creates_paused: true,
            mac_prefix: [0x52, 0x54, 0],
            defaults: Hypervisor::Qemu.defaults(),
            live: Hypervisor::Qemu.live_devices(),
        },
        network: NetworkCapabilities { operations: operations() },
        storage: StorageCapabilities::default(),
    }
}
