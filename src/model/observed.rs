//! What a host has.

use super::{Kind, Outage, Record, ResourceId, Snapshot, State, Uuid};
use std::collections::{BTreeMap, BTreeSet};
use xmltree::Element;

/// What to read of a host.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Only these; `None` for all that is there.
    pub only: Option<BTreeSet<ResourceId>>,
    /// How much of each.
    pub detail: Detail,
}

impl Scope {
    /// Everything there is, in full.
    pub fn all() -> Self {
        Self { only: None, detail: Detail::Full }
    }

    /// These alone.
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

/// How much is read of each resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Identity, state and autostart.
    State,
    /// The definitions too, secrets included, since a definition is merged from them.
    Full,
}

/// What a host has, as far as the [`Scope`] asked.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// By identity.
    pub resources: BTreeMap<ResourceId, ObservedResource>,
    /// What is there and could not be read: it did not answer in time, or with something else.
    pub unknown: BTreeMap<ResourceId, Unknown>,
}

/// The storage pools of some names, as far as a host has them.
#[derive(Clone, Debug, Default)]
pub struct ObservedPools {
    /// Their definitions.
    pub pools: BTreeMap<String, Element>,
    /// Those that could not be read, each with the reason: it is not known whether they are there.
    pub unknown: BTreeMap<String, String>,
}

/// What is there, and could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// Its UUID.
    pub uuid: Uuid,
    /// What it is doing, by what the host's lists say.
    pub state: State,
    /// Why it could not be read.
    pub why: String,
}

/// One resource as the host has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedResource {
    /// Its identity.
    pub id: ResourceId,
    /// Its UUID.
    pub uuid: Uuid,
    /// What the next boot or start will use; `None` if it is transient or was not asked for.
    pub persistent: Option<Element>,
    /// What is running; `None` if it is not active or was not asked for.
    pub live: Option<Element>,
    /// What it is doing.
    pub state: State,
    /// libvirt's number for why it is in that state.
    pub reason: i32,
    /// Whether it starts with the host.
    pub autostart: bool,
    /// Whether it has a definition that outlives its running instance.
    pub is_persistent: bool,
    /// Whether it has a saved memory image that its next start resumes from.
    pub managed_save: bool,
    /// Its snapshots, by name; none if they were not asked for.
    pub snapshots: Vec<Snapshot>,
    /// The names of its checkpoints; none if they were not asked for.
    pub checkpoints: Vec<String>,
    /// What is made of the record that says who owns it.
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

    /// Why it does not work though it is up, if that is so.
    pub fn outage(&self) -> Option<Outage> {
        let is_guest = self.id.kind.is_guest();
        Outage::of(self.state, self.reason, self.live.is_some()).filter(|_| is_guest)
    }

    /// What it is doing, for people: `running`, `paused: I/O error`, `shut off, saved image`.
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
