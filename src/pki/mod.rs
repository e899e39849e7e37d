//! Certificates for TLS: libvirt's places for them, the checks of libvirt and ours, and their creation.
//!
//! Floor 1: imports `error`, `file` and the crate `diagnostics`. It reads and writes the files of a PKI, and opens no connection:
//! a stream gets its `rustls` configuration from [`client`] or [`server`], and words for a failed
//! handshake from [`explain()`].
//!
//! - `allow.rs`: lists of names that a server lets in: `tls_allowed_dn_list`, matched attribute by attribute
//! - `check.rs`: all problems of the files of one end, present and near
//! - `config.rs`: from the files of one end to its configuration of `rustls`; files that are not good are refused
//! - `crl.rs`: lists of revoked certificates, when they are loaded
//! - `explain.rs`: explanations of `rustls` errors about a handshake or a certificate
//! - `facts.rs`: the fields of a certificate that the checks ask for
//! - `files.rs`: paths of a PKI: libvirt's places
//! - `load.rs`: reading the files of a PKI, within limits
//! - `make.rs`: creation of certificates: a CA, and those that it signs
//! - `problem.rs`: problems of a certificate, in words, with the remedy
//! - `sanity.rs`: checks of a certificate by itself
//! - `store.rs`: writing the files of a PKI: nothing is overwritten, keys are private
//! - `verify.rs`: verification of the other end's certificate: webpki's verdict, and the rest

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
