//! The mock driver: a host within this process, with libvirt's rules for states and its errors.
//!
//! It answers `test:///default` and `test:///PATH` without a libvirt on the machine, so that a
//! first look at `virt`, and most of its tests, need no hypervisor. Every rule was tried on
//! libvirt's own test driver (11.3.0); codes, domains and messages are the ones it gave. Where
//! that driver has holes, this one does what libvirt's QEMU and network drivers do:
//!
//! - devices are attached, detached and updated in the next boot's definition as well as live;
//! - a domain can be started paused, and two definitions changed in one call (LIVE and CONFIG);
//! - `virsh undefine` and `virsh autostart` of a transient domain are refused;
//! - a network has a bridge name, and stopping one that is not active is refused.
//!
//! Device addresses are not assigned, and disks are not sorted. Nothing here runs a guest: a
//! shutdown takes effect at once.
//!
//! `?state=FILE` keeps the host in a file between runs; see `state_file`.
//!
//! - `default_host.rs`: initial contents of `test:///default`
//! - `domain.rs`: states of a domain, and operations on it
//! - `driver.rs`: `MockDriver`: a host in memory or in a state file, as a driver
//! - `network.rs`: states of a network
//! - `node_file.rs`: host files: libvirt's `<node>` format, which `test:///PATH` names
//! - `operations.rs`: one operation on one object, as a function of the host as it is
//! - `queries.rs`: answers to queries, from the definitions

mod default_host;
mod domain;
mod driver;
mod network;
mod node_file;
mod operations;
mod queries;

pub use driver::{MockDriver, MockHost};
