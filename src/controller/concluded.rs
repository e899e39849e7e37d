//! Conclusions of a loop from an applied plan: reports, and times of the next tries.

use super::events::{ControllerEvent, Outcome, outcome};
use super::host_loop::HostLoop;
use super::planner::Planned;
use super::work_queue::{Cause, Reason};
use crate::model::ResourceId;
use crate::reconcile::{Action, Report, Status};
use std::collections::BTreeMap;
use std::time::Instant;

impl HostLoop {
    /// Reports the outcome of each change, and schedules the next tries.
    pub(super) fn conclude(
        &mut self,
        planned: &Planned,
        report: &Report,
        after: Option<&Planned>,
        reasons: &BTreeMap<ResourceId, Reason>,
        begun: Instant,
    ) {
        let mut statuses: BTreeMap<&ResourceId, Vec<&Status>> = BTreeMap::new();
        for (step, told) in planned.plan.steps.iter().zip(&report.steps) {
            statuses.entry(&step.target.id).or_default().push(&told.status);
        }
        let now = Instant::now();
        let fallback = Reason { cause: Cause::Retry, since: begun };
        let mut told = Vec::new();
        for change in &planned.plan.changes {
            let Some(statuses) = statuses.get(&change.id) else { continue };
            let reason = reasons.get(&change.id).unwrap_or(&fallback);
            let left = after.and_then(|a| a.plan.changes.iter().find(|c| c.id == change.id));
            // differences that a saved image brought back belong to the next plan
            let outcome = outcome(statuses, left.filter(|_| !change.resumes));
            let pause = match &outcome {
                Outcome::Done => {
                    if change.action != Action::Update {
                        for id in self.dependants(&change.id) {
                            self.queue.enqueue(id, Cause::Retry, now);
                        }
                    }
                    self.queue.succeeded(&change.id, &reason.cause, now)
                }
                // it is begun again by the next run
                Outcome::Skipped if report.stopped => None,
                Outcome::NotConverged(_)
                | Outcome::Pending(_)
                | Outcome::Failed(_)
                | Outcome::Unknown(_)
                | Outcome::Skipped => Some(self.queue.failed(&change.id, now)),
            };
            self.ended.failed |= matches!(outcome, Outcome::Failed(_) | Outcome::Skipped);
            self.ended.unresolved |=
                matches!(outcome, Outcome::Unknown(_) | Outcome::NotConverged(_));
            self.ended.pending |= matches!(outcome, Outcome::Pending(_));
            let took = now.saturating_duration_since(reason.since);
            let pause = pause.map(|until| until.saturating_duration_since(now));
            let event =
                ControllerEvent::Reconciled { change, outcome, cause: &reason.cause, took, pause };
            self.environment.emit(&self.settings.name, &event);
            told.push((change, event));
        }
        self.record.applied(report, &told, now.saturating_duration_since(begun));
    }

    /// Records the states of objects by a plan.
    pub(super) fn told(&mut self, planned: &Planned) {
        let Planned { plan, allowed_by_policy, not_pruned, arriving: _ } = planned;
        self.ended.failed |= !plan.blocked.is_empty() || plan.diagnostics.has_errors();
        self.ended.refused |= !allowed_by_policy.is_empty() || not_pruned.is_some();
        let observed = self.observed.as_ref();
        self.record.stands(plan, allowed_by_policy, &self.desired, observed, &self.queue);
        self.record.not_pruned(not_pruned.as_deref());
        self.pruned.look_again(planned, &mut self.queue, Instant::now());
    }
}
