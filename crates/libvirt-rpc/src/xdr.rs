//! XDR: writing, and bounds-checked reading, of the types that libvirt's protocol is made of.
//!
//! Everything is big-endian and a multiple of four bytes long. Reading is strict, so that what was
//! read and written again is the same bytes: padding is zero, an optional is 0 or 1, a string is
//! UTF-8 without NUL.

use std::fmt;
use uuid::Uuid;

/// Longest string, in bytes; libvirt's own limit.
pub const STRING_MAX: usize = 4_194_304;

/// Fault of bytes that a peer sent, or of a value that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A value needs more bytes than there are.
    Short {
        /// Number of bytes needed.
        wanted: usize,
        /// Number of bytes available.
        left: usize,
    },
    /// A string or list is longer than the protocol allows.
    TooLong {
        /// Length in bytes or items.
        length: usize,
        /// The most there may be.
        max: usize,
    },
    /// A number stands where only certain numbers have a meaning.
    Discriminant(u32),
    /// The bytes that fill up to a multiple of four are not zero.
    Padding,
    /// A string is not UTF-8 or holds a NUL.
    NotText,
    /// Bytes are left after the last value.
    Trailing(usize),
    /// A packet says that it is shorter than its header, or longer than any may be.
    FrameLength(u32),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { wanted, left } => {
                write!(f, "{wanted} bytes are needed where {left} are left")
            }
            Self::TooLong { length, max } => {
                write!(f, "length {length} is above the limit of {max}")
            }
            Self::Discriminant(number) => write!(f, "the number {number} has no meaning here"),
            Self::Padding => f.write_str("padding that is not zero"),
            Self::NotText => f.write_str("a string that is not UTF-8 or holds a NUL"),
            Self::Trailing(left) => write!(f, "{left} bytes after the last value"),
            Self::FrameLength(length) => write!(f, "a packet of {length} bytes"),
        }
    }
}

impl std::error::Error for Malformed {}

/// A value that can be written.
pub trait Encode {
    /// Appends the value's bytes to `out`.
    ///
    /// # Errors
    /// A string or list is over its limit; `out` is then of no use.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed>;
}

/// A value that can be read.
pub trait Decode: Sized {
    /// The fewest bytes it takes; a list's count is checked with it before memory is set aside.
    const LEAST: usize;

    /// Reads one value.
    ///
    /// # Errors
    /// The bytes are not such a value.
    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// A value that stands in lists.
pub trait Listed {
    /// The most of them in one list.
    const MAX: usize;
}

/// The bytes of a value.
///
/// # Errors
/// A string or list is over its limit.
pub fn to_bytes<T: Encode + ?Sized>(value: &T) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    value.encode(&mut out)?;
    Ok(out)
}

/// The value that `bytes` hold, all of them.
///
/// # Errors
/// The bytes are not exactly one such value.
pub fn from_bytes<T: Decode>(bytes: &[u8]) -> Result<T, Malformed> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    match reader.left() {
        0 => Ok(value),
        left => Err(Malformed::Trailing(left)),
    }
}

/// Foreign bytes, read from the front.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the number of bytes left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `wanted` bytes.
    ///
    /// # Errors
    /// There are not as many.
    pub fn take(&mut self, wanted: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .rest
            .split_at_checked(wanted)
            .ok_or(Malformed::Short { wanted, left: self.rest.len() })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(Malformed::Short { wanted: N, left: self.rest.len() })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A length or count that is at most `max`.
    fn length(&mut self, max: usize) -> Result<usize, Malformed> {
        let length = usize::try_from(u32::decode(self)?).unwrap_or(usize::MAX);
        if length > max { Err(Malformed::TooLong { length, max }) } else { Ok(length) }
    }
}

fn write_length(length: usize, max: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    match u32::try_from(length) {
        Ok(n) if length <= max => n.encode(out),
        _ => Err(Malformed::TooLong { length, max }),
    }
}

/// Returns the number of zero bytes after `length` bytes.
fn padding(length: usize) -> usize {
    length.wrapping_neg() % 4
}

macro_rules! number {
    ($($type:ident),*) => {$(
        impl Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
                out.extend_from_slice(&self.to_be_bytes());
                Ok(())
            }
        }

        impl Decode for $type {
            const LEAST: usize = size_of::<$type>();

            fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(Self::from_be_bytes(from.array()?))
            }
        }
    )*};
}

number!(u32, i32, u64, i64, f64);

/// A `char` or `short` takes four bytes, as every number does at least.
macro_rules! small_number {
    ($($type:ident),*) => {$(
        impl Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
                u32::from(*self).encode(out)
            }
        }

        impl Decode for $type {
            const LEAST: usize = 4;

            fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                let number = u32::decode(from)?;
                Self::try_from(number).map_err(|_| Malformed::Discriminant(number))
            }
        }
    )*};
}

small_number!(u8, u16);

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        u32::from(*self).encode(out)
    }
}

impl Decode for bool {
    const LEAST: usize = 4;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u32::decode(from)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Malformed::Discriminant(other)),
        }
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.contains('\0') {
            return Err(Malformed::NotText);
        }
        write_length(self.len(), STRING_MAX, out)?;
        out.extend_from_slice(self.as_bytes());
        out.resize(out.len() + padding(self.len()), 0);
        Ok(())
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.as_str().encode(out)
    }
}

impl Decode for String {
    const LEAST: usize = 4;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = from.length(STRING_MAX)?;
        let bytes = from.take(length)?;
        if from.take(padding(length))?.iter().any(|b| *b != 0) {
            return Err(Malformed::Padding);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
            _ => Err(Malformed::NotText),
        }
    }
}

impl Encode for Uuid {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }
}

impl Decode for Uuid {
    const LEAST: usize = 16;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self::from_bytes(from.array()?))
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.is_some().encode(out)?;
        self.as_ref().map_or(Ok(()), |value| value.encode(out))
    }
}

impl<T: Decode> Decode for Option<T> {
    const LEAST: usize = 4;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(if bool::decode(from)? { Some(T::decode(from)?) } else { None })
    }
}

impl<T: Encode + Listed> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        write_length(self.len(), T::MAX, out)?;
        self.iter().try_for_each(|item| item.encode(out))
    }
}

impl<T: Decode + Listed> Decode for Vec<T> {
    const LEAST: usize = 4;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = from.length(T::MAX)?;
        let wanted = count.saturating_mul(T::LEAST);
        if wanted > from.left() {
            return Err(Malformed::Short { wanted, left: from.left() });
        }
        (0..count).map(|_| T::decode(from)).collect()
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        (**self).encode(out)
    }
}

/// Arguments and results are their fields one after the other, so a tuple of them is the whole.
macro_rules! tuple {
    ($($name:ident)*) => {
        impl<$($name: Encode),*> Encode for ($($name,)*) {
            fn encode(&self, _out: &mut Vec<u8>) -> Result<(), Malformed> {
                #[expect(non_snake_case, reason = "a field is named as its type is")]
                let ($($name,)*) = self;
                $($name.encode(_out)?;)*
                Ok(())
            }
        }

        impl<$($name: Decode),*> Decode for ($($name,)*) {
            const LEAST: usize = 0 $(+ $name::LEAST)*;

            fn decode(_from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(($($name::decode(_from)?,)*))
            }
        }
    };
}

impl Encode for () {
    fn encode(&self, _: &mut Vec<u8>) -> Result<(), Malformed> {
        Ok(())
    }
}

impl Decode for () {
    const LEAST: usize = 0;

    fn decode(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(())
    }
}

tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E F);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{DomainInfo, DomainInterface, DomainStats, NetworkHandle, RemoteError, TypedParam};
    use proptest::prelude::*;

    #[test]
    fn strings_are_padded_and_bounded() {
        assert_eq!(to_bytes("abcde").unwrap(), *b"\0\0\0\x05abcde\0\0\0");
        assert_eq!(from_bytes::<String>(b"\0\0\0\x05abcde\0\0\0").unwrap(), "abcde");
        let check = |bytes: &[u8], expected| {
            assert_eq!(from_bytes::<String>(bytes).unwrap_err(), expected, "{bytes:?}");
        };
        check(b"\0\0\0", Malformed::Short { wanted: 4, left: 3 });
        check(b"\0\0\0\x05abcd", Malformed::Short { wanted: 5, left: 4 });
        check(b"\0\0\0\x05abcde\0\0", Malformed::Short { wanted: 3, left: 2 });
        check(b"\0\0\0\x01a\0\0\x01", Malformed::Padding);
        check(b"\0\0\0\x01\xff\0\0\0", Malformed::NotText);
        check(b"\0\0\0\x01\0\0\0\0", Malformed::NotText);
        check(b"\0\0\0\0\0", Malformed::Trailing(1));
        check(b"\0\x40\0\x01", Malformed::TooLong { length: STRING_MAX + 1, max: STRING_MAX });
        check(b"\xff\xff\xff\xff", Malformed::TooLong { length: 0xffff_ffff, max: STRING_MAX });
        let longest = "x".repeat(STRING_MAX);
        assert_eq!(from_bytes::<String>(&to_bytes(&longest).unwrap()).unwrap().len(), STRING_MAX);
        assert!(to_bytes(&(longest + "x")).is_err());
        assert_eq!(to_bytes("a\0").unwrap_err(), Malformed::NotText);
    }

    #[test]
    fn counts_are_checked_before_memory_is_set_aside() {
        let claim = |n: u32| from_bytes::<Vec<NetworkHandle>>(&n.to_be_bytes()).unwrap_err();
        assert_eq!(claim(16_384), Malformed::Short { wanted: 16_384 * 20, left: 0 });
        assert_eq!(claim(16_385), Malformed::TooLong { length: 16_385, max: 16_384 });
    }

    #[test]
    fn an_optional_is_there_or_not() {
        assert_eq!(from_bytes::<Option<i32>>(&[0, 0, 0, 0]).unwrap(), None);
        assert_eq!(from_bytes::<Option<i32>>(&[0, 0, 0, 1, 0, 0, 0, 7]).unwrap(), Some(7));
        assert_eq!(
            from_bytes::<Option<i32>>(&[0, 0, 0, 2, 0, 0, 0, 7]).unwrap_err(),
            Malformed::Discriminant(2)
        );
    }

    /// Bytes that are near enough to real ones to get past the first field.
    fn near_xdr() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            4 => (0u32..6).prop_map(|n| n.to_be_bytes().to_vec()),
            2 => Just(b"test".to_vec()),
            1 => any::<[u8; 4]>().prop_map(|b| b.to_vec()),
        ];
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
    }

    fn same_again<T: Decode + Encode>(bytes: &[u8]) {
        if let Ok(value) = from_bytes::<T>(bytes) {
            assert_eq!(to_bytes(&value).unwrap(), bytes);
        }
    }

    proptest! {
        #[test]
        fn what_can_be_read_is_written_the_same(bytes in near_xdr()) {
            same_again::<String>(&bytes);
            same_again::<(u32, Option<String>, i64)>(&bytes);
            same_again::<(Vec<NetworkHandle>, u32)>(&bytes);
            same_again::<TypedParam>(&bytes);
            same_again::<Vec<DomainStats>>(&bytes);
            same_again::<RemoteError>(&bytes);
            same_again::<DomainInfo>(&bytes);
            same_again::<Vec<DomainInterface>>(&bytes);
        }

        #[test]
        fn what_is_written_can_be_read(a in any::<u32>(), b in any::<Option<i64>>(), c in "[^\0]*") {
            let value = (a, b, c);
            prop_assert_eq!(from_bytes::<(u32, Option<i64>, String)>(&to_bytes(&value).unwrap()), Ok(value));
        }
    }
}
