//! A guest that comes from another host of the fleet: the loop of the host that it goes to sees to all
//! of it, under the locks of both.

use super::connection::Connection;
use super::events::{ControllerEvent, outcome};
use super::host_loop::{HeartbeatClock, HostLoop, Settings};
use super::neighbours::Seen;
use super::planner::Planned;
use super::work_queue::{Cause, Reason};
use crate::drivers::Driver;
use crate::error::Result;
use crate::model::{Observed, ObservedResource, ResourceId, Scope};
use crate::reconcile::moves::{HostFacts, Party, Pools, plan_together, pools_of};
use crate::reconcile::owner_record_of;
use crate::reconcile::{Crossroads, apply_beside};
use crate::reconcile::{Event, Options, Plan, Report, Status};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Delay before changes made while locks were taken are looked at.
const SOON: Duration = Duration::from_secs(1);

/// The host that a guest leaves.
struct Old {
    connection: Connection,
    observed: Observed,
    pools: Pools,
}

impl HostLoop {
    /// Moves guests here, one after the other.
    pub(super) fn move_in(
        &mut self,
        arriving: &BTreeMap<ResourceId, String>,
        reasons: &BTreeMap<ResourceId, Reason>,
    ) {
        let left_alone = self.queue.left_alone(Instant::now());
        for (id, from) in arriving.iter().filter(|(id, _)| !left_alone.contains(*id)) {
            if self.stop.is_stopped() {
                return;
            }
            self.heartbeat.busy();
            self.move_one(id, from, reasons);
        }
    }

    fn move_one(&mut self, id: &ResourceId, from: &str, reasons: &BTreeMap<ResourceId, Reason>) {
        let begun = Instant::now();
        let only = BTreeSet::from([id.clone()]);
        let here = self.settings.name.clone();
        // all take them in one order
        let mut names = [from, here.as_str()];
        names.sort_unstable();
        let mut locks = Vec::new();
        for name in names {
            match self.environment.lock(name) {
                Ok(lock) => locks.push(lock),
                Err(error) => return self.no_lock(&error, only),
            }
        }
        if let Err(error) = self.observe_all().map(drop) {
            return self.lost(&error, only);
        }
        let Ok(old) = self.read_old(from) else {
            // its own loop tells of that
            self.neighbours.lost(from);
            self.queue.failed(id, begun);
            return;
        };
        let Some([plan_old, plan]) = self.plan_move(id, from, &old) else {
            self.queue.enqueue(id.clone(), Cause::Retry, begun + SOON);
            return;
        };
        let refused = |plan: &Plan| -> BTreeMap<ResourceId, String> {
            let reason = plan.refusals.first().map(|r| format!("{}; {}", r.reason, r.hint));
            reason.map(|reason| (id.clone(), reason)).into_iter().collect()
        };
        let moves = [&plan_old, &plan].iter().all(|p| p.moves.contains_key(id));
        let allowed_by_policy = match refused(&plan) {
            none if none.is_empty() => refused(&plan_old),
            allowed_by_policy => allowed_by_policy,
        };
        if !moves || !allowed_by_policy.is_empty() {
            let planned =
                Planned { plan, allowed_by_policy, not_pruned: None, arriving: BTreeMap::new() };
            self.told(&planned);
            self.queue.failed(id, begun);
            return;
        }
        self.neighbours.note_pruned(from, &plan_old, begun);
        let (report_old, report) = self.walk_both(from, &old, &plan_old, &plan);
        drop(locks);
        let there = old.connection.driver().observe(&Scope::all());
        if let (Ok(there), Some((_, shared))) = (there, self.neighbours.asked(from)) {
            self.neighbours.read(from, HostFacts::of(&there, &old.pools, &shared));
        }
        self.tell_old(from, &plan_old, &report_old, reasons, begun);
        let planned =
            Planned { plan, allowed_by_policy, not_pruned: None, arriving: BTreeMap::new() };
        let after = match self.observe(only.clone()) {
            Ok(()) => self.plan(Some(only), &BTreeSet::new()),
            Err(error) => {
                self.lost(&error, only);
                None
            }
        };
        self.conclude(&planned, &report, after.as_ref(), reasons, begun);
        self.told(after.as_ref().unwrap_or(&planned));
    }

    fn read_old(&self, from: &str) -> Result<Old> {
        let connection = Connection::open(self.environment.as_ref(), from, None)?;
        let observed = connection.driver().observe(&Scope::all())?;
        let pools = pools_of(&observed, None, |names| connection.driver().pools(names))?;
        Ok(Old { connection, observed, pools })
    }

    /// The plans of the old host and of this one, if it is still a move.
    fn plan_move(&self, id: &ResourceId, from: &str, old: &Old) -> Option<[Plan; 2]> {
        let (host, observed) = (self.host.as_ref()?, self.observed.as_ref()?);
        let (desired_old, shared) = self.neighbours.asked(from)?;
        let here = &self.settings.name;
        let facts_old = HostFacts::of(&old.observed, &old.pools, &shared);
        let facts = HostFacts::of(observed, &self.pools, &shared);
        let set = &self.desired.set;
        let options = |name: &str| Options {
            host: Some(name.to_owned()),
            only: BTreeSet::from([id.clone()]),
            now: Some(Timestamp::now()),
            ..self.settings.options.clone()
        };
        // objects pruned on either host count there, whichever loop did it
        let lately = self.neighbours.pruned_lately(from, &old.observed, Instant::now());
        let of_old = Options { pruned_lately: lately, ..options(from) };
        let lately = self.pruned.count(observed, Instant::now());
        let options = [of_old, Options { pruned_lately: lately, ..options(here) }];
        let now = [(from, &facts_old), (here.as_str(), &facts)];
        let crossings = self.neighbours.settle_move(set, &self.settings.options, id, now)?;
        let [of_old, of_here] = &options;
        let parties = [
            Party {
                name: from,
                desired: &desired_old,
                observed: &old.observed,
                pools: &old.pools,
                capabilities: old.connection.capabilities(),
                options: of_old,
            },
            Party {
                name: here,
                desired: &self.desired,
                observed,
                pools: &self.pools,
                capabilities: host.capabilities(),
                options: of_here,
            },
        ];
        let moves = [(id.clone(), 0, 1)];
        let mut plans = plan_together(&parties, &crossings, &moves, &shared).into_iter();
        Some([plans.next()?.1, plans.next()?.1])
    }

    fn walk_both(&self, from: &str, old: &Old, plan_old: &Plan, plan: &Plan) -> (Report, Report) {
        let crossroads = Crossroads::default();
        let walkers = (crossroads.enter(from), crossroads.enter(&self.settings.name));
        let (heartbeat, stop, parallel) = (&self.heartbeat, &self.stop, self.settings.parallel);
        let Some(host) = self.host.as_ref() else { return Default::default() };
        let clock = HeartbeatClock(heartbeat);
        let walk = |plan: &Plan, driver: &dyn Driver, walker| {
            let mut busy = |_: Event<'_>| heartbeat.busy();
            // the others hear that it has ended
            let walker = walker;
            apply_beside(plan, driver, &clock, (parallel, stop), &walker, &mut busy)
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| walk(plan_old, old.connection.driver(), walkers.0));
            let report = walk(plan, host.driver(), walkers.1);
            let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (other, report)
        })
    }

    /// Reports on the old host the outcome of the guest's steps there.
    fn tell_old(
        &self,
        from: &str,
        plan: &Plan,
        report: &Report,
        reasons: &BTreeMap<ResourceId, Reason>,
        begun: Instant,
    ) {
        let statuses: Vec<&Status> = report.steps.iter().map(|step| &step.status).collect();
        let now = Reason { cause: Cause::Retry, since: begun };
        for change in plan.changes.iter().filter(|c| plan.moves.contains_key(&c.id)) {
            let reason = reasons.get(&change.id).unwrap_or(&now);
            let took = reason.since.elapsed();
            let outcome = outcome(&statuses, None);
            let event = ControllerEvent::Reconciled {
                change,
                outcome,
                cause: &reason.cause,
                took,
                pause: None,
            };
            self.environment.emit(from, &event);
        }
    }

    /// Asks the other hosts for constraints on the guests that are planned for.
    pub(super) fn look_around(
        &self,
        only: Option<&BTreeSet<ResourceId>>,
        observed: &Observed,
    ) -> Seen {
        let interest = self.interest(only, observed);
        if interest.is_empty() {
            return Seen::default();
        }
        let Settings { name, options, .. } = &self.settings;
        self.neighbours.look(name, &self.desired.set, options, interest)
    }

    /// The guests among those that are planned for that other hosts may have to do with: they are to be
    /// made or started here, or are not wanted here any more.
    fn interest(
        &self,
        only: Option<&BTreeSet<ResourceId>>,
        observed: &Observed,
    ) -> BTreeSet<ResourceId> {
        if !self.neighbours.are_there(&self.settings.name) {
            return BTreeSet::new();
        }
        let desired = &self.desired;
        let is_off =
            |id: &ResourceId| observed.resources.get(id).is_none_or(|r| !r.state.is_active());
        let wanted = desired.resources.keys().filter(|id| is_off(id));
        let known = |id: &ResourceId| {
            desired.resources.contains_key(id) || desired.blocked.contains_key(id)
        };
        let ours = |r: &&ObservedResource| {
            owner_record_of(r).is_some_and(|owner_record| owner_record.set == desired.set)
        };
        let there = observed.resources.values().filter(|r| !known(&r.id)).filter(ours);
        wanted
            .chain(there.map(|r| &r.id))
            .filter(|id| id.kind.is_guest() && only.is_none_or(|only| only.contains(*id)))
            .cloned()
            .collect()
    }

    /// Publishes the facts of this host to the other loops.
    pub(super) fn publish(&mut self) {
        let name = &self.settings.name;
        let (Some(host), Some(observed)) = (&self.host, &self.observed) else { return };
        if !self.neighbours.are_there(name) {
            return;
        }
        let Some((_, shared)) = self.neighbours.asked(name) else { return };
        let pools = pools_of(observed, Some(&self.desired), |names| host.driver().pools(names));
        match pools {
            Ok(pools) => self.pools = pools,
            // keep the former knowledge
            Err(error) => tracing::debug!(%error, "storage pools cannot be read"),
        }
        self.neighbours.read(name, HostFacts::of(observed, &self.pools, &shared));
    }
}
