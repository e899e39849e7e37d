//! Manifests, read by a thread of their own: a file system that hangs holds up neither signals nor
//! hosts.

use crate::manifest::{Changes, Grammars, Reading};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::time::Instant;

/// What wakes the watch.
#[derive(Debug)]
pub(super) enum Heard {
    /// Manifests were read.
    Read(Reading),
    /// Why the system does not tell of changed files from now on; `None` if it does again.
    Deaf(Option<String>),
    /// A signal came.
    Signal,
    /// Nothing is read any more; the thread that does it panicked.
    Ended,
}

/// Says so however the thread ends.
struct Ending(SyncSender<Heard>);

impl Drop for Ending {
    fn drop(&mut self) {
        // with nobody left to hear it all is over
        let _ = self.0.send(Heard::Ended);
    }
}

/// The way to the thread that reads.
#[derive(Debug)]
pub(super) struct Reader {
    wake: SyncSender<()>,
    asked: Arc<AtomicBool>,
}

impl Reader {
    /// Reads what `paths` name, by the grammars and for the set that are asked for, now and whenever it
    /// changes, until nobody takes what is read.
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

    /// Has it look at everything at once.
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
