//! The daemon's face: a read-only status page, metrics, and the same as JSON.
//!
//! Floor 4: renders a [`Board`](crate::reconcile::watch::Board) that somebody else fills. Nothing that
//! comes in by this door changes anything; there is no method but GET and HEAD.

mod metrics;
mod page;
mod process;
mod request;
mod response;
mod routes;
mod server;
mod status;
mod text;
mod topology;

pub use server::{Server, Snapshot, serve};
