//! Knowledge that the loops of a fleet share about their hosts: facts, and desired states.

use super::mailbox::Mailbox;
use super::planner::Pruned;
use crate::model::{Desired, Observed, ResourceId};
use crate::reconcile::moves::{Crossing, Fleet, HostFacts, Settled, Site, settle};
use crate::reconcile::{Options, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The hosts of a fleet, as their loops see each other.
#[derive(Clone, Debug, Default)]
pub struct Neighbours(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    shared: Vec<PathBuf>,
    /// Hosts in the order of `virt.toml`.
    hosts: Vec<Known>,
}

/// A host of the fleet.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Name of the host in `virt.toml`.
    pub name: String,
    /// Desired state of the host.
    pub desired: Arc<Desired>,
    /// Whether a loop reads it.
    pub is_watched: bool,
}

/// Knowledge about one host.
#[derive(Debug)]
struct Known {
    host: Neighbour,
    facts: Facts,
    mailbox: Option<Mailbox>,
    /// Objects pruned there lately, shared with its own loop.
    pruned: Pruned,
    /// Objects that may be planned for differently there once more is known of others.
    waiting: BTreeSet<ResourceId>,
}

#[derive(Debug)]
enum Facts {
    /// The host is about to be read.
    Awaited,
    Read(Arc<HostFacts>),
    /// The host cannot be read, or has no loop.
    Unread,
}

/// Constraints of other hosts on some objects of one.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) crossing: Crossing,
    /// Guests that come, each with the host that it comes from.
    pub(super) arriving: BTreeMap<ResourceId, String>,
    /// Guests that go: the host that they go to sees to that.
    pub(super) leaving: BTreeSet<ResourceId>,
    /// Guests of which nothing can be said before all hosts are read.
    pub(super) later: BTreeSet<ResourceId>,
}

impl Neighbours {
    fn state(&self) -> MutexGuard<'_, State> {
        // each change is whole by itself
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the desired states of all hosts; knowledge about each host is kept.
    pub fn want(&self, shared: &[PathBuf], hosts: Vec<Neighbour>) {
        let mut state = self.state();
        state.shared = shared.to_vec();
        let mut before: BTreeMap<String, Known> = std::mem::take(&mut state.hosts)
            .into_iter()
            .map(|k| (k.host.name.clone(), k))
            .collect();
        let known = hosts.into_iter().map(|host| match before.remove(&host.name) {
            Some(known) if known.host.is_watched == host.is_watched => Known { host, ..known },
            _ => {
                let facts = if host.is_watched { Facts::Awaited } else { Facts::Unread };
                Known {
                    host,
                    facts,
                    mailbox: None,
                    pruned: Pruned::default(),
                    waiting: BTreeSet::new(),
                }
            }
        });
        state.hosts = known.collect();
    }

    /// Whether any other host than `name` exists.
    pub(super) fn are_there(&self, name: &str) -> bool {
        self.state().hosts.iter().any(|known| known.host.name != name)
    }

    /// Registers the mailbox of a host's loop, and its account of pruned objects.
    pub(super) fn join(&self, name: &str, mailbox: &Mailbox, pruned: &Pruned) {
        let mut state = self.state();
        let known = state.hosts.iter_mut().find(|known| known.host.name == name);
        if let Some(known) = known {
            known.mailbox = Some(mailbox.clone());
            known.pruned = pruned.clone();
        }
    }

    /// Forgets a host whose address now leads to another machine, or to none.
    pub fn forget(&self, name: &str) {
        let mut state = self.state();
        if let Some(known) = state.hosts.iter_mut().find(|known| known.host.name == name) {
            known.facts = if known.host.is_watched { Facts::Awaited } else { Facts::Unread };
            known.mailbox = None;
            known.pruned = Pruned::default();
        }
    }

    /// Returns the desired state of a host, and the paths that are shared.
    pub(super) fn asked(&self, name: &str) -> Option<(Arc<Desired>, Vec<PathBuf>)> {
        let state = self.state();
        let known = state.hosts.iter().find(|known| known.host.name == name)?;
        Some((Arc::clone(&known.host.desired), state.shared.clone()))
    }

    /// Counts the objects that were lately pruned on a host.
    pub(super) fn pruned_lately(&self, name: &str, observed: &Observed, now: Instant) -> usize {
        let state = self.state();
        let known = state.hosts.iter().find(|known| known.host.name == name);
        known.map_or(0, |known| known.pruned.count(observed, now))
    }

    /// Records the objects that a plan for a host is about to delete.
    pub(super) fn note_pruned(&self, name: &str, plan: &Plan, now: Instant) {
        let state = self.state();
        if let Some(known) = state.hosts.iter().find(|known| known.host.name == name) {
            known.pruned.note(plan, now);
        }
    }

    /// A host was read.
    pub(super) fn read(&self, name: &str, facts: HostFacts) {
        self.learn(name, |before| match before {
            Facts::Read(before) if **before == facts => None,
            _ => Some(Facts::Read(Arc::new(facts))),
        });
    }

    /// A host cannot be read.
    pub(super) fn lost(&self, name: &str) {
        self.learn(name, |before| match before {
            Facts::Unread => None,
            Facts::Awaited | Facts::Read(_) => Some(Facts::Unread),
        });
    }

    fn learn(&self, name: &str, new: impl FnOnce(&Facts) -> Option<Facts>) {
        let mut state = self.state();
        let Some(known) = state.hosts.iter_mut().find(|known| known.host.name == name) else {
            return;
        };
        let Some(facts) = new(&known.facts) else { return };
        known.facts = facts;
        for other in state.hosts.iter_mut().filter(|known| known.host.name != name) {
            if let Some(mailbox) = other.mailbox.as_ref().filter(|_| !other.waiting.is_empty()) {
                mailbox.enqueue(&other.waiting, name);
            }
        }
    }

    /// Returns the constraints of the others on some guests of a host.
    pub(super) fn look(
        &self,
        name: &str,
        set: &str,
        options: &Options,
        interest: BTreeSet<ResourceId>,
    ) -> Seen {
        let mut state = self.state();
        let names: Vec<String> = state.hosts.iter().map(|k| k.host.name.clone()).collect();
        let Some(here) = names.iter().position(|n| n == name) else { return Seen::default() };
        let awaited = state.hosts.iter().any(|k| matches!(k.facts, Facts::Awaited));
        let mut seen = Seen::default();
        if awaited {
            seen.later.clone_from(&interest);
        } else {
            let settled = state.settle(set, options, &interest, &BTreeMap::new());
            seen.crossing = settled.crossings.into_iter().nth(here).unwrap_or_default();
            for (id, from, to) in settled.moves {
                if to == here {
                    seen.arriving.extend(names.get(from).map(|from| (id, from.clone())));
                } else if from == here {
                    seen.leaving.insert(id);
                }
            }
        }
        if let Some(known) = state.hosts.get_mut(here) {
            known.waiting.retain(|id| !interest.contains(id));
            known.waiting.extend(interest);
        }
        seen
    }

    /// Settles one move by the present state of its two hosts, if it is still a move.
    pub(super) fn settle_move(
        &self,
        set: &str,
        options: &Options,
        id: &ResourceId,
        now: [(&str, &HostFacts); 2],
    ) -> Option<[Crossing; 2]> {
        let state = self.state();
        let place = |name: &str| state.hosts.iter().position(|k| k.host.name == name);
        let places = [place(now[0].0)?, place(now[1].0)?];
        let only = BTreeSet::from([id.clone()]);
        let fresh = now.into_iter().collect();
        let settled = state.settle(set, options, &only, &fresh);
        let moves = |(_, from, to): &(ResourceId, usize, usize)| [*from, *to] == places;
        settled
            .moves
            .iter()
            .any(moves)
            .then(|| places.map(|place| settled.crossings.get(place).cloned().unwrap_or_default()))
    }
}

impl State {
    fn settle(
        &self,
        set: &str,
        options: &Options,
        only: &BTreeSet<ResourceId>,
        fresh: &BTreeMap<&str, &HostFacts>,
    ) -> Settled {
        let site = |known: &Known| {
            let kept = match &known.facts {
                Facts::Read(facts) => Some(Arc::clone(facts)),
                Facts::Awaited | Facts::Unread => None,
            };
            (known.host.name.clone(), Arc::clone(&known.host.desired), kept)
        };
        let kept: Vec<_> = self.hosts.iter().map(site).collect();
        let sites: Vec<Site<'_>> = kept
            .iter()
            .map(|(name, desired, facts)| Site {
                name,
                desired,
                facts: fresh.get(name.as_str()).copied().or(facts.as_deref()),
            })
            .collect();
        let fleet = Fleet {
            set,
            prune: options.prune,
            assume_absent: &options.assume_absent,
            shared: &self.shared,
            only: Some(only),
        };
        settle(fleet, &sites)
    }
}
