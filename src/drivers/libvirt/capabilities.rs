//! Capabilities of a host behind a daemon, by its hypervisor and its version of libvirt.

use super::session::Host;
use crate::drivers::Hypervisor;
use crate::model::{
    Capabilities, DomainCapabilities, Kind, NetworkCapabilities, OpKind, StorageCapabilities,
    Version,
};

/// Since when a network has metadata that can be set.
const NETWORK_METADATA: Version = Version::new(9, 7, 0);

/// Returns the operations that the host accepts in general: of some parts, such as a kind of device, it
/// may still refuse them.
pub(super) fn capabilities(host: &Host, read_only: bool) -> Capabilities {
    let operations = |kind| OpKind::ALL.into_iter().filter(|op| takes(host, kind, *op)).collect();
    let hypervisor = host.hypervisor;
    Capabilities {
        version: host.version,
        read_only,
        domain: DomainCapabilities {
            operations: operations(Kind::Domain),
            undefine_keeps_state: hypervisor == Hypervisor::Qemu,
            // libvirt's test driver refuses the flag
            creates_paused: hypervisor != Hypervisor::Test,
            mac_prefix: hypervisor.mac_prefix(),
            defaults: hypervisor.defaults(),
            live: hypervisor.live_devices(),
        },
        network: NetworkCapabilities { operations: operations(Kind::Network) },
        storage: StorageCapabilities::default(),
    }
}

fn takes(host: &Host, kind: Kind, op: OpKind) -> bool {
    let mock = host.hypervisor == Hypervisor::Test;
    match (kind, op) {
        (Kind::Pool | Kind::Volume, _) => false,
        (_, OpKind::Define | OpKind::Undefine | OpKind::Create | OpKind::Destroy)
        | (_, OpKind::SetAutostart) => true,
        (_, OpKind::Delete) | (Kind::Domain, OpKind::NetworkUpdate) => false,
        // libvirt's test driver plugs only a few kinds of device (since 10.0), and those only live;
        // it unplugs none, and refuses nearly every change
        (Kind::Domain, OpKind::Attach | OpKind::Detach | OpKind::Update) => !mock,
        (
            Kind::Domain,
            OpKind::Shutdown
            | OpKind::Suspend
            | OpKind::Resume
            | OpKind::SetMemory
            | OpKind::SetVcpus
            | OpKind::SetMetadata,
        )
        | (Kind::Network, OpKind::NetworkUpdate) => true,
        (
            Kind::Domain,
            OpKind::Pin
            | OpKind::AddIoThread
            | OpKind::DeleteIoThread
            | OpKind::Tune
            | OpKind::SetLifecycle
            | OpKind::SetMemoryStatsPeriod
            | OpKind::Rename,
        ) => host.hypervisor == Hypervisor::Qemu,
        (Kind::Domain, OpKind::DiscardSaved) => {
            matches!(host.hypervisor, Hypervisor::Qemu | Hypervisor::Xen)
        }
        (Kind::Network, OpKind::SetMetadata) => host.version >= NETWORK_METADATA,
        (
            Kind::Network,
            OpKind::Shutdown
            | OpKind::Suspend
            | OpKind::Resume
            | OpKind::DiscardSaved
            | OpKind::Attach
            | OpKind::Detach
            | OpKind::Update
            | OpKind::SetMemory
            | OpKind::SetVcpus
            | OpKind::Pin
            | OpKind::AddIoThread
            | OpKind::DeleteIoThread
            | OpKind::Tune
            | OpKind::SetLifecycle
            | OpKind::SetMemoryStatsPeriod
            | OpKind::Rename,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(hypervisor: Hypervisor, version: Version) -> Host {
        Host { hypervisor, version, uri: String::new(), network_update_in_order: true }
    }

    #[test]
    fn capabilities_are_those_of_the_hypervisor_and_version() {
        let takes = |hypervisor, version, kind, op| {
            capabilities(&host(hypervisor, version), false).supports(kind, op)
        };
        let (old, new) = (Version::new(9, 0, 0), Version::new(11, 3, 0));
        assert!(takes(Hypervisor::Qemu, old, Kind::Domain, OpKind::Update));
        for op in [OpKind::Attach, OpKind::Detach, OpKind::Update] {
            assert!(!takes(Hypervisor::Test, new, Kind::Domain, op));
        }
        assert!(!capabilities(&host(Hypervisor::Test, new), false).domain.creates_paused);
        assert!(!takes(Hypervisor::Qemu, old, Kind::Network, OpKind::SetMetadata));
        assert!(takes(Hypervisor::Qemu, new, Kind::Network, OpKind::SetMetadata));
        assert!(!takes(Hypervisor::Qemu, new, Kind::Domain, OpKind::NetworkUpdate));
        assert!(!takes(Hypervisor::Qemu, new, Kind::Network, OpKind::Suspend));
        let xen = capabilities(&host(Hypervisor::Xen, new), false).domain;
        assert_eq!((xen.mac_prefix, xen.undefine_keeps_state), ([0, 0x16, 0x3e], false));
    }
}
