//! Consequences of a whole plan for each of its steps, worked out once: what a run that is stopped has
//! still to do, what other hosts wait for, and which refusals are none. An apply then only looks them up.

use super::step::{Consequences, Milestone, Step, StepAction, Until};
use crate::model::{OpKind, Target};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Works the consequences of all steps out, which are in an order that may be run.
pub(crate) fn link(steps: &mut [Step]) {
    let compensates = compensates(steps);
    for (step, compensates) in steps.iter_mut().zip(compensates) {
        let detaches = step.action.calls(OpKind::Detach);
        step.consequences = Consequences {
            compensates: compensates.into_iter().collect(),
            reaches: reaches(&step.action),
            guest_may_follow: detaches || step.action.calls(OpKind::SetVcpus),
            wants_it_gone: detaches,
        };
    }
}

/// Returns for each step the groups of steps after each of which it has to be done, whatever stops the run:
/// its object is down only to be started again, or an interface is parked that is to come back.
fn compensates(steps: &[Step]) -> Vec<BTreeSet<Vec<usize>>> {
    let mut down: HashMap<&Target, BTreeSet<Vec<usize>>> = HashMap::new();
    let comes_back: HashSet<&Target> = steps
        .iter()
        .filter(|s| s.action.calls(OpKind::Create) || waits_for(s) == Some(Milestone::Defined))
        .map(|s| &s.target)
        .collect();
    for step in steps {
        if is_end(step) && comes_back.contains(&step.target) {
            down.entry(&step.target).or_default().insert(vec![step.id]);
        }
        // a guest awaited from another host may be down there by then, to be started here
        if waits_for(step) == Some(Milestone::Gone) {
            down.entry(&step.target).or_default().insert(step.after.clone());
        }
    }
    let mut all: Vec<BTreeSet<Vec<usize>>> = Vec::with_capacity(steps.len());
    for step in steps {
        let mut groups = down.get(&step.target).cloned().unwrap_or_default();
        if step.action.calls(OpKind::Update) {
            // an interface that was moved out of the way of one of them
            for before in step.after.iter().filter_map(|id| all.get(*id)) {
                groups.extend(before.iter().cloned());
            }
        }
        all.push(groups);
    }
    // nobody waits any more for a guest to end
    for (step, groups) in steps.iter().zip(&mut all) {
        if matches!(step.action, StepAction::Wait { until: Until::Inactive, .. }) {
            groups.clear();
        }
    }
    all
}

/// Returns the milestone that a step brings its object to, if it is a guest that moves.
fn reaches(action: &StepAction) -> Option<Milestone> {
    if action.calls(OpKind::Define) {
        Some(Milestone::Defined)
    } else if action.calls(OpKind::Undefine) {
        Some(Milestone::Gone)
    } else {
        None
    }
}

/// Returns the milestone of another host that a step waits for, if any.
fn waits_for(step: &Step) -> Option<Milestone> {
    match &step.action {
        StepAction::Wait { until: Until::Elsewhere { milestone, .. }, .. } => Some(*milestone),
        StepAction::Wait { .. } | StepAction::Call(_) => None,
    }
}

/// Whether an object is down once this step is done.
fn is_end(step: &Step) -> bool {
    match &step.action {
        StepAction::Call(op) => op.is(OpKind::Destroy),
        StepAction::Wait { until, .. } => *until == Until::Inactive,
    }
}
