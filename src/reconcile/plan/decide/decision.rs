//! Decision about one resource: its parts.

use super::draft_step::DraftStep;
use crate::model::{
    Capabilities, DomainOp, Effect, Observed, ObservedResource, Op, ShutdownPolicy, State, Target,
};
use crate::reconcile::kinds::rules;
use crate::reconcile::plan::afterwards::Afterwards;
use crate::reconcile::plan::nic_migration::Nic;
use crate::reconcile::plan::step::{Otherwise, StepAction, Until};
use crate::reconcile::plan::types::{Options, Refusal, ResourceChange};

/// Decision about one resource: the change for people and its steps, each after the one before.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) change: ResourceChange,
    pub(crate) steps: Vec<DraftStep>,
    pub(crate) refusal: Option<Refusal>,
    /// Follow-up if the running instance does not take a live change.
    pub(crate) afterwards: Option<Afterwards>,
}

/// Context of decisions about one resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) set: &'a str,
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) options: &'a Options,
    pub(crate) observed: &'a Observed,
    /// Interfaces of running domains on this network.
    pub(crate) nics: &'a [Nic],
}

/// A step of the resource that a decision is about.
pub(super) type Move = (StepAction, Effect);

/// A call of the driver.
pub(super) fn call(op: impl Into<Op>, effect: Effect) -> Move {
    (StepAction::Call(op.into()), effect)
}

/// The steps with their target.
pub(super) fn aimed(target: &Target, steps: Vec<Move>) -> Vec<DraftStep> {
    let aim = |(action, effect)| DraftStep::new(target, action, effect);
    steps.into_iter().map(aim).collect()
}

/// The worst that steps do.
pub(super) fn worst(steps: &[Move]) -> Effect {
    steps.iter().map(|(_, effect)| *effect).max().unwrap_or(Effect::None)
}

/// Stopping: a network at once; a domain by asking its guest, and by force only where that is
/// allowed. A guest whose processors are stopped hears nothing: they run again first. One that has
/// crashed and is kept for inspection cannot hear.
pub(super) fn stop_steps(
    host: &ObservedResource,
    stop: ShutdownPolicy,
    effect: Effect,
) -> Vec<Move> {
    if !rules(host.id.kind).shuts_down || host.state == State::Crashed {
        let destroy = (rules(host.id.kind).ops.destroy)();
        return destroy.map(|op| call(op, effect)).into_iter().collect();
    }
    let otherwise =
        if stop.force { Otherwise::Call(DomainOp::Destroy.into()) } else { Otherwise::Fail };
    let wait = StepAction::Wait { until: Until::Inactive, timeout: stop.timeout, otherwise };
    let resume = (host.state == State::Paused).then(|| call(DomainOp::Resume, effect));
    resume.into_iter().chain([call(DomainOp::Shutdown, effect), (wait, effect)]).collect()
}
