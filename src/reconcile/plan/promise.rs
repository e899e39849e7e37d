//! Promise of a plan of which only the steps are left, such as a saved one: the manifests that it applies are
//! in the records of the definitions that it sends. With these the host can be observed again afterwards, as
//! after a plan made from manifests just now.

use super::step::{Step, StepAction};
use super::types::{Options, Plan};
use crate::model::{
    Desired, DesiredResource, Observed, ObservedResource, Op, OpKind, OwnerRecord, ResourceId,
    Settings,
};
use crate::reconcile::ownership::history::settings;
use crate::reconcile::ownership::record::{owner_record_of, read_owner_record};
use diagnostics::{SourceId, Span};
use std::collections::BTreeMap;
use std::sync::Arc;
use xmltree::{Limits, parse};

/// Fate of an object under a plan.
enum Fate {
    /// The object matches this record.
    Recorded(Box<OwnerRecord>),
    /// The object is gone.
    Gone,
    /// The result is unknown: nothing shows what its manifest was, or a saved image brings back its old
    /// state.
    Unknown,
}

/// Returns the desired state once `plan` is applied, and options to plan for it again. `before` is the host
/// as the plan found it.
pub fn promised(plan: &Plan, before: &Observed) -> (Desired, Options) {
    let mut steps: BTreeMap<&ResourceId, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        steps.entry(&step.target.id).or_default().push(step);
    }
    let mut desired = Desired { set: plan.set.clone(), complete: true, ..Desired::default() };
    // its effects were allowed then
    let allow = plan.steps.iter().map(|step| step.effect).collect();
    let mut options = Options { adopt: true, allow, ..Options::default() };
    for (id, steps) in steps {
        let host = before.resources.get(id);
        let owner_record = match fate(&steps, host) {
            Fate::Recorded(owner_record) => owner_record,
            Fate::Gone => {
                options.delete.insert(id.clone());
                continue;
            }
            Fate::Unknown => continue,
        };
        let Some(definition) = owner_record.applied() else { continue };
        // a new version may have dropped something, which has to be gone
        if host.and_then(owner_record_of).is_some_and(|old| old.digest != owner_record.digest) {
            options.seeks.insert(id.clone());
        }
        options.only.insert(id.clone());
        let resource = DesiredResource {
            id: id.clone(),
            definition: definition.into(),
            settings: Settings {
                allow: owner_record.allow.clone(),
                apply_on_reboot: owner_record.apply_on_reboot,
                ..settings(&owner_record)
            },
            depends_on: owner_record.depends_on.clone(),
            span: Span::NONE,
            refused: Vec::new(),
        };
        desired.resources.insert(id.clone(), Arc::new(resource));
    }
    options.only.extend(options.delete.iter().cloned());
    (desired, options)
}

fn fate(steps: &[&Step], host: Option<&ObservedResource>) -> Fate {
    let calls = || {
        steps.iter().filter_map(|step| match &step.action {
            StepAction::Call(op) => Some(op),
            StepAction::Wait { .. } => None,
        })
    };
    let resumes = host.is_some_and(|host| host.managed_save)
        && calls().any(|op| op.is(OpKind::Create))
        && !calls().any(|op| op.is(OpKind::DiscardSaved));
    if resumes {
        return Fate::Unknown;
    }
    let last = calls().rfind(|op| op.definition().is_some() || op.is(OpKind::Undefine));
    let owner_record = match last.map(Op::definition) {
        Some(Some(xml)) => {
            parse(SourceId::NONE, xml, &Limits::default()).ok().as_ref().and_then(read_owner_record)
        }
        Some(None) => return Fate::Gone,
        None if host.is_some_and(|host| !host.is_persistent) && stops(steps) => return Fate::Gone,
        None => host.and_then(owner_record_of).cloned(),
    };
    owner_record.map_or(Fate::Unknown, |owner_record| Fate::Recorded(Box::new(owner_record)))
}

/// Whether an object is stopped and not started again.
fn stops(steps: &[&Step]) -> bool {
    let last = steps.iter().rev().find_map(|step| match &step.action {
        StepAction::Call(op) => (op.is(OpKind::Create) || op.ends()).then_some(op),
        StepAction::Wait { .. } => None,
    });
    last.is_some_and(Op::ends)
}
