//! libvirt's own daemons, spoken to in their own protocol.
//!
//! An endpoint is what a URI means on this machine, a transport makes a stream of it, a connection
//! moves requests and replies over that; a driver has two connections, one for calls that are quick
//! and one for calls that may wait for a guest, and while it is watched a third for events. What is
//! deliberately absent: resending, and any knowledge of plans.

mod auth;
mod connection;
mod connections;
mod driver;
mod endpoint;
mod event_queue;
mod events;
mod execute;
#[cfg(test)]
mod fake_server;
mod observe;
mod pools;
mod request;
mod send_buffer;
mod session;
mod silent;
mod timeouts;
mod trace;
mod transport;

pub use driver::LibvirtDriver;
pub(super) use endpoint::{is_daemons, socket_of};
pub use trace::{Stage, StageResult};
