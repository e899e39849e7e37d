//! Mailbox of a host's loop for other threads. Nothing queues up: repeated messages are kept once.

use crate::error::Error;
use crate::model::{Desired, DriverEvent, ResourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Most objects that are kept by name. Reading all of a host costs less than looking at more of them
/// one by one, and a host that tells of names without end fills no memory.
const OBJECTS_MAX: usize = 4096;

/// Sends messages to a host's control loop.
#[derive(Clone, Debug, Default)]
pub struct Mailbox(Arc<(Mutex<Pending>, Condvar)>);

/// Messages received since the last look.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Latest desired state, and the time of the change.
    pub(super) desired: Option<(Arc<Desired>, Instant)>,
    /// Objects with events of the host, each with the name of the last one.
    pub(super) events: BTreeMap<ResourceId, String>,
    /// Number of those events.
    pub(super) count: u64,
    /// Whether all of the host is to be read, since its event stream has just begun.
    pub(super) resync: bool,
    /// The host is lost, and is called.
    pub(super) lost: Option<Error>,
    /// Whether the connection was lost, though it may be back by now.
    pub(super) was_lost: bool,
    /// Whether somebody asks for a run at once.
    pub(super) now: bool,
    /// The host cannot be listened to.
    pub(super) deaf: Option<Error>,
    /// The loop is to look around.
    woken: bool,
}

impl Pending {
    /// Keeps the last word on an object, or has all of the host looked at if there are too many.
    fn keep(&mut self, id: ResourceId, word: &str) {
        self.events.insert(id, word.to_owned());
        if self.events.len() > OBJECTS_MAX {
            self.events.clear();
            self.resync = true;
        }
    }
}

impl Mailbox {
    /// Delivers a desired state whose change was noticed at that time.
    pub fn desired(&self, desired: Arc<Desired>, since: Instant) {
        self.put(|pending| pending.desired = Some((desired, since)));
    }

    /// Asks for a run at once.
    pub fn now(&self) {
        self.put(|pending| pending.now = true);
    }

    /// Wakes the loop, for example to stop it.
    pub fn wake(&self) {
        self.put(|_| {});
    }

    /// Delivers an event of the host.
    pub(super) fn event(&self, event: DriverEvent) {
        self.put(|pending| {
            pending.count += 1;
            match event {
                DriverEvent::Changed { id, what } => pending.keep(id, what.as_str()),
                DriverEvent::Gone(id) => pending.keep(id, "gone"),
                // what was told before is looked at with all the rest
                DriverEvent::Resync => {
                    pending.events.clear();
                    pending.lost = None;
                    pending.resync = true;
                }
                DriverEvent::Lost(error) => {
                    pending.lost = Some(error);
                    pending.was_lost = true;
                }
            }
        });
    }

    /// Asks to look at objects again, since more is known of another host.
    pub(super) fn enqueue(&self, ids: &BTreeSet<ResourceId>, host: &str) {
        self.put(|pending| {
            for id in ids {
                pending.events.entry(id.clone()).or_insert_with(|| format!("seen on {host}"));
            }
        });
    }

    /// Drops the events of these objects: they are about to be read.
    pub(super) fn forget(&self, ids: &BTreeSet<ResourceId>) {
        self.lock().events.retain(|id, _| !ids.contains(id));
    }

    /// Says that the host cannot be listened to.
    pub(super) fn deaf(&self, error: Error) {
        self.put(|pending| pending.deaf = Some(error));
    }

    /// Waits for mail until then, and takes it.
    pub(super) fn wait(&self, until: Instant) -> Pending {
        let mut pending = self.lock();
        while !pending.woken {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.0.1.wait_timeout(pending, left);
            pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut pending)
    }

    fn put(&self, change: impl FnOnce(&mut Pending)) {
        let mut pending = self.lock();
        change(&mut pending);
        pending.woken = true;
        self.0.1.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // each change is one assignment or insertion
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::model::{EventKind, Kind};

    fn domain(number: usize) -> ResourceId {
        ResourceId::new(Kind::Domain, format!("vm-{number}"))
    }

    fn taken(mailbox: &Mailbox) -> Pending {
        mailbox.wait(Instant::now())
    }

    #[test]
    fn what_is_told_of_an_object_again_and_again_is_there_once() {
        let mailbox = Mailbox::default();
        for number in 0..10_000 {
            let what = if number % 2 == 0 { EventKind::Started } else { EventKind::Stopped };
            mailbox.event(DriverEvent::Changed { id: domain(number % 10), what });
        }
        mailbox.event(DriverEvent::Gone(domain(0)));
        let pending = taken(&mailbox);
        assert_eq!((pending.events.len(), pending.count, pending.resync), (10, 10_001, false));
        assert_eq!(pending.events.get(&domain(0)).map(String::as_str), Some("gone"));
        assert_eq!(pending.events.get(&domain(1)).map(String::as_str), Some("stopped"));
    }

    #[test]
    fn what_is_kept_is_bounded_and_one_resync_stands_for_what_is_not() {
        let mailbox = Mailbox::default();
        for number in 0..OBJECTS_MAX {
            mailbox.event(DriverEvent::Gone(domain(number)));
        }
        let pending = taken(&mailbox);
        assert_eq!((pending.events.len(), pending.resync), (OBJECTS_MAX, false));
        for number in 0..10 * OBJECTS_MAX {
            mailbox.event(DriverEvent::Gone(domain(number)));
            assert!(mailbox.lock().events.len() <= OBJECTS_MAX);
        }
        let pending = taken(&mailbox);
        assert!(pending.resync && pending.lost.is_none());
        mailbox.event(DriverEvent::Gone(domain(0)));
        let pending = taken(&mailbox);
        assert_eq!((pending.events.len(), pending.resync), (1, false));
    }

    #[test]
    fn what_is_lost_and_back_before_anybody_looks_is_one_resync() {
        let mailbox = Mailbox::default();
        mailbox.event(DriverEvent::Gone(domain(0)));
        mailbox.event(DriverEvent::Lost(Error::new(ErrorKind::Protocol, "lost")));
        mailbox.event(DriverEvent::Resync);
        let pending = taken(&mailbox);
        assert!(pending.events.is_empty() && pending.resync && pending.was_lost);
        assert_eq!(pending.lost, None);
    }
}
