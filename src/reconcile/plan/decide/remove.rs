//! Removal of a resource, for good or to be created anew.

use super::create::create;
use super::decision::{Context, Decision, aimed, call, stop_steps};
use super::draft_step::DraftStep;
use super::effect_policy::EffectPolicy;
use crate::model::domain::{Domain as DomainView, Storage, has_tpm_state, nvram};
use crate::model::{
    DesiredResource, Effect, ObservedResource, OwnerRecord, ShutdownPolicy, Target, UndefineKeep,
};
use crate::reconcile::kinds::rules;
use crate::reconcile::ownership::record::without_owner_record;
use crate::reconcile::plan::nic_migration::guests;
use crate::reconcile::plan::types::{Action, Refusal, ResourceChange};
use diagnostics::Span;
use xmltree::Document;

/// A resource that goes.
pub(crate) fn delete(
    context: Context<'_>,
    host: &ObservedResource,
    owner_record: Option<&OwnerRecord>,
    reason: &str,
) -> Decision {
    let mut steps = Vec::new();
    let mut effect = Effect::None;
    if host.state.is_active() || host.live.is_some() {
        effect = Effect::Stops;
        let said = owner_record.map_or(ShutdownPolicy::default(), |m| m.stop);
        let stop = ShutdownPolicy {
            timeout: context.options.stop_timeout.unwrap_or(said.timeout),
            force: context.options.force || said.force,
        };
        steps.extend(stop_steps(host, stop, effect));
    }
    // parts attached to the definition cannot be brought back
    let loses = !attached(host).is_empty() || takes_firmware(context, host);
    if host.is_persistent {
        let keep = match (loses, context.capabilities.domain.undefine_keeps_state) {
            (true, _) if takes_firmware(context, host) => UndefineKeep::Remove,
            (true, _) => UndefineKeep::Firmware,
            (false, true) => rules(host.id.kind).undefine_keeps,
            (false, false) => UndefineKeep::Nothing,
        };
        let undefine = if loses { Effect::DataLoss } else { Effect::Deletes };
        effect = effect.max(undefine);
        steps.push(call((rules(host.id.kind).ops.undefine)(keep), undefine));
    }
    let change = ResourceChange {
        action: Action::Delete,
        effect,
        reason: reason.to_owned(),
        notes: what_stays(context, host),
        before: host
            .persistent
            .as_ref()
            .or(host.live.as_ref())
            .map(Document::as_element)
            .map(without_owner_record),
        ..ResourceChange::nothing(host.id.clone(), Span::NONE)
    };
    let target = Target { id: host.id.clone(), uuid: host.uuid };
    let refusal = refusal(context, host, owner_record);
    Decision { change, steps: aimed(&target, steps), refusal, afterwards: None }
}

/// Whether NVRAM or TPM state goes with it, as was asked for.
fn takes_firmware(context: Context<'_>, host: &ObservedResource) -> bool {
    context.options.remove_firmware && !firmware(host).is_empty()
}

/// Lists the files that the host keeps for a domain's firmware.
fn firmware(host: &ObservedResource) -> Vec<String> {
    let Some(definition) = host.persistent.as_ref().or(host.live.as_ref()) else {
        return Vec::new();
    };
    let nvram = nvram(definition.root()).map(|nvram| match nvram.path {
        Some(path) => format!("NVRAM {path}"),
        None => "NVRAM".to_owned(),
    });
    let tpm = has_tpm_state(definition.root()).then(|| "TPM state".to_owned());
    nvram.into_iter().chain(tpm).collect()
}

/// Lists the files of a domain that stay on the host when its definition goes.
fn what_stays(context: Context<'_>, host: &ObservedResource) -> Vec<String> {
    let Some(definition) = host.persistent.as_ref().or(host.live.as_ref()) else {
        return Vec::new();
    };
    if !host.id.kind.is_guest() {
        return Vec::new();
    }
    let disks = DomainView::new(definition.root())
        .disks()
        .filter(|disk| !matches!(disk.element().attr("device"), Some("cdrom" | "floppy")));
    let mut stays: Vec<String> =
        disks.filter_map(|disk| Storage::of(disk.element())).map(|s| s.to_string()).collect();
    let goes = takes_firmware(context, host);
    let firmware = firmware(host);
    let mut notes = Vec::new();
    if goes {
        notes.push(format!("its {} is removed", firmware.join(" and its ")));
    } else {
        stays.extend(firmware);
    }
    if !stays.is_empty() {
        notes.insert(0, format!("stays on the host: {}", stays.join(", ")));
    }
    notes
}

/// Lists the parts attached to a domain's definition that keep the host from undefining it; each with a hint.
fn attached(host: &ObservedResource) -> Vec<(String, &'static str)> {
    let names: Vec<&str> = host.snapshots.iter().map(|s| s.name.as_str()).collect();
    let checkpoints: Vec<&str> = host.checkpoints.iter().map(String::as_str).collect();
    let list = |what: &str, names: &[&str]| {
        let s = if names.len() == 1 { "" } else { "s" };
        format!("{} {what}{s} ({})", names.len(), names.join(", "))
    };
    let mut all = Vec::new();
    if host.managed_save {
        let hint = "start it first, or pass --allow data-loss";
        all.push(("a saved memory image".to_owned(), hint));
    }
    if !names.is_empty() {
        let hint = "delete them first (virsh snapshot-delete), or pass --allow data-loss, which \
                    deletes their metadata and keeps the images";
        all.push((list("snapshot", &names), hint));
    }
    if !checkpoints.is_empty() {
        let hint = "delete them first (virsh checkpoint-delete), or pass --allow data-loss, which \
                    deletes their metadata";
        all.push((list("checkpoint", &checkpoints), hint));
    }
    all
}

fn refusal(
    context: Context<'_>,
    host: &ObservedResource,
    owner_record: Option<&OwnerRecord>,
) -> Option<Refusal> {
    let options = context.options;
    let (reason, hint) = if options.protected.contains(&host.id) {
        let reason = "its manifest has prevent_destroy = true";
        (reason.to_owned(), "take that out of the manifest first")
    } else if owner_record.is_some_and(|m| m.prevent_destroy) {
        let reason = "its manifest had prevent_destroy = true when it was applied last";
        (reason.to_owned(), "apply the manifest without prevent_destroy first")
    } else if let Some((_, remedy)) = attached(host).first()
        && !options.allow.contains(&Effect::DataLoss)
    {
        let words: Vec<String> = attached(host).into_iter().map(|(words, _)| words).collect();
        (format!("it has {}, which would be lost", words.join(" and ")), *remedy)
    } else if takes_firmware(context, host) && !options.allow.contains(&Effect::DataLoss) {
        let reason = format!("its {} would be lost", firmware(host).join(" and its "));
        (reason, "pass --allow data-loss, or leave --nvram out")
    } else if !context.nics.is_empty() && !options.allow.contains(&Effect::NetworkRestart) {
        let reason = format!("running guests are on it: {}", guests(context.nics).join(", "));
        (reason, "stop or move them first, or pass --allow network-restart to cut them off")
    } else {
        return None;
    };
    Some(Refusal { id: Some(host.id.clone()), reason, hint: hint.to_owned() })
}

/// A resource that is removed and made anew because its manifest asks for that.
pub(crate) fn replace(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    owner_record: Option<&OwnerRecord>,
) -> Decision {
    let gone = delete(context, host, owner_record, "");
    let mut made = create(context, desired);
    made.change.action = Action::Replace;
    made.change.effect = gone.change.effect.max(Effect::Replace);
    made.change.reason = "its UUID changes, and replace = true asks for it".to_owned();
    made.change.before = gone.change.before;
    made.refusal = gone.refusal.or_else(|| {
        let open = EffectPolicy::of(context.options, desired).allows(Effect::Replace);
        (!open).then(|| Refusal {
            id: Some(desired.id.clone()),
            reason: "it would be removed and re-created".to_owned(),
            hint: "pass --allow replace".to_owned(),
        })
    });
    let removal = gone
        .steps
        .into_iter()
        .map(|step| DraftStep { effect: step.effect.max(Effect::Replace), ..step });
    made.steps = removal.chain(std::mem::take(&mut made.steps)).collect();
    made
}
