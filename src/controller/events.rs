//! Events of a watch, reported as they happen.

use super::work_queue::Cause;
use crate::drivers::Driver;
use crate::error::Error;
use crate::model::{ResourceId, Unknown};
use crate::reconcile::{Action, ResourceChange, Status};
use diagnostics::{Diagnostics, escape};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// Outcome of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done, and confirmed by the host.
    Done,
    /// Done, and these fields still differ from the manifest.
    NotConverged(String),
    /// A step failed.
    Failed(Error),
    /// Unknown: no answer to a step came.
    Unknown(Error),
    /// Not tried: a dependency failed, or the watch was stopped.
    Skipped,
    /// Accepted, and the guest has not completed it yet.
    Pending(String),
}

impl Outcome {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotConverged(_) => "not converged",
            Self::Failed(_) => "failed",
            Self::Unknown(_) => "unknown",
            Self::Skipped => "not tried",
            Self::Pending(_) => "pending",
        }
    }

    /// Returns details beyond the outcome's name.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Done | Self::Skipped => None,
            Self::NotConverged(fields) => Some(fields.clone()),
            Self::Pending(what) => Some(what.clone()),
            Self::Failed(e) | Self::Unknown(e) => Some(e.message.clone()),
        }
    }
}

/// Returns the outcome of an object's steps. `left` is its change in a plan made afterwards.
pub(super) fn outcome(statuses: &[&Status], left: Option<&ResourceChange>) -> Outcome {
    let unknown = statuses.iter().find_map(|s| match s {
        Status::Unknown(e) => Some(Outcome::Unknown(e.clone())),
        _ => None,
    });
    let failed = statuses.iter().find_map(|s| match s {
        Status::Failed(e) => Some(Outcome::Failed(e.clone())),
        _ => None,
    });
    let skipped = statuses.iter().any(|s| **s == Status::Skipped).then_some(Outcome::Skipped);
    let pending = statuses.iter().find_map(|s| match s {
        Status::Pending(what) => Some(Outcome::Pending(what.clone())),
        _ => None,
    });
    let differs = left.filter(|change| change.action != Action::NoOp).map(|change| {
        let fields: Vec<String> = change.fields.iter().map(|f| f.path.to_string()).collect();
        Outcome::NotConverged(fields.join(", "))
    });
    unknown.or(failed).or(skipped).or(pending).or(differs).unwrap_or(Outcome::Done)
}

/// One thing that happened on a host.
#[derive(Clone, Debug)]
pub enum ControllerEvent<'a> {
    /// An object was made as its manifest says, or that was tried.
    Reconciled {
        /// Planned change.
        change: &'a ResourceChange,
        /// Outcome.
        outcome: Outcome,
        /// Cause of the look at the object.
        cause: &'a Cause,
        /// Time from the cause to the end.
        took: Duration,
        /// Time for which it is left alone, if it failed or is flapping.
        pause: Option<Duration>,
    },
    /// An object is left alone from now on, for this reason.
    Blocked(&'a ResourceId, &'a str),
    /// An object that was left alone is so no more.
    Free(&'a ResourceId),
    /// A guest is up and does not work, for this reason.
    Down(&'a ResourceId, &'a str),
    /// The object works again, or is down for good.
    Works(&'a ResourceId),
    /// Silent objects have changed: these do not answer any more; if there are none, all do again. Other
    /// objects are still reconciled.
    Silent(&'a BTreeMap<ResourceId, Unknown>),
    /// Pruning is suspended, for this reason.
    NotPruned(&'a str),
    /// Problems of manifests that show only beside the host.
    Problems(&'a Diagnostics),
    /// The host cannot be reached, and is called until it answers.
    Lost(&'a Error),
    /// The host answers again.
    Back,
    /// The host sends no events, and is polled.
    Deaf(&'a Error),
    /// The host is locked by another run; the watch waits for its turn.
    Busy(&'a Error),
    /// The host cannot be locked, so nothing is changed; it is tried again ever more seldom.
    NoLock(&'a Error),
}

/// Result of a single run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Whether a step failed, or a resource is blocked.
    pub failed: bool,
    /// Whether the outcome of a step is unknown, or the host did not converge.
    pub unresolved: bool,
    /// Whether a change was refused: by the effect policy, a limit, or another run.
    pub refused: bool,
    /// Whether a change waits for the next boot.
    pub pending: bool,
    /// A guest is up and does not work.
    pub outage: bool,
    /// Whether a new guest waits for hosts that were not read yet, and may have a part in it.
    pub waits: bool,
}

/// Interface of a watch to its environment.
pub trait Environment: Send + Sync {
    /// Connects to a host.
    ///
    /// # Errors
    /// It cannot be reached.
    fn open(&self, host: &str) -> crate::error::Result<Arc<dyn Driver>>;

    /// Locks a host for as long as the returned value lives.
    ///
    /// # Errors
    /// Another run changes it, which is [`ErrorKind::Locked`](crate::error::ErrorKind::Locked),
    /// or no lock is to be had, which is the same with a cause.
    fn lock(&self, host: &str) -> crate::error::Result<Box<dyn Debug>>;

    /// Reports an event on a host.
    fn emit(&self, host: &str, event: &ControllerEvent<'_>);
}

/// A change in one line: `update domain/web: memory 1 GiB → 2 GiB`.
pub fn describe(change: &ResourceChange) -> String {
    let fields = fields(change);
    let colon = if fields.is_empty() { "" } else { ": " };
    format!("{} {}{colon}{fields}", change.action, change.id)
}

/// Most fields that a line names.
const FIELDS: usize = 4;

/// Longest value in a line, in characters.
const VALUE: usize = 40;

/// Returns the fields of a change in one line. A created or deleted object has all of its fields.
pub fn fields(change: &ResourceChange) -> String {
    if matches!(change.action, Action::Create | Action::Delete | Action::MoveOut) {
        return String::new();
    }
    let show = |value: &Option<String>| match value.as_deref().map(str::trim) {
        None | Some("") => "—".to_owned(),
        Some(value) => shortened(value),
    };
    let mut parts: Vec<String> = change
        .fields
        .iter()
        .take(FIELDS)
        .map(|f| {
            let path = escape(&f.path.to_string());
            format!("{path} {} → {}", show(&f.before), show(&f.after))
        })
        .collect();
    let more = change.fields.len().saturating_sub(FIELDS);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
}

fn shortened(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", escape(line.get(..end).unwrap_or(""))),
        None => escape(&line),
    }
}
