//! Decision about one resource: its manifest against the host's object, as a change for people and steps for
//! the machine.
//!
//! - `compare.rs`: the manifest of one resource, compared with its host
//! - `create.rs`: resources that the host lacks
//! - `decision.rs`: `Decision`: all that is decided about one resource
//! - `draft.rs`: the draft that a decision is collected in
//! - `draft_step.rs`: a step without a place in the order
//! - `effect_policy.rs`: the effect policy of one resource
//! - `instance.rs`: instances that crashed, are paused or saved
//! - `layers.rs`: disks on an overlay of the image that the manifest names
//! - `moves.rs`: steps of live changes, with the follow-up of a refusal
//! - `nics.rs`: NICs without a MAC address in the manifest, paired across definitions
//! - `release.rs`: objects that their set releases
//! - `relocate.rs`: both sides of a guest's move between hosts
//! - `remove.rs`: resources that go, for good or to be made anew
//! - `running.rs`: the manifest against the running instance
//! - `update.rs`: resources that are owned or adopted
//! - `why.rs`: reasons, in words

mod compare;
mod create;
mod decision;
mod draft;
mod draft_step;
mod effect_policy;
mod instance;
mod layers;
mod moves;
mod nics;
mod release;
mod relocate;
mod remove;
mod running;
mod update;
mod why;

pub(crate) use create::create;
pub(crate) use decision::{Context, Decision};
pub(crate) use draft_step::{DraftStep, Link};
pub(crate) use layers::Layers;
pub(crate) use release::release;
pub(crate) use relocate::{arrive, definition_elsewhere, leave, left_behind};
pub(crate) use remove::{delete, replace};
pub(crate) use update::{update, uuid_conflict};
