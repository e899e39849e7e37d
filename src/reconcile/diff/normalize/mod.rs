//! Normalisation: tables of a hypervisor's rewrites, by which a manifest is compared with the stored
//! definition.
//!
//! The rules are measured on libvirt 11.3.0 (and hold on 9.0.0); each table's rows are tested. The
//! comparison itself is [`overlay`](crate::reconcile::overlay()); nothing here walks a tree.
//!
//! - `defaults.rs`: values that a hypervisor drops or owns
//! - `derived.rs`: values that a host changes when another field changes
//! - `field.rs`: fields by the names of their paths
//! - `governors.rs`: governors: fields on which the values that a host fills in depend
//! - `kinds.rs`: lists of elements: keys of their entries, and lists that a manifest governs
//! - `places.rs`: places on the buses of a machine
//! - `prepare.rs`: implied values of a manifest made explicit, and leftovers of a merge removed
//! - `rule.rs`: `Equivalence`: names of the rules by which differences are ignored
//! - `twins.rs`: facts that a hypervisor writes twice
//! - `unset.rs`: values that are written and say nothing
//! - `values.rs`: equality of values: units, numbers, sets, addresses, machine types

mod defaults;
mod derived;
mod field;
mod governors;
mod kinds;
mod places;
mod prepare;
mod rule;
mod twins;
mod unset;
mod values;

pub(crate) use defaults::{
    is_chosen_while_running, is_discarded, is_kept, is_no_limit, never_compared, only_at_boot,
    stays_shared, vanishes,
};
pub use derived::{Derived, derived};
pub(crate) use governors::{Renewed, is_implicit_device, lost_buses, may_govern, renewed};
pub(crate) use kinds::{
    governed, has_any_order, identity, is_ordered, is_whole_list, key_of, keys, label,
    same_identity,
};
pub(crate) use places::{Claim, claims, place_of};
pub(crate) use prepare::{drop_implied, finish, is_implied, is_unread, prepare, respelled};
pub use rule::Equivalence;
pub(crate) use values::{Unit, amount, quantity, quantity_attribute, same_value};
