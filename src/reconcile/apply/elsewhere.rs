//! Plans of several hosts that are walked at once, and how far each has come with the guests that move.

use crate::error::{Error, ErrorKind};
use crate::model::ResourceId;
use crate::reconcile::plan::step::{Milestone, Step};
use crate::reconcile::plan::types::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Meeting point of the walks of several hosts' plans.
#[derive(Debug, Default)]
pub struct Crossroads(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Hosts whose plans are walked, or will be.
    walking: BTreeSet<String>,
    reached: BTreeSet<(String, ResourceId, Milestone)>,
    /// First error of a moving guest's steps, by host and guest.
    failed: BTreeMap<(String, ResourceId), Error>,
}

/// State of a milestone that another host has to reach.
pub(super) enum Heard {
    /// The milestone was reached.
    Reached,
    /// The milestone was not reached yet.
    Open,
    /// The milestone is out of reach in this run, with the error, if it is known.
    Never(Option<Error>),
}

impl Crossroads {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a host as being walked, until the returned value is dropped: other hosts wait for it till
    /// then.
    pub fn enter(&self, host: &str) -> Walker<'_> {
        self.state().walking.insert(host.to_owned());
        Walker { crossroads: self, host: host.to_owned() }
    }
}

/// A host whose plan is walked beside others'.
#[derive(Debug)]
pub struct Walker<'a> {
    crossroads: &'a Crossroads,
    host: String,
}

impl Drop for Walker<'_> {
    fn drop(&mut self) {
        self.crossroads.state().walking.remove(&self.host);
    }
}

impl Walker<'_> {
    /// Reports a step of a moving guest to the other walks.
    pub(super) fn finished(&self, plan: &Plan, step: &Step, failed: Option<&Error>) {
        let id = &step.target.id;
        if !plan.moves.contains_key(id) {
            return;
        }
        let mut state = self.crossroads.state();
        if let Some(error) = failed {
            state.failed.entry((self.host.clone(), id.clone())).or_insert_with(|| error.clone());
            return;
        }
        if let Some(milestone) = step.consequences.reaches {
            state.reached.insert((self.host.clone(), id.clone(), milestone));
        }
    }

    pub(super) fn ask(&self, host: &str, id: &ResourceId, milestone: Milestone) -> Heard {
        let state = self.crossroads.state();
        if state.reached.contains(&(host.to_owned(), id.clone(), milestone)) {
            return Heard::Reached;
        }
        match state.failed.get(&(host.to_owned(), id.clone())) {
            Some(error) => Heard::Never(Some(error.clone())),
            None if state.walking.contains(host) => Heard::Open,
            None => Heard::Never(None),
        }
    }
}

/// The error of a wait for another host that has ended in vain.
pub(super) fn never(host: &str, milestone: Milestone, because: Option<Error>) -> Error {
    let text = match milestone {
        Milestone::Defined => format!("{host} has not defined it, so it stays here as it is"),
        Milestone::Gone => format!("it is not gone from {host}, so it is not started here"),
    };
    let why = because.as_ref().map(|e| format!(": {}", e.message)).unwrap_or_default();
    let mut error = Error::new(ErrorKind::NotSent, format!("{text}{why}"));
    error.source = because;
    error.hint(format!("see the report of {host}; the next run continues from there"))
}
