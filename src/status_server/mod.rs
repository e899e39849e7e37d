//! HTTP status server: a read-only status page, metrics, and the same as JSON.
//!
//! Floor 5: renders a [`ControllerStatus`](crate::controller::ControllerStatus) that somebody else fills. Nothing that
//! comes in by this door changes anything; there is no method but GET and HEAD.
//!
//! - `client.rs`: one connection, polled
//! - `format.rs`: foreign text for browsers; times in words
//! - `metrics.rs`: `ControllerStatus` as Prometheus's text format
//! - `process.rs`: the system's figures of this process, for metrics
//! - `request.rs`: the head of an HTTP request, and rules for answering it
//! - `response.rs`: the answer to a request, as bytes
//! - `routes.rs`: documents by path
//! - `server.rs`: connections: accepted, bounded in number and time, answered once and closed
//! - `status.rs`: `ControllerStatus` as JSON

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
