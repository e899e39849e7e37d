//! Fault that strikes at one request of an apply, and the properties that must hold after it.

use super::host::{Case, Host, cases};
use crate::support::site::{FastClock, plan_for};
use crate::support::whole_of;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext};
use virt::error::{Error, ErrorKind, Result};
use virt::model::{Answer, Call, Capabilities, Observed, Outcome, Query, ResourceId, Scope};
use virt::reconcile::{Event, Plan, Report, Status, apply};

/// The moment of a fault within a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// Before the step.
    A,
    /// The request was sent and has no effect.
    B,
    /// After its effect, without a reply.
    C,
    /// The reply came, and nobody has taken note of it.
    D,
}

/// Sort of the fault.
#[derive(Clone, Copy)]
pub(super) enum Manner<'a> {
    /// End of the program. Its calls to other objects are carried out all the same.
    ProgramEnds,
    /// The daemon ends: from there on nothing is answered.
    DaemonEnds,
    /// The connection is lost; the next request gets a new one.
    ConnectionEnds,
    /// Late reply, after the deadline. With [`Column::B`] the request takes effect once the program has
    /// looked for it.
    Late,
    /// Change of the host by somebody else; before the reply is lost, where it is.
    Meddling(&'a (dyn Fn(&dyn Driver) + Sync)),
}

/// Place where it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At a call, counted from 0.
    Call(usize),
    /// At a read.
    Read(usize),
    /// Nowhere.
    Nowhere,
}

/// Returns all places in an apply of `case` at which a fault can strike in that column: a read changes
/// nothing, so the fate of its reply makes no difference.
pub(super) fn places(case: &Case, column: Column) -> impl Iterator<Item = Place> {
    let reads = if column == Column::A { case.reads } else { 0 };
    (0..case.calls.len()).map(Place::Call).chain((0..reads).map(Place::Read))
}

/// A driver at which one fault strikes.
pub(super) struct Struck<'a> {
    host: &'a dyn Driver,
    place: Place,
    column: Column,
    manner: Manner<'a>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: usize,
    reads: usize,
    struck: bool,
    /// Whether nothing is answered any more.
    gone: bool,
    /// A request that has its effect after the next read.
    late: Option<Call>,
}

/// The end of the program, in place of a panic's message.
struct Ended;

impl<'a> Struck<'a> {
    pub(super) fn new(
        host: &'a dyn Driver,
        place: Place,
        column: Column,
        manner: Manner<'a>,
    ) -> Self {
        Self { host, place, column, manner, state: Mutex::default() }
    }

    pub(super) fn has_struck(&self) -> bool {
        self.state.lock().unwrap().struck
    }

    fn is_gone(&self) -> bool {
        self.state.lock().unwrap().gone
    }

    fn strikes_at_call(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let strikes = self.place == Place::Call(state.calls - 1);
        state.struck |= strikes;
        strikes
    }

    fn strikes_at_read(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.reads += 1;
        let strikes = self.place == Place::Read(state.reads - 1);
        state.struck |= strikes;
        strikes
    }

    fn pass(&self, call: &Call) -> Outcome {
        self.host.execute(std::slice::from_ref(call), &ExecContext::default()).pop().unwrap()
    }

    /// Ends the program. Its calls to other objects in this batch arrive.
    fn end(&self, failed: &BTreeSet<&ResourceId>, call: &Call, rest: &[Call]) -> ! {
        let mut failed = failed.clone();
        failed.insert(&call.target.id);
        if self.column == Column::B {
            for call in rest {
                if !failed.contains(&call.target.id) && self.pass(call) != Outcome::Done {
                    failed.insert(&call.target.id);
                }
            }
        }
        resume_unwind(Box::new(Ended))
    }

    fn strike(&self, call: &Call) -> Outcome {
        let lost = || Outcome::Unknown(error(ErrorKind::Protocol, "the reply was lost"));
        let meddle = || {
            if let Manner::Meddling(meddle) = self.manner {
                meddle(self.host);
            }
        };
        match self.column {
            Column::A => {
                meddle();
                match self.manner {
                    Manner::DaemonEnds => refused(),
                    _ => self.pass(call),
                }
            }
            Column::B => {
                meddle();
                if let Manner::Late = self.manner {
                    self.state.lock().unwrap().late = Some(call.clone());
                }
                lost()
            }
            Column::C => {
                self.pass(call);
                meddle();
                lost()
            }
            Column::D => {
                let outcome = self.pass(call);
                meddle();
                outcome
            }
        }
    }
}

impl Driver for Struck<'_> {
    fn name(&self) -> &'static str {
        self.host.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.host.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        let strikes = self.strikes_at_read();
        match self.manner {
            Manner::ProgramEnds if strikes => resume_unwind(Box::new(Ended)),
            Manner::DaemonEnds if strikes => self.state.lock().unwrap().gone = true,
            Manner::ConnectionEnds | Manner::Late if strikes => return Err(gone()),
            Manner::Meddling(meddle) if strikes => meddle(self.host),
            _ => {}
        }
        if self.is_gone() {
            return Err(gone());
        }
        let observed = self.host.observe(scope);
        let late = self.state.lock().unwrap().late.take();
        late.iter().for_each(|call| {
            self.pass(call);
        });
        observed
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.host.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let mut failed = BTreeSet::new();
        let mut outcomes = Vec::new();
        for (n, call) in batch.iter().enumerate() {
            let outcome = if context.is_cancelled() {
                Outcome::NotSent(ExecContext::cancelled())
            } else if failed.contains(&call.target.id) {
                Outcome::NotSent(error(ErrorKind::NotSent, "an earlier one failed"))
            } else if self.is_gone() {
                refused()
            } else if self.strikes_at_call() {
                let rest = batch.get(n + 1..).unwrap_or_default();
                match (self.manner, self.column) {
                    (Manner::ProgramEnds, Column::A | Column::B) => self.end(&failed, call, rest),
                    (Manner::ProgramEnds, Column::C) => {
                        self.pass(call);
                        self.end(&failed, call, rest)
                    }
                    _ => {}
                }
                let outcome = self.strike(call);
                self.state.lock().unwrap().gone = matches!(self.manner, Manner::DaemonEnds);
                outcome
            } else {
                self.pass(call)
            };
            if outcome != Outcome::Done {
                failed.insert(&call.target.id);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.host.watch(events, stop)
    }
}

fn error(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, format!("injected: {message}"))
}

fn gone() -> Error {
    error(ErrorKind::Protocol, "the host is gone")
}

fn refused() -> Outcome {
    Outcome::NotSent(gone())
}

/// Walks `plan` with the driver; `None` if the program ended on the way.
pub(super) fn walk(plan: &Plan, struck: &Struck<'_>, parallel: usize) -> Option<Report> {
    let mut order = Order { plan, done: BTreeSet::new(), open: BTreeSet::new() };
    let ends = matches!(struck.manner, Manner::ProgramEnds) && struck.column == Column::D;
    let mut on_event = |event: Event<'_>| {
        if ends && struck.has_struck() && matches!(event, Event::Finished(..)) {
            resume_unwind(Box::new(Ended));
        }
        order.event(event);
    };
    let walk =
        AssertUnwindSafe(|| apply(plan, struck, &FastClock::default(), parallel, &mut on_event));
    match catch_unwind(walk) {
        Ok(report) => Some(report),
        Err(end) if end.is::<Ended>() => None,
        Err(failure) => resume_unwind(failure),
    }
}

/// Checks a walk against its plan: no step starts before its dependencies are known to be done, or go before
/// it to the same object in one batch.
struct Order<'a> {
    plan: &'a Plan,
    done: BTreeSet<usize>,
    open: BTreeSet<usize>,
}

impl Order<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Started(step) => {
                let before = |id: &usize| {
                    let goes_before = self.plan.steps[*id].target.id == step.target.id;
                    self.done.contains(id) || self.open.contains(id) && goes_before
                };
                assert!(step.after.iter().all(before), "{step:?} was started too early");
                self.open.insert(step.id);
            }
            Event::Finished(step, status) => {
                self.open.remove(&step.id);
                if matches!(status, Status::Done | Status::Pending(_)) {
                    self.done.insert(step.id);
                }
            }
        }
    }
}

/// Steps one by one, and as many together as can be.
const PARALLEL: [usize; 2] = [1, 16];

/// Whether a pair of a place and a fault is tried, given the sum of their numbers: by default each place and
/// each fault occurs, but only one of `one_of` pairs. `VIRT_MATRIX=all` and `VIRT_TRIALS=all` try them all.
pub(super) fn is_taken(sum: usize, one_of: usize) -> bool {
    sum.is_multiple_of(one_of) || whole_of("VIRT_MATRIX")
}

/// One fault in one apply.
pub(super) struct Run<'a> {
    /// `None` if the program ended on the way.
    pub(super) report: Option<Report>,
    pub(super) words: &'a str,
}

/// Lets the fault strike at every place of every case, and hands each run on before the recovery is
/// looked at. Gives the number of runs.
pub(super) fn everywhere(column: Column, manner: Manner<'_>, then: &dyn Fn(&Run<'_>)) -> usize {
    let mut runs = 0;
    for case in cases() {
        for (number, place) in places(case, column).enumerate() {
            let taken = PARALLEL.iter().enumerate().filter(|(n, _)| is_taken(number + n, 2));
            for parallel in taken.map(|(_, parallel)| *parallel) {
                let words =
                    format!("{} {column:?} {place:?} parallel {parallel}", case.scenario.name);
                let host = case.host();
                let struck = Struck::new(&host, place, column, manner);
                let report = walk(&case.plan, &struck, parallel);
                assert!(struck.has_struck(), "{words}: no fault");
                case.approved(&host.take().0, &words);
                then(&Run { report, words: &words });
                recovers(case, &host, &words);
                runs += 1;
            }
        }
    }
    runs
}

/// The next apply does the rest, and one more does nothing.
#[track_caller]
pub(super) fn recovers(case: &Case, host: &Host, after: &str) {
    applies(case, host, after);
    case.approved(&host.take().0, after);
    settled(case, host, after);
}

/// An apply that nothing disturbs.
#[track_caller]
pub(super) fn applies(case: &Case, host: &Host, after: &str) {
    let plan = plan_for(host, &case.loaded, &case.options);
    assert!(plan.refusals.is_empty(), "{after}: {:?}", plan.refusals);
    let quiet = Struck::new(host, Place::Nowhere, Column::A, Manner::Late);
    let report = walk(&plan, &quiet, 16).unwrap();
    assert!(report.is_done(), "{after}: {report:#?}\n{:#?}", plan.steps);
}

/// Asserts that nothing is left to do, and that the host is in its desired state.
#[track_caller]
pub(super) fn settled(case: &Case, host: &Host, after: &str) {
    let left = plan_for(host, &case.loaded, &case.options);
    assert!(left.is_empty(), "{after}: {:#?}", left.steps);
    case.is_as_wanted(host, after);
}
