//! Hosts of a fleet that have to do with each other: which they are, and their plans, made together.

use super::context::Context;
use super::fleet::Fleet;
use super::multi_host::HostReport;
use super::session::{Looked, Session};
use super::signals::stopping;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::HostDesired;
use crate::model::ResourceId;
use crate::reconcile::Options;
use crate::reconcile::moves::{self, Blocked, Crossing, HostFacts, Settled, Site, settle};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// What the first round left open.
pub(super) struct Rest {
    /// What is known of each host of `virt.toml`.
    pub(super) facts: Vec<Option<HostFacts>>,
    pub(super) settled: Settled,
    /// What is done together, in the order of the first of each.
    pub(super) units: Vec<Unit>,
    /// What the first round has of those that are done as they were planned for.
    pub(super) kept: BTreeMap<usize, Mutex<Option<HostReport>>>,
    /// Hosts whose sessions are paused meanwhile.
    pub(super) crowded: BTreeSet<usize>,
}

/// Hosts that are done together, by their places among those that are worked on.
pub(super) enum Unit {
    /// As it was planned for by itself.
    AsPlanned(usize),
    /// Looked at again.
    Anew(Vec<usize>),
}

/// A host that is to be shown or applied.
pub(super) struct Ready {
    pub(super) at: usize,
    pub(super) own: Context,
    pub(super) session: Result<Session>,
}

impl Fleet {
    /// The place in `virt.toml` of a host that is worked on.
    pub(super) fn place(&self, at: usize) -> Option<usize> {
        let name = &self.hosts.get(at)?.name;
        self.loaded.fleet.iter().position(|host| host.name == *name)
    }

    pub(super) fn settle(&self, facts: &[Option<HostFacts>]) -> Settled {
        self.settle_of(facts.iter().map(Option::as_ref))
    }

    fn settle_of<'a>(&'a self, facts: impl Iterator<Item = Option<&'a HostFacts>>) -> Settled {
        if self.deletes.is_some() {
            return Settled::default();
        }
        let site = |(host, facts): (&'a HostDesired, Option<&'a HostFacts>)| Site {
            name: &host.name,
            desired: &host.desired,
            facts,
        };
        let sites: Vec<Site<'_>> = self.loaded.fleet.iter().zip(facts).map(site).collect();
        let fleet = moves::Fleet {
            set: &self.loaded.desired.set,
            prune: self.options.prune,
            assume_absent: &self.options.assume_absent,
            shared: &self.loaded.shared,
            only: None,
        };
        settle(fleet, &sites)
    }

    /// Parts the hosts that are open into those that have to do with each other.
    pub(super) fn units(&self, settled: &Settled, open: BTreeSet<usize>) -> Vec<Unit> {
        let mut at_place = BTreeMap::new();
        for at in &open {
            at_place.extend(self.place(*at).map(|place| (place, *at)));
        }
        // each starts by itself, and those that a guest moves between become one
        let mut group: BTreeMap<usize, usize> = open.iter().map(|at| (*at, *at)).collect();
        for (_, from, to) in &settled.moves {
            let ends = (at_place.get(from), at_place.get(to));
            let (Some(from), Some(to)) = ends else { continue };
            let (one, other) = (group.get(from).copied(), group.get(to).copied());
            for of in group.values_mut().filter(|of| Some(**of) == other) {
                *of = one.unwrap_or(*of);
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, of) in group {
            groups.entry(of).or_default().push(at);
        }
        let moves = |at: usize| {
            let place = self.place(at);
            settled.moves.iter().any(|(_, from, to)| [Some(*from), Some(*to)].contains(&place))
        };
        let crossed = |at: usize| {
            let place = self.place(at);
            let crossing = place.and_then(|place| settled.crossings.get(place));
            crossing.is_some_and(|c| !c.is_empty()) || moves(at)
        };
        let mut units: Vec<Unit> = groups
            .into_values()
            .map(|members| match members.as_slice() {
                [at] if !crossed(*at) => Unit::AsPlanned(*at),
                _ => Unit::Anew(members),
            })
            .collect();
        units.sort_by_key(|unit| unit.members().first().copied());
        units
    }

    /// Reads hosts again that have to do with each other, and plans for them together.
    pub(super) fn look_again(
        &self,
        context: &Context,
        rest: &Rest,
        members: &[usize],
        keep: bool,
    ) -> Vec<Ready> {
        let (mut looked, mut lost) = (Vec::new(), Vec::new());
        for at in members {
            // the locks of the first round are given up before they are taken again
            drop(rest.take(*at));
        }
        for at in members {
            let Some(host) = self.hosts.get(*at) else { continue };
            let own = context.for_host(&host.name, keep);
            let (desired, options) = self.asked(host);
            let read = match stopping() {
                true => Err(told_to_stop()),
                false => Looked::at(&own, &host.connection, desired),
            };
            match read {
                Ok(of_host) => looked.push((*at, own, of_host, options)),
                Err(e) => lost.push(Ready { at: *at, own, session: Err(e) }),
            }
        }
        let now: BTreeMap<usize, HostFacts> = looked
            .iter()
            .filter_map(|(at, _, of_host, _)| Some((self.place(*at)?, of_host.facts(&self.loaded))))
            .collect();
        let gone: BTreeSet<usize> = lost.iter().filter_map(|r| self.place(r.at)).collect();
        let as_before = gone.is_empty()
            && now.iter().all(|(p, f)| rest.facts.get(*p) == Some(&Some(f.clone())));
        let again;
        let settled = if as_before {
            &rest.settled
        } else {
            let facts = rest.facts.iter().enumerate().map(|(place, before)| {
                if gone.contains(&place) { None } else { now.get(&place).or(before.as_ref()) }
            });
            again = self.settle_of(facts);
            &again
        };
        let places: Vec<usize> = looked.iter().filter_map(|(at, ..)| self.place(*at)).collect();
        let (crossings, moves) = within(settled, &places, &self.options);
        let (heads, parties): (Vec<_>, Vec<_>) = looked
            .into_iter()
            .map(|(at, own, of_host, options)| ((at, own), (of_host, options)))
            .unzip();
        let sessions = Session::together(&self.loaded, parties, &crossings, &moves);
        let ready = heads.into_iter().zip(sessions);
        let ready = ready.map(|((at, own), session)| Ready { at, own, session: Ok(session) });
        let mut ready: Vec<Ready> = ready.chain(lost).collect();
        ready.sort_by_key(|r| r.at);
        ready
    }
}

impl Unit {
    pub(super) fn members(&self) -> &[usize] {
        match self {
            Self::AsPlanned(at) => std::slice::from_ref(at),
            Self::Anew(members) => members,
        }
    }
}

impl Rest {
    /// What the first round has of a host; it is taken once.
    pub(super) fn take(&self, at: usize) -> Option<HostReport> {
        self.kept.get(&at)?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What was settled for these places alone. A guest that would have to come from or go to another one
/// than these stays where it is: the hosts have changed since they were looked at first.
fn within(
    settled: &Settled,
    places: &[usize],
    options: &Options,
) -> (Vec<Crossing>, Vec<(ResourceId, usize, usize)>) {
    let mut crossings: Vec<Crossing> = places
        .iter()
        .map(|place| settled.crossings.get(*place).cloned().unwrap_or_default())
        .collect();
    let mut moves = Vec::new();
    let selected = |id: &ResourceId| options.only.is_empty() || options.only.contains(id);
    for (id, from, to) in settled.moves.iter().filter(|(id, ..)| selected(id)) {
        let at = |place| places.iter().position(|p| p == place);
        match (at(from), at(to)) {
            (Some(from), Some(to)) => moves.push((id.clone(), from, to)),
            (old, new) => {
                let reason = "the hosts have changed while they were looked at".to_owned();
                if let Some(crossing) = old.and_then(|at| crossings.get_mut(at)) {
                    crossing.kept.insert(id.clone(), reason.clone());
                }
                if let Some(crossing) = new.and_then(|at| crossings.get_mut(at)) {
                    let hint = "run it again".to_owned();
                    let blocked = Blocked { code: "on-another-host", reason, hint };
                    crossing.blocked.insert(id.clone(), blocked);
                }
            }
        }
    }
    (crossings, moves)
}

pub(super) fn told_to_stop() -> Error {
    let text = "not begun: it was told to stop";
    Error::new(ErrorKind::Cancelled, text)
}
