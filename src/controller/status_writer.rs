//! Writer of a host's status, with a memory of the events that were reported already.

use super::events::{ControllerEvent, Environment, Outcome, describe};
use super::status::{Condition, ControllerStatus, HostStatus, PlanRecord, ResourceStatus};
use super::work_queue::WorkQueue;
use crate::error::Error;
use crate::model::{Desired, Observed, ResourceId};
use crate::reconcile::{Action, Plan, Report, ResourceChange, Status};
use diagnostics::Diagnostics;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Longest list of lines of one plan that is kept.
const LINES: usize = 200;

/// Most problems that are remembered as reported; further ones are reported again.
const PROBLEMS: usize = 1000;

/// Status and reported events of a host.
pub(super) struct StatusWriter {
    host: String,
    environment: Arc<dyn Environment>,
    status: Arc<Mutex<ControllerStatus>>,
    /// Blocked objects with their reasons, as reported.
    blocked: BTreeMap<ResourceId, String>,
    /// Guests that are active and out of order, as reported.
    down: BTreeMap<ResourceId, String>,
    /// Objects that do not answer, as reported.
    silent: BTreeSet<ResourceId>,
    not_pruned: Option<String>,
    problems: Diagnostics,
    is_lost: bool,
    /// Whether another run has the lock, or none can be had, as reported.
    no_lock: Option<bool>,
}

impl StatusWriter {
    pub(super) fn new(
        host: String,
        environment: Arc<dyn Environment>,
        status: Arc<Mutex<ControllerStatus>>,
    ) -> Self {
        Self {
            host,
            environment,
            status,
            blocked: BTreeMap::new(),
            down: BTreeMap::new(),
            silent: BTreeSet::new(),
            not_pruned: None,
            problems: Diagnostics::default(),
            is_lost: false,
            no_lock: None,
        }
    }

    fn tell(&self, event: &ControllerEvent<'_>) {
        self.environment.emit(&self.host, event);
    }

    fn status(&self, change: impl FnOnce(&mut HostStatus)) {
        // readers get a copy, and each change is whole by itself
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        // a loop that was removed may still have a step under way
        if let Some(host) = status.hosts.get_mut(&self.host) {
            change(host);
        }
    }

    /// Whether anything is in this condition.
    pub(super) fn any(&self, condition: Condition) -> bool {
        let mut any = false;
        self.status(|host| {
            any = host.objects.values().any(|object| object.condition == condition);
        });
        any
    }

    /// Returns the blocked objects, as reported.
    pub(super) fn left_alone(&self) -> impl Iterator<Item = &ResourceId> {
        self.blocked.keys()
    }

    pub(super) fn events(&self, count: u64) {
        if count > 0 {
            self.status(|host| host.counters.events += count);
        }
    }

    pub(super) fn deaf(&self, error: &Error) {
        self.tell(&ControllerEvent::Deaf(error));
    }

    pub(super) fn lost(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.is_lost, true) {
            self.tell(&ControllerEvent::Lost(error));
            let lost = (error.to_string(), SystemTime::now());
            self.status(|host| {
                host.counters.losses += 1;
                host.lost = Some(lost);
            });
        }
    }

    /// The host was read, all of it or in part.
    pub(super) fn answered(&mut self, all: bool) {
        if std::mem::take(&mut self.is_lost) {
            self.tell(&ControllerEvent::Back);
        }
        self.status(|host| {
            host.lost = None;
            host.counters.reconciles += 1;
            host.counters.resyncs += u64::from(all);
        });
    }

    /// Reports the objects of a host that do not answer, if they have changed.
    pub(super) fn silent(&mut self, observed: &Observed) {
        let silent: BTreeSet<ResourceId> = observed.unknown.keys().cloned().collect();
        if silent != self.silent {
            self.status(|host| host.silent.clone_from(&silent));
            self.silent = silent;
            self.tell(&ControllerEvent::Silent(&observed.unknown));
        }
    }

    pub(super) fn no_lock(&mut self, error: &Error, is_busy: bool) {
        if self.no_lock.replace(is_busy) != Some(is_busy) {
            self.tell(&if is_busy {
                ControllerEvent::Busy(error)
            } else {
                ControllerEvent::NoLock(error)
            });
        }
    }

    /// A plan was carried out.
    pub(super) fn applied(
        &mut self,
        report: &Report,
        told: &[(&ResourceChange, ControllerEvent<'_>)],
        took: Duration,
    ) {
        self.no_lock = None;
        let (mut lines, mut outcome, mut cause) = (Vec::new(), None, String::new());
        let mut latencies = Vec::new();
        for (change, event) in told {
            let ControllerEvent::Reconciled { outcome: came, cause: why, took, .. } = event else {
                continue;
            };
            if lines.len() < LINES {
                lines.push(describe(change));
            }
            if cause.is_empty() {
                cause = why.to_string();
            }
            latencies.push(*took);
            if let Some(detail) = came.detail() {
                outcome.get_or_insert_with(|| format!("{}: {detail}", came.as_str()));
            } else if *came != Outcome::Done {
                outcome.get_or_insert_with(|| came.as_str().to_owned());
            }
        }
        let done = u64::try_from(report.count(|s| *s == Status::Done)).unwrap_or(u64::MAX);
        let failed = report.count(|s| matches!(s, Status::Failed(_) | Status::Unknown(_)));
        let failed = u64::try_from(failed).unwrap_or(u64::MAX);
        let outcome = outcome.unwrap_or_else(|| "done".to_owned());
        let record = PlanRecord { at: SystemTime::now(), cause, lines, outcome, took };
        self.status(|host| {
            host.counters.steps_done += done;
            host.counters.steps_failed += failed;
            latencies.into_iter().for_each(|time| host.counters.took(time));
            host.plans.push_back(record);
            while host.plans.len() > HostStatus::PLANS {
                host.plans.pop_front();
            }
        });
    }

    /// Records the conditions of objects by a plan, and reports newly blocked ones.
    pub(super) fn stands(
        &mut self,
        plan: &Plan,
        allowed_by_policy: &BTreeMap<ResourceId, String>,
        desired: &Desired,
        observed: Option<&Observed>,
        queue: &WorkQueue,
    ) {
        self.problems(&plan.diagnostics);
        let mut standings: BTreeMap<ResourceId, (Condition, String)> = BTreeMap::new();
        for change in &plan.changes {
            standings.insert(change.id.clone(), by_plan(change));
        }
        for id in &plan.orphans {
            let text = "no manifest names it any more; --prune deletes it".to_owned();
            standings.insert(id.clone(), (Condition::Blocked, text));
        }
        for (id, reason) in plan.blocked.iter().chain(allowed_by_policy) {
            standings.insert(id.clone(), (Condition::Blocked, reason.clone()));
        }
        self.hold(&standings, plan, allowed_by_policy);
        self.outages(&standings);
        let host_has = |id: &ResourceId| observed.and_then(|o| o.resources.get(id));
        let silent = |id: &ResourceId| observed.is_some_and(|o| o.unknown.contains_key(id));
        self.status(|host| {
            for (id, (condition, detail)) in standings {
                let (failures, next_try) = trouble(queue, &id);
                let fails = failures > 0 && condition != Condition::Outage;
                let condition = if fails { Condition::Failing } else { condition };
                let state = match host_has(&id) {
                    Some(resource) => resource.state_words(),
                    None if silent(&id) => "does not answer".to_owned(),
                    None => "absent".to_owned(),
                };
                let uses = desired.resources.get(&id).map(|r| r.depends_on.clone());
                let uses = uses.unwrap_or_default();
                let before = host.objects.get(&id).filter(|o| o.condition == condition);
                let since = before.map_or_else(SystemTime::now, |o| o.since);
                let object =
                    ResourceStatus { state, condition, since, detail, failures, next_try, uses };
                host.objects.insert(id, object);
            }
            let known = |id: &ResourceId| {
                desired.resources.contains_key(id) || desired.blocked.contains_key(id)
            };
            // objects without a manifest are shown as long as the host has them
            host.objects.retain(|id, _| known(id) || host_has(id).is_some() || silent(id));
        });
    }

    /// Reports which objects are blocked from now on, and which no more. Objects outside of the plan stay as
    /// reported.
    fn hold(
        &mut self,
        standings: &BTreeMap<ResourceId, (Condition, String)>,
        plan: &Plan,
        allowed_by_policy: &BTreeMap<ResourceId, String>,
    ) {
        for (id, reason) in plan.blocked.iter().chain(allowed_by_policy) {
            if self.blocked.get(id) != Some(reason) {
                self.blocked.insert(id.clone(), reason.clone());
                self.tell(&ControllerEvent::Blocked(id, reason));
            }
        }
        let free: Vec<ResourceId> = self
            .blocked
            .keys()
            .filter(|id| standings.get(id).is_some_and(|s| s.0 != Condition::Blocked))
            .cloned()
            .collect();
        for id in free {
            self.blocked.remove(&id);
            self.tell(&ControllerEvent::Free(&id));
        }
    }

    /// Reports the guests with a new outage, and those that work again.
    fn outages(&mut self, standings: &BTreeMap<ResourceId, (Condition, String)>) {
        for (id, (condition, detail)) in standings {
            if *condition != Condition::Outage {
                if self.down.remove(id).is_some() {
                    self.tell(&ControllerEvent::Works(id));
                }
            } else if self.down.get(id) != Some(detail) {
                self.down.insert(id.clone(), detail.clone());
                self.tell(&ControllerEvent::Down(id, detail));
            }
        }
    }

    pub(super) fn not_pruned(&mut self, reason: Option<&str>) {
        if let Some(reason) = reason
            && self.not_pruned.as_deref() != Some(reason)
        {
            self.tell(&ControllerEvent::NotPruned(reason));
        }
        self.not_pruned = reason.map(str::to_owned);
    }

    fn problems(&mut self, found: &Diagnostics) {
        let mut new = Diagnostics::default();
        for problem in found.iter().filter(|p| !self.problems.iter().any(|known| known == *p)) {
            new.push(problem.clone());
        }
        if new.is_empty() {
            return;
        }
        self.tell(&ControllerEvent::Problems(&new));
        if self.problems.len() > PROBLEMS {
            self.problems = Diagnostics::default();
        }
        self.problems.extend(new);
    }
}

/// Returns the condition of an object by its planned change, with details.
fn by_plan(change: &ResourceChange) -> (Condition, String) {
    let paths = |fields: &[crate::reconcile::FieldChange]| {
        fields.iter().map(|f| f.path.to_string()).collect::<Vec<_>>().join(", ")
    };
    match change.action {
        _ if change.outage.is_some() => (Condition::Outage, change.notes.join("; ")),
        Action::NoOp if !change.held.is_empty() => {
            let why = |f: &crate::reconcile::FieldChange| f.why.clone().unwrap_or_default();
            let held: Vec<String> = change.held.iter().map(why).collect();
            (Condition::Pending, held.join("; "))
        }
        Action::NoOp if change.pending.is_empty() => (Condition::InSync, String::new()),
        Action::NoOp => (Condition::Pending, paths(&change.pending)),
        Action::Create
        | Action::Update
        | Action::Replace
        | Action::Delete
        | Action::MoveIn
        | Action::MoveOut
        | Action::Adopt => {
            let fields = paths(&change.fields);
            let detail = if fields.is_empty() { change.reason.clone() } else { fields };
            (Condition::Drifted, detail)
        }
    }
}

/// Failures in a row, and when it is tried again by the wall clock.
fn trouble(queue: &WorkQueue, id: &ResourceId) -> (u32, Option<SystemTime>) {
    let (failures, until) = queue.trouble(id);
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    (failures, left.map(|left| SystemTime::now() + left))
}
