//! The daemon's face: a read-only status page, metrics, and the same as JSON.
//!
//! Floor 5: renders a [`ControllerStatus`](crate::controller::ControllerStatus) that somebody else fills. Nothing that
//! comes in by this door changes anything; there is no method but GET and HEAD.

mod client;
mod format;
mod metrics;
mod page;
mod process;
mod request;
mod response;
mod routes;
mod server;
mod status;
mod topology;

pub use server::{Server, Snapshot, serve};
