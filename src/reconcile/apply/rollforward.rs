//! Compensating steps of a run that is stopped: an object that is down only to be started again is started,
//! and parked interfaces come back.

use super::waits::elsewhere;
use crate::model::{Op, Target};
use crate::reconcile::plan::types::{Milestone, Plan, Step, StepAction, Until};
use std::collections::BTreeSet;

/// Returns the compensating steps that are still to be done, without those that would wait for a guest.
pub(super) fn rollforward(
    plan: &Plan,
    is_done: impl Fn(usize) -> bool,
    is_open: impl Fn(usize) -> bool,
) -> BTreeSet<usize> {
    let comes_back = |target: &Target| {
        let starts = |s: &Step| matches!(s.action, StepAction::Call(Op::Create { .. }));
        let elsewhere = |s: &Step| waits_for(s) == Some(Milestone::Defined);
        plan.steps.iter().any(|s| s.target == *target && (starts(s) || elsewhere(s)))
    };
    // a guest awaited from another host may be down there by now, to be started here
    let awaited = |step: &&Step| {
        waits_for(step) == Some(Milestone::Gone) && step.after.iter().all(|id| is_done(*id))
    };
    let ended = plan.steps.iter().filter(|step| is_end(step) && is_done(step.id));
    let down: Vec<&Target> = ended
        .map(|step| &step.target)
        .filter(|target| comes_back(target))
        .chain(plan.steps.iter().filter(awaited).map(|step| &step.target))
        .collect();
    // steps on it, and on those that were moved out of its way
    let mut of_it = BTreeSet::new();
    let mut rollforward = BTreeSet::new();
    // steps are in an order that may be run
    for step in &plan.steps {
        let moves = is_update(step) && step.after.iter().any(|id| of_it.contains(id));
        if !moves && !down.contains(&&step.target) {
            continue;
        }
        of_it.insert(step.id);
        let until_it_ends = matches!(&step.action, StepAction::Wait { until: Until::Inactive, .. });
        let follows = step.after.iter().all(|id| is_done(*id) || rollforward.contains(id));
        if is_open(step.id) && follows && !until_it_ends {
            rollforward.insert(step.id);
        }
    }
    rollforward
}

/// Returns the milestone of another host that a step waits for, if any.
fn waits_for(step: &Step) -> Option<Milestone> {
    elsewhere(&step.action).map(|(_, milestone)| milestone)
}

fn is_update(step: &Step) -> bool {
    matches!(step.action, StepAction::Call(Op::Update { .. }))
}

/// Whether an object is down once this step is done.
fn is_end(step: &Step) -> bool {
    match &step.action {
        StepAction::Call(op) => *op == Op::Destroy,
        StepAction::Wait { until, .. } => *until == Until::Inactive,
    }
}
