//! Cancelling what takes long.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a watcher may take to notice that it is to stop.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

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
