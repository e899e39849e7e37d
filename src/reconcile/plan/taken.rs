//! Conflicts over things that a plan's steps would take and others have, reported before the first step with
//! the other's name.
//!
//! Whose manifests are at hand is checked with them; this is about what stands on the host besides, and
//! about what an object of ours still has when the plan is made.

use super::claims::{Claim, Thing, claims};
use super::decide::Decision;
use super::step::StepAction;
use super::types::Action;
use crate::model::{Desired, Observed, ObservedResource, Op, OpKind, ResourceId, Subnet};
use diagnostics::{Diagnostic, Span};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use xmltree::Document;

/// Result of the check for conflicts.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Blocked resources, each with the reason.
    pub(crate) blocked: Vec<(ResourceId, String)>,
    pub(crate) problems: Vec<Diagnostic>,
    /// Pairs of resources: one gives something up in this plan, and the other takes it after that.
    pub(crate) handed_on: Vec<(ResourceId, ResourceId)>,
}

/// Thing that an object of the host has.
struct Holding<'a> {
    owner: &'a ObservedResource,
    claim: Claim,
    /// Whether the running instance has it.
    runs: bool,
}

/// Holdings of all objects, read once.
pub(crate) struct Holdings<'a> {
    observed: &'a Observed,
    all: Vec<Holding<'a>>,
    /// The subnets among them, by their addresses: family, first address, prefix, and their numbers.
    subnets: Vec<(Reach, usize)>,
}

/// A subnet's place among all, in the order of addresses: two either lie apart, or one in the other.
type Reach = (bool, u128, u8);

fn reach(subnet: Subnet) -> Reach {
    (subnet.is_ipv4(), subnet.first(), subnet.prefix())
}

/// Decision with cached answers.
struct Decided<'a> {
    decision: &'a Decision,
    /// Things that it has in the end, and their places in its manifest.
    after: OnceCell<BTreeSet<Thing>>,
    said: OnceCell<BTreeMap<Thing, Span>>,
}

impl<'a> Decided<'a> {
    fn of(decision: &'a Decision) -> Self {
        Self { decision, after: OnceCell::new(), said: OnceCell::new() }
    }

    fn id(&self) -> &'a ResourceId {
        &self.decision.change.id
    }

    /// Whether the object has a thing in the end, or, of a subnet, some of its addresses.
    fn keeps(&self, thing: &Thing) -> bool {
        let after = self.after.get_or_init(|| {
            let after = self.decision.change.after.as_ref();
            let after = after.map(|d| claims(self.id().kind, d)).unwrap_or_default();
            after.into_iter().map(|claim| claim.thing).collect()
        });
        let meets = |other: &Thing| other.meets(thing);
        // of subnets one may have many, and a network that gives some up is rare
        after.contains(thing) || matches!(thing, Thing::Subnet(_)) && after.iter().any(meets)
    }

    /// Returns the place where its manifest asks for a thing; `None` if it does not.
    fn said(&self, desired: &Desired, thing: &Thing) -> Option<Span> {
        let said = self.said.get_or_init(|| {
            let manifest = desired.resources.get(self.id());
            let own =
                manifest.map(|r| claims(r.id.kind, r.definition.as_element())).unwrap_or_default();
            // the first of several that are the same
            own.into_iter().rev().map(|claim| (claim.thing, claim.span)).collect()
        });
        said.get(thing).copied()
    }
}

impl<'a> Holdings<'a> {
    pub(crate) fn of(observed: &'a Observed) -> Self {
        let mut all = Vec::new();
        for owner in observed.resources.values() {
            let sides = [(owner.live.as_ref(), true), (owner.persistent.as_ref(), false)];
            for (definition, runs) in sides.into_iter().filter_map(|(d, runs)| Some((d?, runs))) {
                let claims = claims(owner.id.kind, definition.as_element()).into_iter();
                all.extend(claims.map(|claim| Holding { owner, claim, runs }));
            }
        }
        all.sort_by(|a, b| (&a.claim.thing, &a.owner.id).cmp(&(&b.claim.thing, &b.owner.id)));
        // repeated holdings of one object count once
        all.dedup_by(|a, b| {
            (a.owner.id == b.owner.id && a.runs == b.runs) && a.claim.is_like(&b.claim)
        });
        let subnet = |(n, holding): (usize, &Holding<'_>)| match &holding.claim.thing {
            Thing::Subnet(subnet) => Some((reach(*subnet), n)),
            _ => None,
        };
        let mut subnets: Vec<(Reach, usize)> = all.iter().enumerate().filter_map(subnet).collect();
        subnets.sort_unstable();
        Self { observed, all, subnets }
    }

    /// Returns the indices of the subnets that overlap another one: those within it, and those around it, of
    /// which there is at most one for each prefix length.
    fn overlapping(&self, subnet: Subnet) -> Vec<usize> {
        let from = |least: Reach| self.subnets.partition_point(|(at, _)| *at < least);
        let inside = from(reach(subnet));
        let behind = match subnet.last().checked_add(1) {
            Some(next) => from((subnet.is_ipv4(), next, 0)),
            None => self.subnets.partition_point(|(at, _)| at.0 <= subnet.is_ipv4()),
        };
        let wider = (0..subnet.prefix()).filter_map(|prefix| subnet.widened(prefix)).map(reach);
        let around = wider.map(|(family, first, prefix)| {
            from((family, first, prefix))..from((family, first, prefix + 1))
        });
        let found = std::iter::once(inside..behind)
            .chain(around)
            .filter_map(|range| self.subnets.get(range));
        let mut found: Vec<usize> = found.flatten().map(|(_, n)| *n).collect();
        found.sort_unstable();
        found
    }

    /// Returns the holdings that conflict with a claim.
    fn in_the_way<'s>(&'s self, claim: &'s Claim) -> impl Iterator<Item = &'s Holding<'a>> {
        let numbers: Vec<usize> = match &claim.thing {
            Thing::Subnet(subnet) => self.overlapping(*subnet),
            thing => {
                let below = self.all.partition_point(|h| h.claim.thing < *thing);
                (below..self.all.partition_point(|h| h.claim.thing <= *thing)).collect()
            }
        };
        let holdings = numbers.into_iter().filter_map(|n| self.all.get(n));
        holdings.filter(move |holding| claim.excludes(&holding.claim))
    }

    /// Checks the decisions for conflicts.
    pub(crate) fn check(&self, desired: &Desired, decisions: &[Decision]) -> Found {
        let mut found = Found::default();
        for decision in decisions {
            self.guests_unknown(decision, &mut found);
        }
        let decided: BTreeMap<&ResourceId, Decided<'_>> =
            decisions.iter().rev().map(|d| (&d.change.id, Decided::of(d))).collect();
        for decision in decisions.iter().filter(|d| d.change.action != Action::Delete) {
            for (claim, runs) in self.taken_by(decision) {
                self.look(desired, &decided, decision, &claim, runs, &mut found);
            }
        }
        found.handed_on.sort();
        found.handed_on.dedup();
        found
    }

    /// Blocks the shutdown of a network while the guests on it are unknown.
    fn guests_unknown(&self, decision: &Decision, found: &mut Found) {
        let id = &decision.change.id;
        let guests = self.observed.unknown.keys().filter(|other| other.kind.is_guest());
        let guests: BTreeSet<&ResourceId> = guests.collect();
        if id.kind.connects_guests() && has(decision, Op::ends) && !guests.is_empty() {
            let names = list(&guests);
            found.problems.push(
                Diagnostic::error("no-answer", format!("{id} cannot be taken down"))
                    .address(id.to_string())
                    .detail(format!("{names} does not answer, and may be on it"))
                    .hint("try again when it answers"),
            );
            found.blocked.push((id.clone(), format!("{names} does not answer, and may be on it")));
        }
    }

    /// Returns the claims that the steps of a decision add, each with whether the running instance is to have
    /// it.
    fn taken_by(&self, decision: &Decision) -> Vec<(Claim, bool)> {
        let (Some(after), id) = (&decision.change.after, &decision.change.id) else {
            return Vec::new();
        };
        let host = self.observed.resources.get(id);
        let had = |definition: Option<&xmltree::Element>| -> BTreeSet<Thing> {
            let claims = definition.map(|d| claims(id.kind, d)).unwrap_or_default();
            claims.into_iter().map(|claim| claim.thing).collect()
        };
        let live = had(host.and_then(|h| h.live.as_ref()).map(Document::as_element));
        let defined = had(host.and_then(|h| h.persistent.as_ref()).map(Document::as_element));
        let is_active = host.is_some_and(|h| h.state.is_active());
        let starts = has(decision, |op| op.is(OpKind::Create));
        let runs = starts || is_active && !has(decision, Op::ends);
        let mut seen = BTreeSet::new();
        let mut takes = claims(id.kind, after);
        takes.retain(|claim| claim.takes && seen.insert(claim.key()));
        let takes = takes.into_iter();
        let new = takes.filter(|claim| {
            let thing = &claim.thing;
            match runs && !thing.is_of_definitions() {
                true => !live.contains(thing),
                false => !live.contains(thing) && !defined.contains(thing),
            }
        });
        new.map(|claim| (claim, runs)).collect()
    }

    fn look(
        &self,
        desired: &Desired,
        decided: &BTreeMap<&ResourceId, Decided<'_>>,
        decision: &Decision,
        claim: &Claim,
        runs: bool,
        found: &mut Found,
    ) {
        let id = &decision.change.id;
        let uuid = decision.steps.first().map(|step| step.target.uuid);
        let others = || {
            // an object that is renamed has what it had
            let is_other = |h: &&Holding<'_>| {
                h.owner.id != *id && (Some(h.owner.uuid) != uuid || h.owner.id.kind != id.kind)
            };
            self.in_the_way(claim).filter(is_other)
        };
        let (mut blocking, mut others_have) = (BTreeSet::new(), BTreeSet::new());
        for holding in others() {
            let owner = &holding.owner.id;
            let of_owner = decided.get(owner);
            if of_owner.is_some_and(|d| gives_up(d, holding)) {
                found.handed_on.push((owner.clone(), id.clone()));
            } else if claim.thing.is_of_definitions() || runs && holding.runs {
                blocking.insert(owner);
            } else if !desired.resources.contains_key(owner) {
                // conflicts between two manifests are reported where they are read
                others_have.insert(owner);
            }
        }
        others_have.retain(|owner| !blocking.contains(owner));
        let said = decided.get(id).and_then(|own| own.said(desired, &claim.thing));
        let silent = self.silent(id, claim, said.is_some());
        let span = said.unwrap_or_else(|| desired.resources.get(id).map_or(claim.span, |r| r.span));
        let (code, hint) = claim.thing.code_and_hint();
        let thing = &claim.thing;
        if !blocking.is_empty() {
            let names = list(&blocking);
            found.problems.push(
                Diagnostic::error(code, format!("{id} cannot have {thing}"))
                    .at(span)
                    .address(id.to_string())
                    .detail(format!("on this host {names} {} it", have(&blocking)))
                    .hint(hint),
            );
            found.blocked.push((id.clone(), format!("{names} {} {thing}", have(&blocking))));
        } else if !silent.is_empty() {
            let names = list(&silent);
            found.problems.push(
                Diagnostic::error("no-answer", format!("{id} cannot be given {thing}"))
                    .at(span)
                    .address(id.to_string())
                    .detail(format!(
                        "{names} does not answer, so it is not known whether it has that"
                    ))
                    .hint("try again when it answers"),
            );
            found
                .blocked
                .push((id.clone(), format!("{names} does not answer, and may have {thing}")));
        } else if !others_have.is_empty() {
            let names = list(&others_have);
            found.problems.push(
                Diagnostic::warning(code, format!("{id} and {names} have {thing}"))
                    .at(span)
                    .address(id.to_string())
                    .detail("only one of them can run at a time".to_owned())
                    .hint(hint),
            );
        }
    }

    /// Returns the objects that did not answer and may have a thing that a manifest asks for explicitly.
    fn silent(&self, id: &ResourceId, claim: &Claim, is_said: bool) -> BTreeSet<&ResourceId> {
        if !is_said {
            return BTreeSet::new();
        }
        let unknown = self.observed.unknown.keys();
        let may = |other: &&ResourceId| *other != id && claim.thing.kinds().contains(&other.kind);
        unknown.filter(may).collect()
    }
}

/// Whether the steps of an object end that it has this.
fn gives_up(decided: &Decided<'_>, holding: &Holding<'_>) -> bool {
    let decision = decided.decision;
    if decision.change.action == Action::Delete {
        return true;
    }
    let keeps = decision.change.after.is_none() || decided.keeps(&holding.claim.thing);
    let ends = has(decision, Op::ends);
    let starts = has(decision, |op| op.is(OpKind::Create));
    match holding.runs {
        true if ends => !(starts && keeps),
        true => !keeps && has(decision, |op| op.is(OpKind::Detach) || op.is(OpKind::Update)),
        false => !keeps,
    }
}

fn has(decision: &Decision, which: impl Fn(&Op) -> bool) -> bool {
    let own = decision.steps.iter().filter(|step| step.target.id == decision.change.id);
    own.filter_map(|step| match &step.action {
        StepAction::Call(op) => Some(op),
        StepAction::Wait { .. } => None,
    })
    .any(which)
}

fn list(ids: &BTreeSet<&ResourceId>) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn have(ids: &BTreeSet<&ResourceId>) -> &'static str {
    if ids.len() == 1 { "has" } else { "have" }
}
