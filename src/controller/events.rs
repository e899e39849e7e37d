//! What a watch tells, as it happens.

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

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done, and the host shows it.
    Done,
    /// It is done, and the host is not as the manifest says even so: these fields differ.
    NotConverged(String),
    /// A step failed.
    Failed(Error),
    /// It is not known what became of a step.
    Unknown(Error),
    /// It was not tried: what it depends on failed, or the watch was told to stop.
    Skipped,
    /// It was asked for, and the guest has not done it yet.
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

    /// What there is to say beyond the word.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Done | Self::Skipped => None,
            Self::NotConverged(fields) => Some(fields.clone()),
            Self::Pending(what) => Some(what.clone()),
            Self::Failed(e) | Self::Unknown(e) => Some(e.message.clone()),
        }
    }
}

/// What became of an object's steps. `left` is what a plan made afterwards says of it.
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
        /// What was to change.
        change: &'a ResourceChange,
        /// What became of it.
        outcome: Outcome,
        /// Why it was looked at.
        cause: &'a Cause,
        /// From the cause to the end.
        took: Duration,
        /// How long it is left alone, if it failed or somebody undoes it again and again.
        pause: Option<Duration>,
    },
    /// An object is left alone from now on, for this reason.
    Blocked(&'a ResourceId, &'a str),
    /// An object that was left alone is so no more.
    Free(&'a ResourceId),
    /// A guest is up and does not work, for this reason.
    Down(&'a ResourceId, &'a str),
    /// It works again, or is down for good.
    Works(&'a ResourceId),
    /// These do not answer from now on; if none, all do again. The others are looked after.
    Silent(&'a BTreeMap<ResourceId, Unknown>),
    /// Nothing is pruned, for this reason.
    NotPruned(&'a str),
    /// Problems of manifests that show only beside the host.
    Problems(&'a Diagnostics),
    /// The host cannot be reached, and is called until it answers.
    Lost(&'a Error),
    /// It answers again.
    Back,
    /// It tells of no changes, and is looked at from time to time.
    Deaf(&'a Error),
    /// Another run changes the host; its turn is waited for.
    Busy(&'a Error),
    /// No lock of the host is to be had, so nothing is changed; it is tried again ever more seldom.
    NoLock(&'a Error),
}

/// What a single run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Something failed, or is held back.
    pub failed: bool,
    /// It is not known what became of a step, or the host did not converge.
    pub unresolved: bool,
    /// Something was refused: by the gate, a limit, or another run.
    pub refused: bool,
    /// Something waits for the next boot.
    pub pending: bool,
    /// A guest is up and does not work.
    pub outage: bool,
    /// Other hosts were not read yet that may have to do with what is new here.
    pub waits: bool,
}

/// What a watch needs of the world around it.
pub trait Environment: Send + Sync {
    /// Connects to a host.
    ///
    /// # Errors
    /// It cannot be reached.
    fn open(&self, host: &str) -> crate::error::Result<Arc<dyn Driver>>;

    /// Locks a host for as long as what is given lives.
    ///
    /// # Errors
    /// Another run changes it, which is [`ErrorKind::Locked`](crate::error::ErrorKind::Locked),
    /// or no lock is to be had, which is the same with a cause.
    fn lock(&self, host: &str) -> crate::error::Result<Box<dyn Debug>>;

    /// Hears what happens on a host.
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

/// The fields of a change in one line. What is created or deleted has all of its fields.
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
