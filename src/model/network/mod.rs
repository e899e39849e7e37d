//! The network document: a typed view over its tree, the check of its values, and its lints.

mod check;
mod lint;
mod view;

pub use check::check;
pub use view::{DhcpHost, Ip, Network};
