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
//! - `device_defaults.rs`: values that libvirt fills in and checks in devices
//! - `devices.rs`: adding, removing and changing devices in a definition
//! - `domain.rs`: states of a domain, and operations on it
//! - `driver.rs`: `MockDriver`: a host in memory or in a state file, as a driver
//! - `fault.rs`: errors as libvirt words them, and reading a document that a caller sent
//! - `host.rs`: the host as a value: its objects, and a change to one of them
//! - `metadata.rs`: title, description and metadata elements of a definition
//! - `network.rs`: states of a network
//! - `network_update.rs`: changing an entry of a network's section, as virNetworkUpdate does
//! - `node_file.rs`: host files: libvirt's `<node>` format, which `test:///PATH` names
//! - `operations.rs`: one operation on one object, as a function of the host as it is
//! - `post_parse.rs`: libvirt's post-parse: values filled in, rewritten and dropped at define
//! - `queries.rs`: answers to queries, from the definitions
//! - `state_file.rs`: the file that keeps a mock host between runs
//! - `tuning.rs`: limits, weights, pins and I/O threads of a running domain
//! - `watchers.rs`: watchers of a mock host, and their events

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
mod queries;
mod state_file;
mod tuning;
mod watchers;

pub use driver::{MockDriver, MockHost};
