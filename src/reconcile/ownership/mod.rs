//! Ownership: the record on an object, its content, and whether it is believed.
//!
//! `records/` judges and signs records.
//!
//! - `doubts.rs`: records that are not believed, in words
//! - `history.rs`: the two versions of a manifest in a record, and rollback
//! - `identity.rs`: UUIDs and MAC addresses that a manifest leaves out
//! - `record.rs`: the ownership record on an object
//! - `redact.rs`: secrets of definitions, and their redaction

pub(crate) mod doubts;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod record;
pub mod records;
pub(crate) mod redact;
