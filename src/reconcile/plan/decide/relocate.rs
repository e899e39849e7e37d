//! Move of a guest from one host of a fleet to another: the part of each.
//!
//! The new host defines it, switched off; the old one then takes it down and forgets it; only then the
//! new one starts it. So a run that ends anywhere leaves two definitions of one guest at the most, and
//! never two that run. Until the old one is gone the new definition says so itself ([`Moving`]).

use super::compare::next_boot;
use super::decision::{Context, Decision, Move, aimed, call, worst};
use super::draft::field;
use super::remove::delete;
use crate::model::domain::{has_tpm_state, nvram};
use crate::model::{
    DesiredResource, DomainOp, Effect, Moving, ObservedResource, OwnerRecord, Power,
    ShutdownPolicy, Target,
};
use crate::reconcile::diff::difference::ChangeCause;
use crate::reconcile::diff::others::Left;
use crate::reconcile::moves::{Arrival, Departure, Pools, Storage};
use crate::reconcile::ownership::record::{WantedRecord, owner_record_of, without_owner_record};
use crate::reconcile::plan::step::{Milestone, Otherwise, StepAction, Until};
use crate::reconcile::plan::types::{Action, FieldChange, ResourceChange};
use std::path::PathBuf;
use std::time::Duration;
use xmltree::{Element, Path, write};

/// Longest wait for another host's plan: each of its steps has a deadline of its own, and once its walk ends
/// nothing is waited for any more, so this is a last resort.
const OTHER_HOST: Duration = Duration::from_secs(2 * ShutdownPolicy::MAX.as_secs());

/// Decides about a guest that arrives from another host. `host` is the guest here, if any of it is here
/// already.
pub(crate) fn arrive(
    context: Context<'_>,
    desired: &DesiredResource,
    host: Option<&ObservedResource>,
    arrival: &Arrival,
) -> Option<Decision> {
    let was = arrival.old.as_deref().or(host)?;
    let Left { overlay: goes, others } = goes(context, desired, was);
    let begun = host.and_then(owner_record_of).and_then(|m| m.moving.clone());
    let moving = begun.filter(|m| m.from == arrival.from).unwrap_or_else(|| Moving {
        from: arrival.from.clone(),
        autostart: was.autostart,
        active: was.state.is_active(),
    });
    let marked = |moves: bool| {
        let mut definition = goes.merged.clone();
        let mut owner_record = WantedRecord::of(context.set, desired);
        owner_record.leave(others.clone());
        let owner_record = if moves { owner_record.moving(&moving) } else { owner_record };
        owner_record.put(&mut definition, context.options.now);
        call(DomainOp::Define { xml: write(&definition) }, Effect::Creates)
    };
    let mut steps = Vec::new();
    if arrival.old.is_some() {
        steps.push(marked(true));
        if host.is_some_and(|h| h.autostart) {
            steps.push(call(DomainOp::SetAutostart { on: false }, Effect::None));
        }
        steps.push(wait_for(&arrival.from, Milestone::Gone));
    }
    steps.push(marked(false));
    if desired.settings.autostart.unwrap_or(moving.autostart) {
        steps.push(call(DomainOp::SetAutostart { on: true }, Effect::None));
    }
    match desired.settings.power {
        Power::Running => steps.push(call(DomainOp::Create { paused: false }, Effect::Starts)),
        Power::Paused => steps.push(call(DomainOp::Create { paused: true }, Effect::Starts)),
        Power::Manual if moving.active => {
            steps.push(call(DomainOp::Create { paused: false }, Effect::Starts));
        }
        Power::Stopped | Power::Manual => {}
    }
    let edits = goes.changes.iter().map(|change| field(change, Effect::None, change.origin));
    let here = context.options.host.clone();
    let way = FieldChange {
        path: Path::parse("host").unwrap_or_default(),
        before: Some(arrival.from.clone()),
        after: here,
        effect: Effect::None,
        span: desired.span,
        origin: ChangeCause::Manifest,
        why: None,
    };
    let change = ResourceChange {
        action: Action::MoveIn,
        effect: worst(&steps),
        reason: match arrival.old {
            Some(_) => format!("it comes from {}", arrival.from),
            None => format!("it came from {}, and is gone there", arrival.from),
        },
        fields: std::iter::once(way).chain(edits).collect(),
        before: Some(without_owner_record(was.persistent.as_ref()?.as_element())),
        after: Some(without_owner_record(&goes.merged)),
        ..ResourceChange::nothing(desired.id.clone(), desired.span)
    };
    let target = Target { id: desired.id.clone(), uuid: was.uuid };
    Some(Decision { change, steps: aimed(&target, steps), refusal: None, afterwards: None })
}

/// A guest that goes from here to another host: not before it is defined there.
pub(crate) fn leave(
    context: Context<'_>,
    host: &ObservedResource,
    owner_record: Option<&OwnerRecord>,
    departure: &Departure,
) -> Decision {
    let Departure { to, left_behind } = departure;
    let mut gone = delete(context, host, owner_record, &format!("it goes to {to}"));
    gone.change.action = Action::MoveOut;
    // remaining files are reported where they keep the guest
    gone.change.notes.clear();
    if !left_behind.is_empty() {
        gone.change.effect = Effect::DataLoss;
        gone.change.reason += &format!(", without its {}", left_behind.join(" and "));
        if let Some(undefine) = gone.steps.last_mut() {
            undefine.effect = Effect::DataLoss;
        }
    }
    let mut first = vec![wait_for(to, Milestone::Defined)];
    // a host that starts again in between must not bring it back
    if host.autostart {
        first.push(call(DomainOp::SetAutostart { on: false }, Effect::None));
    }
    let target = Target { id: host.id.clone(), uuid: host.uuid };
    gone.steps.splice(0..0, aimed(&target, first));
    gone
}

fn wait_for(host: &str, milestone: Milestone) -> Move {
    let until = Until::Elsewhere { host: host.to_owned(), milestone };
    let wait = StepAction::Wait { until, timeout: OTHER_HOST, otherwise: Otherwise::Fail };
    (wait, Effect::None)
}

/// The definition of a guest of another host as it would be here.
pub(crate) fn definition_elsewhere(
    context: Context<'_>,
    desired: &DesiredResource,
    was: &ObservedResource,
) -> Element {
    goes(context, desired, was).overlay.merged
}

/// Merges the manifest into the definition on the old host: so the guest keeps its UUID, its MAC addresses,
/// its machine's version and the places of its devices.
fn goes(context: Context<'_>, desired: &DesiredResource, was: &ObservedResource) -> Left {
    let owner_record = owner_record_of(was);
    let last = owner_record.and_then(OwnerRecord::applied);
    let others = owner_record.map_or(&[][..], |m| &m.others);
    let mut goes = next_boot(context, desired, was, last.as_ref(), others);
    leave_to_the_host(&mut goes.overlay.merged, desired.definition.as_element());
    goes
}

/// Removes the values that a host fills in from files and programs of its own: firmware, the emulator,
/// labels. If the new one has none it refuses the definition, and nothing has happened yet.
fn leave_to_the_host(definition: &mut Element, manifest: &Element) {
    if let (Some(os), Some(wanted)) = (definition.child_mut("os"), manifest.child("os")) {
        let machine = os.child("type").and_then(|t| t.attr("machine")).map(str::to_owned);
        *os = wanted.clone();
        if let (Some(kind), Some(machine)) = (os.child_mut("type"), machine) {
            kind.set_attr("machine", machine);
        }
    }
    if manifest.descend(&["devices", "emulator"]).is_none()
        && let Some(devices) = definition.child_mut("devices")
    {
        devices.remove_elements(|e| e.is("emulator"));
    }
    if manifest.child("seclabel").is_none() {
        definition.remove_elements(|e| e.is("seclabel"));
    }
}

/// Lists the state of a guest on its host, beside its disks, that would not come along.
pub(crate) fn left_behind(
    definition: &Element,
    desired: &DesiredResource,
    shared: &[PathBuf],
) -> Vec<&'static str> {
    if !desired.id.kind.is_guest() {
        return Vec::new();
    }
    let none = Pools::new();
    let storage = Storage { shared, pools: &none };
    // NVRAM that the manifest itself puts on shared storage is there for the new guest, too
    let comes_along = nvram(desired.definition.root())
        .and_then(|nvram| nvram.path)
        .is_some_and(|path| storage.shares(&path));
    let mut left = Vec::new();
    if nvram(definition.node()).is_some() && !comes_along {
        left.push("NVRAM");
    }
    if has_tpm_state(definition.node()) {
        left.push("TPM state");
    }
    left
}
