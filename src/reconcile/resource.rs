//! One resource: what its manifest asks for against what the host has, as a change and its steps.

use super::changes::{Action, FieldChange, Options, Refusal, ResourceChange, StepAction, Until};
use super::identity::{derived_uuid, fill_macs, set_uuid, uuid_in};
use super::live::{LiveChange, live_changes};
use super::overlay::{Change, Origin, Overlay, Side, overlay};
use super::ownership::{Mark, mark_of, put_mark, read_mark, without_mark};
use super::secret::{REDACTED, is_secret};
use crate::model::{
    Capabilities, DesiredResource, Effect, Kind, ObservedResource, Op, Power, State, Stop, Target,
    UndefineKeep, Uuid,
};
use crate::xml::{Element, Path, write};

/// What one resource needs: the change for people and its steps, each after the one before.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) change: ResourceChange,
    pub(crate) steps: Vec<DraftStep>,
    pub(crate) refusal: Option<Refusal>,
}

/// A step before it has a number.
#[derive(Clone, Debug)]
pub(crate) struct DraftStep {
    pub(crate) target: Target,
    pub(crate) action: StepAction,
    pub(crate) effect: Effect,
}

/// What decisions about one resource are made from, beside the resource itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) set: &'a str,
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) options: &'a Options,
    /// Running domains that use this network.
    pub(crate) users: &'a [String],
}

/// A resource that the host does not have.
pub(crate) fn create(context: Context<'_>, desired: &DesiredResource) -> Decision {
    let uuid =
        uuid_in(&desired.definition).unwrap_or_else(|| derived_uuid(context.set, &desired.id));
    let mut definition = desired.definition.clone();
    set_uuid(&mut definition, uuid);
    fill_macs(&mut definition, desired.id.kind, uuid, context.capabilities.mac_prefix);
    let after = definition.clone();
    put_mark(&mut definition, mark_of(context.set, desired));
    let mut steps = vec![call(Op::Define { xml: write(&definition) }, Effect::None)];
    if desired.settings.autostart == Some(true) {
        steps.push(call(Op::SetAutostart { on: true }, Effect::None));
    }
    match desired.settings.power {
        Power::Running => steps.push(call(Op::Create { paused: false }, Effect::None)),
        Power::Paused => steps.push(call(Op::Create { paused: true }, Effect::None)),
        Power::Stopped | Power::Manual => {}
    }
    let change = ResourceChange {
        id: desired.id.clone(),
        action: Action::Create,
        effect: Effect::None,
        reason: "not on the host".to_owned(),
        fields: Vec::new(),
        pending: Vec::new(),
        before: None,
        after: Some(after),
        span: desired.span,
    };
    let target = Target { id: desired.id.clone(), uuid };
    Decision { change, steps: aimed(&target, steps), refusal: None }
}

/// A resource that the host has and that is ours, or is taken over (`adopt`).
pub(crate) fn update(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    adopt: bool,
) -> Decision {
    let gate = Gate::of(context.options, desired);
    let mark = host.persistent.as_ref().or(host.live.as_ref()).and_then(read_mark);
    let last = mark.as_ref().and_then(|m| m.applied.as_ref());
    let next_boot = next_boot(context, desired, host, last);
    let running = host
        .live
        .as_ref()
        .filter(|_| host.state.is_active())
        .map(|live| (live, compare(Side::Running, desired, live, last)));
    let live: Vec<LiveChange> = running.as_ref().map_or(Vec::new(), |(live, o)| {
        live_changes(desired.id.kind, &o.changes, live, &o.merged, context.capabilities)
    });
    let covered = |n: usize| live.iter().any(|l| l.covers.contains(&n));
    let waiting: Vec<&Change> = running.as_ref().map_or(Vec::new(), |(_, o)| {
        o.changes.iter().enumerate().filter(|(n, _)| !covered(*n)).map(|(_, c)| c).collect()
    });
    let mut d = Draft { steps: Vec::new(), fields: Vec::new(), pending: Vec::new() };
    let effect_of = |change: &Change| match &running {
        None => Effect::None,
        Some((_, o)) => match o.changes.iter().position(|c| c.path == change.path) {
            None => Effect::None,
            Some(n) => {
                live.iter().find(|l| l.covers.contains(&n)).map_or(Effect::NextBoot, |l| l.effect)
            }
        },
    };
    d.fields.extend(next_boot.changes.iter().map(|c| field(c, effect_of(c))));
    define(context, desired, &next_boot.merged, mark.as_ref(), host, &mut d);
    autostart(desired, host, &mut d);
    for change in &live {
        d.steps.push(call(change.op.clone(), change.effect));
    }
    if let Some((_, o)) = &running {
        for (n, change) in o.changes.iter().enumerate().filter(|(n, _)| covered(*n)) {
            let effect =
                live.iter().find(|l| l.covers.contains(&n)).map_or(Effect::Live, |l| l.effect);
            if !d.fields.iter().any(|f| f.path == change.path) {
                d.fields.push(field(change, effect));
            }
        }
    }
    let restart = restart_effect(context, desired, host, gate).filter(|_| !waiting.is_empty());
    match restart {
        Some(effect) => {
            for f in &mut d.fields {
                if f.effect == Effect::NextBoot {
                    f.effect = effect;
                }
            }
            for change in waiting {
                if !d.fields.iter().any(|f| f.path == change.path) {
                    d.fields.push(field(change, effect));
                }
            }
            let paused = desired.settings.power == Power::Paused;
            d.steps.extend(stop_steps(desired.id.kind, desired.settings.stop, effect));
            d.steps.push(call(Op::Create { paused }, effect));
        }
        None => {
            let new = |c: &&Change| !d.fields.iter().any(|f| f.path == c.path);
            d.pending =
                waiting.into_iter().filter(new).map(|c| field(c, Effect::NextBoot)).collect();
            power(desired, host, &mut d);
        }
    }
    d.decide(desired, host, &next_boot.merged, adopt, gate)
}

/// A resource that goes.
pub(crate) fn delete(
    context: Context<'_>,
    host: &ObservedResource,
    mark: Option<&Mark>,
    reason: &str,
) -> Decision {
    let stop = mark.map_or(Stop::default(), |m| m.stop);
    let mut steps = Vec::new();
    let mut effect = Effect::None;
    if host.state.is_active() {
        effect = match (host.id.kind, context.users.is_empty()) {
            (Kind::Network, true) => Effect::NetworkRestart,
            _ => Effect::Restart,
        };
        steps.extend(stop_steps(host.id.kind, stop, effect));
    }
    // a saved memory image cannot be brought back
    let saved = host.managed_save;
    if host.is_persistent {
        let keep = match (saved, context.capabilities.undefine_keeps_state) {
            (true, _) => UndefineKeep::Remove,
            (false, true) if host.id.kind == Kind::Domain => UndefineKeep::State,
            (false, _) => UndefineKeep::Nothing,
        };
        let undefine = if saved { Effect::DataLoss } else { Effect::None };
        effect = effect.max(undefine);
        steps.push(call(Op::Undefine { keep }, undefine));
    }
    let refusal = if mark.is_some_and(|m| m.prevent_destroy) {
        Some(Refusal {
            id: Some(host.id.clone()),
            reason: "its manifest had prevent_destroy = true when it was applied last".to_owned(),
            hint: "apply the manifest without prevent_destroy first".to_owned(),
        })
    } else if saved && context.options.allow < Some(Effect::DataLoss) {
        Some(Refusal {
            id: Some(host.id.clone()),
            reason: "it has a saved memory image, which would be lost".to_owned(),
            hint: "start it first, or pass --allow data-loss".to_owned(),
        })
    } else {
        None
    };
    let change = ResourceChange {
        id: host.id.clone(),
        action: Action::Delete,
        effect,
        reason: reason.to_owned(),
        fields: Vec::new(),
        pending: Vec::new(),
        before: host.persistent.as_ref().or(host.live.as_ref()).map(without_mark),
        after: None,
        span: crate::diag::Span::NONE,
    };
    let target = Target { id: host.id.clone(), uuid: host.uuid };
    Decision { change, steps: aimed(&target, steps), refusal }
}

/// A resource that is removed and made anew because its manifest asks for that.
pub(crate) fn replace(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    mark: Option<&Mark>,
) -> Decision {
    let gone = delete(context, host, mark, "");
    let mut made = create(context, desired);
    made.change.action = Action::Replace;
    made.change.effect = gone.change.effect.max(Effect::Replace);
    made.change.reason = "its UUID changes, and replace = true asks for it".to_owned();
    made.change.before = gone.change.before;
    made.refusal = gone.refusal.or_else(|| {
        let open = Gate::of(context.options, desired).allows(Effect::Replace);
        (!open).then(|| Refusal {
            id: Some(desired.id.clone()),
            reason: "it would be removed and made anew".to_owned(),
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

/// How far the run and a manifest open the gate for one resource.
#[derive(Clone, Copy, Debug)]
struct Gate {
    opened: Option<Effect>,
}

impl Gate {
    fn of(options: &Options, desired: &DesiredResource) -> Self {
        let settings = &desired.settings;
        // a manifest that says "stopped" says in so many words that the guest is to go down
        let stop = (settings.power == Power::Stopped).then_some(Effect::Restart);
        Self { opened: settings.allow.iter().copied().chain(options.allow).chain(stop).max() }
    }

    /// Whether a step with this effect may be in a plan: up to the next boot by default.
    fn allows(self, effect: Effect) -> bool {
        effect <= Effect::NextBoot || self.asked(effect)
    }

    /// Whether this effect was asked for in so many words.
    fn asked(self, effect: Effect) -> bool {
        self.opened >= Some(effect)
    }
}

/// What is collected while one resource is looked at.
struct Draft {
    steps: Vec<(StepAction, Effect)>,
    fields: Vec<FieldChange>,
    pending: Vec<FieldChange>,
}

impl Draft {
    fn decide(
        self,
        desired: &DesiredResource,
        host: &ObservedResource,
        merged: &Element,
        adopt: bool,
        gate: Gate,
    ) -> Decision {
        let steps = self.steps.iter().map(|(_, e)| *e).max().unwrap_or(Effect::None);
        let effect = self.fields.iter().map(|f| f.effect).fold(steps, Effect::max);
        let action = match (self.steps.is_empty(), adopt) {
            (true, _) => Action::NoOp,
            (false, true) => Action::Adopt,
            (false, false) => Action::Update,
        };
        let worst = self.steps.iter().find(|(_, e)| !gate.allows(*e));
        let refusal = worst.map(|(action, effect)| Refusal {
            id: Some(desired.id.clone()),
            reason: format!(
                "its step {} has the effect {effect}, and the gate is closed",
                action.word()
            ),
            hint: format!("pass --allow {effect}, or write allow = [\"{effect}\"] in its manifest"),
        });
        let change = ResourceChange {
            id: desired.id.clone(),
            action,
            effect,
            reason: reason(action, &self.fields),
            fields: self.fields,
            pending: self.pending,
            before: host.persistent.as_ref().map(without_mark),
            after: Some(without_mark(merged)),
            span: desired.span,
        };
        let target = Target { id: desired.id.clone(), uuid: host.uuid };
        Decision { change, steps: aimed(&target, self.steps), refusal }
    }
}

fn reason(action: Action, fields: &[FieldChange]) -> String {
    let drift = fields.iter().filter(|f| f.origin == Origin::Drift).count();
    let text = match action {
        Action::NoOp => "in sync",
        Action::Adopt => "nobody owns it yet",
        _ if drift == 0 => "the manifest changed",
        _ if drift == fields.len() => "the host was changed",
        _ => "the manifest and the host were changed",
    };
    text.to_owned()
}

fn compare(
    side: Side,
    desired: &DesiredResource,
    host: &Element,
    last: Option<&Element>,
) -> Overlay {
    let settings = &desired.settings;
    overlay(desired.id.kind, side, host, &desired.definition, last, &settings.ignore)
}

/// The manifest laid over what the next boot uses; a transient resource has only what is running.
fn next_boot(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    last: Option<&Element>,
) -> Overlay {
    let mut o = match (&host.persistent, &host.live) {
        (Some(persistent), _) => compare(Side::NextBoot, desired, persistent, last),
        (None, Some(live)) => {
            let mut live = live.clone();
            live.remove_attr("id");
            compare(Side::Running, desired, &live, last)
        }
        (None, None) => Overlay { merged: desired.definition.clone(), changes: Vec::new() },
    };
    set_uuid(&mut o.merged, host.uuid);
    fill_macs(&mut o.merged, desired.id.kind, host.uuid, context.capabilities.mac_prefix);
    o
}

/// Defines the merged definition if it differs from what is there or carries another mark.
fn define(
    context: Context<'_>,
    desired: &DesiredResource,
    merged: &Element,
    mark: Option<&Mark>,
    host: &ObservedResource,
    d: &mut Draft,
) {
    let wanted = mark_of(context.set, desired);
    let digest = wanted.attr("digest").unwrap_or_default();
    let marked = mark.is_some_and(|m| m.set == context.set && m.digest == digest);
    if d.fields.is_empty() && marked && host.is_persistent {
        return;
    }
    if d.fields.is_empty() {
        let owner = |m: &Mark| {
            if m.set == context.set { "an older manifest".to_owned() } else { m.set.clone() }
        };
        let before =
            if host.is_persistent { mark.map(owner) } else { Some("transient".to_owned()) };
        d.fields.push(meta("owner", before, context.set.to_owned(), desired, Effect::None));
    }
    let mut merged = merged.clone();
    put_mark(&mut merged, wanted);
    let waits = d.fields.iter().any(|f| f.effect == Effect::NextBoot);
    let effect = if waits { Effect::NextBoot } else { Effect::None };
    d.steps.push(call(Op::Define { xml: write(&merged) }, effect));
}

fn autostart(desired: &DesiredResource, host: &ObservedResource, d: &mut Draft) {
    if let Some(on) = desired.settings.autostart
        && on != host.autostart
    {
        let word = |on: bool| if on { "yes" } else { "no" }.to_owned();
        d.fields.push(meta(
            "autostart",
            Some(word(host.autostart)),
            word(on),
            desired,
            Effect::None,
        ));
        d.steps.push(call(Op::SetAutostart { on }, Effect::None));
    }
}

/// What taking a restart for what waits would mean, if the gate allows it and the resource should
/// be active.
fn restart_effect(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    gate: Gate,
) -> Option<Effect> {
    let runs = matches!(desired.settings.power, Power::Running | Power::Paused);
    if !runs || !host.state.is_active() {
        return None;
    }
    match desired.id.kind {
        Kind::Domain => gate.asked(Effect::Restart).then_some(Effect::Restart),
        // nobody notices, or it was asked for: the taps of running guests are not put back
        Kind::Network => (context.users.is_empty() || gate.asked(Effect::NetworkRestart))
            .then_some(Effect::NetworkRestart),
    }
}

/// Steps that bring the power state about.
fn power(desired: &DesiredResource, host: &ObservedResource, d: &mut Draft) {
    let settings = &desired.settings;
    let network = desired.id.kind == Kind::Network;
    let (steps, effect): (Vec<_>, _) = match (settings.power, host.state) {
        (Power::Manual, _) => return,
        (Power::Running, s) if !s.is_active() => {
            (vec![call(Op::Create { paused: false }, Effect::None)], Effect::None)
        }
        (Power::Running, State::Paused) => (vec![call(Op::Resume, Effect::Live)], Effect::Live),
        (Power::Paused, s) if !s.is_active() => {
            (vec![call(Op::Create { paused: !network }, Effect::None)], Effect::None)
        }
        (Power::Paused, State::Running | State::Blocked) if !network => {
            (vec![call(Op::Suspend, Effect::Blip)], Effect::Blip)
        }
        (Power::Stopped, s) if s.is_active() => {
            let effect = if network { Effect::NetworkRestart } else { Effect::Restart };
            (stop_steps(desired.id.kind, settings.stop, effect), effect)
        }
        _ => return,
    };
    let before = if network && host.state == State::Shutoff {
        "inactive".to_owned()
    } else {
        host.state.to_string()
    };
    d.fields.push(meta("power", Some(before), settings.power.word().to_owned(), desired, effect));
    d.steps.extend(steps);
}

/// Stopping: a network at once; a domain by asking its guest, and by force only where that is
/// allowed.
fn stop_steps(kind: Kind, stop: Stop, effect: Effect) -> Vec<(StepAction, Effect)> {
    match kind {
        Kind::Network => vec![call(Op::Destroy, effect)],
        Kind::Domain => {
            let otherwise = stop.force.then_some(Op::Destroy);
            let wait =
                StepAction::Wait { until: Until::Inactive, timeout: stop.timeout, otherwise };
            vec![call(Op::Shutdown, effect), (wait, effect)]
        }
    }
}

fn aimed(target: &Target, steps: Vec<(StepAction, Effect)>) -> Vec<DraftStep> {
    let aim = |(action, effect)| DraftStep { target: target.clone(), action, effect };
    steps.into_iter().map(aim).collect()
}

fn call(op: Op, effect: Effect) -> (StepAction, Effect) {
    (StepAction::Call(op), effect)
}

fn field(change: &Change, effect: Effect) -> FieldChange {
    let show = |value: &Option<String>| {
        value
            .as_ref()
            .map(|v| if is_secret(&change.path) { REDACTED.to_owned() } else { v.clone() })
    };
    FieldChange {
        path: change.path.clone(),
        before: show(&change.before),
        after: show(&change.after),
        effect,
        span: change.span,
        origin: change.origin,
    }
}

/// A change of something that is not in the definition.
fn meta(
    name: &str,
    before: Option<String>,
    after: String,
    desired: &DesiredResource,
    effect: Effect,
) -> FieldChange {
    FieldChange {
        path: Path::parse(name).unwrap_or_default(),
        before,
        after: Some(after),
        effect,
        span: desired.span,
        origin: Origin::Drift,
    }
}

/// Whether the manifest names another UUID than the host's object has.
pub(crate) fn uuid_conflict(desired: &DesiredResource, host: &ObservedResource) -> Option<Uuid> {
    uuid_in(&desired.definition).filter(|uuid| *uuid != host.uuid)
}

/// The differences of what is running that the next boot settles: what the definition has right
/// already.
pub(crate) fn waits_for_boot<'a>(
    running: &'a [Change],
    next_boot: &'a [Change],
) -> impl Iterator<Item = &'a Change> {
    running.iter().filter(|c| !next_boot.iter().any(|n| n.path == c.path))
}
