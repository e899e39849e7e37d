//! Certificates for TLS: where libvirt looks for them, what it and we ask of them, and making them.
//!
//! Floor 1: imports only `diag`. It reads and writes the files of a PKI, and opens no connection:
//! a stream gets its `rustls` configuration from [`client`] or [`server`], and words for a failed
//! handshake from [`explain()`].

mod allow;
mod check;
mod config;
mod crl;
mod explain;
mod facts;
mod files;
mod load;
mod make;
mod problem;
mod sanity;
mod store;
mod verify;

pub use check::{Finding, Level, check};
pub use config::{ClientTls, client, server};
pub use explain::explain;
pub use files::{End, Files};
pub use make::{Pair, authority, issue};
pub use problem::{Fault, Problem};
pub use store::{Places, read_authority, write_pair};
