//! Keeping hosts as their manifests say.
//!
//! Floor 4: one loop a host, over the plans and walks of `reconcile`; it prints nothing.
//!
//! One loop a host. What other threads notice reaches it through its inbox; when what is looked at is
//! a matter of the agenda, which is a value; what is done about it is the planner's.

mod concluded;
mod connection;
mod events;
mod heartbeat;
mod host_loop;
mod mailbox;
mod mover;
mod neighbours;
mod planner;
mod status;
mod status_writer;
mod work_queue;

pub use events::{ControllerEvent, Ended, Environment, Outcome, describe, fields};
pub use heartbeat::Heartbeat;
pub use host_loop::{HostLoop, Settings};
pub use mailbox::Mailbox;
pub use neighbours::{Neighbour, Neighbours};
pub use status::{
    Condition, ControllerStatus, Counters, HostStatus, Listening, PlanRecord, ResourceStatus,
    Sources,
};
pub use work_queue::Cause;
