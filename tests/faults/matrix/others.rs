//! Rows of the others on a host: a second machine, other manifests, a person.

use super::host::{Case, Host, cases};
use super::scenarios::target;
use super::strike::{Column, Manner, Place, Struck, is_taken, places, recovers, walk};
use crate::support::site::{self, observe, plan_for};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext};
use virt::error::Result;
use virt::manifest::Loaded;
use virt::model::{
    Affect, Answer, Call, Capabilities, DomainOp, Kind, Observed, Outcome, Query, Scope,
    UndefineKeep,
};
use virt::reconcile::{Options, fingerprint};

/// F11: two machines apply the same manifests. In column a each takes its turns: one does n requests,
/// the other m, then both come to their end, for all n and m.
pub(super) fn two_machines(column: Column) -> usize {
    let mut runs = 0;
    for case in cases() {
        if column == Column::A {
            runs += each_turn(case, &case.loaded, &case.options, &|host, words| {
                recovers(case, host, words);
            });
            continue;
        }
        for place in places(case, column) {
            let words = format!("{} {column:?} {place:?}", case.scenario.name);
            let host = case.host();
            let second = |host: &dyn Driver| {
                apply_what_may_be(host, &case.loaded, &case.options);
            };
            walk(&case.plan, &Struck::new(&host, place, column, Manner::Meddling(&second)), 16);
            host.calm_down();
            case.approved(&host.take().0, &words);
            recovers(case, &host, &words);
            runs += 1;
        }
    }
    runs
}

/// Tries F12: the other machine applies the earlier manifests. Earlier plans are then stale, and saved ones
/// refused; a run on its way is completed, and the last one counts.
pub(super) fn other_manifests(column: Column) -> usize {
    let mut runs = 0;
    for case in cases() {
        let second = |host: &dyn Driver| {
            apply_what_may_be(host, &case.before, &Options::default());
        };
        if matches!(column, Column::A | Column::D) {
            // a saved plan is stale once the host has what another one made of it
            let host = case.host();
            let before = fingerprint_of(case, &host);
            assert_eq!(before, case.plan.fingerprint, "{}", case.scenario.name);
            site::walk(&case.plan, &host);
            assert_ne!(fingerprint_of(case, &host), before, "{}: still fresh", case.scenario.name);
            runs += 1;
        }
        if column == Column::A {
            runs += each_turn(case, &case.before, &Options::default(), &|host, words| {
                converges(case, host, words);
            });
            continue;
        }
        for place in places(case, column) {
            let words = format!("{} {column:?} {place:?}", case.scenario.name);
            let host = case.host();
            walk(&case.plan, &Struck::new(&host, place, column, Manner::Meddling(&second)), 16);
            converges(case, &host, &words);
            runs += 1;
        }
    }
    runs
}

/// F13: a person changes something, in every way and at every step. A saved plan is refused then.
pub(super) fn by_hand(column: Column) -> usize {
    let mut runs = 0;
    for case in cases() {
        for (number, edit) in edits().into_iter().enumerate() {
            let edit = |host: &dyn Driver| {
                host.execute(&edit, &ExecContext::default());
            };
            if matches!(column, Column::A | Column::D) {
                makes_stale(case, &edit);
            }
            let places = places(case, column).enumerate();
            for (_, place) in places.filter(|(n, _)| is_taken(n + number, 3)) {
                let words = format!("{} {column:?} {place:?}", case.scenario.name);
                let host = case.host();
                let manner = Manner::Meddling(&edit);
                walk(&case.plan, &Struck::new(&host, place, column, manner), 16);
                converges(case, &host, &words);
                runs += 1;
            }
        }
    }
    runs
}

/// Returns edits that people make on a host, one each. Not all of them are possible in every case.
fn edits() -> Vec<Vec<Call>> {
    let a = |op: DomainOp| vec![Call { target: target(Kind::Domain, "a"), op: op.into() }];
    let stranger = target(Kind::Domain, "stranger");
    let xml = format!(
        "<domain type='test'><name>stranger</name><uuid>{}</uuid><memory>1024</memory>\
         <os><type>hvm</type></os></domain>",
        stranger.uuid
    );
    vec![
        a(DomainOp::Suspend),
        a(DomainOp::Destroy),
        a(DomainOp::Undefine { keep: UndefineKeep::Nothing }),
        a(DomainOp::SetAutostart { on: true }),
        a(DomainOp::SetMemory { kib: 32768, affect: Affect::Config }),
        [a(DomainOp::Destroy), a(DomainOp::Undefine { keep: UndefineKeep::Nothing })].concat(),
        vec![Call { target: stranger, op: DomainOp::Define { xml }.into() }],
    ]
}

/// Checks that an edit of an object in a plan makes the plan stale.
fn makes_stale(case: &Case, edit: &dyn Fn(&dyn Driver)) {
    let host = case.host();
    let touched = |host: &Host| {
        let observed = observe(host);
        let steps = case.plan.steps.iter();
        let ids = steps.map(|step| step.target.id.clone());
        let there = ids.filter_map(|id| {
            let r = observed.resources.get(&id)?;
            Some((id, r.state, r.autostart, r.persistent.clone()))
        });
        there.collect::<Vec<_>>()
    };
    let (before, was) = (touched(&host), fingerprint_of(case, &host));
    edit(&host);
    let same = touched(&host) == before;
    assert_eq!(fingerprint_of(case, &host) == was, same, "{}", case.scenario.name);
}

/// Returns the fingerprint of a saved plan of the case.
fn fingerprint_of(case: &Case, host: &Host) -> String {
    fingerprint(&observe(host), &case.plan.steps)
}

/// Plans and applies, as far as the plan is not refused.
fn apply_what_may_be(driver: &dyn Driver, loaded: &Loaded, options: &Options) {
    let plan = plan_for(driver, loaded, options);
    if plan.refusals.is_empty() {
        site::walk(&plan, driver);
    }
}

/// Checks that after two applies at most nothing is left to do, and others' objects are unchanged.
#[track_caller]
fn converges(case: &Case, host: &Host, after: &str) {
    host.calm_down();
    for _ in 0..2 {
        apply_what_may_be(host, &case.loaded, &case.options);
        host.calm_down();
    }
    host.take();
    let left = plan_for(host, &case.loaded, &case.options);
    assert!(left.is_empty(), "{after}: {:#?} {:?}", left.steps, left.refusals);
    case.is_whole(host, after);
}

/// The case's manifests and `second`, each applied by a thread of its own, one request at a time.
fn each_turn(case: &Case, second: &Loaded, options: &Options, then: &dyn Fn(&Host, &str)) -> usize {
    // planning is a read
    let requests = 1 + case.calls.len() + case.reads;
    let mut runs = 0;
    for n in 0..=requests {
        for m in (1..=requests).filter(|m| is_taken(n + m, 6)) {
            let host = case.host();
            let turns = Turns::new(n, m);
            std::thread::scope(|scope| {
                let (host, turns) = (&host, &turns);
                let apply = |who, loaded, options| {
                    let _end = End { turns, who };
                    apply_what_may_be(&InTurn { host, turns, who }, loaded, options);
                };
                scope.spawn(move || apply(Who::First, &case.loaded, &case.options));
                scope.spawn(move || apply(Who::Second, second, options));
            });
            host.calm_down();
            host.take();
            then(&host, &format!("{} {n} and {m} turns", case.scenario.name));
            runs += 1;
        }
    }
    runs
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    First,
    Second,
}

/// Turns of two machines.
struct Turns {
    /// Next machines, each with its number of requests. At the end each does its rest.
    next: Mutex<VecDeque<(Who, usize)>>,
    changed: Condvar,
}

impl Turns {
    fn new(n: usize, m: usize) -> Self {
        let all = usize::MAX;
        let next = [(Who::First, n), (Who::Second, m), (Who::First, all), (Who::Second, all)];
        Self { next: Mutex::new(next.into()), changed: Condvar::new() }
    }

    /// Waits for a turn.
    fn wait(&self, who: Who) {
        let mut next = self.next.lock().unwrap();
        loop {
            match next.front_mut() {
                Some((_, 0)) => {
                    next.pop_front();
                    self.changed.notify_all();
                }
                Some((whose, left)) if *whose == who => {
                    *left -= 1;
                    return;
                }
                Some(_) => next = self.changed.wait(next).unwrap(),
                None => return,
            }
        }
    }
}

/// End of a machine's run: its turns go to the other.
struct End<'a> {
    turns: &'a Turns,
    who: Who,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.turns.next.lock().unwrap().retain(|(who, _)| *who != self.who);
        self.turns.changed.notify_all();
    }
}

/// A host that answers one machine at a time.
struct InTurn<'a> {
    host: &'a Host,
    turns: &'a Turns,
    who: Who,
}

impl Driver for InTurn<'_> {
    fn name(&self) -> &'static str {
        self.host.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.host.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.turns.wait(self.who);
        self.host.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.host.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        // the contract's order: what follows a call that was not done is not carried out
        let quiet = Struck::new(self, Place::Nowhere, Column::A, Manner::Late);
        match batch {
            [call] => {
                self.turns.wait(self.who);
                self.host.execute(std::slice::from_ref(call), &context.without_progress())
            }
            _ => quiet.execute(batch, context),
        }
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.host.watch(events, stop)
    }
}
