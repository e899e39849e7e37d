//! How a hypervisor rewrites a definition: the tables that let a manifest be compared with what
//! became of it.
//!
//! The rules are measured on libvirt 11.3.0 (and hold on 9.0.0); each table's rows are tested. The
//! comparison itself is [`super::overlay()`]; nothing here walks a tree.

mod defaults;
mod kinds;
mod prepare;
mod rule;
mod values;

pub(crate) use defaults::{
    is_discarded, is_kept, is_no_limit, never_compared, only_at_boot, stays_shared, vanishes,
};
pub(crate) use kinds::{governed, is_whole_list, key_of, keys, label, same_identity};
pub(crate) use prepare::{drop_implied, drop_other_source, finish, is_implied, prepare, respell};
pub use rule::Rule;
pub(crate) use values::{Unit, amount, quantity, quantity_attribute, same_value};
