//! What the lints of domains and networks share: claims that only one may make, numbers as
//! libvirt reads them, VLAN tags, blanks around values, the order of siblings.

mod order;
mod padded;
mod vlan;

pub use order::check_order;
pub(super) use padded::check_padding;
pub(super) use vlan::check_vlans;

use crate::diag::Span;
use std::collections::HashMap;
use std::hash::Hash;

/// Things that only one place may claim.
#[derive(Debug)]
pub(super) struct Claims<K>(HashMap<K, Span>);

impl<K> Default for Claims<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Claims<K> {
    /// Claims `key` for the place `span`; the first place if there was one before.
    pub(super) fn claim(&mut self, key: K, span: Span) -> Option<Span> {
        let mut earlier = true;
        let first = *self.0.entry(key).or_insert_with(|| {
            earlier = false;
            span
        });
        earlier.then_some(first)
    }
}

/// A number in C's notation: decimal, octal after `0`, hexadecimal after `0x`. Addresses on a bus
/// are read so.
pub(super) fn c_number(text: &str) -> Option<u64> {
    match text.strip_prefix('0') {
        None => text.parse().ok(),
        Some("") => Some(0),
        Some(rest) => match rest.strip_prefix(['x', 'X']) {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => u64::from_str_radix(rest, 8).ok(),
        },
    }
}

/// Highest number in a set that is looked at; libvirt's own sets end at 16,384 processors.
const SET_MAX: u32 = 16_383;

/// The numbers of a set such as `0-3,^2,8`, in order. `None` if it is not one.
pub(super) fn number_set(text: &str) -> Option<Vec<u32>> {
    let mut set = std::collections::BTreeSet::new();
    for piece in text.split(',').map(str::trim) {
        if let Some(out) = piece.strip_prefix('^') {
            set.remove(&out.parse::<u32>().ok()?);
            continue;
        }
        let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last < first || last > SET_MAX {
            return None;
        }
        set.extend(first..=last);
    }
    Some(set.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sets_as_libvirt_reads_them() {
        let numbers = ["0", "7", "07", "010", "0x1F", "x", "", "08"].map(c_number);
        assert_eq!(numbers, [Some(0), Some(7), Some(7), Some(8), Some(31), None, None, None]);
        assert_eq!(number_set("0-3,^2, 8"), Some(vec![0, 1, 3, 8]));
        for bad in ["", "3-1", "a", "1,,2", "0-4294967295"] {
            assert_eq!(number_set(bad), None, "{bad}");
        }
    }
}
