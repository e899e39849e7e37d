//! Keeping hosts as their manifests say.
//!
//! Floor 4: one loop per host, over the plans and walks of `reconcile`; it prints nothing. Other threads
//! send messages to its mailbox; the work queue, a value, says when to look at which object; the planner
//! says what to do about it. `docs/internals/controller.md` has the states of the loop.
//!
//! - `concluded.rs`: outcomes of a plan: events, and when to try again
//! - `connection.rs`: the connection of a loop to its host, with capabilities and event threads
//! - `events.rs`: `ControllerEvent`, outcomes, and the `Environment` that a loop runs in
//! - `heartbeat.rs`: liveness of a loop, for the watchdog
//! - `host_loop.rs`: the control loop of one host: look, plan, lock, apply
//! - `mailbox.rs`: messages from other threads, each kept once
//! - `mover.rs`: guests that come from another host, moved under the locks of both
//! - `neighbours.rs`: facts that the loops of a project share about their hosts
//! - `planner.rs`: plans for the part of a host that there is reason to plan for
//! - `status.rs`: `ControllerStatus`: a snapshot for the page, metrics and systemd
//! - `status_writer.rs`: writes a host's part of the status, and each event once
//! - `work_queue.rs`: objects to look at and when: causes, backoff, flapping

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
