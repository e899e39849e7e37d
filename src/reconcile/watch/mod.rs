//! Keeping hosts as their manifests say.
//!
//! One loop a host. What other threads notice reaches it through its inbox; when what is looked at is
//! a matter of the agenda, which is a value; what is done about it is the planner's.

mod agenda;
mod board;
mod concluded;
mod connection;
mod host;
mod inbox;
mod mover;
mod neighbours;
mod news;
mod planner;
mod pulse;
mod record;

pub use agenda::Cause;
pub use board::{
    Board, Condition, Counters, HostBoard, Listening, ObjectBoard, PlanRecord, Sources,
};
pub use host::{HostLoop, Settings};
pub use inbox::Inbox;
pub use neighbours::{Neighbour, Neighbours};
pub use news::{Ended, News, Outcome, Surroundings, fields, words};
pub use pulse::Pulse;
