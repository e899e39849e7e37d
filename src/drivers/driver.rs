//! Contract of drivers: the operations of each on a host.

use super::cancel::CancelToken;
use super::event_sink::EventSink;
use super::exec_context::ExecContext;
use crate::error::Result;
use crate::model::{Answer, Call, Capabilities, Observed, ObservedPools, Outcome, Query, Scope};
use std::collections::BTreeSet;

/// A host that can be observed and changed.
pub trait Driver: Send + Sync {
    /// The driver's name, for people.
    fn name(&self) -> &'static str;

    /// Returns the host's own URI of the connection, by which an empty URI is resolved.
    fn uri(&self) -> Option<&str> {
        None
    }

    /// Returns the capabilities of the driver and its host.
    ///
    /// # Errors
    /// The host could not be asked.
    fn capabilities(&self) -> Result<Capabilities>;

    /// The inventory, as far as `scope` asks, read in one go.
    ///
    /// # Errors
    /// The host could not be read whole: a part of an inventory is no inventory.
    fn observe(&self, scope: &Scope) -> Result<Observed>;

    /// The definitions of the storage pools of these names, as far as the host has them. One that
    /// cannot be read is not one that is absent, and holds back what is on it, not its host.
    ///
    /// # Errors
    /// The host could not be asked.
    fn pools(&self, names: &BTreeSet<String>) -> Result<ObservedPools> {
        let _ = names;
        Ok(ObservedPools::default())
    }

    /// Answers a question that no plan depends on.
    ///
    /// # Errors
    /// The host could not be asked, has no answer in time, or refuses. Where it lacks the answer by its nature,
    /// that is [`ErrorKind::Unsupported`](crate::error::ErrorKind::Unsupported).
    fn query(&self, query: &Query) -> Result<Answer>;

    /// Answers several questions: as many answers, in the same order. A driver that can lets them overlap.
    fn query_all(&self, queries: &[Query]) -> Vec<Result<Answer>> {
        queries.iter().map(|query| self.query(query)).collect()
    }

    /// Carries out `batch`: as many outcomes as calls, in the same order. Calls to different
    /// objects may overlap; calls to one object run one after the other in the order given, and
    /// after the first that is not `Done` the rest of that object's are not sent, which is
    /// [`ErrorKind::NotSent`](crate::error::ErrorKind::NotSent).
    ///
    /// Once `context` is cancelled nothing more is sent: those calls are not sent, of kind
    /// [`ErrorKind::Cancelled`](crate::error::ErrorKind::Cancelled), and those under way are completed.
    /// Outcomes may be reported to the context as they come; each is returned in any case.
    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome>;

    /// Lets go of what is open until it is needed again, so that a plan for a thousand hosts can
    /// wait for an answer without a thousand processes and sockets.
    fn disconnect_idle(&self) {}

    /// Tells `events` what happens on the host, from a first [`Resync`](crate::model::DriverEvent::Resync)
    /// on, whoever makes it happen. It holds up the thread it is called on until `stop` says so, or
    /// until there is something to tell and nobody to take it. A host that is lost is called again by
    /// itself.
    ///
    /// The stream is whole: each event reaches the sink, in its order. A further `Resync` comes only
    /// where the host's own report has a gap. Keeping no more than there is room for is the sink's.
    ///
    /// # Errors
    /// The host cannot be watched at all.
    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()>;
}
