//! Mailbox of a host's loop for other threads. Nothing queues up: repeated messages are kept once.

use crate::error::Error;
use crate::model::{Desired, DriverEvent, ResourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

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
                DriverEvent::Changed { id, what } => {
                    pending.events.insert(id, what.as_str().to_owned());
                }
                DriverEvent::Gone(id) => {
                    pending.events.insert(id, "gone".to_owned());
                }
                // earlier events are covered by the look at all
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
