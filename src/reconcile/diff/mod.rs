//! Differences between a manifest and a definition, and the definition with them merged in.
//!
//! `overlay.rs` is the entrance; `compare/` walks both trees, `normalize/` has the tables of equivalences.
//!
//! - `difference.rs`: types of differences: sides, edits, causes
//! - `filled.rs`: values that a host fills in again by itself
//! - `ignored.rs`: ignored differences, each with its equivalence
//! - `merge.rs`: edits of a definition, and the definition with them made
//! - `others.rs`: entries of governed lists that are left to others
//! - `overlay.rs`: comparison and merge in one call
//! - `pairing.rs`: pairs of entries between two lists

pub(crate) mod compare;
pub(crate) mod difference;
pub(crate) mod filled;
pub(crate) mod ignored;
pub(crate) mod merge;
pub(crate) mod normalize;
pub(crate) mod others;
pub(crate) mod overlay;
pub(crate) mod pairing;
