//! Heartbeat of a loop, by which one that hangs is noticed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Activity of a loop, visible to others.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat(Arc<Mutex<Activity>>);

#[derive(Clone, Copy, Debug, Default)]
struct Activity {
    /// Start of the present activity; `None` while it waits for work.
    busy: Option<Instant>,
    /// Whether the host was looked at once.
    ready: bool,
}

impl Heartbeat {
    /// Records the start of an activity.
    pub(super) fn busy(&self) {
        self.lock().busy = Some(Instant::now());
    }

    /// Records that there is no work.
    pub(super) fn idle(&self) {
        self.lock().busy = None;
    }

    /// Records that the host was read, or found missing.
    pub(super) fn looked(&self) {
        self.lock().ready = true;
    }

    /// Whether the host was read once. Work on it may take its time.
    pub fn is_ready(&self) -> bool {
        self.lock().ready
    }

    /// Whether the present activity has lasted no longer than `most`.
    pub fn beats(&self, most: Duration) -> bool {
        self.lock().busy.is_none_or(|since| since.elapsed() <= most)
    }

    fn lock(&self) -> MutexGuard<'_, Activity> {
        // it is written in one go
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
