//! What is not believed of a saved plan: which object a definition is of, and how disruptive a step is.

use crate::diag::SourceId;
use crate::model::{Affect, Effect, Op, Target, UndefineKeep, Uuid};
use crate::reconcile::changes::{Otherwise, Step, StepAction};
use crate::reconcile::identity::uuid_in;
use crate::reconcile::kinds::rules;
use crate::xml::{Element, Limits, parse};

/// Why a definition is not one of `target`, or nothing if it is: a host goes by the name and the UUID
/// in the document, and not by what a step says of itself.
pub(super) fn not_of(target: &Target, xml: &str) -> Option<String> {
    let Ok(root) = parse(SourceId::NONE, xml, &Limits::default()) else {
        return Some("its definition is not well-formed".to_owned());
    };
    let (kind, name) = (target.id.kind.as_str(), root.child_text("name").unwrap_or_default());
    if !root.is(kind) {
        Some(format!("its definition is not one of a {kind}"))
    } else if name != target.id.name {
        Some(format!("its definition is of {kind}/{name}"))
    } else if !has_uuid(&root, target.uuid) {
        Some("its definition has another UUID".to_owned())
    } else {
        None
    }
}

fn has_uuid(root: &Element, uuid: Uuid) -> bool {
    uuid_in(root) == Some(uuid)
}

/// Raises the effects of steps that say less than what they do. What a step says beyond that came from
/// a look at the host, and stays.
pub(super) fn raise_effects(steps: &mut [Step]) {
    let least: Vec<Effect> = (0..steps.len()).map(|at| least(steps, at)).collect();
    for (step, least) in steps.iter_mut().zip(least) {
        step.effect = step.effect.max(least);
    }
}

/// The least that the step at `at` does, by what it calls and by what else the plan does to its object.
fn least(steps: &[Step], at: usize) -> Effect {
    let Some(step) = steps.get(at) else { return Effect::None };
    let of_same = |s: &&Step| s.target.id == step.target.id;
    let calls = |s: &Step, wanted: fn(&Op) -> bool| match &s.action {
        StepAction::Call(op) => wanted(op),
        StepAction::Wait { .. } => false,
    };
    let later = |wanted: fn(&Op) -> bool| {
        steps.iter().skip(at + 1).filter(of_same).any(|s| calls(s, wanted))
    };
    let earlier =
        |wanted: fn(&Op) -> bool| steps.iter().take(at).filter(of_same).any(|s| calls(s, wanted));
    let is_define = |op: &Op| matches!(op, Op::Define { .. });
    // an object of the plan's own making, such as a network that cards are parked on for a while
    let is_own = || earlier(is_define) && !earlier(|op| matches!(op, Op::Destroy | Op::Shutdown));
    let kind = step.target.id.kind;
    let stop = || {
        if kind.connects_guests() && is_own() {
            Effect::None
        } else if later(|op| matches!(op, Op::Create { .. })) {
            rules(kind).restart
        } else {
            Effect::Stops
        }
    };
    let op = match &step.action {
        StepAction::Call(op) | StepAction::Wait { otherwise: Otherwise::Call(op), .. } => op,
        StepAction::Wait { .. } => return Effect::None,
    };
    let live = |affect: &Affect| match affect {
        Affect::Config => Effect::None,
        Affect::Live | Affect::Both => Effect::Live,
    };
    match op {
        Op::Destroy | Op::Shutdown => stop(),
        Op::Undefine { keep: UndefineKeep::Firmware | UndefineKeep::Remove } | Op::DiscardSaved => {
            Effect::DataLoss
        }
        Op::Undefine { .. } if later(is_define) => Effect::Replace,
        Op::Undefine { .. } if earlier(is_define) => Effect::None,
        Op::Undefine { .. } => Effect::Deletes,
        Op::Create { .. } => Effect::Starts,
        Op::Suspend => Effect::BriefOutage,
        Op::Resume => Effect::Live,
        Op::Attach { affect, .. } | Op::Detach { affect, .. } | Op::Update { affect, .. } => {
            live(affect)
        }
        Op::Define { .. }
        | Op::SetAutostart { .. }
        | Op::SetMemory { .. }
        | Op::SetVcpus { .. }
        | Op::Pin { .. }
        | Op::AddIoThread { .. }
        | Op::DeleteIoThread { .. }
        | Op::Tune { .. }
        | Op::SetLifecycle { .. }
        | Op::SetMemoryStatsPeriod { .. }
        | Op::Rename { .. }
        | Op::SetMetadata { .. }
        | Op::NetworkUpdate { .. } => Effect::None,
    }
}
