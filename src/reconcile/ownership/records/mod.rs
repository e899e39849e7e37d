//! Records on objects, judged before anybody believes them, and signed where they are written.
//!
//! Who may write metadata may write a record. So the whole program sees a host through [`Records`]:
//! what is not believed is not there, with the reason beside it, and every definition that goes out
//! carries signatures, where there is a key.
//!
//! - `canonical.rs`: the bytes that a signature and a sum are of
//! - `judge.rs`: judgement of records
//! - `signing.rs`: signatures of records: HMAC-SHA256

mod canonical;
mod judge;
mod signing;

pub use signing::{Key, Signing};

use crate::drivers::{CancelToken, Driver, EventSink, ExecContext};
use crate::error::Result;
use crate::model::{Answer, Call, Capabilities, Observed, ObservedPools, Outcome, Query, Scope};
use diagnostics::SourceId;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fmt;
use xmltree::{Element, Limits, parse, write};

/// A host whose records are judged.
pub struct Records {
    inner: Box<dyn Driver>,
    signing: Option<Signing>,
    /// The time of day, which tells how long records without a signature are believed.
    now: fn() -> Timestamp,
}

impl Records {
    /// Wraps the host behind `inner`. With `signing`, unsigned records are not believed.
    pub fn new(inner: Box<dyn Driver>, signing: Option<Signing>, now: fn() -> Timestamp) -> Self {
        Self { inner, signing, now }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("signing", &self.signing).finish_non_exhaustive()
    }
}

impl Driver for Records {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn uri(&self) -> Option<&str> {
        self.inner.uri()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.inner.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        let mut observed = self.inner.observe(scope)?;
        judge::judge(&mut observed, self.signing.as_ref(), (self.now)());
        Ok(observed)
    }

    fn pools(&self, names: &BTreeSet<String>) -> Result<ObservedPools> {
        self.inner.pools(names)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.inner.query(query)
    }

    fn query_all(&self, queries: &[Query]) -> Vec<Result<Answer>> {
        self.inner.query_all(queries)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let sealed: Vec<Call> =
            batch.iter().map(|call| sealed(self.signing.as_ref(), call)).collect();
        self.inner.execute(&sealed, context)
    }

    fn disconnect_idle(&self) {
        self.inner.disconnect_idle();
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.inner.watch(events, stop)
    }
}

/// Returns the elements of a definition that carry a signature where there is a key.
pub(crate) fn elements(definition: &Element) -> impl Iterator<Item = &Element> {
    let metadata = definition.child("metadata").into_iter().flat_map(Element::elements);
    metadata.filter(|e| signing::is_signed(e))
}

/// Returns the call with checksums in the records of its definition, and signatures if there is a key.
fn sealed(signing: Option<&Signing>, call: &Call) -> Call {
    let Some(xml) = call.op.definition() else { return call.clone() };
    // the host refuses a malformed document
    let Ok(mut definition) = parse(SourceId::NONE, xml, &Limits::default()) else {
        return call.clone();
    };
    if !signing::seal(signing, &mut definition, &call.target) {
        return call.clone();
    }
    let mut signed = call.clone();
    if let Some(xml) = signed.op.definition_mut() {
        *xml = write(&definition);
    }
    signed
}
