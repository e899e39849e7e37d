//! What a host has.

use super::{Kind, ResourceId, State, Uuid};
use crate::xml::Element;
use std::collections::{BTreeMap, BTreeSet};

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
}
