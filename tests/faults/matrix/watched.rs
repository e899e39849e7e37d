//! The column of a watch: a fault strikes at a request of the loop that keeps a host, at work or idle,
//! and the loop comes to its end by itself.

use super::host::{Case, Host, cases};
use super::keeper::Watch;
use super::strike::{is_taken, settled};
use crate::support::site::plan_for;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext};
use virt::error::{Error, ErrorKind, Result};
use virt::model::{
    Answer, Call, Capabilities, DriverEvent, EventKind, Kind, Observed, OpKind, Outcome, Query,
    Scope,
};

/// Fault that strikes. At every second request the interrupted call takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The program is killed; another one is started.
    ProgramEnds,
    /// The daemon is killed, and is back after some requests more.
    DaemonEnds,
    /// Cut of the connection: the call's outcome is unknown.
    Cut,
    /// The reply comes too late, and the effect after the next look.
    Late,
}

/// F1: the program is killed.
pub(super) fn program_killed() -> usize {
    everywhere(Fault::ProgramEnds)
}

/// F4: the daemon is killed, and comes back.
pub(super) fn daemon_killed() -> usize {
    everywhere(Fault::DaemonEnds)
}

/// F7: the connection is cut within a packet.
pub(super) fn connection_cut() -> usize {
    everywhere(Fault::Cut)
}

/// F8: the reply is late.
pub(super) fn reply_late() -> usize {
    everywhere(Fault::Late)
}

/// Requests that the daemon is away for.
const AWAY: usize = 2;

/// Looks of an idle watch that a fault strikes at.
const IDLE: usize = 4;

/// Interval between looks of an idle watch.
const INTERVAL: Duration = Duration::from_millis(100);

/// A watch that does not get there by then never does.
const LONG: Duration = Duration::from_secs(60);

/// Interval between checks of whether it did.
const TICK: Duration = Duration::from_millis(20);

/// Loops that run together: they wait most of the time.
const TOGETHER: usize = 24;

/// Host with a fault that strikes at one request.
struct Faulty {
    host: Arc<Host>,
    at: usize,
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: usize,
    /// Number of requests for which the daemon stays away.
    away: usize,
    /// Call that takes effect after the next look.
    late: Option<Call>,
    /// The ways to those that listen.
    listeners: Vec<EventSink>,
}

impl Faulty {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Whether the fault has struck, and is over.
    fn is_over(&self) -> bool {
        let state = self.state();
        state.requests > self.at && state.away == 0 && state.late.is_none()
    }

    /// Counts a request; whether the fault strikes at it, or the daemon is away.
    fn arrives(&self) -> Arrival {
        let mut state = self.state();
        state.requests += 1;
        if state.away > 0 {
            state.away -= 1;
            if state.away == 0 {
                state.tell(&DriverEvent::Resync);
            }
            return Arrival::Away;
        }
        if state.requests - 1 != self.at {
            return Arrival::Whole;
        }
        if self.fault == Fault::DaemonEnds {
            state.away = AWAY;
            state.tell(&DriverEvent::Lost(gone()));
        }
        Arrival::Struck
    }
}

impl State {
    fn tell(&self, event: &DriverEvent) {
        for listener in &self.listeners {
            // one that has ended hears nothing
            let _ = listener.send(event.clone());
        }
    }
}

enum Arrival {
    Whole,
    Struck,
    Away,
}

fn gone() -> Error {
    Error::new(ErrorKind::Protocol, "injected: the host is gone".to_owned())
}

/// The end of the program, in place of a panic's message.
fn end() -> ! {
    resume_unwind(Box::new("ended"))
}

impl Driver for Faulty {
    fn name(&self) -> &'static str {
        self.host.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.host.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        match (self.arrives(), self.fault) {
            (Arrival::Struck, Fault::ProgramEnds) => end(),
            (Arrival::Struck | Arrival::Away, _) => return Err(gone()),
            (Arrival::Whole, _) => {}
        }
        let observed = self.host.observe(scope);
        let late = self.state().late.take();
        self.host.execute(late.as_slice(), &ExecContext::default());
        observed
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.host.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut failed = Vec::new();
        for call in batch {
            let outcome = if context.is_cancelled() {
                Outcome::NotSent(ExecContext::cancelled())
            } else if failed.contains(&&call.target.id) {
                Outcome::NotSent(gone())
            } else {
                self.one(call)
            };
            if outcome != Outcome::Done {
                failed.push(&call.target.id);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.state().listeners.push(events.clone());
        self.host.watch(events, stop)
    }
}

impl Faulty {
    fn one(&self, call: &Call) -> Outcome {
        let pass = || {
            self.host.execute(std::slice::from_ref(call), &ExecContext::default()).pop().unwrap()
        };
        let has_effect = self.at.is_multiple_of(2);
        match (self.arrives(), self.fault) {
            (Arrival::Whole, _) => return pass(),
            (Arrival::Away, _) => return Outcome::NotSent(gone()),
            (Arrival::Struck, Fault::Late) if !has_effect => {
                self.state().late = Some(call.clone());
            }
            (Arrival::Struck, _) if has_effect => drop(pass()),
            (Arrival::Struck, _) => {}
        }
        if self.fault == Fault::ProgramEnds {
            end();
        }
        Outcome::Unknown(gone())
    }
}

/// Lets the fault strike at every request of a watch that makes each edit, and at some of its looks
/// once that is done. Gives the number of runs.
fn everywhere(fault: Fault) -> usize {
    let requests = |case: &Case| case.calls.len() + case.reads + IDLE;
    let all = cases().iter().flat_map(|case| (0..requests(case)).map(move |at| (case, at)));
    let taken: Vec<(&Case, usize)> = all.filter(|(_, at)| is_taken(*at / 2, 2)).collect();
    let next = Mutex::new(taken.iter());
    std::thread::scope(|scope| {
        let work = || {
            while let Some((case, at)) = { next.lock().unwrap().next() } {
                strikes(case, *at, fault);
            }
        };
        let threads: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(work)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    taken.len()
}

fn strikes(case: &Case, at: usize, fault: Fault) {
    let words = format!("{} {fault:?} at request {at}", case.scenario.name);
    let host = Arc::new(case.host());
    let faulty = Arc::new(Faulty { host: Arc::clone(&host), at, fault, state: Mutex::default() });
    let mut watch = Watch::start(case, Arc::<Faulty>::clone(&faulty), INTERVAL);
    let deadline = Instant::now() + LONG;
    while !(faulty.is_over() && is_done(case, &host)) {
        if watch.thread.is_finished() {
            assert!(fault == Fault::ProgramEnds && faulty.is_over(), "{words}: the loop ended");
            watch = Watch::start(case, Arc::<Faulty>::clone(&faulty), INTERVAL);
        }
        assert!(Instant::now() < deadline, "{words}: never ends");
        std::thread::sleep(TICK);
    }
    // calls under way are completed before the check
    assert!(watch.ends() || fault == Fault::ProgramEnds, "{words}: the loop panicked");
    case.approved(&host.take().0, &words);
    settled(case, &host, &words);
}

/// Whether the host is as it is to be.
fn is_done(case: &Case, host: &Host) -> bool {
    plan_for(host, &case.loaded, &case.options).is_empty()
}

/// Tries F5: another version of the daemon comes back that lacks an operation. Changes that need it wait for
/// one that has it again, with a message; all others are done.
pub(super) fn another_version() -> usize {
    let mut runs = 0;
    for case in cases() {
        let needed: BTreeSet<(Kind, OpKind)> =
            case.calls.iter().map(|call| (call.target.id.kind, call.op.kind())).collect();
        for (number, lacks) in needed.into_iter().enumerate() {
            if !is_taken(number, 3) {
                continue;
            }
            let words = format!("{} lacks {lacks:?}", case.scenario.name);
            let host = Arc::new(case.host());
            let lacking = Arc::new(Lacking {
                host: Arc::clone(&host),
                lacks: Mutex::new(None),
                listeners: Mutex::default(),
            });
            lacking.restart(Some(lacks), false);
            let watch = Watch::start(case, Arc::<Lacking>::clone(&lacking), INTERVAL);
            std::thread::sleep(CALM);
            assert!(!watch.thread.is_finished(), "{words}: the loop ended");
            let without =
                |(call, _): &(Call, Outcome)| (call.target.id.kind, call.op.kind()) != lacks;
            let (calls, _) = host.take();
            assert!(calls.iter().all(without), "{words}: {calls:?}");
            case.approved(&calls, &words);
            lacking.restart(None, true);
            let deadline = Instant::now() + LONG;
            while !is_done(case, &host) {
                assert!(Instant::now() < deadline, "{words}: never ends");
                std::thread::sleep(TICK);
            }
            watch.end();
            case.approved(&host.take().0, &words);
            settled(case, &host, &words);
            runs += 1;
        }
    }
    runs
}

/// A host whose daemon is exchanged for another version now and then.
struct Lacking {
    host: Arc<Host>,
    lacks: Mutex<Option<(Kind, OpKind)>>,
    listeners: Mutex<Vec<EventSink>>,
}

impl Lacking {
    /// Restarts the daemon without that operation; listeners may be notified.
    fn restart(&self, lacks: Option<(Kind, OpKind)>, told: bool) {
        *self.lacks.lock().unwrap() = lacks;
        for listener in self.listeners.lock().unwrap().iter().filter(|_| told) {
            // a listener that waited for a device has ended since
            let _ = listener.send(DriverEvent::Lost(gone()));
            let _ = listener.send(DriverEvent::Resync);
        }
    }
}

impl Driver for Lacking {
    fn name(&self) -> &'static str {
        self.host.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let capabilities = self.host.capabilities()?;
        Ok(match *self.lacks.lock().unwrap() {
            Some((kind, op)) => capabilities.without(kind, op),
            None => capabilities,
        })
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.host.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.host.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        self.host.execute(batch, context)
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.listeners.lock().unwrap().push(events.clone());
        self.host.watch(events, stop)
    }
}

/// Tries F9: endless events, of existing objects and of missing ones. The host is read no more often for
/// that, and an edit gets through.
pub(super) fn flood() -> usize {
    for case in cases() {
        let host = Arc::new(case.host());
        let flooded = Arc::new(Flooded { host: Arc::clone(&host), case, told: Mutex::default() });
        let begun = Instant::now();
        let watch = Watch::start(case, Arc::<Flooded>::clone(&flooded), Duration::from_secs(3600));
        while !is_done(case, &host) {
            assert!(begun.elapsed() < LONG, "{}: never ends", case.scenario.name);
            std::thread::sleep(TICK);
        }
        std::thread::sleep(CALM);
        watch.end();
        let told = *flooded.told.lock().unwrap();
        let (calls, reads) = host.take();
        assert!(told > 10_000, "{}: no more than {told} events", case.scenario.name);
        // the waits above look as well
        let most = usize::try_from(3 * begun.elapsed().as_millis() / TICK.as_millis()).unwrap();
        assert!(reads < most, "{}: {reads} looks, {most}", case.scenario.name);
        case.approved(&calls, case.scenario.name);
        settled(case, &host, case.scenario.name);
    }
    cases().len()
}

/// Time for which the flood goes on when all is done.
const CALM: Duration = Duration::from_millis(300);

/// A host that never stops telling.
struct Flooded {
    host: Arc<Host>,
    case: &'static Case,
    told: Mutex<usize>,
}

impl Driver for Flooded {
    fn name(&self) -> &'static str {
        self.host.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.host.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.host.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.host.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        self.host.execute(batch, context)
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        let ids = self.case.wanted.keys().cloned();
        let strangers = ids.clone().map(|mut id| {
            id.name.push_str("-not");
            id
        });
        let ids: Vec<_> = ids.chain(strangers).collect();
        for id in ids.into_iter().cycle() {
            if stop.is_stopped() {
                break;
            }
            let event = DriverEvent::Changed { id, what: EventKind::Updated };
            if events.send(event).is_break() {
                break;
            }
            *self.told.lock().unwrap() += 1;
        }
        Ok(())
    }
}

/// F11: two watches with the same manifests, each of which knows nothing of the other.
pub(super) fn two_machines() -> usize {
    std::thread::scope(|scope| {
        for case in cases() {
            scope.spawn(move || {
                let host: Arc<Host> = Arc::new(case.host());
                let two = [(); 2].map(|()| Watch::start(case, Arc::<Host>::clone(&host), INTERVAL));
                let deadline = Instant::now() + LONG;
                while !is_done(case, &host) {
                    assert!(Instant::now() < deadline, "{}: never ends", case.scenario.name);
                    std::thread::sleep(TICK);
                }
                two.into_iter().for_each(Watch::end);
                host.calm_down();
                case.approved(&host.take().0, case.scenario.name);
                case.is_whole(host.as_ref(), case.scenario.name);
                let left = plan_for(host.as_ref(), &case.loaded, &case.options);
                assert!(left.is_empty(), "{}: {:?}", case.scenario.name, left.steps);
            });
        }
    });
    cases().len()
}
