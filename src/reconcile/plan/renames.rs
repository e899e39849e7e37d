//! Objects that are on the host under another name: their UUID tells.

use super::decide::{Decision, DraftStep, Link};
use super::step::StepAction;
use super::types::{Action, FieldChange, Options};
use crate::model::{
    Desired, DesiredResource, DomainOp, Effect, Observed, ObservedResource, ResourceId, Target,
};
use crate::reconcile::diff::difference::ChangeCause;
use crate::reconcile::ownership::identity::{derived_uuid, uuid_in};
use crate::reconcile::ownership::record::owner_record_of;
use xmltree::Path;

/// The object that `desired` is on the host under a name that no manifest has any more: a domain of
/// the same set with the same UUID, which was applied under that name. Networks cannot be renamed.
pub(crate) fn renamed<'a>(
    desired: &Desired,
    resource: &DesiredResource,
    observed: &'a Observed,
    options: &Options,
) -> Option<&'a ObservedResource> {
    let other = under_another_name(desired, resource, observed, options)?;
    (applied_as(other).as_ref() != Some(&resource.id)).then_some(other)
}

/// Returns the object that `desired` is on the host, where somebody has renamed it since it was applied: it
/// is not renamed back unasked.
pub(crate) fn set_aside<'a>(
    desired: &Desired,
    resource: &DesiredResource,
    observed: &'a Observed,
    options: &Options,
) -> Option<&'a ObservedResource> {
    let other = under_another_name(desired, resource, observed, options)?;
    (applied_as(other).as_ref() == Some(&resource.id)).then_some(other)
}

/// Returns the id that an object had when its manifest was applied last.
pub(crate) fn applied_as(host: &ObservedResource) -> Option<ResourceId> {
    let name = owner_record_of(host)?.applied()?.child_text("name")?;
    Some(ResourceId::new(host.id.kind, name))
}

fn under_another_name<'a>(
    desired: &Desired,
    resource: &DesiredResource,
    observed: &'a Observed,
    options: &Options,
) -> Option<&'a ObservedResource> {
    if !resource.id.kind.is_guest() || observed.resources.contains_key(&resource.id) {
        return None;
    }
    let uuid = uuid_in(resource.definition.as_element())
        .unwrap_or_else(|| derived_uuid(&desired.set, options.host.as_deref(), &resource.id));
    let mut alike = observed.resources.values().filter(|o| o.id.kind.is_guest());
    let other = alike.find(|o| o.uuid == uuid)?;
    let free =
        !desired.resources.contains_key(&other.id) && !desired.blocked.contains_key(&other.id);
    let owner_record = owner_record_of(other).filter(|_| other.persistent.is_some());
    (free && owner_record.is_some_and(|m| m.set == desired.set)).then_some(other)
}

/// Returns the reason for which a domain cannot be renamed in its present state.
pub(crate) fn hindrance(host: &ObservedResource) -> Option<&'static str> {
    if host.state.is_active() {
        Some("a domain that runs cannot be renamed: shut it down first")
    } else if host.managed_save {
        Some("a domain with a saved memory image cannot be renamed: start it, and shut it down")
    } else if !host.snapshots.is_empty() || !host.checkpoints.is_empty() {
        Some("a domain with snapshots or checkpoints cannot be renamed: delete them first")
    } else {
        None
    }
}

/// The object as it will be under its new name.
pub(crate) fn under(id: &ResourceId, host: &ObservedResource) -> ObservedResource {
    let mut host = host.clone();
    if let Some(definition) = &mut host.persistent {
        definition.to_mut().child_or_new("name").set_text(id.name.clone());
    }
    host.id = id.clone();
    host
}

/// Puts the new name before all else that a decision does.
pub(crate) fn rename_first(
    decision: &mut Decision,
    was: &ObservedResource,
    resource: &DesiredResource,
) {
    let target = Target { id: was.id.clone(), uuid: was.uuid };
    let name = resource.id.name.clone();
    decision.change.fields.insert(
        0,
        FieldChange {
            path: Path::parse("name").unwrap_or_default(),
            before: Some(was.id.name.clone()),
            after: Some(name.clone()),
            effect: Effect::None,
            span: resource.span,
            origin: ChangeCause::Manifest,
            why: None,
        },
    );
    let action = StepAction::Call(DomainOp::Rename { name }.into());
    if decision.change.action == Action::NoOp {
        decision.change.action = Action::Update;
        decision.change.reason = "the manifest changed".to_owned();
    }
    decision.steps.insert(0, DraftStep::new(&target, action, Effect::None));
    // the steps that live changes need have moved
    for step in &mut decision.steps {
        if let Link::Live { needs } = &mut step.link {
            *needs = Some(needs.map_or(0, |n| n + 1));
        }
    }
}
