//! Desired and observed in, a plan out: a pure function.

use super::blocked;
use super::decide;
use super::decide::{Context, Decision, DraftStep};
use super::fingerprint::fingerprint;
use super::nic_migration;
use super::nic_migration::Nic;
use super::order;
use super::renames::{applied_as, rename_first, renamed, under};
use super::taken::Holdings;
use super::types::{Action, Options, Plan, Refusal, ResourceChange};
use crate::model::domain::Domain;
use crate::model::{
    Capabilities, Desired, DesiredResource, DomainOp, Observed, ObservedResource, Op, OpKind,
    OwnerRecord, ResourceId,
};
use crate::reconcile::moves::{Arrival, ways};
use crate::reconcile::ownership::doubts;
use crate::reconcile::ownership::record::owner_record_of;
use diagnostics::conceal;
use diagnostics::shorten::{self, AllUntold, shorten};
use diagnostics::{Diagnostic, Diagnostics, Sources};
use std::collections::{BTreeMap, BTreeSet};

/// Plans the steps that make the host match.
pub fn plan(
    desired: &Desired,
    observed: &Observed,
    capabilities: &Capabilities,
    options: &Options,
) -> Plan {
    let (blocked, diagnostics) = blocked::hold_back(desired, observed, capabilities, options);
    let mut p = Planner {
        desired,
        observed,
        capabilities,
        options,
        diagnostics,
        blocked,
        refusals: Vec::new(),
        decisions: Vec::new(),
        nics: nic_migration::nics(observed),
        handed_on: Vec::new(),
    };
    let all = p.orphans();
    let orphans: Vec<ResourceId> = all.iter().filter(|id| p.selected(id)).cloned().collect();
    let pruned = p.pruned(&orphans, all.len());
    // a guest that goes too is not cut off
    let going: BTreeSet<&ResourceId> = options.delete.iter().chain(&pruned).collect();
    for nics in p.nics.values_mut() {
        nics.retain(|nic| !going.contains(&nic.guest.id));
    }
    for resource in desired.resources.values() {
        p.resource(resource);
    }
    p.move_off(&pruned);
    p.remove(&pruned);
    p.take();
    p.finish_restarts();
    p.finish(orphans)
}

struct Planner<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    capabilities: &'a Capabilities,
    options: &'a Options,
    diagnostics: Diagnostics,
    blocked: BTreeMap<ResourceId, String>,
    refusals: Vec<Refusal>,
    decisions: Vec<Decision>,
    /// Interfaces of running domains by the network they are on.
    nics: BTreeMap<String, Vec<Nic>>,
    /// Pairs of resources: one gives something up, and the other takes it after that.
    handed_on: Vec<(ResourceId, ResourceId)>,
}

impl<'a> Planner<'a> {
    fn selected(&self, id: &ResourceId) -> bool {
        self.options.only.is_empty() || self.options.only.contains(id)
    }

    fn context(&self, id: &ResourceId) -> Context<'_> {
        let nics = (id.kind.connects_guests()).then(|| self.nics.get(&id.name)).flatten();
        Context {
            set: &self.desired.set,
            observed: self.observed,
            capabilities: self.capabilities,
            options: self.options,
            nics: nics.map_or(&[], Vec::as_slice),
        }
    }

    fn resource(&mut self, desired: &'a DesiredResource) {
        let id = &desired.id;
        if !self.selected(id) || self.blocked.contains_key(id) || self.options.delete.contains(id) {
            return;
        }
        let context = self.context(id);
        let here = self.observed.resources.get(id);
        let arrives = self
            .arrival(id, here)
            .and_then(|arrival| decide::arrive(context, desired, here, &arrival));
        let mut decision = match (arrives, here) {
            (Some(arrives), _) => arrives,
            (None, None) => match renamed(self.desired, desired, self.observed, self.options) {
                Some(was) => {
                    let mut decision = decide::update(context, desired, &under(id, was), false);
                    rename_first(&mut decision, was, desired);
                    decision
                }
                None => decide::create(context, desired),
            },
            (None, Some(host)) => match owner_record_of(host) {
                owner_record if decide::uuid_conflict(desired, host).is_some() => {
                    decide::replace(context, desired, host, owner_record)
                }
                owner_record => {
                    let takes = owner_record.is_none_or(|m| m.set != self.desired.set);
                    decide::update(context, desired, host, takes)
                }
            },
        };
        self.check_supported(&decision);
        self.refusals.extend(decision.refusal.take());
        self.decisions.push(decision);
    }

    /// Returns the host that a guest comes from, if it is not here or has yet to start here.
    fn arrival(&self, id: &ResourceId, here: Option<&ObservedResource>) -> Option<Arrival> {
        let moving = here.and_then(owner_record_of).and_then(|m| m.moving.as_ref());
        let Some(arrival) = self.options.crossing.arriving.get(id) else {
            let absent = |from: &String| self.options.assume_absent.contains(from);
            let from = moving.map(|m| m.from.clone()).filter(absent)?;
            let is_off = here.is_some_and(|host| !host.state.is_active());
            return is_off.then_some(Arrival { from, old: None });
        };
        let same = |host: &ObservedResource| {
            let uuid = arrival.old.as_ref().is_some_and(|old| old.uuid == host.uuid);
            !host.state.is_active() && (moving.is_some() || uuid)
        };
        here.is_none_or(same).then(|| arrival.clone())
    }

    /// Guests that leave a network in this plan are not cut off when it is deleted after that.
    fn move_off(&mut self, pruned: &[ResourceId]) {
        for network in pruned.iter().filter(|id| id.kind.connects_guests()) {
            let (Some(nics), decisions) = (self.nics.get_mut(&network.name), &self.decisions)
            else {
                continue;
            };
            nics.retain(|nic| !decisions.iter().any(|d| nic.leaves_by(&d.change, &d.steps)));
        }
    }

    /// Blocks decisions that would take something from other objects, with their dependants.
    fn take(&mut self) {
        if self.decisions.iter().all(|d| d.change.after.is_none()) {
            return;
        }
        let holdings = Holdings::of(self.observed);
        loop {
            let found = holdings.check(self.desired, &self.decisions);
            let is_settled = found.blocked.is_empty();
            // warnings are reported once all is settled
            let said = found.problems.into_iter().filter(|p| is_settled || p.is_error());
            said.for_each(|problem| self.diagnostics.push(problem));
            if is_settled {
                self.handed_on = found.handed_on;
                return;
            }
            let newly: BTreeSet<ResourceId> =
                found.blocked.iter().map(|(id, _)| id.clone()).collect();
            for (id, reason) in found.blocked {
                // the first is enough: the rest is among the problems
                self.blocked.entry(id).or_insert(reason);
            }
            let (desired, observed, options) = (self.desired, self.observed, self.options);
            let blocked = std::mem::take(&mut self.blocked);
            let (blocked, problems) = blocked::hold_dependants(desired, observed, options, blocked);
            self.diagnostics.extend(problems);
            let stays = |id: &ResourceId| !blocked.contains_key(id);
            self.decisions.retain(|d| {
                let id = &d.change.id;
                !newly.contains(id) && (d.change.action == Action::Delete || stays(id))
            });
            self.refusals.retain(|refusal| refusal.id.as_ref().is_none_or(stays));
            self.blocked = blocked;
        }
    }

    /// Takes back interfaces that an interrupted restart of their network has left parked, whoever owns the
    /// guests.
    fn finish_restarts(&mut self) {
        let selected = |home: &ResourceId| self.selected(home);
        let decided: Vec<&DraftStep> = self.decisions.iter().flat_map(|d| &d.steps).collect();
        let left = nic_migration::left_behind(self.observed, &self.nics, &decided, selected);
        let decision =
            |(change, steps)| Decision { change, steps, refusal: None, afterwards: None };
        self.decisions.extend(left.into_iter().map(decision));
    }

    fn check_supported(&mut self, decision: &Decision) {
        let kind = decision.change.id.kind;
        let all = || decision.steps.iter().filter_map(|step| step.action.op());
        let ops = || all().filter(|op| op.object_kind() == kind);
        let mut lacks = |what: String| {
            self.refusals.push(Refusal {
                id: Some(decision.change.id.clone()),
                reason: format!("the host cannot {what}"),
                hint: "take what needs it out of the manifest, or connect to another host"
                    .to_owned(),
            });
        };
        let missing: BTreeSet<OpKind> =
            ops().map(Op::kind).filter(|op| !self.capabilities.supports(kind, *op)).collect();
        if !missing.is_empty() {
            let words: Vec<&str> = missing.iter().map(|op| op.as_str()).collect();
            lacks(format!("{} a {kind}", words.join(", ")));
        }
        let paused = ops().any(|op| *op == Op::Domain(DomainOp::Create { paused: true }));
        if paused && !self.capabilities.domain.creates_paused {
            lacks(format!("start a {kind} paused"));
        }
    }

    /// Objects of this set that no manifest names, whether they are selected or not.
    fn orphans(&self) -> Vec<ResourceId> {
        // where objects are deleted by name, no manifest was asked about the others
        if !self.options.delete.is_empty() {
            return Vec::new();
        }
        let wanted = self.desired.resources.values();
        let renamed: BTreeSet<&ResourceId> = wanted
            .filter_map(|r| renamed(self.desired, r, self.observed, self.options))
            .map(|host| &host.id)
            .collect();
        let ours = self.observed.resources.values().filter(|host| {
            owner_record_of(host).is_some_and(|owner_record| owner_record.set == self.desired.set)
        });
        ours.map(|host| host.id.clone())
            .filter(|id| !self.desired.resources.contains_key(id) && !self.blocked.contains_key(id))
            .filter(|id| !renamed.contains(id) && !self.is_set_aside(id))
            .collect()
    }

    /// Whether an object was applied under a name that a manifest has, and was renamed by hand.
    fn is_set_aside(&self, id: &ResourceId) -> bool {
        let host = self.observed.resources.get(id);
        let was = host.and_then(applied_as).filter(|was| was != id);
        was.is_some_and(|was| {
            self.desired.resources.contains_key(&was) || self.desired.blocked.contains_key(&was)
        })
    }

    /// Returns the selected orphans that are pruned. The limit is taken of all orphans: a set that is planned
    /// part by part is as large as it is.
    fn pruned(&mut self, orphans: &[ResourceId], all: usize) -> Vec<ResourceId> {
        if !self.options.prune || orphans.is_empty() || self.waits_to_prune(orphans.len()) {
            return Vec::new();
        }
        if self.may_prune(all) { orphans.to_vec() } else { Vec::new() }
    }

    /// Whether pruning is suspended in this run since an object does not answer: its identity and its part in
    /// the others are unknown. All else goes on.
    fn waits_to_prune(&mut self, orphans: usize) -> bool {
        let Some(silent) = self.observed.unknown.keys().next() else { return false };
        let what = if orphans == 1 { "1 object".to_owned() } else { format!("{orphans} objects") };
        self.diagnostics.push(
            Diagnostic::warning("no-answer", format!("{what} that no manifest names stay for now"))
                .detail(format!("{silent} does not answer, so nothing is pruned in this run"))
                .hint("prune when it answers"),
        );
        true
    }

    fn remove(&mut self, pruned: &[ResourceId]) {
        for id in &self.options.delete {
            match self.observed.resources.get(id) {
                None => self.refuse_if_silent(id),
                Some(host) => match owner_record_of(host) {
                    None if !self.options.adopt => self.refusals.push(Refusal {
                        id: Some(id.clone()),
                        reason: doubts::unowned(host),
                        hint: "pass --adopt to delete it anyway".to_owned(),
                    }),
                    Some(owner_record)
                        if !self.desired.set.is_empty() && owner_record.set != self.desired.set =>
                    {
                        self.refusals.push(Refusal {
                            id: Some(id.clone()),
                            reason: format!("the set \"{}\" owns it", owner_record.set),
                            hint: format!(
                                "delete it with that set's manifests, or release it first: virt \
                                 release {id}"
                            ),
                        });
                    }
                    owner_record => self.delete(id, owner_record, "asked for"),
                },
            }
        }
        for id in &self.options.release {
            self.release(id);
        }
        for id in pruned {
            let owner_record = self.observed.resources.get(id).and_then(owner_record_of);
            self.delete(id, owner_record, "no manifest names it any more");
        }
    }

    /// Removes the record, whether it is believed or not; a missing one is no change.
    fn release(&mut self, id: &ResourceId) {
        let Some(host) = self.observed.resources.get(id) else { return };
        let said = host.record.doubt.as_ref().map(|doubt| doubt.set.clone());
        if let Some(owner) = owner_record_of(host).map(|m| m.set.clone()).or(said) {
            let decision = decide::release(self.context(id), host, &owner);
            self.check_supported(&decision);
            self.decisions.push(decision);
        }
    }

    fn refuse_if_silent(&mut self, id: &ResourceId) {
        if let Some(unknown) = self.observed.unknown.get(id) {
            self.refusals.push(Refusal {
                id: Some(id.clone()),
                reason: format!("it does not answer: {}", unknown.why),
                hint: "delete it when it answers".to_owned(),
            });
        }
    }

    fn delete(&mut self, id: &ResourceId, owner_record: Option<&OwnerRecord>, reason: &str) {
        if let Some(host) = self.observed.resources.get(id) {
            let context = self.context(id);
            let mut decision = match self.options.crossing.leaving.get(id) {
                Some(departure) => decide::leave(context, host, owner_record, departure),
                None => decide::delete(context, host, owner_record, reason),
            };
            self.check_supported(&decision);
            self.refusals.extend(decision.refusal.take());
            self.decisions.push(decision);
        }
    }

    /// Pruning never follows from a source that is empty or could not be read, and takes no more
    /// than a fifth of the set unless the number is given.
    fn may_prune(&mut self, orphans: usize) -> bool {
        let mine = |host: &&ObservedResource| {
            owner_record_of(host).is_some_and(|m| m.set == self.desired.set)
        };
        let lately = self.options.pruned_lately;
        let ours = self.observed.resources.values().filter(mine).count() + lately;
        let going = orphans + lately;
        let most = self.options.max_prune.unwrap_or((ours / 5).max(1));
        // where guests go to other hosts, it is not that no manifests were read
        let is_source_empty =
            self.desired.resources.is_empty() && self.options.crossing.leaving.is_empty();
        let refusal = if is_source_empty {
            Some((
                format!(
                    "no manifest was found, which is never a request to delete {orphans} objects"
                ),
                "virt delete removes objects by name".to_owned(),
            ))
        } else if !self.desired.complete {
            Some((
                "some manifests could not be read, so what they name is not known".to_owned(),
                "fix them first".to_owned(),
            ))
        } else if going > most {
            let deleted =
                if lately > 0 { "are deleted or were lately" } else { "would be deleted" };
            Some((
                format!("{going} of {ours} objects of the set {deleted}; the limit is {most}"),
                format!("pass --max-prune {going}"),
            ))
        } else {
            None
        };
        let Some((reason, hint)) = refusal else { return true };
        self.refusals.push(Refusal {
            id: None,
            reason: format!("nothing is pruned: {reason}"),
            hint,
        });
        false
    }

    fn finish(mut self, orphans: Vec<ResourceId>) -> Plan {
        let selected = |id: &ResourceId| self.selected(id);
        let doubts = doubts::told(self.desired, self.observed, selected);
        doubts.into_iter().for_each(|doubt| self.diagnostics.push(doubt));
        let mut depends_on: BTreeMap<ResourceId, Vec<ResourceId>> = self
            .desired
            .resources
            .iter()
            .map(|(id, r)| (id.clone(), r.depends_on.clone()))
            .collect();
        for decision in &self.decisions {
            // a deleted object has no manifest: its record has the dependencies
            let host = self.observed.resources.get(&decision.change.id);
            let owner_record = host.and_then(owner_record_of);
            depends_on.entry(decision.change.id.clone()).or_insert_with(|| {
                owner_record.map_or_else(|| networks_of(host), |m| m.depends_on.clone())
            });
        }
        let steps = order::order(&self.decisions, &depends_on, &self.handed_on);
        let fingerprint = fingerprint(self.observed, &steps);
        let silent: BTreeMap<ResourceId, String> =
            self.observed.unknown.iter().map(|(id, of)| (id.clone(), of.why.clone())).collect();
        let pruned = self.options.prune && self.refusals.is_empty() && silent.is_empty();
        // with a part of the manifests nobody can say what the others name
        let told = self.desired.complete && !pruned;
        let mut untold = AllUntold::new();
        let mut diagnostics = shorten(self.diagnostics, &mut untold);
        shorten::say(&untold, &Sources::default(), &mut diagnostics);
        diagnostics.sort();
        let afterwards = self.decisions.iter_mut().filter_map(|d| d.afterwards.take()).collect();
        let mut changes: Vec<ResourceChange> =
            self.decisions.into_iter().map(|d| d.change).collect();
        changes.sort_by(|a, b| a.id.cmp(&b.id));
        // reasons and notes quote what manifests and hosts say
        let hide = |text: &mut String| *text = conceal(text).into_owned();
        changes.iter_mut().flat_map(ResourceChange::words).for_each(hide);
        self.refusals.iter_mut().map(|refusal| &mut refusal.reason).for_each(hide);
        self.blocked.values_mut().for_each(hide);
        let plan = Plan {
            set: self.desired.set.clone(),
            changes,
            steps,
            afterwards,
            refusals: self.refusals,
            diagnostics,
            blocked: self.blocked,
            silent,
            doubted: doubts::all(self.observed),
            orphans: if told { orphans } else { Vec::new() },
            moves: BTreeMap::new(),
            fingerprint,
        };
        let moves = ways(self.options, &plan).into_iter().collect();
        Plan { moves, ..plan }
    }
}

/// Returns the networks that an object without a record depends on.
fn networks_of(host: Option<&ObservedResource>) -> Vec<ResourceId> {
    let definition = host.and_then(|h| h.persistent.as_ref());
    definition
        .into_iter()
        .flat_map(|d| Domain::new(d.root()).networks())
        .map(|(id, _)| id)
        .collect()
}
