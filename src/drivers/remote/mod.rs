//! libvirt's own daemons, spoken to in their own protocol.
//!
//! A connection moves requests and replies over one unix socket; a driver has two of them, one for
//! calls that are quick and one for calls that may wait for a guest. What is deliberately absent:
//! threads, resending, and any knowledge of plans.

mod auth;
mod connection;
mod driver;
mod execute;
#[cfg(test)]
mod fake;
mod lanes;
mod observe;
mod request;
mod session;
mod socket;
mod times;

pub use driver::RemoteDriver;
