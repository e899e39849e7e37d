//! Facts about a host that the others of a fleet need: little enough for a whole fleet's to fit in memory.

use super::storage::{Place, Pools, Storage, unknown_pool};
use crate::model::{Desired, Moving, Observed, ObservedResource, ResourceId, Uuid};
use crate::reconcile::ownership::record::owner_record_of;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use xmltree::Element;

/// A host, as far as it matters to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    pub(crate) guests: BTreeMap<ResourceId, Guest>,
    /// Domains that are there and could not be read.
    pub(crate) silent: BTreeSet<ResourceId>,
    pub(crate) pools: Pools,
}

/// A domain of a host, as far as it matters to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) uuid: Uuid,
    /// Set that owns the guest.
    pub(crate) set: Option<String>,
    pub(crate) is_active: bool,
    /// State on the host that the guest has still to leave, if it is arriving.
    pub(crate) moving: Option<Moving>,
    /// Shared storage that it alone may write to: each by its word.
    pub(crate) writes: Vec<String>,
    /// A pool that could not be read, and that it alone may write to some of.
    pub(crate) unknown_pool: Option<String>,
}

impl HostFacts {
    /// Extracts the facts of a host: its guests, its pools, and the paths that are shared.
    pub fn of(observed: &Observed, pools: &Pools, shared: &[PathBuf]) -> Self {
        let storage = Storage { shared, pools };
        let domains = observed.resources.values().filter(|r| r.id.kind.is_guest());
        let guests = domains.map(|r| (r.id.clone(), guest(r, storage))).collect();
        let silent = observed.unknown.keys().filter(|id| id.kind.is_guest());
        Self { guests, silent: silent.cloned().collect(), pools: pools.clone() }
    }

    /// Whether a guest is here only to come from another host, or, where guests may be taken away, one
    /// is not wanted here any more.
    pub fn has_unfinished(&self, desired: &Desired, prune: bool) -> bool {
        let unwanted = |id: &ResourceId, guest: &Guest| {
            let named = desired.resources.contains_key(id) || desired.blocked.contains_key(id);
            guest.set.as_ref() == Some(&desired.set) && !named
        };
        self.guests.iter().any(|(id, g)| g.moving.is_some() || prune && unwanted(id, g))
    }
}

fn guest(resource: &ObservedResource, storage: Storage<'_>) -> Guest {
    let owner_record = owner_record_of(resource);
    let mut writes: Vec<String> = Vec::new();
    for definition in [&resource.persistent, &resource.live].into_iter().flatten() {
        writes.extend(written(definition.as_element(), storage));
    }
    let mut definitions = [&resource.persistent, &resource.live].into_iter().flatten();
    let pool =
        definitions.find_map(|definition| unknown_pool(definition.as_element(), storage.pools));
    writes.sort_unstable();
    writes.dedup();
    Guest {
        uuid: resource.uuid,
        set: owner_record.map(|m| m.set.clone()),
        is_active: resource.state.is_active() || resource.live.is_some(),
        moving: owner_record.and_then(|m| m.moving.clone()),
        writes,
        unknown_pool: pool.map(|(name, _)| name.to_owned()),
    }
}

/// The shared storage that a domain alone may write to.
pub(crate) fn written(definition: &Element, storage: Storage<'_>) -> Vec<String> {
    let disks = storage.disks(definition).into_iter().filter(|disk| disk.is_exclusive);
    disks
        .filter_map(|disk| match disk.place {
            Place::Shared(word) => Some(word),
            Place::Local(_) => None,
        })
        .collect()
}
