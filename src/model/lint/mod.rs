//! Lints shared by domains and networks: unique claims, numbers as libvirt reads them, VLAN tags, whitespace
//! around values, the order of siblings, dumps of running objects.
//!
//! - `order.rs`: orders of siblings that libvirtd's own schema check refuses, though its grammar allows them
//! - `padded.rs`: whitespace around values
//! - `read_out.rs`: values of storage that libvirt reads from the host, and takes from nobody
//! - `running.rs`: manifests that are dumps of a running instance
//! - `set.rs`: sets of small numbers: processors, NUMA nodes, I/O threads
//! - `vlan.rs`: VLAN tags, of a network, a portgroup or an interface

mod order;
mod padded;
mod read_out;
mod running;
mod set;
mod vlan;

pub use order::check_order;
pub(super) use padded::check_padding;
pub(super) use read_out::check_read_outs;
pub(super) use running::{check_running, signs_of_running};
pub(super) use set::{NumberSet, first_overlap};
pub(super) use vlan::check_vlans;

use diagnostics::Span;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_libvirt_reads_them() {
        let numbers = ["0", "7", "07", "010", "0x1F", "x", "", "08"].map(c_number);
        assert_eq!(numbers, [Some(0), Some(7), Some(7), Some(8), Some(31), None, None, None]);
    }
}
