//! Guests that leave one host of a fleet and appear on another.
//!
//! A plan is for one host, and stays a function of values: what the other hosts have to do with this
//! one comes in as a [`Crossing`]. It is made in two stages. [`settle()`] looks at light facts of all hosts
//! and says which guests move, and which may not be made or removed for now. [`plan_together`] plans for
//! the hosts between which something moves, and drops a move that one of the two plans does not hold.
//! The order of steps across hosts is data, too: waits for a step of another host's plan
//! ([`Until::Elsewhere`](super::plan::step::Until)).
//!
//! - `crossing.rs`: `Crossing`: other hosts' part in the plan of one
//! - `facts.rs`: `HostFacts`: the little that other hosts need of one
//! - `settle.rs`: guests that move, and guests that may not be made or removed for now
//! - `storage.rs`: disks that several hosts reach
//! - `tests.rs`: tests over small fleets
//! - `together.rs`: plans of hosts between which guests move: a move is in both or in none
//! - `ways.rs`: moves of a finished plan

mod crossing;
mod facts;
mod settle;
mod storage;
#[cfg(test)]
mod tests;
mod together;
mod ways;

pub(crate) use settle::unread;
pub(crate) use ways::ways;

pub use crossing::{Arrival, Blocked, Crossing, Departure};
pub use facts::HostFacts;
pub use settle::{Fleet, Settled, Site, settle};
pub use storage::{Pools, Storage, pools_of};
pub use together::{Party, plan_together};
