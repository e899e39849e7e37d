//! A resource that the host has and that is ours, or is taken over.
//!
//! Three states are compared, not two: the manifest with what the next boot uses, and the manifest
//! with what is running. Each comparison has its own remedy, so that one that fails leaves the
//! other right.

use super::decision::{Context, Decision, Move, aimed, call, stop_steps};
use super::gate::Gate;
use super::running::{Running, can_set_lifecycle, lands_on_reboot};
use crate::model::{
    DesiredResource, Effect, Kind, LifecycleAction, LifecycleEvent, ObservedResource, Op, Power,
    State, Target, Uuid,
};
use crate::reconcile::aside::{guests, restart, wait_until_active};
use crate::reconcile::changes::{Action, FieldChange, Refusal, ResourceChange};
use crate::reconcile::identity::{fill_macs, set_uuid, uuid_in};
use crate::reconcile::live::pin_address;
use crate::reconcile::overlay::{Change, Origin, Overlay, Side, overlay};
use crate::reconcile::ownership::{Mark, WantedMark, read_mark, without_mark};
use crate::reconcile::secret::{REDACTED, is_secret};
use crate::reconcile::uncounted::{Uncounted, uncounted};
use crate::xml::{Element, Path, write};

/// What the resource needs; `adopt` says that nobody owned it so far.
pub(crate) fn update(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    adopt: bool,
) -> Decision {
    let mark = host.persistent.as_ref().or(host.live.as_ref()).and_then(read_mark);
    let wanted = WantedMark::of(context.set, desired);
    // the very manifest need not be unpacked to be compared with itself
    let unpacked = mark.as_ref().filter(|m| !wanted.is(m)).and_then(Mark::applied);
    let last = match &mark {
        Some(mark) if wanted.is(mark) => Some(&desired.definition),
        _ => unpacked.as_ref(),
    };
    let mut next_boot = next_boot(context, desired, host, last);
    let is_defined = mark.as_ref().is_some_and(|m| wanted.is(m));
    let running = Running::of(context, desired, host, last, is_defined, &wanted, &next_boot.merged);
    // a guest finds what is plugged in now where it was when it boots again
    for (device, address) in &running.live.placed {
        pin_address(&mut next_boot.merged, device, address);
    }
    let mut d = Draft {
        context,
        desired,
        host,
        steps: Vec::new(),
        fields: Vec::new(),
        pending: Vec::new(),
    };
    for change in &next_boot.changes {
        let why = running.why(change);
        d.fields.push(FieldChange { why, ..field(change, running.effect(change), change.origin) });
    }
    d.autostart(mark.as_ref());
    match d.restart_effect(&running) {
        Some(effect) => d.restart(&running, effect),
        None => {
            let stops = d.power(mark.as_ref());
            // nothing is changed, or waits, in an instance that goes away
            if !stops {
                d.live(&running);
                d.land_on_reboot(&running, &next_boot.merged, mark.is_some());
                let new = running.waiting().filter(|c| !d.has_field(c));
                d.pending = new
                    .map(|c| {
                        let why = running.why(c);
                        FieldChange { why, ..field(c, Effect::NextBoot, running.origin()) }
                    })
                    .collect();
            }
        }
    }
    d.define(&next_boot, mark.as_ref(), wanted);
    d.decide(&next_boot.merged, adopt)
}

/// Whether the manifest names another UUID than the host's object has.
pub(crate) fn uuid_conflict(desired: &DesiredResource, host: &ObservedResource) -> Option<Uuid> {
    uuid_in(&desired.definition).filter(|uuid| *uuid != host.uuid)
}

/// Why a domain is paused, by libvirt's numbers, where resuming it is safe: unknown, and by a user.
/// A migration, a save, an I/O error or a snapshot that paused it would be disturbed.
const RESUMABLE: [i32; 2] = [0, 1];

/// What is collected while one resource is looked at.
struct Draft<'a> {
    context: Context<'a>,
    desired: &'a DesiredResource,
    host: &'a ObservedResource,
    steps: Vec<Move>,
    fields: Vec<FieldChange>,
    pending: Vec<FieldChange>,
}

impl Draft<'_> {
    fn has_field(&self, change: &Change) -> bool {
        self.fields.iter().any(|f| f.path.covers(&change.path))
    }

    /// Defines the merged definition, before all else, if it differs from what is there or carries
    /// another mark.
    fn define(&mut self, next_boot: &Overlay, mark: Option<&Mark>, wanted: WantedMark) {
        let set = self.context.set;
        let marked = mark.is_some_and(|m| m.set == set && wanted.is(m));
        if next_boot.changes.is_empty() && marked && self.host.is_persistent {
            return;
        }
        if self.fields.is_empty() || !self.host.is_persistent {
            let before = match mark {
                _ if !self.host.is_persistent => Some("transient".to_owned()),
                Some(m) if m.set == set => Some("an older manifest".to_owned()),
                other => other.map(|m| m.set.clone()),
            };
            let from = who_moved(marked);
            self.fields.insert(0, self.meta("owner", before, set, Effect::None, from));
        }
        let mut merged = next_boot.merged.clone();
        wanted.put(&mut merged, self.context.options.now);
        let waits = self.fields.iter().any(|f| f.effect == Effect::NextBoot);
        let effect = if waits { Effect::NextBoot } else { Effect::None };
        self.steps.insert(0, call(Op::Define { xml: write(&merged) }, effect));
    }

    fn autostart(&mut self, mark: Option<&Mark>) {
        if let Some(on) = self.desired.settings.autostart
            && on != self.host.autostart
        {
            let word = |on: bool| if on { "yes" } else { "no" };
            let before = Some(word(self.host.autostart).to_owned());
            let from = who_moved(mark.is_some_and(|m| m.autostart == Some(on)));
            self.fields.push(self.meta("autostart", before, word(on), Effect::None, from));
            self.steps.push(call(Op::SetAutostart { on }, Effect::None));
        }
    }

    /// Changes what is running as far as that goes without a start.
    fn live(&mut self, running: &Running) {
        for change in &running.live.changes {
            self.steps.extend(change.actions.iter().map(|action| (action.clone(), change.effect)));
        }
        for (n, change) in running.changes.iter().enumerate() {
            if let Some(by_call) = running.covering(n)
                && !self.has_field(change)
            {
                self.fields.push(field(change, by_call.effect, running.origin()));
            }
        }
    }

    /// While something waits, a guest that reboots is ended instead, and then started from its new
    /// definition by whoever keeps it running. Where that is not wished any more, it reboots as it
    /// is defined to.
    fn land_on_reboot(&mut self, running: &Running, next_boot: &Element, is_ours: bool) {
        let Some(live) = self.host.live.as_ref().filter(|_| self.host.state.is_active()) else {
            return;
        };
        let lands = lands_on_reboot(self.context, self.desired);
        let named = running.changes.iter().any(|change| change.path.pattern() == "on_reboot");
        if !can_set_lifecycle(self.context, self.desired) || !lands && (named || !is_ours) {
            return;
        }
        let word = |domain: &Element| domain.child_text("on_reboot");
        let restart = || LifecycleAction::Restart.word().to_owned();
        let (now, defined) =
            (word(live).unwrap_or_else(restart), word(next_boot).unwrap_or_else(restart));
        if !lands && now != LifecycleAction::Destroy.word() {
            return;
        }
        let waits = lands && running.waiting().next().is_some();
        let wanted = if waits { LifecycleAction::Destroy.word().to_owned() } else { defined };
        if let Some(action) = LifecycleAction::parse(&wanted).filter(|_| now != wanted) {
            let field = self.meta("on_reboot", Some(now), &wanted, Effect::Live, Origin::Manifest);
            self.fields.retain(|f| f.path != field.path);
            self.fields.push(field);
            let event = LifecycleEvent::Reboot;
            self.steps.push(call(Op::SetLifecycle { event, action }, Effect::Live));
        }
    }

    /// What a restart for what waits would mean, if the gate allows one and it would help.
    ///
    /// The command line may ask for it at any time. A manifest's standing permission is used once:
    /// an instance that was started from this very manifest is not started again for values that
    /// the host shows in another way while it runs.
    fn restart_effect(&self, running: &Running) -> Option<Effect> {
        let runs = matches!(self.desired.settings.power, Power::Running | Power::Paused);
        if !runs || !self.host.state.is_active() || running.waiting().next().is_none() {
            return None;
        }
        let gate = Gate::of(self.context.options, self.desired);
        let (effect, open) = match self.desired.id.kind {
            Kind::Domain => (Effect::Restart, gate.asked(Effect::Restart)),
            // nobody notices, or it was asked for: its guests are cut off for a moment
            Kind::Network => (
                Effect::NetworkRestart,
                self.context.cards.is_empty() || gate.asked(Effect::NetworkRestart),
            ),
        };
        (open && (!running.is_current || gate.asked_by_run(effect))).then_some(effect)
    }

    /// Starts the instance anew from its definition, which settles all that differs in it.
    fn restart(&mut self, running: &Running, effect: Effect) {
        for f in self.fields.iter_mut().filter(|f| f.effect != Effect::None) {
            f.effect = effect;
            f.why = None;
        }
        for change in &running.changes {
            if !self.has_field(change) {
                self.fields.push(field(change, effect, running.origin()));
            }
        }
        let settings = &self.desired.settings;
        let paused = settings.power == Power::Paused && self.desired.id.kind == Kind::Domain;
        self.steps.extend(stop_steps(self.host, settings.stop, effect));
        self.steps.push(call(Op::Create { paused }, effect));
        self.steps.push((wait_until_active(), effect));
    }

    /// Brings the power state about, and says whether that ends the running instance.
    fn power(&mut self, mark: Option<&Mark>) -> bool {
        let settings = &self.desired.settings;
        let network = self.desired.id.kind == Kind::Network;
        let (steps, effect) = match (settings.power, self.host.state) {
            // it crashed and is kept for inspection: that is over now
            (Power::Running, State::Crashed) if self.host.live.is_some() => {
                let start = [Op::Destroy, Op::Create { paused: false }];
                (start.map(|op| call(op, Effect::None)).to_vec(), Effect::None)
            }
            (Power::Running, s) if !s.is_active() => {
                (vec![call(Op::Create { paused: false }, Effect::None)], Effect::None)
            }
            (Power::Running, State::Paused) if RESUMABLE.contains(&self.host.reason) => {
                (vec![call(Op::Resume, Effect::Live)], Effect::Live)
            }
            (Power::Paused, s) if !s.is_active() => {
                (vec![call(Op::Create { paused: !network }, Effect::None)], Effect::None)
            }
            (Power::Paused, State::Running | State::Blocked) if !network => {
                (vec![call(Op::Suspend, Effect::Blip)], Effect::Blip)
            }
            (Power::Stopped, s) if s.is_active() => {
                let effect = if network { Effect::NetworkRestart } else { Effect::Restart };
                (stop_steps(self.host, settings.stop, effect), effect)
            }
            _ => return false,
        };
        let before = match (network, self.host.state.is_active()) {
            (true, true) => "active".to_owned(),
            (true, false) => "inactive".to_owned(),
            (false, _) => self.host.state.to_string(),
        };
        let from = who_moved(mark.is_some_and(|m| m.power == Some(settings.power)));
        self.fields.push(self.meta("power", Some(before), settings.power.word(), effect, from));
        self.steps.extend(steps);
        self.desired.settings.power == Power::Stopped
    }

    /// A change of something that is not in the definition.
    fn meta(
        &self,
        name: &str,
        before: Option<String>,
        after: &str,
        effect: Effect,
        origin: Origin,
    ) -> FieldChange {
        FieldChange {
            path: Path::parse(name).unwrap_or_default(),
            before,
            after: Some(after.to_owned()),
            effect,
            span: self.desired.span,
            origin,
            why: None,
        }
    }

    /// Differences that are not counted, if somebody asks.
    fn uncounted(&self) -> Vec<Uncounted> {
        let (Some(there), true) = (&self.host.persistent, self.context.options.explain) else {
            return Vec::new();
        };
        let DesiredResource { id, definition, settings, .. } = self.desired;
        uncounted(id.kind, Side::NextBoot, there, definition, &settings.ignore)
    }

    /// The refusal to take a network down for good under guests that stay. Its effect is the one of a
    /// restart, which sorts below what is open, so it is asked for by itself.
    fn would_cut_off(&self, gate: Gate<'_>) -> Option<Refusal> {
        let goes = self.desired.settings.power == Power::Stopped && self.host.state.is_active();
        let (effect, guests) = (Effect::NetworkRestart, guests(self.context.cards).join(", "));
        (goes && !guests.is_empty() && !gate.asked(effect)).then(|| Refusal {
            id: Some(self.desired.id.clone()),
            reason: format!("running guests are on it: {guests}"),
            hint: format!("stop or move them first, or pass --allow {effect} to cut them off"),
        })
    }

    /// The guests that a network's restart cuts off, or that keep it from being restarted.
    fn cut_off(&self) -> String {
        let guests = guests(self.context.cards).join(", ");
        let waits = |f: &FieldChange| f.effect == Effect::NextBoot;
        if guests.is_empty() {
            String::new()
        } else if self.steps.iter().any(|(_, effect)| *effect == Effect::NetworkRestart) {
            let comes_back = self.desired.settings.power != Power::Stopped;
            format!("; cut off{}: {guests}", if comes_back { " until it is back" } else { "" })
        } else if self.pending.iter().chain(&self.fields).any(waits) {
            format!("; not restarted under running guests: {guests}")
        } else {
            String::new()
        }
    }

    fn decide(self, merged: &Element, adopt: bool) -> Decision {
        let steps = self.steps.iter().map(|(_, e)| *e).max().unwrap_or(Effect::None);
        let effect = self.fields.iter().map(|f| f.effect).fold(steps, Effect::max);
        let action = match (self.steps.is_empty(), adopt) {
            (true, _) => Action::NoOp,
            (false, true) => Action::Adopt,
            (false, false) => Action::Update,
        };
        let gate = Gate::of(self.context.options, self.desired);
        let worst = self.steps.iter().find(|(_, e)| !gate.allows(*e));
        let refusal = worst.map(|(action, effect)| Refusal {
            id: Some(self.desired.id.clone()),
            reason: format!(
                "its step {} has the effect {effect}, and the gate is closed",
                action.word()
            ),
            hint: format!("pass --allow {effect}, or write allow = [\"{effect}\"] in its manifest"),
        });
        let refusal = refusal.or_else(|| self.would_cut_off(gate));
        let uncounted = self.uncounted();
        // most objects stay as they are, and nobody asks to see them
        let changes = !self.steps.is_empty();
        let change = ResourceChange {
            id: self.desired.id.clone(),
            action,
            effect,
            reason: reason(action, &self.fields, &self.pending) + &self.cut_off(),
            fields: self.fields,
            pending: self.pending,
            uncounted,
            before: changes.then(|| self.host.persistent.as_ref().map(without_mark)).flatten(),
            after: changes.then(|| without_mark(merged)),
            span: self.desired.span,
        };
        let target = Target { id: self.desired.id.clone(), uuid: self.host.uuid };
        let mut steps = aimed(&target, self.steps);
        if self.desired.id.kind == Kind::Network && change.effect == Effect::NetworkRestart {
            let Context { cards, observed, capabilities, .. } = self.context;
            steps = restart(self.host, cards, observed, capabilities, steps);
        }
        Decision { change, steps, refusal }
    }
}

/// Who moved, if what is asked for was asked for before.
pub(super) fn who_moved(applied: bool) -> Origin {
    if applied { Origin::Drift } else { Origin::Manifest }
}

fn reason(action: Action, fields: &[FieldChange], pending: &[FieldChange]) -> String {
    let drift = fields.iter().filter(|f| f.origin == Origin::Drift).count();
    let text = match action {
        Action::NoOp if pending.is_empty() => "in sync",
        Action::NoOp => "defined as the manifest says",
        Action::Adopt => "nobody owns it yet",
        _ if drift == 0 => "the manifest changed",
        _ if drift == fields.len() => "the host was changed",
        _ => "the manifest and the host were changed",
    };
    text.to_owned()
}

pub(super) fn compare(
    context: Context<'_>,
    side: Side,
    desired: &DesiredResource,
    host: &Element,
    last: Option<&Element>,
) -> Overlay {
    let settings = &desired.settings;
    let mut o = overlay(desired.id.kind, side, host, &desired.definition, last, &settings.ignore);
    if context.capabilities.read_only {
        // a secret that is not shown is not one that is missing
        o.changes.retain(|change| !is_secret(&change.path));
    }
    o
}

/// The manifest laid over what the next boot uses; a transient resource has only what is running.
pub(super) fn next_boot(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    last: Option<&Element>,
) -> Overlay {
    let mut o = match (&host.persistent, &host.live) {
        (Some(persistent), _) => compare(context, Side::NextBoot, desired, persistent, last),
        (None, Some(live)) => {
            let mut live = live.clone();
            live.remove_attr("id");
            compare(context, Side::NextBoot, desired, &live, last)
        }
        (None, None) => {
            Overlay { merged: desired.definition.clone(), changes: Vec::new(), touched: Vec::new() }
        }
    };
    set_uuid(&mut o.merged, host.uuid);
    fill_macs(&mut o.merged, desired.id.kind, host.uuid, context.capabilities.mac_prefix);
    o
}

pub(super) fn field(change: &Change, effect: Effect, origin: Origin) -> FieldChange {
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
        // what was applied of a secret is not kept, so nobody can tell who changed it
        origin: if is_secret(&change.path) { Origin::Manifest } else { origin },
        why: None,
    }
}
