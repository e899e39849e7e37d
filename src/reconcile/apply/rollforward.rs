//! Compensating steps of a run that is stopped: an object that is down only to be started again is started,
//! and parked interfaces come back.

use crate::reconcile::plan::step::Step;
use crate::reconcile::plan::types::Plan;
use std::collections::BTreeSet;

/// Returns the compensating steps that are still to be done, without those that would wait for a guest.
pub(super) fn rollforward(
    plan: &Plan,
    is_done: impl Fn(usize) -> bool,
    is_open: impl Fn(usize) -> bool,
) -> BTreeSet<usize> {
    let is_due = |step: &Step| {
        let mut groups = step.consequences.compensates.iter();
        groups.any(|group| group.iter().all(|id| is_done(*id)))
    };
    let mut rollforward = BTreeSet::new();
    // steps are in an order that may be run
    for step in &plan.steps {
        let follows = step.after.iter().all(|id| is_done(*id) || rollforward.contains(id));
        if is_open(step.id) && follows && is_due(step) {
            rollforward.insert(step.id);
        }
    }
    rollforward
}
