//! Driver for libvirt's own daemons, over their RPC protocol.
//!
//! An endpoint is what a URI means on this machine, a transport makes a stream of it, a connection
//! moves requests and replies over that; a driver has two connections, one for calls that are quick
//! and one for calls that may wait for a guest, and while it is watched a third for events. What is
//! deliberately absent: resending, and any knowledge of plans.
//!
//! - `capabilities.rs`: what a host can do, by its hypervisor and version
//! - `connection.rs`: one connection: requests out, replies in, matched by serial, each with a deadline
//! - `connections.rs`: the two connections of a driver, opened when they are first needed and again when they are
//!   lost
//! - `driver.rs`: `LibvirtDriver`: a host behind a libvirt daemon
//! - `endpoint.rs`: the meaning of a URI on this machine: transport, and hypervisor to ask for
//! - `event_queue.rs`: events that came on a connection and wait to be taken
//! - `events.rs`: events: a connection of their own on which the server reports changes, reopened whenever it
//!   is lost
//! - `execute.rs`: carrying out a batch of calls: objects overlap, the calls of one object follow each other
//! - `fake_server.rs`: the far end of a connection, for tests: a thread that plays a server, well or badly
//! - `observe.rs`: reading a host's inventory: a few bulk calls, then definitions, snapshots and checkpoints
//! - `pools.rs`: definitions of storage pools that volumes of disks are in
//! - `query.rs`: queries: several at once, each answered or not by itself
//! - `reading.rs`: the procedure and the flags by which definitions of a kind are read
//! - `remote_error.rs`: libvirt's remote error as an error of ours, and back
//! - `request.rs`: operations as requests: which procedure carries one out, and with which flags
//! - `send_buffer.rs`: bytes that wait to be written, and their count
//! - `session.rs`: from a stream to an open, authenticated connection to a hypervisor
//! - `silent.rs`: objects that did not answer in time, asked on a connection of their own
//! - `timeouts.rs`: deadlines by kind of call
//! - `trace.rs`: stages of opening a connection, with time and result

mod auth;
mod capabilities;
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
mod query;
mod reading;
mod remote_error;
mod request;
mod send_buffer;
mod session;
mod silent;
mod timeouts;
mod trace;
mod transport;

pub use driver::LibvirtDriver;
pub(super) use endpoint::{is_daemons, socket_of};
pub use remote_error::remote_error;
pub use trace::{Stage, StageResult};
