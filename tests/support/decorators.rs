//! Drivers around drivers: one that records, one that fails at a chosen call.

use std::collections::BTreeSet;
use std::sync::Mutex;
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext};
use virt::error::{Error, ErrorCode, ErrorDomain, ErrorKind, Result};
use virt::model::{Answer, Call, Capabilities, Observed, Outcome, Query, Scope};

/// Keeps every call that reaches the driver, with its outcome.
pub(crate) struct Recording<D> {
    inner: D,
    calls: Mutex<Vec<(Call, Outcome)>>,
}

impl<D: Driver> Recording<D> {
    pub(crate) fn new(inner: D) -> Self {
        Self { inner, calls: Mutex::default() }
    }

    /// The calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<(Call, Outcome)> {
        self.calls.lock().unwrap().clone()
    }
}

impl<D: Driver> Driver for Recording<D> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.inner.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.inner.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.inner.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let outcomes = self.inner.execute(batch, context);
        let pairs = batch.iter().cloned().zip(outcomes.iter().cloned());
        self.calls.lock().unwrap().extend(pairs);
        outcomes
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.inner.watch(events, stop)
    }
}

/// Sort of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The host refuses the call.
    Refuse,
    /// The request is lost: not carried out, and nobody knows.
    LoseBefore,
    /// The reply is lost: carried out, and nobody knows.
    LoseAfter,
    /// The program ends before the call: nothing from there on is sent or answered.
    CancelToken,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] =
        [Self::Refuse, Self::LoseBefore, Self::LoseAfter, Self::CancelToken];
}

/// Lets call number `at`, counted from 0 over all batches, go wrong. Calls reach the driver one by
/// one, so that a fault falls between any two of them.
pub(crate) struct Faulty<D> {
    inner: D,
    fault: Fault,
    at: usize,
    seen: Mutex<usize>,
}

impl<D: Driver> Faulty<D> {
    pub(crate) fn new(inner: D, fault: Fault, at: usize) -> Self {
        Self { inner, fault, at, seen: Mutex::new(0) }
    }

    /// Whether the fault has happened.
    pub(crate) fn fired(&self) -> bool {
        *self.seen.lock().unwrap() > self.at
    }

    /// The driver, as the next run finds it.
    pub(crate) fn into_inner(self) -> D {
        self.inner
    }

    fn one(&self, call: &Call) -> Outcome {
        let number = {
            let mut seen = self.seen.lock().unwrap();
            *seen += 1;
            *seen - 1
        };
        let stopped = self.fault == Fault::CancelToken && number > self.at;
        if number != self.at && !stopped {
            return self.pass(call);
        }
        match self.fault {
            Fault::Refuse => Outcome::Refused(Error::host(
                ErrorCode::INTERNAL_ERROR,
                ErrorDomain::QEMU,
                "injected: refused",
            )),
            Fault::LoseBefore => {
                Outcome::Unknown(lost(ErrorKind::Protocol, "the request was lost"))
            }
            Fault::LoseAfter => {
                self.pass(call);
                Outcome::Unknown(lost(ErrorKind::Protocol, "the reply was lost"))
            }
            Fault::CancelToken => Outcome::NotSent(lost(ErrorKind::NotSent, "stopped")),
        }
    }

    fn pass(&self, call: &Call) -> Outcome {
        let mut outcomes = self.inner.execute(std::slice::from_ref(call), &ExecContext::default());
        outcomes.pop().unwrap()
    }
}

impl<D: Driver> Driver for Faulty<D> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.inner.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        if self.fault == Fault::CancelToken && self.fired() {
            return Err(lost(ErrorKind::Cancelled, "stopped"));
        }
        self.inner.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.inner.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let mut failed = BTreeSet::new();
        let mut outcomes = Vec::new();
        for call in batch {
            let outcome = if context.is_cancelled() {
                Outcome::NotSent(ExecContext::cancelled())
            } else if failed.contains(&call.target.id) {
                Outcome::NotSent(lost(ErrorKind::NotSent, "an earlier one failed"))
            } else {
                self.one(call)
            };
            if outcome != Outcome::Done {
                failed.insert(&call.target.id);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.inner.watch(events, stop)
    }
}

fn lost(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, format!("injected: {message}"))
}

/// Function that answers a call in place of the host.
type Reply = Box<dyn Fn(&Call) -> Option<Outcome> + Send + Sync>;

/// Answers some calls itself, as a host does that has its reasons; the others are carried out.
pub(crate) struct Answering<D> {
    inner: D,
    answer: Reply,
}

impl<D: Driver> Answering<D> {
    pub(crate) fn new(
        inner: D,
        answer: impl Fn(&Call) -> Option<Outcome> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, answer: Box::new(answer) }
    }

    /// The driver within.
    pub(crate) fn inner(&self) -> &D {
        &self.inner
    }

    /// The driver, once it has no reasons any more.
    pub(crate) fn into_inner(self) -> D {
        self.inner
    }
}

impl<D: Driver> Driver for Answering<D> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.inner.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.inner.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.inner.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let mut failed = BTreeSet::new();
        let mut outcomes = Vec::new();
        for call in batch {
            let one = || {
                let mut passed =
                    self.inner.execute(std::slice::from_ref(call), &context.without_progress());
                passed.pop().unwrap()
            };
            let outcome = match failed.contains(&call.target.id) {
                true => Outcome::NotSent(lost(ErrorKind::NotSent, "an earlier one failed")),
                false => (self.answer)(call).unwrap_or_else(one),
            };
            if outcome != Outcome::Done {
                failed.insert(&call.target.id);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.inner.watch(events, stop)
    }
}
