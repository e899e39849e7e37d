//! Trace of the stages on the way to an open connection, each with its time and result.

use crate::error::{Error, Result};
use std::time::{Duration, Instant};
use tracing::debug;

/// A step on the way to a host. Not every way has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading the URI and choosing its endpoint on this machine.
    Uri,
    /// Reading and checking our certificate and the trusted authorities.
    Certificates,
    /// The host's name is looked up.
    Resolve,
    /// A socket of the daemon is connected to.
    Connect,
    /// Mutual authentication by certificates.
    Tls,
    /// A program that leads to the daemon is started.
    Start,
    /// Login by ssh on the other host.
    Ssh,
    /// A program there passes our bytes on.
    Helper,
    /// Connection of that program to the daemon's socket.
    Socket,
    /// The daemon's first answer comes through.
    Answer,
    /// Authentication of the client.
    Authenticate,
    /// The hypervisor is opened.
    Open,
    /// Version of the daemon.
    Version,
    /// Features of the daemon.
    Features,
    /// Permissions of the client.
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
    /// Stage.
    pub stage: Stage,
    /// Time taken; nothing where it cannot be separated from the next stage.
    pub took: Option<Duration>,
    /// Details in words; may be empty.
    pub said: String,
    /// Error of the stage, which is the last one then.
    pub error: Option<Error>,
}

/// The stages so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) passed: Vec<StageResult>,
}

impl Trace {
    /// Runs a stage. `work` may leave details in its argument.
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
        debug!(stage = stage.describe(), ?took, said, failed, "while connecting to the host");
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
