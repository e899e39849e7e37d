//! Control loop of one host: reads what has changed, plans and applies.

use super::connection::Connection;
use super::events::{Ended, Environment};
use super::heartbeat::Heartbeat;
use super::mailbox::{Mailbox, Pending};
use super::neighbours::{Neighbours, Seen};
use super::planner::{Planned, Planner, Pruned, takes_of_others};
use super::status::{Condition, ControllerStatus};
use super::status_writer::StatusWriter;
use super::work_queue::{Cause, Reason, Work, WorkQueue};
use crate::drivers::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Desired, Detail, Observed, ResourceId, Scope};
use crate::reconcile::moves::Pools;
use crate::reconcile::{Clock, Event, Options, Plan, SystemClock, apply_until, owner_record_of};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Delay before another run's lock is tried again.
const LOCKED: Duration = Duration::from_secs(1);

/// Settings of a host's loop.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's name on the board.
    pub name: String,
    /// Options of plans.
    pub options: Options,
    /// Interval between reads of the whole host.
    pub interval: Duration,
    /// Most calls that are sent to the host together.
    pub parallel: usize,
}

/// Time that shows the loop to be alive while it waits for a guest.
pub(super) struct HeartbeatClock<'a>(pub(super) &'a Heartbeat);

impl Clock for HeartbeatClock<'_> {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn sleep(&self, time: Duration) {
        self.0.busy();
        SystemClock.sleep(time);
    }
}

/// One host, kept as its manifests say.
pub struct HostLoop {
    pub(super) settings: Settings,
    pub(super) environment: Arc<dyn Environment>,
    /// The other hosts of the fleet.
    pub(super) neighbours: Neighbours,
    mailbox: Mailbox,
    pub(super) heartbeat: Heartbeat,
    pub(super) stop: CancelToken,
    pub(super) record: StatusWriter,
    pub(super) desired: Arc<Desired>,
    pub(super) queue: WorkQueue,
    pub(super) host: Option<Connection>,
    /// Whether the host was lost since it was connected to: it may come back as another version.
    was_lost: bool,
    /// Latest observed state of the host, updated part by part.
    pub(super) observed: Option<Observed>,
    /// The host's pools on network storage, as far as disks are on them.
    pub(super) pools: Pools,
    /// Whether the next plan covers all objects, and not only the changed ones.
    plan_all: bool,
    pub(super) pruned: Pruned,
    pub(super) ended: Ended,
}

impl std::fmt::Debug for HostLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { settings, queue, .. } = self;
        f.debug_struct("HostLoop")
            .field("settings", settings)
            .field("agenda", queue)
            .finish_non_exhaustive()
    }
}

impl HostLoop {
    /// A loop that nobody has started.
    pub fn new(
        settings: Settings,
        desired: Arc<Desired>,
        environment: Arc<dyn Environment>,
        status: Arc<Mutex<ControllerStatus>>,
        stop: CancelToken,
    ) -> Self {
        let record = StatusWriter::new(settings.name.clone(), Arc::clone(&environment), status);
        Self {
            queue: WorkQueue::new(settings.interval, Instant::now()),
            settings,
            environment,
            neighbours: Neighbours::default(),
            mailbox: Mailbox::default(),
            heartbeat: Heartbeat::default(),
            stop,
            record,
            desired,
            host: None,
            was_lost: false,
            observed: None,
            pools: Pools::new(),
            plan_all: true,
            pruned: Pruned::default(),
            ended: Ended::default(),
        }
    }

    /// Joins the loop with those of the other hosts of a fleet.
    #[must_use]
    pub fn beside(mut self, neighbours: Neighbours) -> Self {
        neighbours.join(&self.settings.name, &self.mailbox, &self.pruned);
        self.neighbours = neighbours;
        self
    }

    /// Sends messages to it.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Liveness of this loop.
    pub fn heartbeat(&self) -> Heartbeat {
        self.heartbeat.clone()
    }

    /// Goes on until it is to stop.
    pub fn run(mut self) {
        while !self.stop.is_stopped() {
            self.heartbeat.busy();
            let pending = self.mailbox.wait(Instant::now());
            self.take(pending);
            if let Some(work) = self.queue.take(Instant::now()) {
                self.work(work, true);
                continue;
            }
            self.heartbeat.idle();
            let pending = self.mailbox.wait(self.queue.next_due());
            self.heartbeat.busy();
            self.take(pending);
        }
        self.heartbeat.idle();
    }

    /// Goes through its work once.
    pub fn run_once(mut self) -> Ended {
        if let Some(work) = self.queue.take(Instant::now()) {
            self.work(work, false);
        }
        self.ended.pending = self.record.any(Condition::Pending);
        self.ended.outage = self.record.any(Condition::Outage);
        self.ended
    }

    fn take(&mut self, pending: Pending) {
        let now = Instant::now();
        self.record.events(pending.count);
        if let Some((desired, since)) = pending.desired {
            self.renew(desired, since);
        }
        if let Some(error) = pending.deaf {
            self.record.deaf(&error);
        }
        self.was_lost |= pending.was_lost;
        if let Some(error) = pending.lost {
            self.record.lost(&error);
        }
        if pending.resync {
            self.queue.enqueue_all(Cause::Resync, now);
        }
        if pending.now {
            self.plan_all = true;
            self.queue.hurry(now);
        }
        for (id, word) in pending.events {
            for id in self.concerned(id) {
                self.queue.enqueue(id, Cause::Event(word.clone()), now);
            }
        }
    }

    /// The objects that an event at `id` is about: it, if we have to do with it, and those that need
    /// it to be there.
    fn concerned(&self, id: ResourceId) -> Vec<ResourceId> {
        let there = self.observed.as_ref().and_then(|o| o.resources.get(&id));
        let ours = there
            .and_then(owner_record_of)
            .is_some_and(|owner_record| owner_record.set == self.desired.set);
        let mut concerned = self.dependants(&id);
        let named = self.desired.resources.contains_key(&id);
        if ours || named || self.desired.blocked.contains_key(&id) || !concerned.is_empty() {
            concerned.push(id);
        } else if there.is_none_or(|there| owner_record_of(there).is_none()) {
            // blocked objects may be so because of others' holdings: a disk, an address, a name
            let known = |id: &&ResourceId| self.desired.resources.contains_key(*id);
            concerned.extend(self.record.left_alone().filter(known).cloned());
            if !concerned.is_empty() {
                concerned.push(id);
            }
        }
        concerned
    }

    /// The objects that need another one.
    pub(super) fn dependants(&self, id: &ResourceId) -> Vec<ResourceId> {
        let all = self.desired.resources.values();
        all.filter(|r| r.depends_on.contains(id)).map(|r| r.id.clone()).collect()
    }

    /// The manifests ask for something else.
    fn renew(&mut self, desired: Arc<Desired>, since: Instant) {
        let before = std::mem::replace(&mut self.desired, desired);
        let now = &self.desired;
        if before.set != now.set || before.complete != now.complete {
            self.plan_all = true;
            self.queue.enqueue_all(Cause::Manifests, since);
        }
        let same = |id: &ResourceId| match (before.resources.get(id), now.resources.get(id)) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => before.blocked.get(id) == now.blocked.get(id),
            _ => false,
        };
        let known = |d: &Desired| {
            d.resources.keys().chain(d.blocked.keys()).cloned().collect::<BTreeSet<_>>()
        };
        let all = &known(&before) | &known(now);
        let changed: Vec<&ResourceId> = all.iter().filter(|id| !same(id)).collect();
        for id in &changed {
            self.queue.renew(id, since);
        }
        // dependants of a refused resource are blocked with it, and come free with it
        let is_refused =
            |d: &Desired, id| d.resources.get(id).is_some_and(|r| !r.refused.is_empty());
        let mut open: Vec<ResourceId> = changed
            .into_iter()
            .filter(|id| is_refused(&before, *id) || is_refused(now, *id))
            .cloned()
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            for dependant in self.dependants(&id) {
                if seen.insert(dependant.clone()) {
                    self.queue.enqueue(dependant.clone(), Cause::Manifests, since);
                    open.push(dependant);
                }
            }
        }
        self.queue.keep(|id| all.contains(id));
    }

    fn work(&mut self, work: Work, listen: bool) {
        let looked = self.look(work, listen);
        self.heartbeat.looked();
        let Some(mut reasons) = looked else { return };
        let left_alone = self.queue.left_alone(Instant::now());
        let all = std::mem::take(&mut self.plan_all);
        let only = (!all).then(|| reasons.keys().cloned().collect());
        let Some(planned) = self.plan(only, &left_alone) else {
            // the reasons for planning are forgotten by now
            self.plan_all = true;
            return;
        };
        self.told(&planned);
        if !planned.plan.is_empty() {
            self.change_for(&planned.plan, &mut reasons, &left_alone);
        }
        self.move_in(&planned.arriving, &reasons);
    }

    fn change_for(
        &mut self,
        plan: &Plan,
        reasons: &mut BTreeMap<ResourceId, Reason>,
        left_alone: &BTreeSet<ResourceId>,
    ) {
        // why an object that nobody asked about is planned for: what asked needs it
        let first = reasons.values().min_by_key(|reason| reason.since).cloned();
        let now = Reason { cause: Cause::Interval, since: Instant::now() };
        let first = first.unwrap_or(now);
        for step in &plan.steps {
            reasons.entry(step.target.id.clone()).or_insert_with(|| first.clone());
        }
        self.change(plan, reasons, left_alone);
    }

    /// Looks at the host as far as there is reason to. Gives the objects that are not as they were
    /// or that are new to us, each with its reason; `None` if the host cannot be asked.
    fn look(&mut self, work: Work, listen: bool) -> Option<BTreeMap<ResourceId, Reason>> {
        let Work { all, objects: mut reasons } = work;
        let cause = all.as_ref().map_or(Cause::Retry, |reason| reason.cause.clone());
        let looked = self.connect(listen).and_then(|()| match &all {
            Some(reason) => self.observe_all().map(|changed| {
                for id in changed {
                    reasons.entry(id).or_insert_with(|| reason.clone());
                }
                if self.plan_all {
                    for id in self.desired.resources.keys() {
                        reasons.entry(id.clone()).or_insert_with(|| reason.clone());
                    }
                }
            }),
            None => self.observe(reasons.keys().cloned().collect()),
        });
        match looked {
            Ok(()) => {
                self.publish();
                self.queue.host_answered();
                self.record.answered(all.is_some());
                if let Some(observed) = &self.observed {
                    self.record.silent(observed);
                }
                Some(reasons)
            }
            Err(error) => {
                self.ended.failed = true;
                self.was_lost = true;
                self.neighbours.lost(&self.settings.name);
                self.record.lost(&error);
                for (id, reason) in reasons {
                    self.queue.enqueue(id, reason.cause, reason.since);
                }
                self.plan_all |= all.is_some_and(|reason| reason.cause == Cause::Start);
                self.queue.host_failed(cause, Instant::now());
                None
            }
        }
    }

    fn connect(&mut self, listen: bool) -> Result<()> {
        if self.host.is_none() || self.was_lost {
            // until there is a new one the old one listens: it may hear first that the host is back
            let mailbox = listen.then_some(&self.mailbox);
            let name = &self.settings.name;
            let new = Connection::open(self.environment.as_ref(), name, mailbox)?;
            let before = self.host.as_ref().map(Connection::capabilities);
            self.plan_all |= before.is_some_and(|before| before != new.capabilities());
            self.host = Some(new);
            self.was_lost = false;
        }
        Ok(())
    }

    /// Reads all of the host; gives the objects that are not as they were.
    pub(super) fn observe_all(&mut self) -> Result<Vec<ResourceId>> {
        let Some(host) = &self.host else { return Ok(Vec::new()) };
        self.heartbeat.busy();
        let now = host.driver().observe(&Scope::all())?;
        let Some(before) = self.observed.replace(now) else {
            self.plan_all = true;
            return Ok(Vec::new());
        };
        let Some(now) = &self.observed else { return Ok(Vec::new()) };
        // an object that answers again was in the way of others, too
        self.plan_all |= before.unknown.keys().any(|id| !now.unknown.contains_key(id));
        let known = before.resources.keys().chain(now.resources.keys());
        let ids: BTreeSet<_> = known.chain(now.unknown.keys()).collect();
        let changed = |id: &&&ResourceId| {
            before.resources.get(id) != now.resources.get(id)
                || before.unknown.contains_key(id) != now.unknown.contains_key(id)
        };
        let changed: Vec<ResourceId> = ids.iter().filter(changed).copied().cloned().collect();
        Ok(changed.into_iter().flat_map(|id| self.concerned(id)).collect())
    }

    /// Reads some objects.
    pub(super) fn observe(&mut self, ids: BTreeSet<ResourceId>) -> Result<()> {
        let Some(host) = self.host.as_ref().filter(|_| !ids.is_empty()) else { return Ok(()) };
        self.heartbeat.busy();
        self.mailbox.forget(&ids);
        let scope = Scope::only(ids.clone(), Detail::Full);
        let mut read = host.driver().observe(&scope)?;
        let known = self.observed.get_or_insert_default();
        for id in ids {
            let was_silent = known.unknown.remove(&id).is_some();
            match read.unknown.remove(&id) {
                Some(unknown) => drop(known.unknown.insert(id.clone(), unknown)),
                None => self.plan_all |= was_silent,
            }
            match read.resources.remove(&id) {
                Some(resource) => known.resources.insert(id, resource),
                None => known.resources.remove(&id),
            };
        }
        Ok(())
    }

    /// Plans for some objects, or for all; `None` before the host was looked at.
    pub(super) fn plan(
        &mut self,
        only: Option<BTreeSet<ResourceId>>,
        left_alone: &BTreeSet<ResourceId>,
    ) -> Option<Planned> {
        let (host, observed) = (self.host.as_ref()?, self.observed.as_ref()?);
        let now = Some(Timestamp::now());
        let seen = self.look_around(only.as_ref(), observed);
        let Seen { crossing, arriving, leaving, later } = seen;
        let options = Options { now, crossing, ..self.settings.options.clone() };
        let waits = !later.is_empty();
        let mut left_alone = left_alone.clone();
        left_alone.extend(leaving.into_iter().chain(later).chain(arriving.keys().cloned()));
        let planner = Planner {
            desired: &self.desired,
            observed,
            capabilities: host.capabilities(),
            options: &options,
            pruned: &self.pruned,
        };
        let planned = planner.plan(only, &left_alone);
        self.ended.waits |= waits;
        Some(Planned { arriving, ..planned? })
    }

    /// Carries out a plan: under the lock, and for the host's state at that time.
    fn change(
        &mut self,
        plan: &Plan,
        reasons: &BTreeMap<ResourceId, Reason>,
        left_alone: &BTreeSet<ResourceId>,
    ) {
        let begun = Instant::now();
        let ids: BTreeSet<ResourceId> =
            plan.steps.iter().map(|step| step.target.id.clone()).collect();
        let lock = match self.environment.lock(&self.settings.name) {
            Ok(lock) => lock,
            Err(error) => return self.no_lock(&error, ids),
        };
        let looked = match takes_of_others(plan) {
            true => self.observe_all().map(|changed| {
                for id in changed {
                    self.queue.enqueue(id, Cause::Resync, begun);
                }
            }),
            false => self.observe(ids.clone()),
        };
        if let Err(error) = looked {
            return self.lost(&error, ids);
        }
        let Some(planned) = self.plan(Some(ids.clone()), left_alone) else {
            self.plan_all = true;
            return;
        };
        let Some(host) = self.host.as_ref().filter(|_| !planned.plan.is_empty()) else {
            return self.told(&planned);
        };
        self.pruned.note(&planned.plan, begun);
        let heartbeat = &self.heartbeat;
        let report = apply_until(
            &planned.plan,
            host.driver(),
            &HeartbeatClock(heartbeat),
            self.settings.parallel,
            &self.stop,
            &mut |_: Event<'_>| heartbeat.busy(),
        );
        drop(lock);
        let after = match self.observe(ids.clone()) {
            Ok(()) => self.plan(Some(ids.clone()), left_alone),
            Err(error) => {
                self.lost(&error, ids);
                None
            }
        };
        self.conclude(&planned, &report, after.as_ref(), reasons, begun);
        self.told(after.as_ref().unwrap_or(&planned));
    }

    /// Handles a lock that another run holds, or that cannot be had at all, which time alone does not cure.
    pub(super) fn no_lock(&mut self, error: &Error, ids: BTreeSet<ResourceId>) {
        let now = Instant::now();
        let is_refused = error.kind == ErrorKind::Locked;
        *(if is_refused { &mut self.ended.refused } else { &mut self.ended.failed }) = true;
        let is_busy = is_refused && error.source.is_none();
        self.record.no_lock(error, is_busy);
        for id in ids {
            if is_busy {
                self.queue.enqueue(id, Cause::Retry, now + LOCKED);
            } else {
                self.queue.failed(&id, now);
            }
        }
    }

    pub(super) fn lost(&mut self, error: &Error, ids: BTreeSet<ResourceId>) {
        let now = Instant::now();
        (self.ended.failed, self.was_lost) = (true, true);
        self.record.lost(error);
        for id in ids {
            self.queue.enqueue(id, Cause::Retry, now + LOCKED);
        }
        self.queue.host_failed(Cause::Retry, now);
    }
}
