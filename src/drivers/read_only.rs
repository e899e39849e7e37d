//! A driver that only looks, around one that could do more.

use super::ExecContext;
use super::cancel::CancelToken;
use super::driver::Driver;
use super::event_sink::EventSink;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Answer, Call, Capabilities, Observed, ObservedPools, Outcome, Query, Scope};
use std::collections::BTreeSet;

/// Driver that passes reads on and refuses changes. libvirt's daemons do that by themselves; this is for
/// drivers within this process.
#[derive(Debug)]
pub(super) struct ReadOnly<D>(pub(super) D);

impl<D: Driver> Driver for ReadOnly<D> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        Ok(Capabilities { read_only: true, ..self.0.capabilities()? })
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.0.observe(scope)
    }

    fn pools(&self, names: &BTreeSet<String>) -> Result<ObservedPools> {
        self.0.pools(names)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.0.query(query)
    }

    fn query_all(&self, queries: &[Query]) -> Vec<Result<Answer>> {
        self.0.query_all(queries)
    }

    fn execute(&self, batch: &[Call], _: &ExecContext<'_>) -> Vec<Outcome> {
        let refuse = |call: &Call| {
            let text = "the connection is read-only";
            let error = Error::new(ErrorKind::Denied, text);
            Outcome::Refused(error.address(call.target.id.to_string()))
        };
        batch.iter().map(refuse).collect()
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.0.watch(events, stop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::drivers::{Connection, Environment, open};
    use crate::model::{DomainOp, Kind, ResourceId, Target};

    #[test]
    fn nothing_is_changed() {
        let env = Environment { read_only: true, ..Environment::new(None, None) };
        let driver = open(&Connection::of_operator("test:///default").unwrap(), &env).unwrap();
        assert!(driver.capabilities().unwrap().read_only);
        let id = ResourceId::new(Kind::Domain, "test");
        let before = driver.observe(&Scope::all()).unwrap();
        let target = Target { id: id.clone(), uuid: before.resources.get(&id).unwrap().uuid };
        let outcomes = driver
            .execute(&[Call { target, op: DomainOp::Destroy.into() }], &ExecContext::default());
        let [Outcome::Refused(error)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
        assert_eq!(error.kind, ErrorKind::Denied);
        let after = driver.observe(&Scope::all()).unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }
}
