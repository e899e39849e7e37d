//! `virt` makes the virtual machines and networks of a host match the manifests in a directory.
//!
//! The modules stand in the order of the run; each may import only what stands above it here
//! (`ARCHITECTURE.md` has the table, a test holds the code to it).

pub mod error;
pub mod file;

pub mod grammars;
pub mod model;
pub mod pki;

pub mod drivers;
pub mod manifest;

pub mod reconcile;

pub mod controller;

pub mod status_server;

pub mod cli;
