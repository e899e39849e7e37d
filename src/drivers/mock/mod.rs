//! The test driver: a host within this process, with libvirt's rules for states and its errors.
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

mod device_defaults;
mod devices;
mod domain;
mod driver;
mod fault;
mod host;
mod metadata;
mod network;
mod network_update;
mod node_file;
mod operations;
mod post_parse;
mod state_file;
mod tuning;
mod watchers;

pub use driver::{MockDriver, MockHost};
