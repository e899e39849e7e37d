//! Plans for hosts between which guests move: one each, and a move is in both of them or in none.

use super::crossing::{Arrival, Blocked, Crossing, Departure};
use super::storage::{Place, Pools, Storage};
use crate::model::{Capabilities, Desired, Effect, Observed, ObservedResource, ResourceId};
use crate::reconcile::plan::decide;
use crate::reconcile::plan::planner::plan;
use crate::reconcile::plan::types::{Action, Options, Plan};
use std::path::PathBuf;
use std::sync::Arc;
use xmltree::Element;

/// A guest's disk that is not shown to be within reach of the host that it goes to.
const OUT_OF_REACH: &str = "disk-out-of-reach";

/// A guest that cannot leave its host.
const STAYS: &str = "move-refused";

/// A host whose plan is made together with others'.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// Name of the host in `virt.toml`.
    pub name: &'a str,
    /// Desired resources of the host.
    pub desired: &'a Desired,
    /// Observed objects of the host.
    pub observed: &'a Observed,
    /// Pools of the host on network storage.
    pub pools: &'a Pools,
    /// Capabilities of the host.
    pub capabilities: &'a Capabilities,
    /// Options of its plan.
    pub options: &'a Options,
}

/// Plans for hosts between which guests move. `crossings` are theirs, and `moves` name the parties that
/// each guest leaves and goes to. Gives for each host what the others have to do with it in the end, and its plan.
pub fn plan_together(
    parties: &[Party<'_>],
    crossings: &[Crossing],
    moves: &[(ResourceId, usize, usize)],
    shared: &[PathBuf],
) -> Vec<(Options, Plan)> {
    let mut open: Vec<Passage<'_>> = Vec::new();
    let mut crossings: Vec<Crossing> = crossings.to_vec();
    crossings.resize_with(parties.len(), Crossing::default);
    for (id, from, to) in moves {
        let (Some(old), Some(new)) = (parties.get(*from), parties.get(*to)) else { continue };
        let leaves_out = |p: &Party<'_>| !p.options.only.is_empty() && !p.options.only.contains(id);
        if leaves_out(old) || leaves_out(new) {
            continue;
        }
        let Some(guest) = old.observed.resources.get(id) else { continue };
        let passage = Passage { id, from: *from, to: *to, old, new, guest };
        match passage.hindrance(shared) {
            Some(blocked) => passage.refuse(&mut crossings, blocked),
            None => {
                passage.take(&mut crossings, shared);
                open.push(passage);
            }
        }
    }
    loop {
        let plans: Vec<(Options, Plan)> = parties
            .iter()
            .zip(&crossings)
            .map(|(party, crossing)| {
                let options = Options { crossing: crossing.clone(), ..party.options.clone() };
                let plan = plan(party.desired, party.observed, party.capabilities, &options);
                (options, plan)
            })
            .collect();
        let before = open.len();
        open.retain(|passage| passage.holds(&plans, &mut crossings));
        if open.len() == before {
            return plans;
        }
    }
}

/// A guest on its way.
#[derive(Clone, Copy)]
struct Passage<'a> {
    id: &'a ResourceId,
    from: usize,
    to: usize,
    old: &'a Party<'a>,
    new: &'a Party<'a>,
    guest: &'a ObservedResource,
}

impl Passage<'_> {
    /// Returns the reason for which a guest cannot move, whatever the plans are.
    fn hindrance(&self, shared: &[PathBuf]) -> Option<Blocked> {
        let from = self.old.name;
        let stays = |reason: String, hint: String| Some(Blocked { code: STAYS, reason, hint });
        let desired = self.new.desired.resources.get(self.id)?;
        let Some(definition) = self.guest.persistent.as_ref().filter(|_| self.guest.is_persistent)
        else {
            return stays(
                format!("it runs on {from} without a definition that could be moved"),
                format!("define it on {from}, or stop it there"),
            );
        };
        if let Some(wanted) = decide::uuid_conflict(desired, self.guest) {
            return stays(
                format!(
                    "its manifest has the UUID {wanted}, and it has {} on {from}",
                    self.guest.uuid
                ),
                "take the <uuid> out of the manifest, or write the one that it has".to_owned(),
            );
        }
        let left = decide::left_behind(definition.as_element(), desired, shared);
        if !left.is_empty() && !self.old.options.allow.contains(&Effect::DataLoss) {
            let left = left.join(" and ");
            return stays(
                format!("it would leave its {left} behind on {from}"),
                "copy that yourself while it is off, or pass --allow data-loss to go without"
                    .to_owned(),
            );
        }
        let new = Crossing::default();
        let options = Options { crossing: new, ..self.new.options.clone() };
        let context = decide::Context {
            set: &self.new.desired.set,
            observed: self.new.observed,
            capabilities: self.new.capabilities,
            options: &options,
            nics: &[],
        };
        let goes = decide::definition_elsewhere(context, desired, self.guest);
        self.out_of_reach(&goes, definition.as_element(), shared)
    }

    /// The first disk that is not shown to be within reach of the new host.
    fn out_of_reach(&self, goes: &Element, is: &Element, shared: &[PathBuf]) -> Option<Blocked> {
        let here = Storage { shared, pools: self.old.pools }.disks(is);
        let there = Storage { shared, pools: self.new.pools }.disks(goes);
        let (from, to) = (self.old.name, self.new.name);
        let disk = there.iter().find_map(|disk| match &disk.place {
            Place::Local(place) => {
                Some(format!("nothing shows that {to} reaches its disk {}, {place}", disk.target))
            }
            Place::Shared(word) => {
                // one name on both hosts may be of pools on two storages
                let other = here.iter().find(|d| {
                    d.target == disk.target
                        && d.is_volume
                        && disk.is_volume
                        && d.place != disk.place
                })?;
                let (Place::Shared(was) | Place::Local(was)) = &other.place;
                Some(format!("its disk {} is {was} on {from}, and {word} on {to}", disk.target))
            }
        })?;
        Some(Blocked {
            code: OUT_OF_REACH,
            reason: disk,
            hint: format!(
                "if {to} finds the same file there, write shared = [\"/its/directory\"] in virt.toml; \
                 else copy it, delete {} on {from}, and apply",
                self.id
            ),
        })
    }

    /// Cancels a move: the guest is neither taken from the old host nor created on the new one.
    fn refuse(&self, crossings: &mut [Crossing], blocked: Blocked) {
        if let Some(old) = crossings.get_mut(self.from) {
            old.leaving.remove(self.id);
            let reason = format!("it does not go to {}: {}", self.new.name, blocked.reason);
            old.kept.insert(self.id.clone(), reason);
        }
        if let Some(new) = crossings.get_mut(self.to) {
            new.arriving.remove(self.id);
            let reason = format!("it is still on {}: {}", self.old.name, blocked.reason);
            new.blocked.insert(self.id.clone(), Blocked { reason, ..blocked });
        }
    }

    fn take(&self, crossings: &mut [Crossing], shared: &[PathBuf]) {
        if let Some(old) = crossings.get_mut(self.from) {
            let desired = self.new.desired.resources.get(self.id);
            let definition = self.guest.persistent.as_ref();
            let left_behind = desired
                .zip(definition)
                .map(|(desired, is)| decide::left_behind(is.as_element(), desired, shared))
                .unwrap_or_default();
            let departure = Departure { to: self.new.name.to_owned(), left_behind };
            old.leaving.insert(self.id.clone(), departure);
        }
        if let Some(new) = crossings.get_mut(self.to) {
            let old = Some(Arc::new(self.guest.clone()));
            new.arriving.insert(self.id.clone(), Arrival { from: self.old.name.to_owned(), old });
        }
    }

    /// Whether both plans have it. If one has not, it is taken out of the other.
    fn holds(&self, plans: &[(Options, Plan)], crossings: &mut [Crossing]) -> bool {
        let (Some((_, old)), Some((_, new))) = (plans.get(self.from), plans.get(self.to)) else {
            return false;
        };
        if let Some(reason) = hinders(new, self.id, Action::MoveIn) {
            if let Some(crossing) = crossings.get_mut(self.from) {
                crossing.leaving.remove(self.id);
                let reason = format!("it does not go to {}: {reason}", self.new.name);
                crossing.kept.insert(self.id.clone(), reason);
            }
            return false;
        }
        if let Some(reason) = hinders(old, self.id, Action::MoveOut) {
            if let Some(crossing) = crossings.get_mut(self.to) {
                crossing.arriving.remove(self.id);
                let reason = format!("it is still on {}: {reason}", self.old.name);
                let hint = format!("see the report of {}", self.old.name);
                let blocked = Blocked { code: STAYS, reason, hint };
                crossing.blocked.insert(self.id.clone(), blocked);
            }
            return false;
        }
        true
    }
}

/// Returns the reason for which a plan does not carry out its part of a move.
fn hinders(plan: &Plan, id: &ResourceId, action: Action) -> Option<String> {
    if let Some(reason) = plan.blocked.get(id) {
        return Some(reason.clone());
    }
    let of_it = plan.refusals.iter().find(|r| r.id.as_ref() == Some(id));
    if let Some(refusal) = of_it.or(plan.refusals.first()) {
        let about = refusal.id.as_ref().filter(|other| *other != id);
        let about = about.map(|id| format!("its plan is refused: {id}: ")).unwrap_or_default();
        return Some(format!("{about}{}", refusal.reason));
    }
    let has = plan.changes.iter().any(|c| c.id == *id && c.action == action);
    (!has).then(|| "its plan does not have it".to_owned())
}
