//! Answers about a running domain and its host: sizes, processor time, addresses of interfaces.

use super::objects::{Char, wire_struct};
use super::xdr::{Decode, Encode, Listed, Malformed, Reader};

wire_struct! {
    /// The answer of DOMAIN_GET_INFO.
    #[derive(Clone, Debug, PartialEq, Eq)]
    DomainInfo {
        /// State of the domain: virDomainState.
        state: u8,
        /// Most memory that it can have, in KiB.
        max_memory: u64,
        /// Memory that it has, in KiB.
        memory: u64,
        /// Number of its virtual processors.
        vcpus: u16,
        /// Processor time that it has used, in nanoseconds.
        cpu_time: u64,
    }
}

/// The name of a processor's model: 32 chars, filled up with NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuModel(pub String);

impl CpuModel {
    /// Most bytes of one, with the NUL at its end.
    pub const MAX: usize = 32;
}

impl Encode for CpuModel {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (length, max) = (self.0.len(), Self::MAX - 1);
        if length > max {
            return Err(Malformed::TooLong { length, max });
        }
        if self.0.contains('\0') {
            return Err(Malformed::NotText);
        }
        let filled = self.0.bytes().chain(std::iter::repeat(0)).take(Self::MAX);
        filled.map(Char).try_for_each(|char| char.encode(out))
    }
}

impl Decode for CpuModel {
    const LEAST: usize = Self::MAX * Char::LEAST;

    /// Reads up to the first NUL. What stands behind it is left over in the server's memory, and the text may
    /// be cut within a character.
    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let chars: Vec<Char> =
            (0..Self::MAX).map(|_| Char::decode(from)).collect::<Result<_, _>>()?;
        let text = chars.into_iter().map(|Char(byte)| byte).take_while(|byte| *byte != 0);
        Ok(Self(String::from_utf8_lossy(&text.collect::<Vec<u8>>()).into_owned()))
    }
}

wire_struct! {
    /// The answer of NODE_GET_INFO.
    #[derive(Clone, Debug, PartialEq, Eq)]
    NodeInfo {
        /// Model of the processors.
        model: CpuModel,
        /// Memory, in KiB.
        memory: u64,
        /// Number of active processors.
        cpus: i32,
        /// Their frequency in MHz; 0 if it is unknown.
        mhz: i32,
        /// Number of NUMA nodes.
        nodes: i32,
        /// Sockets of a node.
        sockets: i32,
        /// Cores of a socket.
        cores: i32,
        /// Threads of a core.
        threads: i32,
    }
}

wire_struct! {
    /// An address of a domain's interface.
    #[derive(Clone, Debug, PartialEq, Eq)]
    IpAddress {
        /// Family: virIPAddrType, 0 for IPv4 and 1 for IPv6.
        family: i32,
        /// The address as text.
        address: String,
        /// Length of its network's prefix, in bits.
        prefix: u32,
    }
}

impl Listed for IpAddress {
    /// libvirt's REMOTE_DOMAIN_IP_ADDR_MAX.
    const MAX: usize = 2048;
}

wire_struct! {
    /// An interface of a domain with its addresses, as DOMAIN_INTERFACE_ADDRESSES lists them.
    #[derive(Clone, Debug, PartialEq, Eq)]
    DomainInterface {
        /// Name of the interface: on the host, or in the guest where its agent was asked.
        name: String,
        /// Hardware address.
        mac: Option<String>,
        /// The addresses.
        addresses: Vec<IpAddress>,
    }
}

impl Listed for DomainInterface {
    /// libvirt's REMOTE_DOMAIN_INTERFACE_MAX.
    const MAX: usize = 2048;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{from_bytes, to_bytes};

    #[test]
    fn a_domains_info_has_its_small_numbers_in_four_bytes() {
        let info =
            DomainInfo { state: 1, max_memory: 8 << 20, memory: 2 << 20, vcpus: 2, cpu_time: 7 };
        let wire = b"\0\0\0\x01\0\0\0\0\0\x80\0\0\0\0\0\0\0\x20\0\0\0\0\0\x02\0\0\0\0\0\0\0\x07";
        assert_eq!(to_bytes(&info).unwrap(), wire);
        assert_eq!(from_bytes::<DomainInfo>(wire).unwrap(), info);
        let mut large = wire.to_vec();
        large.splice(0..4, *b"\0\0\x01\0");
        assert_eq!(from_bytes::<DomainInfo>(&large).unwrap_err(), Malformed::Discriminant(256));
        let short = from_bytes::<DomainInfo>(wire.get(..28).unwrap()).unwrap_err();
        assert_eq!(short, Malformed::Short { wanted: 8, left: 4 });
    }

    #[test]
    fn the_model_of_a_hosts_processors_takes_128_bytes() {
        let info = NodeInfo {
            model: CpuModel("x86_64".to_owned()),
            memory: 3 << 20,
            cpus: 16,
            mhz: 1400,
            nodes: 2,
            sockets: 2,
            cores: 2,
            threads: 2,
        };
        let wire = to_bytes(&info).unwrap();
        assert_eq!(wire.len(), 128 + 8 + 6 * 4);
        let model: Vec<u8> = b"x86_64\0".iter().flat_map(|byte| [0, 0, 0, *byte]).collect();
        assert!(wire.starts_with(&model));
        assert_eq!(from_bytes::<NodeInfo>(&wire).unwrap(), info);
        assert!(from_bytes::<NodeInfo>(wire.get(..127).unwrap()).is_err());
    }

    #[test]
    fn a_model_is_cut_at_its_first_nul_and_has_an_end() {
        let longest = CpuModel("x".repeat(CpuModel::MAX - 1));
        let mut wire = to_bytes(&longest).unwrap();
        assert_eq!(from_bytes::<CpuModel>(&wire).unwrap(), longest);
        let over = to_bytes(&CpuModel("x".repeat(CpuModel::MAX))).unwrap_err();
        assert_eq!(over, Malformed::TooLong { length: 32, max: 31 });
        assert_eq!(to_bytes(&CpuModel("a\0b".to_owned())).unwrap_err(), Malformed::NotText);
        // "x", the end, and what stood there before
        wire.splice(4..8, *b"\0\0\0\0");
        assert_eq!(from_bytes::<CpuModel>(&wire).unwrap().0, "x");
        // half a character, and no end
        let cut: Vec<u8> = [0, 0, 0, 0xc3].repeat(CpuModel::MAX);
        assert!(from_bytes::<CpuModel>(&cut).unwrap().0.chars().all(|c| c == '\u{fffd}'));
        wire.splice(0..4, *b"\0\0\x01\0");
        assert_eq!(from_bytes::<CpuModel>(&wire).unwrap_err(), Malformed::Discriminant(256));
    }

    /// An answer of libvirtd 11.3.
    #[test]
    fn addresses_of_an_interface() {
        let wire = b"\0\0\0\x01\0\0\0\x08testnet0\0\0\0\x01\0\0\0\x11aa:bb:cc:dd:ee:ff\0\0\0\
            \0\0\0\x01\0\0\0\0\0\0\0\x0d192.168.122.3\0\0\0\0\0\0\x18";
        let interfaces: Vec<DomainInterface> = from_bytes(wire).unwrap();
        let address = "192.168.122.3".to_owned();
        let expected = DomainInterface {
            name: "testnet0".to_owned(),
            mac: Some("aa:bb:cc:dd:ee:ff".to_owned()),
            addresses: vec![IpAddress { family: 0, address, prefix: 24 }],
        };
        assert_eq!(interfaces, std::slice::from_ref(&expected));
        assert_eq!(to_bytes(&vec![expected]).unwrap(), wire);
    }

    #[test]
    fn lists_of_addresses_have_limits() {
        let over = Malformed::TooLong { length: 2049, max: 2048 };
        assert_eq!(from_bytes::<Vec<DomainInterface>>(b"\0\0\x08\x01").unwrap_err(), over);
        let nothing = from_bytes::<Vec<DomainInterface>>(b"\0\0\x08\0").unwrap_err();
        assert_eq!(nothing, Malformed::Short { wanted: 2048 * 12, left: 0 });
        assert_eq!(from_bytes::<Vec<IpAddress>>(b"\0\0\x08\x01").unwrap_err(), over);
        let none = DomainInterface { name: String::new(), mac: None, addresses: Vec::new() };
        assert_eq!(to_bytes(&vec![none; 2049]).unwrap_err(), over);
    }
}
