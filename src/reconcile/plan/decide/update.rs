//! A resource that the host has and that is ours, or is taken over.
//!
//! Three states are compared, not two: the manifest with what the next boot uses, and the manifest
//! with what is running. Each comparison has its own remedy, so that one that fails leaves the
//! other right.

use super::compare::{cause_of, next_boot};
use super::decision::{Context, Decision, Move, aimed, call, stop_steps, worst};
use super::draft::{Draft, field};
use super::effect_policy::EffectPolicy;
use super::instance::RESUMABLE;
use super::layers::Layers;
use super::moves::{LiveMoves, piece};
use super::running::{Known, Running, can_set_lifecycle, lands_on_reboot};
use super::why::{Words, unstarted};
use crate::model::{
    DesiredResource, DomainOp, Effect, LifecycleAction, LifecycleEvent, ObservedResource,
    OwnerRecord, Power, State, Target, Uuid,
};
use crate::reconcile::diff::difference::{ChangeCause, IgnoredDifference, Side};
use crate::reconcile::diff::filled::{drop_filled_in, keep_sought};
use crate::reconcile::diff::ignored::ignored;
use crate::reconcile::diff::normalize::only_at_boot;
use crate::reconcile::diff::others::Left;
use crate::reconcile::diff::overlay::Overlay;
use crate::reconcile::kinds::{KindRules, NOT_STARTED, rules};
use crate::reconcile::live::{LiveChange, pin_address};
use crate::reconcile::ownership::identity::uuid_in;
use crate::reconcile::ownership::record::{WantedRecord, owner_record_of, without_owner_record};
use crate::reconcile::ownership::redact::redacted;
use crate::reconcile::plan::afterwards::{Definitions, Notes};
use crate::reconcile::plan::nic_migration::{guests, restart, wait_until_active};
use crate::reconcile::plan::types::{Action, FieldChange, Refusal, ResourceChange};
use std::collections::BTreeSet;
use xmltree::{Document, Element, write};

/// Decides about a resource that is on the host; `adopt` means that nobody has owned it so far.
pub(crate) fn update(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    adopt: bool,
) -> Decision {
    let owner_record = owner_record_of(host);
    let mut wanted = WantedRecord::of(context.set, desired);
    // the very manifest need not be unpacked to be compared with itself
    let unpacked = owner_record.filter(|m| !wanted.is(m)).and_then(OwnerRecord::applied);
    let is_defined = owner_record.is_some_and(|m| wanted.is(m));
    let layers = Layers::of(host);
    let seeks = is_defined && context.options.seeks.contains(&desired.id);
    let previous = owner_record.filter(|_| seeks).and_then(|m| m.previous.as_ref());
    let sought = previous.and_then(|m| m.applied());
    let boots = layers
        .fitted(desired, host.persistent.as_ref().or(host.live.as_ref()).map(Document::as_element));
    let runs = layers.fitted(desired, host.live.as_ref().map(Document::as_element));
    let [last, last_run] = [&boots, &runs]
        .map(|d| is_defined.then_some(d.definition.as_element()).or(unpacked.as_ref()));
    let others = owner_record.map_or(&[][..], |m| &m.others);
    let Left { overlay: mut next_boot, others: left } =
        next_boot(context, &boots, host, sought.as_ref().or(last), others);
    let defaults = context.capabilities.domain.defaults;
    let filled = host.persistent.as_ref().map(|definition| {
        drop_filled_in(
            desired.id.kind,
            defaults,
            definition.as_element(),
            desired.definition.as_element(),
            &mut next_boot.changes,
        )
    });
    let filled = filled.unwrap_or_default();
    if sought.is_some() {
        keep_sought(&mut next_boot.changes);
    }
    let known = Known { last: last_run.map(Element::node), is_defined, others, filled: &filled };
    let running = Running::of(context, &runs, host, known, &wanted, &next_boot);
    let left: BTreeSet<String> = left.into_iter().chain(running.others.iter().cloned()).collect();
    wanted.leave(left.into_iter().collect());
    if let Some(owner_record) = owner_record {
        let moves = || next_boot.changes.iter().any(|c| only_at_boot(&c.path));
        let mut same =
            if is_defined || !moves() { owner_record.boots_as.clone() } else { Vec::new() };
        if !is_defined && !moves() && !owner_record.put_back {
            same.push(owner_record.digest.clone());
        }
        wanted.boots_as(&same);
    }
    // a guest finds what is plugged in now where it was when it boots again
    for (device, address) in &running.live.placed {
        pin_address(&mut next_boot.merged, device, address);
    }
    let mut d = Draft {
        context,
        desired,
        host,
        steps: Vec::new(),
        live: LiveMoves::default(),
        fields: Vec::new(),
        pending: Vec::new(),
        held: layers.fields(desired.definition.as_element()),
        notes: Vec::new(),
        resumes: false,
        unstarted: unstarted(desired, host, is_defined),
        same_text: unpacked
            .as_ref()
            .filter(|_| host.is_persistent && owner_record.is_some_and(|m| m.set == context.set))
            .map(|last| *last == redacted(desired.definition.as_element())),
    };
    for change in &next_boot.changes {
        let why = running.why(change);
        d.fields.push(FieldChange { why, ..field(change, running.effect(change), change.origin) });
    }
    d.saved_image(&next_boot.changes);
    d.autostart(owner_record);
    match d.restart_effect(&running) {
        Some(effect) => d.restart(&running, effect),
        None => {
            let stops = d.power(owner_record);
            // nothing is changed, or waits, in an instance that goes away
            if !stops {
                d.live(&running, &next_boot);
                d.land_on_reboot(&running, &next_boot.merged, owner_record.is_some());
                let index = d.field_index();
                let new = running.waiting().filter(|c| !d.has_field_by(&index, c)).map(|c| {
                    let why = running.why(c);
                    FieldChange { why, ..field(c, Effect::NextBoot, running.origin()) }
                });
                let new: Vec<FieldChange> = new.collect();
                d.pending.extend(new);
            }
        }
    }
    d.define(&next_boot, owner_record, wanted);
    d.decide(&next_boot.merged, adopt, running.notes)
}

/// Whether the manifest names another UUID than the host's object has.
pub(crate) fn uuid_conflict(desired: &DesiredResource, host: &ObservedResource) -> Option<Uuid> {
    uuid_in(desired.definition.as_element()).filter(|uuid| *uuid != host.uuid)
}

impl Draft<'_> {
    /// Defines the merged definition, before all other steps, if it differs from the host's or carries
    /// another record.
    fn define(
        &mut self,
        next_boot: &Overlay,
        owner_record: Option<&OwnerRecord>,
        wanted: WantedRecord,
    ) {
        let set = self.context.set;
        let signed = self.host.record.renew.is_none();
        let marked = signed && owner_record.is_some_and(|m| m.set == set && wanted.is_whole(m));
        if next_boot.changes.is_empty() && marked && self.host.is_persistent {
            return;
        }
        if self.fields.is_empty() || !self.host.is_persistent {
            let before = match owner_record {
                _ if !self.host.is_persistent => Some("transient".to_owned()),
                Some(m) if m.set == set && !signed => Some("a record to be signed".to_owned()),
                Some(m) if m.set == set => Some("an older manifest".to_owned()),
                other => other.map(|m| m.set.clone()),
            };
            let from = cause_of(marked);
            self.fields.insert(0, self.meta("owner", before, set, Effect::None, from));
        }
        let mut merged = next_boot.merged.clone();
        wanted.put(&mut merged, self.context.options.now);
        let waits = self.fields.iter().any(|f| f.effect == Effect::NextBoot);
        let effect = if waits { Effect::NextBoot } else { Effect::None };
        self.steps.insert(0, call((self.kind().ops.define)(write(&merged)), effect));
    }

    fn autostart(&mut self, owner_record: Option<&OwnerRecord>) {
        if let Some(on) = self.desired.settings.autostart
            && on != self.host.autostart
        {
            let word = |on: bool| if on { "yes" } else { "no" };
            let before = Some(word(self.host.autostart).to_owned());
            let from = cause_of(
                owner_record.is_some_and(|m| m.autostart == Some(on))
                    && self.unstarted != Some(NOT_STARTED),
            );
            self.fields.push(self.meta("autostart", before, word(on), Effect::None, from));
            let set = (self.kind().ops.set_autostart)(on);
            self.steps.extend(set.map(|op| call(op, Effect::None)));
        }
    }

    /// Changes the running instance as far as that is possible without a start.
    fn live(&mut self, running: &Running, next_boot: &Overlay) {
        let definitions = Definitions {
            before: self.host.persistent.as_ref().map(Document::root),
            merged: next_boot.merged.node(),
            changes: &next_boot.changes,
            manifest: self.desired.definition.root(),
        };
        for change in &running.live.changes {
            self.live.add(change, piece(change, running, definitions));
            self.steps.extend(change.actions.iter().map(|action| (action.clone(), change.effect)));
        }
        for (n, change) in running.changes.iter().enumerate() {
            match running.covering(n) {
                Some(LiveChange { asked: Some(why), effect, .. }) => {
                    self.fields.retain(|f| f.path != change.path);
                    let why = Some(why.clone());
                    self.pending
                        .push(FieldChange { why, ..field(change, *effect, running.origin()) });
                }
                Some(by_call) if !self.has_field(change) => {
                    self.fields.push(field(change, by_call.effect, running.origin()));
                }
                Some(_) | None => {}
            }
        }
    }

    /// Makes a reboot end the guest while something waits, so that its keeper starts it from its new
    /// definition. Where that is not wished any more, it reboots as it is defined to.
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
        let restart = || LifecycleAction::Restart.as_str().to_owned();
        let (now, defined) = (
            word(live.as_element()).unwrap_or_else(restart),
            word(next_boot).unwrap_or_else(restart),
        );
        if !lands && now != LifecycleAction::Destroy.as_str() {
            return;
        }
        let waits = lands && running.waiting().next().is_some();
        let wanted = if waits { LifecycleAction::Destroy.as_str().to_owned() } else { defined };
        if let Some(action) = LifecycleAction::parse(&wanted).filter(|_| now != wanted) {
            let field =
                self.meta("on_reboot", Some(now), &wanted, Effect::Live, ChangeCause::Manifest);
            self.fields.retain(|f| f.path != field.path);
            self.fields.push(field);
            let event = LifecycleEvent::Reboot;
            self.steps.push(call(DomainOp::SetLifecycle { event, action }, Effect::Live));
            self.live.add_alone();
        }
    }

    /// Returns the effect of a restart for waiting changes, if the effect policy allows one and it would
    /// help.
    ///
    /// The command line may ask for it at any time. A manifest's standing permission is used once:
    /// an instance that was started from this very manifest is not started again for values that
    /// the host shows in another way while it runs.
    fn restart_effect(&self, running: &Running) -> Option<Effect> {
        let runs = matches!(self.desired.settings.power, Power::Running | Power::Paused);
        let waits = running.waiting().next().is_some() || running.keeps_a_device();
        if !runs || !self.host.state.is_active() || !waits {
            return None;
        }
        let policy = EffectPolicy::of(self.context.options, self.desired);
        let effect = self.kind().restart;
        // a network that nobody is on: nobody notices
        let is_idle = self.desired.id.kind.connects_guests() && self.context.nics.is_empty();
        let open = is_idle || policy.asked(effect);
        (open && (!running.is_current || policy.asked_by_run(effect))).then_some(effect)
    }

    /// Starts the instance anew from its definition, which settles all that differs in it.
    fn restart(&mut self, running: &Running, effect: Effect) {
        for f in self.fields.iter_mut().filter(|f| f.effect != Effect::None) {
            f.effect = effect;
            f.why = None;
        }
        let mut index = self.field_index();
        for change in &running.changes {
            if !self.has_field_by(&index, change) {
                self.fields.push(field(change, effect, running.origin()));
                index.add(&change.path);
            }
        }
        let settings = &self.desired.settings;
        let paused = settings.power == Power::Paused && self.kind().pauses;
        self.steps.extend(stop_steps(self.host, settings.stop, effect));
        self.steps.extend((self.kind().ops.create)(paused).map(|op| call(op, effect)));
        self.steps.push((wait_until_active(), effect));
    }

    fn kind(&self) -> &'static KindRules {
        rules(self.desired.id.kind)
    }

    fn start(&self, paused: bool) -> Vec<Move> {
        let start = (self.kind().ops.create)(paused);
        start.map(|op| call(op, Effect::Starts)).into_iter().collect()
    }

    /// Brings the power state about, and says whether that ends the running instance.
    fn power(&mut self, owner_record: Option<&OwnerRecord>) -> bool {
        let settings = &self.desired.settings;
        let pauses = self.kind().pauses;
        let (steps, effect) = match (settings.power, self.host.state) {
            // it crashed and is kept for inspection: that is over if somebody says so
            (power, State::Crashed) if power != Power::Manual && self.host.live.is_some() => {
                let Some(steps) = self.end_crashed(power) else { return false };
                let stops = power == Power::Stopped;
                (steps, if stops { Effect::Stops } else { Effect::Restart })
            }
            (Power::Running, s) if !s.is_active() => (self.start(false), Effect::Starts),
            (Power::Running, State::Paused) if RESUMABLE.contains(&self.host.reason) => {
                (vec![call(DomainOp::Resume, Effect::Live)], Effect::Live)
            }
            (Power::Running, State::Paused) => {
                self.is_busy();
                return false;
            }
            (Power::Paused, s) if !s.is_active() => (self.start(pauses), Effect::Starts),
            (Power::Paused, State::Running | State::Blocked) if pauses => {
                (vec![call(DomainOp::Suspend, Effect::BriefOutage)], Effect::BriefOutage)
            }
            (Power::Stopped, s) if s.is_active() => {
                (stop_steps(self.host, settings.stop, Effect::Stops), Effect::Stops)
            }
            _ => return false,
        };
        let before = match (pauses, self.host.state.is_active()) {
            (false, true) => "active".to_owned(),
            (false, false) => "inactive".to_owned(),
            (true, _) => self.host.state.to_string(),
        };
        let applied = owner_record.is_some_and(|m| m.power == Some(settings.power));
        let from = cause_of(applied && self.unstarted.is_none());
        self.fields.push(self.meta("power", Some(before), settings.power.as_str(), effect, from));
        self.steps.extend(steps);
        self.desired.settings.power == Power::Stopped
    }

    /// Differences that are not counted, if somebody asks.
    fn ignored(&self) -> Vec<IgnoredDifference> {
        let (Some(there), true) = (&self.host.persistent, self.context.options.explain) else {
            return Vec::new();
        };
        let DesiredResource { id, definition, settings, .. } = self.desired;
        ignored(
            id.kind,
            Side::NextBoot,
            there.as_element(),
            definition.as_element(),
            &settings.ignore,
        )
    }

    /// Refuses to take a network down for good under guests that stay, unless that is allowed as its restart
    /// would be.
    fn would_cut_off(&self, policy: EffectPolicy<'_>) -> Option<Refusal> {
        let goes = self.desired.settings.power == Power::Stopped && self.host.state.is_active();
        let (effect, guests) = (Effect::NetworkRestart, guests(self.context.nics).join(", "));
        (goes && !guests.is_empty() && !policy.asked(effect)).then(|| Refusal {
            id: Some(self.desired.id.clone()),
            reason: format!("running guests are on it: {guests}"),
            hint: format!("stop or move them first, or pass --allow {effect} to cut them off"),
        })
    }

    /// The guests that a network's restart cuts off, or that keep it from being restarted.
    fn cut_off(&self) -> String {
        let guests = guests(self.context.nics).join(", ");
        let waits = |f: &FieldChange| f.effect == Effect::NextBoot;
        if guests.is_empty() {
            String::new()
        } else if self
            .steps
            .iter()
            .any(|(_, e)| matches!(e, Effect::NetworkRestart | Effect::Stops))
        {
            let comes_back = self.desired.settings.power != Power::Stopped;
            format!("; cut off{}: {guests}", if comes_back { " until it is back" } else { "" })
        } else if self.pending.iter().chain(&self.fields).any(waits) {
            format!("; not restarted under running guests: {guests}")
        } else {
            String::new()
        }
    }

    fn decide(self, merged: &Element, adopt: bool, notes: Notes) -> Decision {
        let steps = worst(&self.steps);
        let effect = self.fields.iter().map(|f| f.effect).fold(steps, Effect::max);
        let only_asks_again = self.live.only_ask_again(self.steps.len());
        let action = match (only_asks_again, adopt) {
            (true, _) => Action::NoOp,
            (false, true) => Action::Adopt,
            (false, false) => Action::Update,
        };
        let policy = EffectPolicy::of(self.context.options, self.desired);
        let worst = self.steps.iter().find(|(_, e)| !policy.allows(*e));
        let refusal = worst.map(|(action, effect)| Refusal {
            id: Some(self.desired.id.clone()),
            reason: format!(
                "its step {} has the effect {effect}, which is not allowed",
                action.as_str()
            ),
            hint: format!("pass --allow {effect}, or write allow = [\"{effect}\"] in its manifest"),
        });
        let refusal = refusal.or_else(|| self.would_cut_off(policy));
        let ignored = self.ignored();
        let target = Target { id: self.desired.id.clone(), uuid: self.host.uuid };
        let mut steps = self.live.link(aimed(&target, self.steps.clone()));
        let afterwards = self.live.afterwards(self.context, self.host, &steps, notes);
        // most objects stay as they are, and nobody asks to see them
        let changes = !self.steps.is_empty();
        let outage = self.host.outage().filter(|_| !self.ends_instance());
        let words = Words {
            unstarted: self.unstarted,
            same_text: self.same_text,
            waits: !self.pending.is_empty(),
        };
        let reason = match outage {
            Some(outage) if action == Action::NoOp => outage.to_string(),
            _ => words.reason(action, &self.fields).to_owned() + &self.cut_off(),
        };
        let mut notes = self.notes;
        notes.extend(outage.map(|outage| format!("{outage}: {}", outage.hint())));
        let change = ResourceChange {
            action,
            effect,
            reason,
            fields: self.fields,
            pending: self.pending,
            held: self.held,
            notes,
            outage,
            resumes: self.resumes,
            ignored,
            before: changes
                .then(|| {
                    self.host
                        .persistent
                        .as_ref()
                        .map(Document::as_element)
                        .map(without_owner_record)
                })
                .flatten(),
            after: changes.then(|| without_owner_record(merged)),
            ..ResourceChange::nothing(self.desired.id.clone(), self.desired.span)
        };
        if self.desired.id.kind.connects_guests() && change.effect == Effect::NetworkRestart {
            let Context { nics, observed, capabilities, .. } = self.context;
            steps = restart(self.host, nics, observed, capabilities, steps);
        }
        Decision { change, steps, refusal, afterwards }
    }
}
