//! Exit codes, and what a command fails with.

use crate::error::{Error, ErrorKind};
use std::process::ExitCode;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or in sync.
    Done = 0,
    /// An error.
    Error = 1,
    /// The plan has changes (`--detailed-exitcode`).
    Changes = 2,
    /// Applied; something waits for the next boot (`--detailed-exitcode`).
    Pending = 3,
    /// The outcome of a step is unknown, the host did not converge, or a guest is up and does not work.
    Unresolved = 4,
    /// Refused by the gate, a limit, another run's lock or a stale plan.
    Refused = 5,
    /// The command line makes no sense (`EX_USAGE` of sysexits.h).
    Usage = 64,
}

impl Exit {
    /// The one of two that matters more, where one run does several things: what is not known
    /// comes first, and what is refused has at least changed nothing.
    pub(crate) fn worse(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }

    /// The code for an operation that failed: what another run, or a lock that cannot be had, keeps us
    /// from, and a plan of what was there before, have changed nothing.
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind {
            ErrorKind::Locked | ErrorKind::Stale => Self::Refused,
            ErrorKind::Host
            | ErrorKind::NotSent
            | ErrorKind::Timeout
            | ErrorKind::Protocol
            | ErrorKind::Io
            | ErrorKind::Invalid
            | ErrorKind::Unsupported
            | ErrorKind::Denied
            | ErrorKind::Cancelled => Self::Error,
        }
    }

    fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Pending => 1,
            Self::Changes => 2,
            Self::Refused => 3,
            Self::Error => 4,
            Self::Unresolved => 5,
            Self::Usage => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Error => Self::from(1),
            Exit::Changes => Self::from(2),
            Exit::Pending => Self::from(3),
            Exit::Unresolved => Self::from(4),
            Exit::Refused => Self::from(5),
            Exit::Usage => Self::from(64),
        }
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments do not fit together.
    Usage(String),
    /// An operation failed.
    Operation(Error),
    /// Problems of the input that have been shown.
    Shown,
    /// The reader of our output is gone.
    Pipe,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Operation(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::Pipe
        } else {
            Self::Operation(Error::system("the output", &error))
        }
    }
}

/// What a command gives.
pub(crate) type Run = Result<Exit, Failure>;
