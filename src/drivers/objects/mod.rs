//! Objects of a driver that keeps them itself: the half of a local driver that no hypervisor has a part in.
//!
//! - `definition.rs`: operations that change definitions alone: define, rename, autostart, edits
//! - `device_defaults.rs`: values that libvirt fills in and checks in devices
//! - `devices.rs`: adding, removing and changing devices in a definition
//! - `errors.rs`: errors as libvirt words them, and reading a document that a caller sent
//! - `event_bus.rs`: watchers of a host, and their events
//! - `metadata.rs`: title, description and metadata elements of a definition
//! - `network_update.rs`: changing an entry of a network's section, as virNetworkUpdate does
//! - `post_parse.rs`: libvirt's post-parse: values filled in, rewritten and dropped at define
//! - `state_file.rs`: the file that keeps a host between runs
//! - `store.rs`: all objects of a host as a value, and a change to one of them
//! - `tuning.rs`: limits, weights, pins and I/O threads of a running domain

pub(super) mod definition;
pub(super) mod device_defaults;
pub(super) mod devices;
pub(super) mod errors;
pub(super) mod event_bus;
pub(super) mod metadata;
pub(super) mod network_update;
pub(super) mod post_parse;
pub(super) mod state_file;
pub(super) mod store;
pub(super) mod tuning;
