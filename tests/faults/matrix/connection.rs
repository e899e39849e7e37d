//! Rows of the program, the daemon and the connection between them: each fault at every request.

use super::host::{Case, Host, cases};
use super::strike::{
    Column, Manner, Place, Struck, applies, everywhere, is_taken, places, recovers, settled, walk,
};
use crate::support::site::plan_for;
use std::collections::BTreeSet;
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext};
use virt::error::Result;
use virt::model::{Answer, Call, Capabilities, Kind, Observed, OpKind, Outcome, Query, Scope};
use virt::reconcile::{Report, Status};

/// F1: the program is killed.
pub(super) fn program_killed(column: Column) -> usize {
    everywhere(column, Manner::ProgramEnds, &|run| {
        assert!(run.report.is_none(), "{}: the program went on", run.words);
    })
}

/// F4: the daemon is killed, and is back for the next apply.
pub(super) fn daemon_killed(column: Column) -> usize {
    everywhere(column, Manner::DaemonEnds, &|run| {
        let report = run.report.as_ref().unwrap();
        let unknown = report.count(|s| matches!(s, Status::Unknown(_)));
        // only the outcome of the last call is unknown
        let expected = usize::from(matches!(column, Column::B | Column::C));
        assert_eq!(unknown, expected, "{}: {report:?}", run.words);
    })
}

/// F6: the connection is lost once the request is sent; the next request has a new one.
pub(super) fn connection_cut(column: Column) -> usize {
    everywhere(column, Manner::ConnectionEnds, &|run| {
        says_what_it_does_not_know(column, run.report.as_ref().unwrap(), run.words);
    })
}

/// Tries F8: a reply after the program's deadline. The call has taken effect when the program looks, or takes
/// effect after that, or in the middle of the next apply.
pub(super) fn reply_late(column: Column) -> usize {
    let seen = everywhere(column, Manner::Late, &|run| {
        says_what_it_does_not_know(column, run.report.as_ref().unwrap(), run.words);
    });
    if column == Column::C { seen } else { seen + much_too_late() }
}

/// A call that did not come about is said to be unknown: exit code 4.
#[track_caller]
fn says_what_it_does_not_know(column: Column, report: &Report, words: &str) {
    assert!(column == Column::C || report.has_unknown(), "{words}: {report:?}");
    assert!(report.is_done() || report.has_unknown(), "{words}: {report:?}");
}

/// Tries calls of an apply that all take effect before those of the next one.
fn much_too_late() -> usize {
    let mut runs = 0;
    for case in cases() {
        for place in places(case, Column::B) {
            for late in 0.. {
                let words = format!("{} {place:?} comes at call {late}", case.scenario.name);
                let host = case.host();
                let cut = Struck::new(&host, place, Column::B, Manner::ConnectionEnds);
                walk(&case.plan, &cut, 16);
                let Place::Call(n) = place else { continue };
                // the plan may ask for other calls by then; the nth of the first is what comes late
                let call = sent(case, n);
                let comes = |host: &dyn Driver| {
                    host.execute(std::slice::from_ref(&call), &ExecContext::default());
                };
                let plan = plan_for(&host, &case.loaded, &case.options);
                let meddling = Manner::Meddling(&comes);
                let struck = Struck::new(&host, Place::Call(late), Column::A, meddling);
                let report = walk(&plan, &struck, 16).unwrap();
                if !struck.has_struck() {
                    break;
                }
                host.calm_down();
                if !report.is_done() {
                    applies(case, &host, &words);
                }
                recovers(case, &host, &words);
                runs += 1;
            }
        }
    }
    runs
}

/// Call number `n` of the first apply.
fn sent(case: &Case, n: usize) -> Call {
    case.calls.get(n).unwrap().clone()
}

/// F5: after the daemon was killed another version comes back that lacks an operation. Either it is
/// not needed, or the plan is refused and says why; with the operation back all is well.
pub(super) fn daemon_of_another_version(column: Column) -> usize {
    let mut runs = 0;
    for case in cases() {
        for place in places(case, column) {
            let Place::Call(n) = place else { continue };
            let left = case.calls.iter().skip(n);
            let left: BTreeSet<(Kind, OpKind)> =
                left.map(|call| (call.target.id.kind, call.op.kind())).collect();
            for (_, lacks) in left.iter().enumerate().filter(|(number, _)| is_taken(n + number, 2))
            {
                let words = format!("{} {column:?} {place:?} {lacks:?}", case.scenario.name);
                let host = case.host();
                let struck = Struck::new(&host, place, column, Manner::DaemonEnds);
                walk(&case.plan, &struck, 16);
                host.take();
                with_less(case, &Lacking { host: &host, lacks: *lacks }, &words);
                recovers(case, &host, &words);
                runs += 1;
            }
        }
    }
    runs
}

fn with_less(case: &Case, old: &Lacking<'_>, words: &str) {
    let plan = plan_for(old, &case.loaded, &case.options);
    let refused = plan.refusals.iter().any(|r| r.reason.contains(old.lacks.1.as_str()));
    assert!(plan.refusals.is_empty() || refused, "{words}: {:?}", plan.refusals);
    if !refused {
        let quiet = Struck::new(old, Place::Nowhere, Column::A, Manner::Late);
        let report = walk(&plan, &quiet, 16).unwrap();
        assert!(report.is_done(), "{words}: {report:?}");
        let (calls, _) = old.host.take();
        case.approved(&calls, words);
        let lacking = |call: &Call| (call.target.id.kind, call.op.kind()) == old.lacks;
        assert!(!calls.iter().any(|(call, _)| lacking(call)), "{words}: {calls:?}");
    }
}

/// A host without one operation.
struct Lacking<'a> {
    host: &'a Host,
    lacks: (Kind, OpKind),
}

impl Driver for Lacking<'_> {
    fn name(&self) -> &'static str {
        self.host.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let (kind, op) = self.lacks;
        Ok(self.host.capabilities()?.without(kind, op))
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
        self.host.watch(events, stop)
    }
}

/// The second apply of every case calls nothing.
pub(super) fn undisturbed() {
    for case in cases() {
        let host = case.host();
        applies(case, &host, case.scenario.name);
        settled(case, &host, case.scenario.name);
        host.take();
        applies(case, &host, case.scenario.name);
        assert_eq!(host.take().0, [], "{}", case.scenario.name);
    }
}
