//! What was done on the way to an open connection: each stage with its time and what came of it.

use crate::error::{Error, Result};
use std::time::{Duration, Instant};
use tracing::debug;

/// A step on the way to a host. Not every way has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The URI is read, and what it means on this machine is chosen.
    Uri,
    /// Our certificate and the authorities that we trust are read and checked.
    Certificates,
    /// The host's name is looked up.
    Resolve,
    /// A socket of the daemon is connected to.
    Connect,
    /// The daemon proves by its certificate who it is, and we do.
    Tls,
    /// A program that leads to the daemon is started.
    Start,
    /// ssh lets us in on the other host.
    Ssh,
    /// A program there passes our bytes on.
    Helper,
    /// That program connects to the daemon's socket.
    Socket,
    /// The daemon's first answer comes through.
    Answer,
    /// We prove who we are.
    Authenticate,
    /// The hypervisor is opened.
    Open,
    /// The daemon says what it is.
    Version,
    /// The daemon says what it can do.
    Features,
    /// It is seen what we may do.
    Permissions,
}

impl Stage {
    /// A few words for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Uri => "URI",
            Self::Certificates => "certificates",
            Self::Resolve => "name resolution",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Start => "start",
            Self::Ssh => "ssh",
            Self::Helper => "helper",
            Self::Socket => "socket",
            Self::Answer => "first answer",
            Self::Authenticate => "authentication",
            Self::Open => "open",
            Self::Version => "version",
            Self::Features => "features",
            Self::Permissions => "permissions",
        }
    }
}

/// One stage that is over.
#[derive(Clone, Debug)]
pub struct StageResult {
    /// Which.
    pub stage: Stage,
    /// How long it took; nothing where it cannot be told from the stage after it.
    pub took: Option<Duration>,
    /// What is worth knowing of it, in words; may be empty.
    pub said: String,
    /// Why it failed; nothing comes after a stage that did.
    pub error: Option<Error>,
}

/// The stages so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) passed: Vec<StageResult>,
}

impl Trace {
    /// Does a stage. `work` may leave in its argument what is worth knowing.
    ///
    /// # Errors
    /// Those of `work`.
    pub(super) fn stage<T>(
        &mut self,
        stage: Stage,
        work: impl FnOnce(&mut String) -> Result<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        let mut said = String::new();
        let result = work(&mut said);
        let took = begun.elapsed();
        let failed = result.is_err();
        debug!(stage = stage.describe(), ?took, said, failed, "on the way to the host");
        let error = result.as_ref().err().cloned();
        self.passed.push(StageResult { stage, took: Some(took), said, error });
        result
    }

    /// The last stage turns out to have been several, of which these were passed and `last` was the
    /// one that its time and its verdict belong to.
    pub(super) fn split_last(&mut self, passed: &[Stage], last: Stage) {
        let Some(whole) = self.passed.pop() else { return };
        let silent = |stage: &Stage| StageResult {
            stage: *stage,
            took: None,
            said: String::new(),
            error: None,
        };
        self.passed.extend(passed.iter().map(silent));
        self.passed.push(StageResult { stage: last, ..whole });
    }
}
