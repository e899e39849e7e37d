//! The storage volume document: a typed view over its tree, and the check of its values.
//!
//! - `check.rs`: checks of a volume's values
//! - `view.rs`: a volume and what it stands on, read from the tree

mod check;
mod view;

pub use check::check;
pub use view::{BackingStore, Volume};
