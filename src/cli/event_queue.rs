//! Events of a host that wait to be shown: each in its order, as far as there is room.

use crate::drivers::EventSink;
use crate::model::DriverEvent;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Events that wait for a reader, who may be slow. What does not fit is dropped, and one
/// [`DriverEvent::Resync`] takes its place.
#[derive(Clone, Debug)]
pub(super) struct EventQueue {
    room: usize,
    shared: Arc<(Mutex<Waiting>, Condvar)>,
}

#[derive(Debug, Default)]
struct Waiting {
    events: Vec<DriverEvent>,
    /// Comes after the others: a `Resync` or `Lost`, of which only the last counts.
    owed: Option<DriverEvent>,
    /// Whether nothing more comes.
    ended: bool,
}

/// Result of a wait for events.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Events(Vec<DriverEvent>),
    /// The time is over.
    Late,
    /// Nothing more comes.
    Ended,
}

impl EventQueue {
    /// A queue for as many events.
    pub(super) fn new(room: usize) -> Self {
        Self { room, shared: Arc::default() }
    }

    /// The end that a driver fills; when its last clone is dropped the queue ends.
    pub(super) fn sink(&self) -> EventSink {
        let into = Feeder(self.clone());
        EventSink::new(move |event| {
            into.0.put(event);
            ControlFlow::Continue(())
        })
    }

    /// Waits until there are events, nothing more comes or it is `due`; takes all there are.
    pub(super) fn take(&self, due: Option<Instant>) -> Taken {
        let mut waiting = self.lock();
        loop {
            if !waiting.events.is_empty() || waiting.owed.is_some() {
                let mut events = std::mem::take(&mut waiting.events);
                events.extend(waiting.owed.take());
                return Taken::Events(events);
            }
            if waiting.ended {
                return Taken::Ended;
            }
            let changed = &self.shared.1;
            waiting = match due.map(|due| due.saturating_duration_since(Instant::now())) {
                None => changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return Taken::Late,
                Some(left) => {
                    changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn put(&self, event: DriverEvent) {
        let mut waiting = self.lock();
        if waiting.owed.is_none() && waiting.events.len() < self.room {
            waiting.events.push(event);
        } else {
            match event {
                DriverEvent::Resync | DriverEvent::Lost(_) => waiting.owed = Some(event),
                // what is owed has the reader look at all of it later
                DriverEvent::Changed { .. } | DriverEvent::Gone(_) => {
                    waiting.owed.get_or_insert(DriverEvent::Resync);
                }
            }
        }
        self.shared.1.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // each change is one assignment or insertion
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a queue when it is dropped.
struct Feeder(EventQueue);

impl Drop for Feeder {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.shared.1.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::model::{Kind, ResourceId};
    use std::time::Duration;

    fn gone(name: &str) -> DriverEvent {
        DriverEvent::Gone(ResourceId::new(Kind::Domain, name))
    }

    fn fill(queue: &EventQueue, events: impl IntoIterator<Item = DriverEvent>) {
        events.into_iter().for_each(|event| queue.put(event));
    }

    #[test]
    fn a_slow_reader_gets_one_resync_for_all_that_he_missed() {
        let queue = EventQueue::new(2);
        fill(&queue, ["a", "b", "c", "d", "e", "f"].map(gone));
        let first = vec![gone("a"), gone("b"), DriverEvent::Resync];
        assert_eq!(queue.take(None), Taken::Events(first));
        fill(&queue, [gone("g")]);
        assert_eq!(queue.take(None), Taken::Events(vec![gone("g")]));
        fill(&queue, (0..100_000).map(|_| gone("h")));
        let rest = vec![gone("h"), gone("h"), DriverEvent::Resync];
        assert_eq!(queue.take(None), Taken::Events(rest));
    }

    #[test]
    fn what_is_lost_and_back_before_anybody_looks_is_one_resync() {
        let queue = EventQueue::new(1);
        let lost = DriverEvent::Lost(Error::new(ErrorKind::Protocol, "lost"));
        fill(&queue, [gone("a"), lost, gone("b"), DriverEvent::Resync]);
        assert_eq!(queue.take(None), Taken::Events(vec![gone("a"), DriverEvent::Resync]));
    }

    #[test]
    fn a_wait_ends_by_its_time_and_with_the_last_sink() {
        let queue = EventQueue::new(8);
        let (sink, due) = (queue.sink(), Instant::now() + Duration::from_millis(1));
        assert_eq!(queue.take(Some(due)), Taken::Late);
        let other = sink.clone();
        let thread = std::thread::spawn(move || other.send(gone("a")));
        assert_eq!(queue.take(None), Taken::Events(vec![gone("a")]));
        assert!(thread.join().is_ok_and(|flow| flow.is_continue()));
        drop(sink);
        assert_eq!(queue.take(None), Taken::Ended);
    }
}
