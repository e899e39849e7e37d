//! The receiving end of a host's events.

use crate::model::DriverEvent;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Takes the events of a host, one after the other; all clones are one.
///
/// It is called where the event arises, which may be in the middle of a change of the host: it never
/// waits, never calls the driver, and keeps no more than it has set itself as a limit.
#[derive(Clone)]
pub struct EventSink(Arc<Take>);

type Take = dyn Fn(DriverEvent) -> ControlFlow<()> + Send + Sync;

impl EventSink {
    /// A sink that hands each event to `take`, which breaks once nobody reads any more.
    pub fn new(take: impl Fn(DriverEvent) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Hands over an event; `Break` if nobody reads any more.
    pub fn send(&self, event: DriverEvent) -> ControlFlow<()> {
        (self.0)(event)
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventSink")
    }
}
