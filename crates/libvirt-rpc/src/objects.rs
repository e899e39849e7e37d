//! The objects that travel in calls and replies: handles, statistics, typed parameters.

use super::xdr::{Decode, Encode, Listed, Malformed, Reader};
use std::fmt;
use uuid::Uuid;

/// Most domains or networks in one list, and most records of statistics.
const OBJECTS_MAX: usize = 16_384;

/// Declares a struct whose bytes are its fields in order.
macro_rules! wire_struct {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $crate::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), $crate::Malformed> {
                $(self.$field.encode(out)?;)*
                Ok(())
            }
        }

        impl $crate::Decode for $name {
            const LEAST: usize = 0 $(+ <$type as $crate::Decode>::LEAST)*;

            fn decode(from: &mut $crate::Reader<'_>) -> Result<Self, $crate::Malformed> {
                Ok(Self { $($field: <$type as $crate::Decode>::decode(from)?,)* })
            }
        }
    };
}
pub(super) use wire_struct;

/// An open number of the wire with names for those in use.
macro_rules! open_number {
    ($(#[$doc:meta])* $name:ident($type:ident) { $($(#[$vdoc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $type);

        impl $name {
            $($(#[$vdoc])* pub const $variant: Self = Self($value);)*
        }

        impl $crate::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), $crate::Malformed> {
                self.0.encode(out)
            }
        }

        impl $crate::Decode for $name {
            const LEAST: usize = 4;

            fn decode(from: &mut $crate::Reader<'_>) -> Result<Self, $crate::Malformed> {
                <$type as $crate::Decode>::decode(from).map(Self)
            }
        }
    };
}
pub(super) use open_number;

open_number! {
    /// Authentication method of a client.
    AuthType(i32) {
        /// The socket's permissions are enough.
        NONE = 0,
        /// A name and a password, or a ticket.
        SASL = 1,
        /// Authentication by polkit, which decides by the process.
        POLKIT = 2,
    }
}

impl Listed for AuthType {
    const MAX: usize = 20;
}

/// Bytes that libvirt declares as a list of `char`, each of which takes four bytes: the messages of SASL.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Chars(pub Vec<u8>);

impl Chars {
    /// Most chars in one message: libvirt's REMOTE_AUTH_SASL_DATA_MAX.
    pub const MAX: usize = 65_536;
}

/// Prints only the length: with some mechanisms a password is sent in it.
impl fmt::Debug for Chars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chars({} bytes)", self.0.len())
    }
}

/// One of [`Chars`].
pub(super) struct Char(pub(super) u8);

impl Listed for Char {
    const MAX: usize = Chars::MAX;
}

impl Encode for Char {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        i32::from(i8::from_ne_bytes([self.0])).encode(out)
    }
}

impl Decode for Char {
    const LEAST: usize = 4;

    /// A `char` has a sign on x86 and has none on ARM.
    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let number = i32::decode(from)?;
        let signed = i8::try_from(number).map(|n| n.to_ne_bytes());
        signed
            .or_else(|_| u8::try_from(number).map(|n| [n]))
            .map(|[byte]| Self(byte))
            .map_err(|_| Malformed::Discriminant(u32::from_ne_bytes(number.to_ne_bytes())))
    }
}

impl Encode for Chars {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.0.iter().map(|byte| Char(*byte)).collect::<Vec<_>>().encode(out)
    }
}

impl Decode for Chars {
    const LEAST: usize = 4;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self(Vec::<Char>::decode(from)?.into_iter().map(|Char(byte)| byte).collect()))
    }
}

wire_struct! {
    /// A domain, as calls name it and lists return it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    DomainHandle {
        /// Name of the domain.
        name: String,
        /// UUID of the domain, by which the server finds it.
        uuid: Uuid,
        /// Number of the running domain; -1 when it is off, or when the sender does not know.
        id: i32,
    }
}

/// A set of the host's processors, a bit each, the lowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuMap(pub Vec<u8>);

impl CpuMap {
    /// Most bytes of one: libvirt's REMOTE_CPUMAP_MAX.
    pub const MAX: usize = 2048;

    /// The map of these processors.
    pub fn of<'a>(cpus: impl IntoIterator<Item = &'a u32>) -> Self {
        let mut map = Vec::new();
        for cpu in cpus {
            let at = usize::try_from(cpu / 8).unwrap_or(usize::MAX);
            if at >= Self::MAX {
                continue; // no host has it
            }
            if map.len() <= at {
                map.resize(at + 1, 0);
            }
            if let Some(byte) = map.get_mut(at) {
                *byte |= 1 << (cpu % 8);
            }
        }
        Self(map)
    }
}

/// Encodes the map as `opaque`: its length, its bytes, and zeros up to a multiple of four.
impl Encode for CpuMap {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let too_long = Malformed::TooLong { length: self.0.len(), max: Self::MAX };
        let length = u32::try_from(self.0.len().min(Self::MAX)).map_err(|_| too_long)?;
        length.encode(out)?;
        out.extend(self.0.iter().take(Self::MAX));
        out.resize(out.len().next_multiple_of(4), 0);
        Ok(())
    }
}

impl Listed for DomainHandle {
    const MAX: usize = OBJECTS_MAX;
}

/// Most snapshots or checkpoints of a domain in one list.
const SNAPSHOTS_MAX: usize = 16_384;

wire_struct! {
    /// A snapshot or a checkpoint of a domain, as calls name it and lists return it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    SnapshotHandle {
        /// Name of the snapshot.
        name: String,
        /// Domain of the snapshot.
        domain: DomainHandle,
    }
}

impl Listed for SnapshotHandle {
    const MAX: usize = SNAPSHOTS_MAX;
}

wire_struct! {
    /// A network, as calls name it and lists return it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    NetworkHandle {
        /// Name of the object.
        name: String,
        /// UUID of the object, by which the server finds it.
        uuid: Uuid,
    }
}

impl Listed for NetworkHandle {
    const MAX: usize = OBJECTS_MAX;
}

wire_struct! {
    /// The statistics of one domain.
    #[derive(Clone, Debug, PartialEq)]
    DomainStats {
        /// The domain.
        domain: DomainHandle,
        /// Statistics of the domain.
        params: Vec<TypedParam>,
    }
}

impl DomainStats {
    /// The `int` parameter of that name.
    pub fn int(&self, field: &str) -> Option<i32> {
        self.params.iter().find(|p| p.field == field).and_then(|p| match p.value {
            TypedValue::Int(n) => Some(n),
            _ => None,
        })
    }
}

impl Listed for DomainStats {
    const MAX: usize = OBJECTS_MAX;
}

wire_struct! {
    /// A named value whose type travels with it.
    #[derive(Clone, Debug, PartialEq)]
    TypedParam {
        /// Name of the parameter, such as `state.state`.
        field: String,
        /// Value of the parameter.
        value: TypedValue,
    }
}

impl Listed for TypedParam {
    const MAX: usize = 262_144;
}

/// The value of a [`TypedParam`], in the order of libvirt's type numbers, which start at 1.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "libvirt's own names of the types")]
pub enum TypedValue {
    Int(i32),
    UInt(u32),
    LLong(i64),
    ULLong(u64),
    Double(f64),
    Boolean(bool),
    String(String),
}

impl Encode for TypedValue {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::Int(v) => (1u32, v).encode(out),
            Self::UInt(v) => (2u32, v).encode(out),
            Self::LLong(v) => (3u32, v).encode(out),
            Self::ULLong(v) => (4u32, v).encode(out),
            Self::Double(v) => (5u32, v).encode(out),
            Self::Boolean(v) => (6u32, v).encode(out),
            Self::String(v) => (7u32, v).encode(out),
        }
    }
}

impl Decode for TypedValue {
    const LEAST: usize = 8;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match u32::decode(from)? {
            1 => Self::Int(Decode::decode(from)?),
            2 => Self::UInt(Decode::decode(from)?),
            3 => Self::LLong(Decode::decode(from)?),
            4 => Self::ULLong(Decode::decode(from)?),
            5 => Self::Double(Decode::decode(from)?),
            6 => Self::Boolean(Decode::decode(from)?),
            7 => Self::String(Decode::decode(from)?),
            other => return Err(Malformed::Discriminant(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{from_bytes, to_bytes};

    /// One record as libvirtd 11.3 sent it, its UUID aside.
    #[test]
    fn a_record_of_statistics() {
        let mut bytes = b"\0\0\0\x01\0\0\0\x04test".to_vec();
        bytes.extend_from_slice(&[7; 16]);
        bytes.extend_from_slice(b"\0\0\0\x01\0\0\0\x02");
        bytes.extend_from_slice(b"\0\0\0\x0bstate.state\0\0\0\0\x01\0\0\0\x01");
        bytes.extend_from_slice(b"\0\0\0\x0cstate.reason\0\0\0\x01\0\0\0\0");
        let records: Vec<DomainStats> = from_bytes(&bytes).unwrap();
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(record.domain.name, "test");
        assert_eq!((record.domain.uuid, record.domain.id), (Uuid::from_bytes([7; 16]), 1));
        assert_eq!((record.int("state.state"), record.int("state.reason")), (Some(1), Some(0)));
        assert_eq!(record.int("state.other"), None);
    }

    #[test]
    fn processors_are_bits() {
        assert_eq!(to_bytes(&CpuMap::of(&[0, 1])).unwrap(), b"\0\0\0\x01\x03\0\0\0");
        assert_eq!(to_bytes(&CpuMap::of(&[9])).unwrap(), b"\0\0\0\x02\0\x02\0\0");
        assert_eq!(CpuMap::of(&[16_383]).0.len(), CpuMap::MAX);
        assert_eq!(CpuMap::of(&[16_384, u32::MAX]), CpuMap::default());
    }

    #[test]
    fn a_char_takes_four_bytes() {
        let wire = b"\0\0\0\x03\0\0\0n\0\0\0,\xff\xff\xff\xe9";
        assert_eq!(to_bytes(&Chars(b"n,\xe9".to_vec())).unwrap(), wire);
        assert_eq!(from_bytes::<Chars>(wire).unwrap(), Chars(b"n,\xe9".to_vec()));
        // as a machine sends it whose chars have no sign
        assert_eq!(from_bytes::<Chars>(b"\0\0\0\x01\0\0\0\xe9").unwrap().0, [0xe9]);
        let not_a_char = from_bytes::<Chars>(b"\0\0\0\x01\0\0\x01\0").unwrap_err();
        assert_eq!(not_a_char, Malformed::Discriminant(256));
        let longest = Chars(vec![b'x'; Chars::MAX]);
        assert_eq!(from_bytes::<Chars>(&to_bytes(&longest).unwrap()).unwrap(), longest);
        let over = Malformed::TooLong { length: Chars::MAX + 1, max: Chars::MAX };
        assert_eq!(to_bytes(&Chars(vec![b'x'; Chars::MAX + 1])).unwrap_err(), over);
        assert_eq!(from_bytes::<Chars>(b"\0\x01\0\x01").unwrap_err(), over);
        assert_eq!(format!("{:?}", Chars(b"secret".to_vec())), "Chars(6 bytes)");
    }
}
