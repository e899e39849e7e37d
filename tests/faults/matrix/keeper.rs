//! Host loop on a thread of its own, without a listener.

use super::host::Case;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use virt::controller::{
    ControllerEvent, ControllerStatus, Environment, HostLoop, Listening, Mailbox, Settings, Sources,
};
use virt::drivers::{CancelToken, Driver};
use virt::error::Result;

/// The world of a loop: a host.
struct Around(Arc<dyn Driver>);

impl Environment for Around {
    fn open(&self, _: &str) -> Result<Arc<dyn Driver>> {
        Ok(Arc::clone(&self.0))
    }

    fn lock(&self, _: &str) -> Result<Box<dyn Debug>> {
        Ok(Box::new(()))
    }

    fn emit(&self, _: &str, _: &ControllerEvent<'_>) {}
}

/// The loop of a host on a thread of its own.
pub(super) struct Watch {
    pub(super) thread: JoinHandle<()>,
    mailbox: Mailbox,
    stop: CancelToken,
}

impl Watch {
    pub(super) fn start(case: &Case, driver: Arc<dyn Driver>, interval: Duration) -> Self {
        let settings = Settings {
            name: "here".to_owned(),
            options: case.options.clone(),
            interval,
            parallel: 16,
        };
        let status = ControllerStatus {
            set: String::new(),
            started: SystemTime::UNIX_EPOCH,
            sources: Sources {
                paths: Vec::new(),
                listening: Listening::Notified,
                loaded: SystemTime::UNIX_EPOCH,
                resources: 0,
                problems: 0,
                stale: None,
                loads: 0,
            },
            hosts: [("here".to_owned(), Default::default())].into(),
        };
        let stop = CancelToken::default();
        let desired = Arc::clone(&case.loaded.desired);
        let around = Arc::new(Around(driver));
        let host =
            HostLoop::new(settings, desired, around, Arc::new(Mutex::new(status)), stop.clone());
        let mailbox = host.mailbox();
        Self { thread: std::thread::spawn(move || host.run()), mailbox, stop }
    }

    pub(super) fn end(self) {
        assert!(self.ends(), "the loop panicked");
    }

    /// Ends the loop, and returns whether it ended without a panic.
    pub(super) fn ends(self) -> bool {
        self.stop.stop();
        self.mailbox.wake();
        self.thread.join().is_ok()
    }
}
