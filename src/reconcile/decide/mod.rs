//! One resource: what its manifest asks for against what the host has, as a change for people and
//! steps for the machine.

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
