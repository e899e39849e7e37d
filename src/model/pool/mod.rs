//! The storage pool document: a typed view over its tree, and the check of its values.
//!
//! - `check.rs`: checks of a pool's values
//! - `view.rs`: a pool and where its storage is, read from the tree

mod check;
mod view;

pub use check::check;
pub use view::Pool;
