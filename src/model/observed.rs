//! Observed state of a host.

use super::{Kind, Outage, Record, ResourceId, Snapshot, State, Uuid};
use std::collections::{BTreeMap, BTreeSet};
use xmltree::Document;

/// Request for a read of a host.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Objects to read; `None` for all.
    pub only: Option<BTreeSet<ResourceId>>,
    /// Detail of each object.
    pub detail: Detail,
}

impl Scope {
    /// Requests all objects, in full.
    pub fn all() -> Self {
        Self { only: None, detail: Detail::Full }
    }

    /// Requests these objects alone.
    pub fn only(ids: BTreeSet<ResourceId>, detail: Detail) -> Self {
        Self { only: Some(ids), detail }
    }

    /// Whether `id` is to be read.
    pub fn includes(&self, id: &ResourceId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(id))
    }

    /// Whether anything of this kind is to be read.
    pub fn includes_kind(&self, kind: Kind) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|id| id.kind == kind))
    }
}

/// Detail in which resources are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Identity, state and autostart.
    State,
    /// The definitions too, secrets included, since a definition is merged from them.
    Full,
}

/// Observed state of a host, as far as the [`Scope`] asked.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Objects by identity.
    pub resources: BTreeMap<ResourceId, ObservedResource>,
    /// Objects that exist and could not be read: they did not answer in time, or gave an invalid answer.
    pub unknown: BTreeMap<ResourceId, Unknown>,
}

/// The storage pools of some names, as far as a host has them.
#[derive(Clone, Debug, Default)]
pub struct ObservedPools {
    /// Definitions of the pools.
    pub pools: BTreeMap<String, Document>,
    /// Pools that could not be read, each with the reason: they may not exist.
    pub unknown: BTreeMap<String, String>,
}

/// Object that exists and could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// UUID of the object.
    pub uuid: Uuid,
    /// State by the host's lists.
    pub state: State,
    /// Reason for which it could not be read.
    pub why: String,
}

/// One resource as the host has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedResource {
    /// Identity.
    pub id: ResourceId,
    /// UUID.
    pub uuid: Uuid,
    /// Definition for the next boot or start; `None` if it is transient or was not asked for.
    pub persistent: Option<Document>,
    /// Definition of the running instance; `None` if it is not active or was not asked for.
    pub live: Option<Document>,
    /// Power state.
    pub state: State,
    /// Reason of that state, by libvirt's number.
    pub reason: i32,
    /// Autostart: whether the object starts with the host.
    pub autostart: bool,
    /// Whether the object has a definition that outlives its running instance.
    pub is_persistent: bool,
    /// Whether a saved memory image exists, from which its next start resumes.
    pub managed_save: bool,
    /// Snapshots, by name; none if they were not asked for.
    pub snapshots: Vec<Snapshot>,
    /// The names of its checkpoints; none if they were not asked for.
    pub checkpoints: Vec<String>,
    /// Verdict on its ownership record.
    pub record: Record,
}

impl ObservedResource {
    /// A resource of which nothing was read yet: inactive, and without anything of its own.
    pub fn unread(id: ResourceId, uuid: Uuid) -> Self {
        Self {
            id,
            uuid,
            persistent: None,
            live: None,
            state: State::NoState,
            reason: 0,
            autostart: false,
            is_persistent: false,
            managed_save: false,
            snapshots: Vec::new(),
            checkpoints: Vec::new(),
            record: Record::default(),
        }
    }

    /// Returns the outage of an active object, if it has one.
    pub fn outage(&self) -> Option<Outage> {
        let is_guest = self.id.kind.is_guest();
        Outage::of(self.state, self.reason, self.live.is_some()).filter(|_| is_guest)
    }

    /// Returns the state, for people: `running`, `paused: I/O error`, `shut off, saved image`.
    pub fn state_words(&self) -> String {
        let state = match (self.outage(), self.id.kind.is_guest()) {
            (Some(outage), _) => outage.to_string(),
            (None, true) => self.state.to_string(),
            (None, false) if self.state.is_active() => "active".to_owned(),
            (None, false) => "inactive".to_owned(),
        };
        if self.managed_save { format!("{state}, saved image") } else { state }
    }
}
