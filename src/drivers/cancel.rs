//! Watching a host: when to stop, and how events reach a reader who may be slow.

use crate::model::DriverEvent;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a watcher may take to notice that it is to stop, or that a slow reader has caught up.
pub(super) const TICK: Duration = Duration::from_millis(200);

/// Tells watchers to stop; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<(Mutex<bool>, Condvar)>);

impl CancelToken {
    /// Tells all who watch to stop.
    pub fn stop(&self) {
        *self.flag() = true;
        self.0.1.notify_all();
    }

    /// Whether they are to stop.
    pub fn is_stopped(&self) -> bool {
        *self.flag()
    }

    /// Waits that long, or until they are to stop; says whether they are.
    pub fn wait(&self, time: Duration) -> bool {
        let waited = self.0.1.wait_timeout_while(self.flag(), time, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn flag(&self) -> MutexGuard<'_, bool> {
        // it is only ever set
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to a reader that never waits for him. What does not fit is dropped, and one
/// [`DriverEvent::Resync`] takes its place as soon as there is room.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: SyncSender<DriverEvent>,
    /// What is told before anything else: a `Resync` or `Lost`, of which only the last counts.
    owed: Option<DriverEvent>,
    closed: bool,
}

impl Outbox {
    pub(super) fn new(queue: SyncSender<DriverEvent>) -> Self {
        Self { queue, owed: None, closed: false }
    }

    /// Hands on what came.
    pub(super) fn send(&mut self, event: DriverEvent) {
        match event {
            DriverEvent::Resync | DriverEvent::Lost(_) => {
                self.owed = Some(event);
                self.flush();
            }
            DriverEvent::Changed { .. } | DriverEvent::Gone(_) => {
                self.flush();
                // what is owed has the reader look at all of it later
                if self.owed.is_none() && !self.try_send(event) {
                    self.owed = Some(DriverEvent::Resync);
                }
            }
        }
    }

    /// Hands on what is owed, if there is room by now.
    pub(super) fn flush(&mut self) {
        if let Some(event) = self.owed.take()
            && !self.try_send(event.clone())
        {
            self.owed = Some(event);
        }
    }

    /// Whether the reader is gone, as far as anybody has tried to tell him something.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    fn try_send(&mut self, event: DriverEvent) -> bool {
        match self.queue.try_send(event) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => false,
            Err(TrySendError::Disconnected(_)) => {
                self.closed = true;
                false
            }
        }
    }
}

/// Waits that long while a slow reader still gets what is owed to him; says whether to stop.
pub(super) fn pause(time: Duration, outbox: &mut Outbox, stop: &CancelToken) -> bool {
    let end = Instant::now() + time;
    loop {
        outbox.flush();
        let left = end.saturating_duration_since(Instant::now());
        if outbox.is_closed() || stop.wait(left.min(TICK)) {
            return true;
        }
        if left <= TICK {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::model::{Kind, ResourceId};
    use std::sync::mpsc::sync_channel;

    fn gone(name: &str) -> DriverEvent {
        DriverEvent::Gone(ResourceId::new(Kind::Domain, name))
    }

    #[test]
    fn a_slow_reader_gets_one_resync_for_all_that_he_missed() {
        let (sender, receiver) = sync_channel(2);
        let mut outbox = Outbox::new(sender);
        for name in ["a", "b", "c", "d"] {
            outbox.send(gone(name));
        }
        assert_eq!(receiver.recv().unwrap(), gone("a"));
        outbox.send(gone("e"));
        outbox.send(gone("f"));
        assert_eq!(receiver.recv().unwrap(), gone("b"));
        assert_eq!(receiver.recv().unwrap(), DriverEvent::Resync);
        outbox.flush();
        outbox.send(gone("g"));
        let rest: Vec<_> = receiver.try_iter().collect();
        // by the time of "e" there was room for the resync, and none for "e"
        assert_eq!(rest, [DriverEvent::Resync, gone("g")]);
        drop(receiver);
        outbox.send(gone("h"));
        assert!(outbox.is_closed());
    }

    #[test]
    fn what_is_lost_and_back_before_anybody_looks_is_one_resync() {
        let (sender, receiver) = sync_channel(1);
        let mut outbox = Outbox::new(sender);
        outbox.send(gone("a"));
        let error = Error::new(ErrorKind::Protocol, "lost");
        outbox.send(DriverEvent::Lost(error));
        outbox.send(gone("b"));
        outbox.send(DriverEvent::Resync);
        assert_eq!(receiver.recv().unwrap(), gone("a"));
        outbox.flush();
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [DriverEvent::Resync]);
    }

    #[test]
    fn a_wait_ends_when_it_is_told_to() {
        let stop = CancelToken::default();
        assert!(!stop.wait(Duration::from_millis(1)));
        let other = stop.clone();
        let thread = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        stop.stop();
        assert!(thread.join().unwrap() && stop.is_stopped());
    }
}
