//! What the other hosts of a fleet have to do with one: guests that come, go, or are not to be made.

use crate::model::{ObservedResource, ResourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What other hosts have to do with the guests of one.
#[derive(Clone, Debug, Default)]
pub struct Crossing {
    /// Guests that come here.
    pub arriving: BTreeMap<ResourceId, Arrival>,
    /// Guests that go to another host.
    pub leaving: BTreeMap<ResourceId, Departure>,
    /// Guests that are wanted here, and are neither made nor started.
    pub blocked: BTreeMap<ResourceId, Blocked>,
    /// Guests that no manifest wants here any more, and that stay all the same, with the reason.
    pub kept: BTreeMap<ResourceId, String>,
}

/// A guest that comes from another host.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The host that it comes from.
    pub from: String,
    /// What it is there; `None` if it is gone from there, and has only to be started here.
    pub old: Option<Arc<ObservedResource>>,
}

/// A guest that goes to another host.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The host that it goes to.
    pub to: String,
    /// What would not come along, in words; the run allows that, if there is any.
    pub left_behind: Vec<&'static str>,
}

/// Why a guest may not be made or started, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The rule that is broken.
    pub code: &'static str,
    /// Why.
    pub reason: String,
    /// What to do.
    pub hint: String,
}

impl Crossing {
    /// Whether a plan is the same with it as without.
    pub fn is_empty(&self) -> bool {
        let Self { arriving, leaving, blocked, kept } = self;
        arriving.is_empty() && leaving.is_empty() && blocked.is_empty() && kept.is_empty()
    }

    /// The hosts that guests of this one come from or go to.
    pub fn others(&self) -> BTreeSet<&str> {
        let from = self.arriving.values().filter(|a| a.old.is_some()).map(|a| a.from.as_str());
        from.chain(self.leaving.values().map(|d| d.to.as_str())).collect()
    }
}
