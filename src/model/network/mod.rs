//! The network document: a typed view over its tree, the check of its values, and its lints.
//!
//! - `check.rs`: checks of a network's values
//! - `lint.rs`: lints of networks: addresses, routes, port groups
//! - `view.rs`: a network and its addresses, read from the tree

mod check;
mod lint;
mod view;

pub use check::check;
pub use view::{DhcpHost, Ip, Network};
