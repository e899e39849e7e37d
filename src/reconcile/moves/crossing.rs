//! Constraints of the other hosts of a fleet on one host: guests that arrive, leave, or may not be created.

use crate::model::{ObservedResource, ResourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Constraints of other hosts on the guests of one.
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
    /// Guest on the old host; `None` if it is gone from there and has only to be started here.
    pub old: Option<Arc<ObservedResource>>,
}

/// A guest that goes to another host.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The host that it goes to.
    pub to: String,
    /// Descriptions of state that would not come along; if there is any, the run allows that.
    pub left_behind: Vec<&'static str>,
}

/// Reason for which a guest may not be created or started, with a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The rule that is broken.
    pub code: &'static str,
    /// Reason, for people.
    pub reason: String,
    /// Hint for a remedy.
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
