//! Checks of a saved plan: the object of each definition, and the effect of each step.

use crate::model::{
    Affect, DomainOp, Effect, Kind, MetadataKind, NAMESPACE, NetworkOp, Observed, Op, OpKind,
    PoolOp, ResourceId, Target, UndefineKeep, Uuid, VolumeOp,
};
use crate::reconcile::kinds::rules;
use crate::reconcile::ownership::identity;
use crate::reconcile::ownership::record::owner_record_in;
use crate::reconcile::plan::afterwards::{Afterwards, Undo};
use crate::reconcile::plan::step::{Otherwise, Step, StepAction};
use crate::reconcile::plan::types::Plan;
use diagnostics::SourceId;
use std::collections::BTreeMap;
use xmltree::{Limits, parse};

/// Returns the reason for which a document is not a definition of `target` with a record of this set or none,
/// or nothing if it is.
fn not_of(set: &str, target: &Target, xml: &str) -> Option<String> {
    let Ok(root) = parse(SourceId::NONE, xml, &Limits::default()) else {
        return Some("its definition is not well-formed".to_owned());
    };
    let of_other = || {
        let record = owner_record_in(&root).filter(|record| record.attr("set") != Some(set))?;
        Some(format!("its record is of the set \"{}\"", record.attr("set").unwrap_or_default()))
    };
    identity::not_of(target, &root).or_else(of_other)
}

/// Returns the reason for which a step of `target` cannot be part of a plan, or nothing if it can: each
/// definition in it is of its object, and only definitions write records.
pub(super) fn unfit(set: &str, target: &Target, action: &StepAction) -> Option<String> {
    if let StepAction::Wait { otherwise: Otherwise::Call(op), .. } = action
        && !op.is(OpKind::Destroy)
    {
        return Some(format!("{} follows its wait, and only destroy can", op.kind()));
    }
    let op = action.op()?;
    if op.object_kind() != target.id.kind {
        return Some(format!("a {} has no such operation", target.id.kind));
    }
    if let Some(xml) = op.definition() {
        return not_of(set, target, xml);
    }
    let metadata = match op {
        Op::Domain(DomainOp::SetMetadata { kind, value: Some(_), .. })
        | Op::Network(NetworkOp::SetMetadata { kind, value: Some(_), .. }) => Some(kind),
        Op::Domain(_) | Op::Network(_) | Op::Pool(_) | Op::Volume(_) => None,
    };
    let is_record =
        |kind: &MetadataKind| matches!(kind, MetadataKind::Element { uri, .. } if uri == NAMESPACE);
    metadata
        .is_some_and(is_record)
        .then(|| "it sets a record, which is what a definition does".to_owned())
}

/// Returns the reason for which a follow-up cannot be part of a plan, or nothing if it can: an undo stays in
/// the object's definition, leaves its identity and ownership alone, and is the same in its record.
pub(super) fn unfit_afterwards(set: &str, of: &Afterwards, steps: &[Step]) -> Option<String> {
    if !steps.iter().any(|step| step.target == of.target) {
        return Some("the plan does nothing to it".to_owned());
    }
    if let Some(why) = not_of(set, &of.target, &of.definition) {
        return Some(why);
    }
    let definition = parse(SourceId::NONE, &of.definition, &Limits::default()).ok()?;
    for piece in &of.pieces {
        if piece.definition.iter().any(|undo| undo.says_who(&definition)) {
            return Some("it says who the object is, or whose".to_owned());
        }
        let whats = |undo: &[Undo]| undo.iter().map(|u| u.what.clone()).collect::<Vec<_>>();
        let told = piece.manifest.as_ref();
        if told.is_some_and(|undo| whats(undo) != whats(&piece.definition)) {
            return Some("its record would say something else".to_owned());
        }
    }
    None
}

/// The first object of which a plan speaks by a name that is not its own on the host: a host goes by
/// UUIDs, and people by names.
pub(super) fn misnamed(plan: &Plan, observed: &Observed) -> Option<String> {
    let mut names: BTreeMap<(Kind, Uuid), ResourceId> = BTreeMap::new();
    for host in observed.resources.values() {
        names.insert((host.id.kind, host.uuid), host.id.clone());
    }
    let wrong = |names: &BTreeMap<(Kind, Uuid), ResourceId>, target: &Target| {
        let id = names.get(&(target.id.kind, target.uuid)).filter(|id| **id != target.id)?;
        Some(format!("it says {}, and what has this UUID on the host is {id}", target.id))
    };
    for Step { target, action, .. } in &plan.steps {
        if let Some(why) = wrong(&names, target) {
            return Some(why);
        }
        if let Some(Op::Domain(DomainOp::Rename { name })) = action.op() {
            let id = ResourceId::new(target.id.kind, name.as_str());
            names.insert((target.id.kind, target.uuid), id);
        }
    }
    plan.afterwards.iter().find_map(|of| wrong(&names, &of.target))
}

/// Raises the effects of steps that claim less than their calls do. A higher effect came from a look at the
/// host, and stays.
pub(super) fn raise_effects(steps: &mut [Step]) {
    let least: Vec<Effect> = (0..steps.len()).map(|at| least(steps, at)).collect();
    for (step, least) in steps.iter_mut().zip(least) {
        step.effect = step.effect.max(least);
    }
}

/// Returns the least effect of the step at `at`, by its call and by the plan's other steps on its object.
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
    let is_define = |op: &Op| op.definition().is_some();
    // an object of the plan's own making, such as a network that cards are parked on for a while
    let is_own = || earlier(is_define) && !earlier(Op::ends);
    let kind = step.target.id.kind;
    let stop = || {
        if kind.connects_guests() && is_own() {
            Effect::None
        } else if later(|op| op.is(OpKind::Create)) {
            rules(kind).restart
        } else {
            Effect::Stops
        }
    };
    let Some(op) = step.action.op() else { return Effect::None };
    let live = |affect: &Affect| match affect {
        Affect::Config => Effect::None,
        Affect::Live | Affect::Both => Effect::Live,
    };
    let undefine = |keep: UndefineKeep| match keep {
        UndefineKeep::Firmware | UndefineKeep::Remove => Effect::DataLoss,
        UndefineKeep::Nothing | UndefineKeep::State if later(is_define) => Effect::Replace,
        UndefineKeep::Nothing | UndefineKeep::State if earlier(is_define) => Effect::None,
        UndefineKeep::Nothing | UndefineKeep::State => Effect::Deletes,
    };
    match op {
        Op::Domain(op) => match op {
            DomainOp::Destroy | DomainOp::Shutdown => stop(),
            DomainOp::DiscardSaved => Effect::DataLoss,
            DomainOp::Undefine { keep } => undefine(*keep),
            DomainOp::Create { .. } => Effect::Starts,
            DomainOp::Suspend => Effect::BriefOutage,
            DomainOp::Resume => Effect::Live,
            DomainOp::Attach { affect, .. }
            | DomainOp::Detach { affect, .. }
            | DomainOp::Update { affect, .. } => live(affect),
            DomainOp::Define { .. }
            | DomainOp::SetAutostart { .. }
            | DomainOp::SetMemory { .. }
            | DomainOp::SetVcpus { .. }
            | DomainOp::Pin { .. }
            | DomainOp::AddIoThread { .. }
            | DomainOp::DeleteIoThread { .. }
            | DomainOp::Tune { .. }
            | DomainOp::SetLifecycle { .. }
            | DomainOp::SetMemoryStatsPeriod { .. }
            | DomainOp::Rename { .. }
            | DomainOp::SetMetadata { .. } => Effect::None,
        },
        Op::Network(op) => match op {
            NetworkOp::Destroy => stop(),
            NetworkOp::Undefine => undefine(UndefineKeep::Nothing),
            NetworkOp::Create => Effect::Starts,
            NetworkOp::Define { .. }
            | NetworkOp::SetAutostart { .. }
            | NetworkOp::SetMetadata { .. }
            | NetworkOp::Update { .. } => Effect::None,
        },
        Op::Pool(op) => match op {
            PoolOp::Destroy => stop(),
            PoolOp::Undefine => undefine(UndefineKeep::Nothing),
            PoolOp::Create => Effect::Starts,
            PoolOp::Define { .. } | PoolOp::SetAutostart { .. } => Effect::None,
        },
        Op::Volume(op) => match op {
            // its data go with it
            VolumeOp::Delete => Effect::DataLoss,
            VolumeOp::Create { .. } => Effect::None,
        },
    }
}
