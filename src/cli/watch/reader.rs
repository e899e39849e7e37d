//! Manifests, read by a thread of their own: a file system that hangs holds up neither signals nor
//! hosts.

use crate::manifest::{Changes, Grammars, Reading};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::time::Instant;

/// Events that wake the watch.
#[derive(Debug)]
pub(super) enum Heard {
    /// Manifests were read.
    Read(Reading),
    /// Reason why files are polled from now on; `None` if the system reports changes again.
    Deaf(Option<String>),
    /// A signal came.
    Signal,
    /// The reading thread has panicked.
    Ended,
}

/// Reports the end of the thread, however it ends.
struct Ending(SyncSender<Heard>);

impl Drop for Ending {
    fn drop(&mut self) {
        // with nobody left to hear it all is over
        let _ = self.0.send(Heard::Ended);
    }
}

/// Handle of the reading thread.
#[derive(Debug)]
pub(super) struct Reader {
    wake: SyncSender<()>,
    asked: Arc<AtomicBool>,
}

impl Reader {
    /// Reads the manifests of `paths`, by the given grammars and for the given set, now and
    /// whenever they change, until the receiver is gone.
    pub(super) fn start(
        paths: Vec<PathBuf>,
        by: (Grammars, Option<String>),
        to: SyncSender<Heard>,
    ) -> Self {
        Self::of(to, move |wake| Changes::follow(paths, by, wake))
    }

    /// Reads the manifests of `follow`, which runs on the new thread and is given what wakes that.
    pub(super) fn of(
        to: SyncSender<Heard>,
        follow: impl FnOnce(Box<dyn Fn() + Send>) -> Changes + Send + 'static,
    ) -> Self {
        let (wake, woken) = sync_channel(1);
        let asked = Arc::new(AtomicBool::new(false));
        let (of_thread, waker) = (Arc::clone(&asked), wake.clone());
        std::thread::spawn(move || {
            let ending = Ending(to);
            let nudge = move || {
                // one that waits already says as much
                let _ = waker.try_send(());
            };
            let changes = follow(Box::new(nudge));
            // nobody takes it any more
            let _ = read(changes, &woken, &of_thread, &ending.0);
        });
        Self { wake, asked }
    }

    /// Requests a reading at once.
    pub(super) fn look_now(&self) {
        self.asked.store(true, Ordering::SeqCst);
        // one that waits already says as much
        let _ = self.wake.try_send(());
    }
}

fn read(
    mut changes: Changes,
    woken: &Receiver<()>,
    asked: &AtomicBool,
    to: &SyncSender<Heard>,
) -> Result<(), SendError<Heard>> {
    to.send(Heard::Read(changes.first()))?;
    let mut deaf = None;
    loop {
        if changes.is_deaf() != deaf {
            deaf = changes.is_deaf();
            to.send(Heard::Deaf(deaf.clone()))?;
        }
        if asked.swap(false, Ordering::SeqCst) {
            changes.look_now();
        }
        if let Some(reading) = changes.read_settled(Instant::now()) {
            to.send(Heard::Read(reading))?;
            continue;
        }
        // woken or not, it looks around
        let _ = woken.recv_timeout(changes.due().saturating_duration_since(Instant::now()));
    }
}
