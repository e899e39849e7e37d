//! Questions about a host that no plan depends on: what runs now, and how.

use super::{Mac, State, Target};
use std::fmt;
use std::net::IpAddr;

/// A question to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Size and use of a domain.
    DomainInfo(Target),
    /// Addresses of a running domain's interfaces, as far as the source knows any.
    Addresses(Target, AddressSource),
    /// The host itself.
    Node,
}

impl Query {
    /// The domain that the question is about; `None` if it is about the host.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::DomainInfo(target) | Self::Addresses(target, _) => Some(target),
            Self::Node => None,
        }
    }
}

/// The answer to a [`Query`]: its variant is that of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::DomainInfo`].
    DomainInfo(DomainInfo),
    /// To [`Query::Addresses`].
    Addresses(Vec<GuestInterface>),
    /// To [`Query::Node`].
    Node(NodeInfo),
}

/// Source of the addresses of a domain's interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// Leases that the host's own DHCP servers have given.
    Lease,
    /// The agent in the guest.
    Agent,
    /// The host's ARP table.
    Arp,
}

/// Size and use of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainInfo {
    /// State.
    pub state: State,
    /// Most memory that it can have, in KiB.
    pub max_memory_kib: u64,
    /// Memory that it has now, in KiB.
    pub memory_kib: u64,
    /// Virtual processors.
    pub vcpus: u32,
    /// Processor time that it has used since its start, in nanoseconds.
    pub cpu_time_ns: u64,
}

/// An interface of a guest with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestInterface {
    /// Name of the host's end, or the guest's own name if its agent was asked. It may hold any characters.
    pub name: String,
    /// MAC address; `None` if there is none, or one that is not of Ethernet.
    pub mac: Option<Mac>,
    /// Addresses.
    pub addresses: Vec<InterfaceAddress>,
}

/// An IP address of an interface, with its network's prefix where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceAddress {
    address: IpAddr,
    prefix: Option<u8>,
}

impl InterfaceAddress {
    /// The address within a network of that prefix. `None` if the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u32) -> Option<Self> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = u8::try_from(prefix).ok().filter(|prefix| *prefix <= bits)?;
        Some(Self { address, prefix: Some(prefix) })
    }

    /// The address by itself, as an ARP table has it.
    pub fn without_prefix(address: IpAddr) -> Self {
        Self { address, prefix: None }
    }

    /// The address itself.
    pub fn address(self) -> IpAddr {
        self.address
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            Some(prefix) => write!(f, "{}/{prefix}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// Processors and memory of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Model of the processors; mostly their architecture.
    pub model: String,
    /// Memory, in KiB.
    pub memory_kib: u64,
    /// Active processors.
    pub cpus: u32,
    /// Frequency of the processors in MHz; 0 if it is unknown.
    pub mhz: u32,
    /// NUMA nodes. 1 where libvirt cannot say how the processors are arranged: then the next three describe
    /// another arrangement with as many processors.
    pub nodes: u32,
    /// Sockets of a node.
    pub sockets: u32,
    /// Cores of a socket.
    pub cores: u32,
    /// Threads of a core.
    pub threads: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_no_longer_than_its_address() {
        let of = |address: &str, prefix| {
            let address = address.parse().expect("an address");
            InterfaceAddress::new(address, prefix).map(|a| a.to_string())
        };
        assert_eq!(of("192.168.122.3", 24).as_deref(), Some("192.168.122.3/24"));
        assert_eq!(of("fe80::1", 128).as_deref(), Some("fe80::1/128"));
        assert_eq!(of("192.168.122.3", 33), None);
        assert_eq!(of("fe80::1", 129), None);
        assert_eq!(of("fe80::1", u32::MAX), None);
        let alone = InterfaceAddress::without_prefix([10, 0, 0, 5].into());
        assert_eq!(alone.to_string(), "10.0.0.5");
    }
}
