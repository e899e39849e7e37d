//! Context of a batch of calls: its cancellation, and reports of its progress.

use super::cancel::CancelToken;
use crate::error::{Error, ErrorKind};
use crate::model::Outcome;
use std::fmt;

/// Context in which a driver carries out a batch of calls.
pub struct ExecContext<'a> {
    cancel: CancelToken,
    progress: &'a dyn Fn(usize, &Outcome),
}

impl<'a> ExecContext<'a> {
    /// Creates a context. `progress` gets the place of a call in the batch and its outcome, as soon as that is
    /// final, on the thread of [`Driver::execute`](super::Driver::execute).
    pub fn new(cancel: CancelToken, progress: &'a dyn Fn(usize, &Outcome)) -> Self {
        Self { cancel, progress }
    }

    /// Returns the same without reports, for a driver around another that hands batches on in parts.
    pub fn without_progress(&self) -> ExecContext<'static> {
        ExecContext::new(self.cancel.clone(), &|_, _| {})
    }

    /// Whether no further call is to be sent.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_stopped()
    }

    /// Reports the outcome of the call at this place in the batch.
    pub fn report(&self, index: usize, outcome: &Outcome) {
        (self.progress)(index, outcome);
    }

    /// Returns the error of a call that was not sent any more.
    pub fn cancelled() -> Error {
        Error::new(ErrorKind::Cancelled, "not sent: the run was stopped before")
    }
}

impl Default for ExecContext<'_> {
    /// Creates a context that nobody cancels and that reports nothing.
    fn default() -> Self {
        Self::new(CancelToken::default(), &|_, _| {})
    }
}

impl fmt::Debug for ExecContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecContext").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}
