//! IP subnets, made of an address and its netmask or prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// A range of IP addresses that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// The subnet that `address` lies in. `None` if the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= bits(address)).then_some(Self { address, prefix })
    }

    /// The subnet of a shorter prefix that it lies in. `None` if the prefix is longer.
    pub fn widened(self, prefix: u8) -> Option<Self> {
        (prefix <= self.prefix).then_some(Self { prefix, ..self })
    }

    /// Returns the number of leading bits that its addresses share.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether `address` lies in it.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4()
            && (self.first()..=self.last()).contains(&number(address))
    }

    /// Returns its first address, aligned so that subnets of one family compare.
    pub fn first(self) -> u128 {
        number(self.address) & !self.host_mask()
    }

    /// Returns its last address.
    pub fn last(self) -> u128 {
        number(self.address) | self.host_mask()
    }

    /// Whether the subnet has IPv4 addresses.
    pub fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    /// An address as a number, to compare with [`Subnet::first`] and [`Subnet::last`].
    pub fn number(address: IpAddr) -> u128 {
        number(address)
    }

    fn host_mask(self) -> u128 {
        let free = u32::from(bits(self.address) - self.prefix);
        1_u128.checked_shl(free).map_or(u128::MAX, |n| n - 1)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = match self.address {
            IpAddr::V4(_) => {
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(self.first()).unwrap_or(0)))
            }
            IpAddr::V6(_) => IpAddr::V6(self.first().into()),
        };
        write!(f, "{first}/{}", self.prefix)
    }
}

/// The prefix that a netmask means. `None` if its bits are not ones first, zeros after.
pub(crate) fn netmask_prefix(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (ones == bits.count_ones()).then(|| u8::try_from(ones).unwrap_or(32))
}

/// The prefix that libvirt takes where none is written: that of the address's class.
pub(super) fn default_prefix(address: IpAddr) -> u8 {
    match address {
        IpAddr::V6(_) => 64,
        IpAddr::V4(a) => match a.octets() {
            [0..128, ..] => 8,
            [128..192, ..] => 16,
            [192..224, ..] => 24,
            // libvirt has no default for multicast; a host route harms nobody
            [_, ..] => 32,
        },
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(address: &str, prefix: u8) -> Subnet {
        Subnet::new(address.parse().expect("an address"), prefix).expect("a subnet")
    }

    #[test]
    fn holds_its_addresses_and_no_others() {
        let lan = subnet("192.168.40.1", 24);
        assert_eq!(lan.to_string(), "192.168.40.0/24");
        assert!(lan.contains("192.168.40.255".parse().expect("an address")));
        assert!(!lan.contains("192.168.41.0".parse().expect("an address")));
        assert!(!lan.contains("::c0a8:2801".parse().expect("an address")));
        assert!(subnet("0.0.0.0", 0).contains("255.255.255.255".parse().expect("an address")));
        assert_eq!(subnet("fd00::7", 64).to_string(), "fd00::/64");
        assert_eq!(subnet("::1", 0).last(), u128::MAX);
        assert!(Subnet::new("10.0.0.1".parse().expect("an address"), 33).is_none());
    }

    #[test]
    fn netmasks() {
        assert_eq!(netmask_prefix(Ipv4Addr::new(255, 255, 255, 0)), Some(24));
        assert_eq!(netmask_prefix(Ipv4Addr::new(0, 0, 0, 0)), Some(0));
        assert_eq!(netmask_prefix(Ipv4Addr::new(255, 0, 255, 0)), None);
    }
}
