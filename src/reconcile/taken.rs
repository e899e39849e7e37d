//! What a plan's steps would take and others have: said before the first step, with the other's name.
//!
//! Whose manifests are at hand is checked with them; this is about what stands on the host besides, and
//! about what an object of ours still has when the plan is made.

use super::changes::{Action, StepAction};
use super::claims::{Claim, Thing, claims};
use super::decide::Decision;
use crate::diag::Diagnostic;
use crate::model::{Desired, Observed, ObservedResource, Op, ResourceId};
use std::collections::BTreeSet;

/// What comes of a look at what others have.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What cannot be done, each with the reason.
    pub(super) blocked: Vec<(ResourceId, String)>,
    pub(super) problems: Vec<Diagnostic>,
    /// Who gives something up in this plan, and who takes it after that.
    pub(super) handed_on: Vec<(ResourceId, ResourceId)>,
}

/// What an object of the host has.
struct Holding<'a> {
    owner: &'a ObservedResource,
    claim: Claim,
    /// Whether it has it as it runs.
    runs: bool,
}

/// What others have, read once.
pub(super) struct Holdings<'a> {
    observed: &'a Observed,
    all: Vec<Holding<'a>>,
}

impl<'a> Holdings<'a> {
    pub(super) fn of(observed: &'a Observed) -> Self {
        let mut all = Vec::new();
        for owner in observed.resources.values() {
            let sides = [(owner.live.as_ref(), true), (owner.persistent.as_ref(), false)];
            for (definition, runs) in sides.into_iter().filter_map(|(d, runs)| Some((d?, runs))) {
                let claims = claims(owner.id.kind, definition).into_iter();
                all.extend(claims.map(|claim| Holding { owner, claim, runs }));
            }
        }
        all.sort_by(|a, b| (&a.claim.thing, &a.owner.id).cmp(&(&b.claim.thing, &b.owner.id)));
        Self { observed, all }
    }

    /// Who has what stands in the way of a claim.
    fn in_the_way<'s>(&'s self, claim: &'s Claim) -> impl Iterator<Item = &'s Holding<'a>> {
        let thing = &claim.thing;
        let (from, to) = match thing {
            // these overlap, and are few
            Thing::Subnet(_) => (0, self.all.len()),
            _ => {
                let below = self.all.partition_point(|h| h.claim.thing < *thing);
                (below, self.all.partition_point(|h| h.claim.thing <= *thing))
            }
        };
        let range = self.all.get(from..to).unwrap_or(&[]);
        range.iter().filter(move |holding| claim.excludes(&holding.claim))
    }

    /// Looks at what the decisions would take.
    pub(super) fn check(&self, desired: &Desired, decisions: &[Decision]) -> Found {
        let mut found = Found::default();
        for decision in decisions {
            self.guests_unknown(decision, &mut found);
        }
        for decision in decisions.iter().filter(|d| d.change.action != Action::Delete) {
            for (claim, runs) in self.taken_by(decision) {
                self.look(desired, decisions, decision, &claim, runs, &mut found);
            }
        }
        found
    }

    /// A network is not taken down while it is not known who is on it.
    fn guests_unknown(&self, decision: &Decision, found: &mut Found) {
        let id = &decision.change.id;
        let guests = self.observed.unknown.keys().filter(|other| other.kind.is_guest());
        let guests: BTreeSet<&ResourceId> = guests.collect();
        if id.kind.connects_guests() && has(decision, stops) && !guests.is_empty() {
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

    /// What the steps of a decision take that the object has not, each with whether it is to have it
    /// as it runs.
    fn taken_by(&self, decision: &Decision) -> Vec<(Claim, bool)> {
        let (Some(after), id) = (&decision.change.after, &decision.change.id) else {
            return Vec::new();
        };
        let host = self.observed.resources.get(id);
        let had = |definition: Option<&crate::xml::Element>| -> Vec<Claim> {
            definition.map(|d| claims(id.kind, d)).unwrap_or_default()
        };
        let live = had(host.and_then(|h| h.live.as_ref()));
        let defined = had(host.and_then(|h| h.persistent.as_ref()));
        let is_active = host.is_some_and(|h| h.state.is_active());
        let starts = has(decision, |op| matches!(op, Op::Create { .. }));
        let runs = starts || is_active && !has(decision, stops);
        let has = |list: &[Claim], thing: &Thing| list.iter().any(|c| c.thing == *thing);
        let takes = claims(id.kind, after).into_iter().filter(|claim| claim.takes);
        let new = takes.filter(|claim| {
            let thing = &claim.thing;
            match runs && !thing.is_of_definitions() {
                true => !has(&live, thing),
                false => !has(&live, thing) && !has(&defined, thing),
            }
        });
        new.map(|claim| (claim, runs)).collect()
    }

    fn look(
        &self,
        desired: &Desired,
        decisions: &[Decision],
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
            let of_owner = decisions.iter().find(|d| d.change.id == *owner);
            if of_owner.is_some_and(|d| gives_up(d, holding)) {
                found.handed_on.push((owner.clone(), id.clone()));
            } else if claim.thing.is_of_definitions() || runs && holding.runs {
                blocking.insert(owner);
            } else if !desired.resources.contains_key(owner) {
                // what two manifests say is told where they are read
                others_have.insert(owner);
            }
        }
        others_have.retain(|owner| !blocking.contains(owner));
        let silent = self.silent(desired, id, claim);
        let span = desired.resources.get(id).map_or(claim.span, |resource| {
            let own = claims(id.kind, &resource.definition);
            own.iter().find(|c| c.thing == claim.thing).map_or(resource.span, |c| c.span)
        });
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
                        "{names} does not answer, so nobody can tell whether it has that"
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

    /// Those that did not answer and may have what a manifest asks for in so many words.
    fn silent(&self, desired: &Desired, id: &ResourceId, claim: &Claim) -> BTreeSet<&ResourceId> {
        let is_said = || {
            let manifest = desired.resources.get(id);
            manifest.is_some_and(|r| {
                claims(id.kind, &r.definition).iter().any(|c| c.thing == claim.thing)
            })
        };
        let unknown = self.observed.unknown.keys();
        let may = |other: &&ResourceId| *other != id && claim.thing.kinds().contains(&other.kind);
        let silent: BTreeSet<&ResourceId> = unknown.filter(may).collect();
        if silent.is_empty() || is_said() { silent } else { BTreeSet::new() }
    }
}

/// Whether the steps of an object end that it has this.
fn gives_up(decision: &Decision, holding: &Holding<'_>) -> bool {
    let kind = decision.change.id.kind;
    if decision.change.action == Action::Delete {
        return true;
    }
    let keeps = decision.change.after.as_ref().is_none_or(|after| {
        claims(kind, after).iter().any(|c| c.thing.meets(&holding.claim.thing))
    });
    let ends = has(decision, stops);
    let starts = has(decision, |op| matches!(op, Op::Create { .. }));
    match holding.runs {
        true if ends => !(starts && keeps),
        true => !keeps && has(decision, |op| matches!(op, Op::Detach { .. } | Op::Update { .. })),
        false => !keeps,
    }
}

fn stops(op: &Op) -> bool {
    matches!(op, Op::Destroy | Op::Shutdown)
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
