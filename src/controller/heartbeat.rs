//! Whether a loop is alive: for whoever has to notice one that hangs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a loop shows of itself.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat(Arc<Mutex<Activity>>);

#[derive(Clone, Copy, Debug, Default)]
struct Activity {
    /// Since when it does one and the same thing; `None` while it waits for something to do.
    busy: Option<Instant>,
    /// Whether it has looked at its host once.
    ready: bool,
}

impl Heartbeat {
    /// Something new is begun.
    pub(super) fn busy(&self) {
        self.lock().busy = Some(Instant::now());
    }

    /// There is nothing to do.
    pub(super) fn idle(&self) {
        self.lock().busy = None;
    }

    /// It has looked at its host, or found that there is none.
    pub(super) fn looked(&self) {
        self.lock().ready = true;
    }

    /// Whether it has looked at its host once. What is to be done there may take its time.
    pub fn is_ready(&self) -> bool {
        self.lock().ready
    }

    /// Whether it has been at one and the same thing for no longer than `most`.
    pub fn beats(&self, most: Duration) -> bool {
        self.lock().busy.is_none_or(|since| since.elapsed() <= most)
    }

    fn lock(&self) -> MutexGuard<'_, Activity> {
        // it is written in one go
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
