//! Plans for the part of a host that there is reason to plan for.

use super::work_queue::{Cause, WorkQueue};
use crate::model::{Capabilities, Desired, Observed, OpKind, ResourceId};
use crate::reconcile::plan;
use crate::reconcile::{Action, Options, Plan, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time for which pruned objects count against the limit: a directory that is removed file by file does not
/// take the set along, one plan at a time. Whoever deletes on purpose waits that long, or passes a number
/// with `--max-prune`.
const LATELY: Duration = Duration::from_secs(600);

/// Objects pruned lately on a host: one account, shared by the loops that move guests.
#[derive(Clone, Debug, Default)]
pub(super) struct Pruned(Arc<Mutex<BTreeMap<ResourceId, Instant>>>);

impl Pruned {
    fn gone(&self) -> MutexGuard<'_, BTreeMap<ResourceId, Instant>> {
        // each change is whole by itself
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the objects that a plan is about to delete.
    pub(super) fn note(&self, plan: &Plan, now: Instant) {
        let mut noted = self.gone();
        noted.retain(|_, at| now.saturating_duration_since(*at) < LATELY);
        let goes = |action| matches!(action, Action::Delete | Action::MoveOut);
        let gone = plan.changes.iter().filter(|change| goes(change.action));
        noted.extend(gone.map(|change| (change.id.clone(), now)));
    }

    /// Counts the deleted objects that are not there again.
    pub(super) fn count(&self, observed: &Observed, now: Instant) -> usize {
        let lately = |at: &Instant| now.saturating_duration_since(*at) < LATELY;
        let gone = |id: &ResourceId| !observed.resources.contains_key(id);
        self.gone().iter().filter(|(id, at)| lately(at) && gone(id)).count()
    }

    /// Schedules another look at objects that are not pruned now, for when fewer deletions count.
    pub(super) fn look_again(&self, planned: &Planned, queue: &mut WorkQueue, now: Instant) {
        let free = self.gone().values().map(|at| *at + LATELY).filter(|free| *free > now).min();
        let Some(free) = free.filter(|_| planned.not_pruned.is_some()) else { return };
        for id in &planned.plan.orphans {
            queue.enqueue(id.clone(), Cause::Retry, free);
        }
    }
}

/// Whether a plan conflicts with others' holdings, so that all of the host is read again before it is carried
/// out: no network is cut off under guests that came since, and nothing is started on their disks.
pub(super) fn takes_of_others(plan: &Plan) -> bool {
    let takes = |step: &Step| {
        let starts = step.action.calls(OpKind::Create) || step.action.calls(OpKind::Attach);
        starts || step.target.id.kind.connects_guests()
    };
    plan.steps.iter().any(takes)
}

/// Input of plans.
pub(super) struct Planner<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) capabilities: &'a Capabilities,
    pub(super) options: &'a Options,
    pub(super) pruned: &'a Pruned,
}

/// Plan, and the objects left out of it since they would be refused.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) allowed_by_policy: BTreeMap<ResourceId, String>,
    /// Reason for which pruning is suspended.
    pub(super) not_pruned: Option<String>,
    /// Guests that are to come from another host, which is planned for by itself.
    pub(super) arriving: BTreeMap<ResourceId, String>,
}

impl Planner<'_> {
    /// Plans for some objects, or for all. Objects that the plan refuses are left out: one object's refusal
    /// must not stop the rest of a set. Their dependants may be refused in turn, so this is repeated until
    /// the plan is accepted; `None` if no progress is made.
    pub(super) fn plan(
        &self,
        only: Option<BTreeSet<ResourceId>>,
        left_alone: &BTreeSet<ResourceId>,
    ) -> Option<Planned> {
        let observed = self.observed;
        let mut options = self.options.clone();
        options.pruned_lately = self.pruned.count(observed, Instant::now());
        let everything = || {
            let wanted = self.desired.resources.keys();
            wanted.chain(observed.resources.keys()).cloned().collect::<BTreeSet<_>>()
        };
        let mut only = only.map(|only| self.with_needs(only));
        if !left_alone.is_empty() {
            let selected = only.get_or_insert_with(everything);
            selected.retain(|id| !left_alone.contains(id) && !self.needs_one_of(id, left_alone));
        }
        let typed = &self.options.only;
        let (mut allowed_by_policy, mut not_pruned) = (BTreeMap::new(), None);
        loop {
            if let Some(only) = &mut only {
                only.retain(|id| typed.is_empty() || typed.contains(id));
                if only.is_empty() {
                    // which means all to a plan
                    let plan = Plan { set: self.desired.set.clone(), ..Plan::default() };
                    return Some(Planned {
                        plan,
                        allowed_by_policy,
                        not_pruned,
                        arriving: BTreeMap::new(),
                    });
                }
                options.only.clone_from(only);
            }
            let plan = plan(self.desired, observed, self.capabilities, &options);
            if plan.refusals.is_empty() {
                return Some(Planned {
                    plan,
                    allowed_by_policy,
                    not_pruned,
                    arriving: BTreeMap::new(),
                });
            }
            let mut is_less = false;
            for refusal in plan.refusals {
                match refusal.id {
                    Some(id) => {
                        is_less |= only.get_or_insert_with(everything).remove(&id);
                        allowed_by_policy
                            .insert(id, format!("{}; {}", refusal.reason, refusal.hint));
                    }
                    None => {
                        is_less |= std::mem::take(&mut options.prune);
                        not_pruned = Some(format!("{}; {}", refusal.reason, refusal.hint));
                    }
                }
            }
            if !is_less {
                return None;
            }
        }
    }

    /// Returns these objects with the dependencies that the host does not have.
    fn with_needs(&self, mut ids: BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
        let mut open: Vec<ResourceId> = ids.iter().cloned().collect();
        while let Some(id) = open.pop() {
            let Some(resource) = self.desired.resources.get(&id) else { continue };
            for need in &resource.depends_on {
                let lacks = !self.observed.resources.contains_key(need);
                let known = self.desired.resources.contains_key(need);
                if lacks && known && ids.insert(need.clone()) {
                    open.push(need.clone());
                }
            }
        }
        ids
    }

    /// Whether an object waits for one that is left alone.
    fn needs_one_of(&self, id: &ResourceId, left_alone: &BTreeSet<ResourceId>) -> bool {
        let needs = self.desired.resources.get(id).map_or(&[][..], |r| &r.depends_on);
        needs.iter().any(|n| left_alone.contains(n) && !self.observed.resources.contains_key(n))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::model::Kind;

    #[test]
    fn what_was_pruned_counts_for_a_while_and_what_waits_is_looked_at_then() {
        let start = Instant::now();
        let (gone, waits) =
            (ResourceId::new(Kind::Domain, "gone"), ResourceId::new(Kind::Domain, "waits"));
        let pruned = Pruned(Arc::new(Mutex::new([(gone, start)].into())));
        let later = start + LATELY;
        let observed = Observed::default();
        assert_eq!(pruned.count(&observed, later - Duration::from_secs(1)), 1);
        assert_eq!(pruned.count(&observed, later), 0);
        let plan = Plan { orphans: vec![waits.clone()], ..Plan::default() };
        let not_pruned = Some("too many".to_owned());
        let mut planned = Planned {
            plan,
            allowed_by_policy: BTreeMap::new(),
            not_pruned,
            arriving: BTreeMap::new(),
        };
        let mut queue = WorkQueue::new(LATELY * 9, start);
        queue.take(start).unwrap();
        pruned.look_again(&planned, &mut queue, start);
        assert_eq!(queue.next_due(), later);
        assert!(queue.take(later).unwrap().objects.contains_key(&waits));
        // once nothing counts any more there is nothing to wait for, nor is there without a refusal
        pruned.look_again(&planned, &mut queue, later);
        planned.not_pruned = None;
        pruned.look_again(&planned, &mut queue, start);
        assert!(queue.next_due() > later);
    }
}
