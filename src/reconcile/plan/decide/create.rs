//! A resource that the host does not have.

use super::decision::{Context, Decision, aimed, call, worst};
use crate::model::{DesiredResource, Effect, Power, Target};
use crate::reconcile::kinds::rules;
use crate::reconcile::ownership::identity::{derived_uuid, fill_macs, set_uuid, uuid_in};
use crate::reconcile::ownership::record::WantedRecord;
use crate::reconcile::plan::types::{Action, ResourceChange};
use xmltree::write;

/// Defines it, and starts it if its manifest says so.
pub(crate) fn create(context: Context<'_>, desired: &DesiredResource) -> Decision {
    let uuid = uuid_in(desired.definition.as_element())
        .unwrap_or_else(|| derived_uuid(context.set, context.options.host.as_deref(), &desired.id));
    let mut definition = desired.definition.to_element();
    set_uuid(&mut definition, uuid);
    fill_macs(&mut definition, desired.id.kind, uuid, context.capabilities.domain.mac_prefix);
    let after = definition.clone();
    WantedRecord::of(context.set, desired).put(&mut definition, context.options.now);
    let ops = &rules(desired.id.kind).ops;
    let mut steps = vec![call((ops.define)(write(&definition)), Effect::Creates)];
    if desired.settings.autostart == Some(true) {
        steps.extend((ops.set_autostart)(true).map(|op| call(op, Effect::None)));
    }
    let start = match desired.settings.power {
        Power::Running => (ops.create)(false),
        Power::Paused => (ops.create)(true),
        Power::Stopped | Power::Manual => None,
    };
    steps.extend(start.map(|op| call(op, Effect::Starts)));
    let change = ResourceChange {
        action: Action::Create,
        effect: worst(&steps),
        reason: "not on the host".to_owned(),
        after: Some(after),
        ..ResourceChange::nothing(desired.id.clone(), desired.span)
    };
    let target = Target { id: desired.id.clone(), uuid };
    Decision { change, steps: aimed(&target, steps), refusal: None, afterwards: None }
}
