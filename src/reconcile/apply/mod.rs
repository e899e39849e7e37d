//! Walk of a plan: calls in batches, waits, and a report for each step. Nothing is decided here.
//!
//! - `elsewhere.rs`: plans of several hosts walked at once, and their milestones
//! - `refusal.rs`: meaning of a refused live change
//! - `rollforward.rs`: compensating steps after a stop
//! - `verify.rs`: the effect of a call whose reply was lost
//! - `waits.rs`: conditions that a step waits for, and their failures

// long: the walk is one state, and its parts are read together

mod elsewhere;
mod refusal;
mod rollforward;
mod verify;
mod waits;

use super::plan::step::{Otherwise, Step, StepAction, Until};
use super::plan::types::Plan;
use crate::drivers::{CancelToken, Driver, ExecContext};
use crate::error::{Error, ErrorKind};
use crate::model::{Call, Detail, Observed, Op, Outcome, ResourceId, Scope, Target};
pub use elsewhere::{Crossroads, Walker};
use elsewhere::{Heard, never};
use refusal::{Meaning, meaning};
use rollforward::rollforward;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use verify::took_effect;
use waits::Removals;

/// Interval between two reads of the host while a step waits for it.
const POLL: Duration = Duration::from_millis(250);

/// Message for a live change that cannot be made while its domain runs.
const NOT_NOW: &str = "it waits for the next boot, since the host does not do it while it runs";

/// Message for a live change that the host refuses as wrong, and that is taken out of the definition.
const GOES: &str = "it is taken out of the definition for the next boot again, which would fail \
                    as well: fix the manifest, and apply it again";

/// Message for a live change that is refused as wrong, and stays in the definition.
const STAYS: &str = "the definition for the next boot has it already; apply it again to retry";

/// Time, so that waits can be tested without waiting.
pub trait Clock {
    /// Returns the current time of a monotonic clock.
    fn now(&self) -> Instant;
    /// Waits.
    fn sleep(&self, time: Duration);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Outcome of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Success.
    Done,
    /// Refusal by the host or the driver, or a wait that timed out.
    Failed(Error),
    /// Lost answer: the step was sent, and reading the host again did not show whether it was done.
    Unknown(Error),
    /// Accepted, and not done yet: the guest has still to follow, or the change waits for the next boot.
    Pending(String),
    /// Never tried, because an earlier step was not completed or the run was stopped.
    Skipped,
}

/// Outcome and time of one step.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// The step's number.
    pub id: usize,
    /// Outcome of the step.
    pub status: Status,
}

/// Outcome of an apply.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Entries for all steps of the plan, in its order.
    pub steps: Vec<StepReport>,
    /// Whether the run was stopped before its end.
    pub stopped: bool,
    /// Objects whose definition was put back, since the running instance refused the change, with the
    /// outcome.
    pub put_back: Vec<(ResourceId, Status)>,
}

impl Report {
    /// Whether every step is done, or left to its guest.
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|s| matches!(s.status, Status::Done | Status::Pending(_)))
    }

    /// Whether the outcome of any step is unknown.
    pub fn has_unknown(&self) -> bool {
        self.steps.iter().any(|s| matches!(s.status, Status::Unknown(_)))
    }

    /// The objects of which something is left to the guest.
    pub fn pending<'a>(&self, plan: &'a Plan) -> BTreeSet<&'a ResourceId> {
        let steps = plan.steps.iter().zip(&self.steps);
        let waits = steps.filter(|(_, report)| matches!(report.status, Status::Pending(_)));
        waits.map(|(step, _)| &step.target.id).collect()
    }

    /// Returns the steps of the new plan `again` that are still to be done after this apply, without those
    /// left to guests; `None` if there are none.
    pub fn left_over(&self, plan: &Plan, again: Plan) -> Option<Plan> {
        let mut pending = self.pending(plan);
        // the next run changes values that a saved image brought back, as far as possible
        pending.extend(plan.changes.iter().filter(|c| c.resumes).map(|c| &c.id));
        let mut left = again;
        // steps that earlier runs requested are left to guests
        left.steps.retain(|step| !step.asks_again());
        left.changes.retain(|change| !pending.contains(&change.id));
        left.steps.retain(|step| !pending.contains(&step.target.id));
        (!left.is_empty()).then_some(left)
    }

    /// Counts the steps whose status `accept` takes.
    pub fn count(&self, accept: impl Fn(&Status) -> bool) -> usize {
        self.steps.iter().filter(|s| accept(&s.status)).count()
    }
}

/// Progress of an apply.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step is about to be sent, or a wait begins.
    Started(&'a Step),
    /// End of a step, with its outcome.
    Finished(&'a Step, &'a Status),
}

/// Walks `plan`. Steps whose predecessors are done go to the driver together, at most `parallel` at
/// once; a step that fails takes those that depend on it with it, and nothing else.
pub fn apply(
    plan: &Plan,
    driver: &dyn Driver,
    clock: &dyn Clock,
    parallel: usize,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Report {
    apply_until(plan, driver, clock, parallel, &CancelToken::default(), on_event)
}

/// Applies a plan until `stop` is set: then calls that are under way are completed, waits end, and of the
/// rest only compensating steps are done.
pub fn apply_until(
    plan: &Plan,
    driver: &dyn Driver,
    clock: &dyn Clock,
    parallel: usize,
    stop: &CancelToken,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Report {
    // nobody else walks there: what is waited for will not come
    let alone = Crossroads::default();
    apply_beside(plan, driver, clock, (parallel, stop), &alone.enter(""), on_event)
}

/// Applies a plan while other hosts' plans are applied beside it, for guests that move between them.
pub fn apply_beside(
    plan: &Plan,
    driver: &dyn Driver,
    clock: &dyn Clock,
    (parallel, stop): (usize, &CancelToken),
    beside: &Walker<'_>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Report {
    waits::with_removals(plan, driver, |removals| {
        let walk = Walk {
            plan,
            driver,
            clock,
            beside,
            on_event,
            status: vec![None; plan.steps.len()],
            begun: BTreeSet::new(),
            waits: Vec::new(),
            removals,
            only: None,
            refused: BTreeMap::new(),
            put_back: Vec::new(),
        };
        walk.walk(parallel, stop)
    })
}

struct Walk<'a, 'e> {
    plan: &'a Plan,
    driver: &'a dyn Driver,
    clock: &'a dyn Clock,
    beside: &'e Walker<'e>,
    on_event: &'e mut dyn FnMut(Event<'_>),
    status: Vec<Option<Status>>,
    /// Steps that were reported as started.
    begun: BTreeSet<usize>,
    /// Steps that wait, and until when.
    waits: Vec<(&'a Step, Instant)>,
    removals: Removals,
    /// The steps that are still begun, once it is to stop.
    only: Option<BTreeSet<usize>>,
    /// Refused live changes, with the meaning of each refusal.
    refused: BTreeMap<usize, Meaning>,
    /// Objects whose definition was put back.
    put_back: Vec<(ResourceId, Status)>,
}

impl<'a> Walk<'a, '_> {
    fn walk(mut self, parallel: usize, stop: &CancelToken) -> Report {
        loop {
            if stop.is_stopped() && self.only.is_none() {
                self.ends();
            }
            self.skip_what_cannot_follow();
            let batch = self.ready(parallel.max(1));
            if !batch.is_empty() {
                self.execute(&batch, stop);
            } else if !self.begin_waits() && self.waits.is_empty() {
                break;
            }
            self.poll_waits();
            self.put_back();
        }
        self.put_back();
        self.note();
        let put_back = std::mem::take(&mut self.put_back);
        let stopped = self.status.iter().any(Option::is_none) && stop.is_stopped();
        let steps = self.plan.steps.iter().zip(self.status);
        let steps = steps.map(|(step, status)| StepReport {
            id: step.id,
            status: status.unwrap_or(Status::Skipped),
        });
        Report { steps: steps.collect(), stopped, put_back }
    }

    /// Keeps only compensating steps, on cancellation.
    fn ends(&mut self) {
        let rollforward = rollforward(self.plan, |id| self.is_done(id), |id| self.is_open(id));
        self.waits.retain(|(step, _)| rollforward.contains(&step.id));
        self.only = Some(rollforward);
    }

    /// Whether a step may still be begun.
    fn is_wanted(&self, id: usize) -> bool {
        self.is_open(id) && self.only.as_ref().is_none_or(|only| only.contains(&id))
    }

    fn is_done(&self, id: usize) -> bool {
        matches!(self.status.get(id), Some(Some(Status::Done | Status::Pending(_))))
    }

    fn is_open(&self, id: usize) -> bool {
        matches!(self.status.get(id), Some(None))
    }

    fn finish(&mut self, step: &Step, status: Status) {
        (self.on_event)(Event::Finished(step, &status));
        match &status {
            Status::Done => self.beside.finished(self.plan, step, None),
            Status::Failed(e) | Status::Unknown(e) => {
                self.beside.finished(self.plan, step, Some(e));
            }
            // the failed step before it, or the end of the walk, has reported it
            Status::Pending(_) | Status::Skipped => {}
        }
        if let Some(slot) = self.status.get_mut(step.id) {
            *slot = Some(status);
        }
    }

    fn skip_what_cannot_follow(&mut self) {
        // steps are in an order that may be run, so one pass reaches all that follow
        for step in &self.plan.steps {
            let dead = step.after.iter().any(|id| !self.is_open(*id) && !self.is_done(*id));
            if dead && self.is_open(step.id) {
                self.finish(step, Status::Skipped);
            }
        }
    }

    /// Calls that may be sent now: all before them is done or over, or goes before them in the same
    /// batch to the same object.
    fn ready(&self, most: usize) -> Vec<&'a Step> {
        let mut batch: Vec<&Step> = Vec::new();
        for step in &self.plan.steps {
            let chained =
                |id: &usize| batch.iter().any(|b| b.id == *id && b.target.id == step.target.id);
            let may = step.after.iter().all(|id| self.is_done(*id) || chained(id))
                && step.behind.iter().all(|id| !self.is_open(*id) || chained(id));
            let call = matches!(step.action, StepAction::Call(_));
            if batch.len() < most && self.is_wanted(step.id) && call && may {
                batch.push(step);
            }
        }
        batch
    }

    fn execute(&mut self, batch: &[&Step], stop: &CancelToken) {
        let mut calls = Vec::new();
        for step in batch {
            if let StepAction::Call(op) = &step.action {
                // a step that was not sent is begun again
                if self.begun.insert(step.id) {
                    (self.on_event)(Event::Started(step));
                }
                calls.push(Call { target: step.target.clone(), op: op.clone() });
            }
        }
        // what a stopped run still owes is done
        let may_stop = self.only.is_none();
        let cancel = if may_stop { stop.clone() } else { CancelToken::default() };
        let driver = self.driver;
        let outcomes = {
            let walk = RefCell::new(&mut *self);
            driver.execute(
                &calls,
                &ExecContext::new(cancel, &|index, outcome| {
                    if let Some(step) = batch.get(index) {
                        walk.borrow_mut().settle(step, outcome);
                    }
                }),
            )
        };
        let unknown: Vec<&Target> = calls
            .iter()
            .zip(&outcomes)
            .filter(|(_, o)| matches!(o, Outcome::Unknown(_)))
            .map(|(c, _)| &c.target)
            .collect();
        let again = if unknown.is_empty() { None } else { self.read(&unknown, Detail::Full) };
        let mut unsent = Vec::new();
        for ((step, call), outcome) in batch.iter().zip(&calls).zip(outcomes) {
            match outcome {
                Outcome::Done | Outcome::Refused(_) => self.settle(step, &outcome),
                // it follows in the next batch if what went before came about after all, and is
                // skipped if it did not
                Outcome::NotSent(e) if e.kind == ErrorKind::NotSent => unsent.push(step),
                // it is still open: a stopped run may have to do it yet
                Outcome::NotSent(e) if e.kind == ErrorKind::Cancelled && may_stop => {}
                Outcome::NotSent(e) => {
                    let status = self.refused(step, e);
                    self.finish(step, status);
                }
                Outcome::Unknown(e) => {
                    let found = again.as_ref().and_then(|o| took_effect(call, o));
                    let status = match found {
                        Some(true) => Status::Done,
                        _ => Status::Unknown(e.address(step.target.id.to_string())),
                    };
                    self.finish(step, status);
                }
            }
        }
        // a driver that sends nothing at all is not asked again
        if unsent.len() == batch.len() {
            for step in unsent {
                self.finish(step, Status::Skipped);
            }
        }
    }

    /// Finishes a step whose outcome is final, if that has not been done yet.
    fn settle(&mut self, step: &Step, outcome: &Outcome) {
        if !self.is_open(step.id) {
            return;
        }
        let status = match outcome {
            Outcome::Done => Status::Done,
            Outcome::Refused(e) => self.refused(step, e.clone()),
            Outcome::NotSent(_) | Outcome::Unknown(_) => return,
        };
        self.finish(step, status);
    }

    /// Records a refusal and returns the status for it. That of a live change is judged by the host's error.
    fn refused(&mut self, step: &Step, error: Error) -> Status {
        let error = error.address(step.target.id.to_string());
        let Some(live) = step.live else { return Status::Failed(error) };
        let of = self.plan.afterwards.iter().find(|a| a.target == step.target);
        let optional = of.and_then(|a| a.pieces.get(live.piece)).is_some_and(|p| p.optional);
        let meaning = match meaning(&step.consequences, &error) {
            Meaning::Wrong if optional => Meaning::NotNow,
            other => other,
        };
        self.refused.insert(step.id, meaning);
        match meaning {
            Meaning::LeftToGuest => Status::Done,
            Meaning::NotNow => Status::Pending(format!("{NOT_NOW}: {}", error.message)),
            Meaning::Passing => Status::Failed(error.hint(STAYS)),
            Meaning::Wrong => {
                let goes = of.and_then(|a| a.put_back(&BTreeSet::from([live.piece]))).is_some();
                Status::Failed(error.hint(if goes { GOES } else { STAYS }))
            }
        }
    }

    /// Puts definitions back whose live changes are over, where the host refused some as wrong.
    fn put_back(&mut self) {
        for of in &self.plan.afterwards {
            let calls = || {
                let mine = self.plan.steps.iter().filter(|s| s.target == of.target);
                mine.filter(|s| s.live.is_some() && matches!(s.action, StepAction::Call(_)))
            };
            let handled = self.put_back.iter().any(|(id, _)| *id == of.target.id);
            let begun = self.only.is_none();
            if handled || begun && calls().any(|s| self.is_open(s.id)) {
                continue;
            }
            let wrong = |s: &&Step| self.refused.get(&s.id) == Some(&Meaning::Wrong);
            let pieces = calls().filter(wrong).filter_map(|s| Some(s.live?.piece)).collect();
            let Some(op) = of.put_back(&pieces) else { continue };
            let status = self.call_once(&of.target, op);
            self.put_back.push((of.target.id.clone(), status));
        }
    }

    /// Writes notes into running instances: changes that they did not take, and those that their guests still
    /// owe.
    fn note(&mut self) {
        for of in &self.plan.afterwards {
            let mine = self.plan.steps.iter().filter(|s| s.target == of.target);
            let waiting: Vec<(usize, String, bool)> = mine
                .filter_map(|s| match (s.live, self.status.get(s.id)) {
                    (Some(live), Some(Some(Status::Pending(why)))) => {
                        let again = self.refused.get(&s.id) != Some(&Meaning::NotNow);
                        Some((live.piece, why.clone(), again))
                    }
                    _ => None,
                })
                .collect();
            // without the note it is only tried again
            if let Some(op) = of.note(&waiting) {
                let _ = self.call_once(&of.target, op);
            }
        }
    }

    fn call_once(&self, target: &Target, op: Op) -> Status {
        let address = || target.id.to_string();
        // it goes with a step that was done
        let context = ExecContext::default();
        match self.driver.execute(&[Call { target: target.clone(), op }], &context).pop() {
            Some(Outcome::Done) => Status::Done,
            Some(Outcome::Refused(e) | Outcome::NotSent(e)) => Status::Failed(e.address(address())),
            Some(Outcome::Unknown(e)) => Status::Unknown(e.address(address())),
            None => Status::Skipped,
        }
    }

    fn read(&self, targets: &[&Target], detail: Detail) -> Option<Observed> {
        let only: BTreeSet<ResourceId> = targets.iter().map(|t| t.id.clone()).collect();
        self.driver.observe(&Scope::only(only, detail)).ok()
    }

    /// Starts the waits whose predecessors are done; says whether there were any.
    fn begin_waits(&mut self) -> bool {
        let mut any = false;
        for step in &self.plan.steps {
            let StepAction::Wait { timeout, .. } = &step.action else { continue };
            let begun = self.waits.iter().any(|(s, _)| s.id == step.id);
            let may = step.after.iter().all(|id| self.is_done(*id))
                && step.behind.iter().all(|id| !self.is_open(*id));
            if self.is_wanted(step.id) && !begun && may {
                (self.on_event)(Event::Started(step));
                let now = self.clock.now();
                self.waits.push((step, now.checked_add(*timeout).unwrap_or(now)));
                any = true;
            }
        }
        any
    }

    /// Asks the host once about everything that is waited for.
    fn poll_waits(&mut self) {
        self.begin_waits();
        if self.waits.is_empty() {
            return;
        }
        // this host does not know another one's progress
        let here = self.waits.iter().filter(|(s, _)| waits::elsewhere(&s.action).is_none());
        let targets: Vec<&Target> = here.map(|(s, _)| &s.target).collect();
        let detail = self.waits.iter().map(|(step, _)| waits::detail(&step.action)).max();
        let observed = match targets.is_empty() {
            true => None,
            false => self.read(&targets, detail.unwrap_or(Detail::State)),
        };
        let mut still = Vec::new();
        for (step, deadline) in std::mem::take(&mut self.waits) {
            let StepAction::Wait { until, otherwise, timeout } = &step.action else { continue };
            if let Until::Elsewhere { host, milestone } = until {
                match self.beside.ask(host, &step.target.id, *milestone) {
                    Heard::Reached => self.finish(step, Status::Done),
                    Heard::Open if self.clock.now() < deadline => still.push((step, deadline)),
                    // the other host is stopped as well, and has not begun
                    Heard::Never(None) if self.only.is_some() => self.finish(step, Status::Skipped),
                    Heard::Open => {
                        let e = never(host, *milestone, None);
                        self.finish(step, Status::Failed(e.address(step.target.id.to_string())));
                    }
                    Heard::Never(because) => {
                        let e = never(host, *milestone, because);
                        self.finish(step, Status::Failed(e.address(step.target.id.to_string())));
                    }
                }
                continue;
            }
            // an object that does not answer is not gone
            let answer = observed.as_ref().filter(|o| !o.unknown.contains_key(&step.target.id));
            let there = answer.map(|o| o.resources.get(&step.target.id));
            if there.is_some_and(|resource| waits::is_over(until, resource)) {
                self.finish(step, Status::Done);
            } else if self.clock.now() < deadline && !self.removals.failed(step, until) {
                still.push((step, deadline));
            } else {
                let status = self.time_is_over(step, until, otherwise, *timeout);
                self.finish(step, status);
            }
        }
        let idle = self.ready(1).is_empty();
        self.waits = still;
        if !self.waits.is_empty() && idle {
            self.clock.sleep(POLL);
        }
    }

    fn time_is_over(
        &self,
        step: &Step,
        until: &Until,
        otherwise: &Otherwise,
        timeout: Duration,
    ) -> Status {
        let op = match otherwise {
            Otherwise::Call(op) => op,
            Otherwise::Leave => return Status::Pending(waits::pending(until).to_owned()),
            Otherwise::Fail => {
                let e = waits::too_long(until, timeout).address(step.target.id.to_string());
                return Status::Failed(e);
            }
        };
        self.call_once(&step.target, op.clone())
    }
}
