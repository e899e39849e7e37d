//! `virt watch --once`: each host is reconciled once, as for cron.

use super::Watch;
use crate::cli::exit::{Exit, Failure, Run};
use crate::cli::{fleet, worker_pool};
use crate::controller::Ended;
use crate::manifest::Reading;

impl Watch<'_> {
    /// Reconciles all hosts once.
    pub(super) fn once(&mut self, first: &Reading) -> Run {
        let loaded = &first.loaded;
        let has_errors = loaded.diagnostics.has_errors();
        // no host is asked for what nobody can want
        if loaded.desired.resources.is_empty() && has_errors {
            return Err(Failure::Shown);
        }
        self.taken(first);
        let wanted = self.wanted(loaded)?;
        let by_process =
            |at: usize| wanted.get(at).is_some_and(|w| fleet::by_process(&w.connection));
        let classes = worker_pool::classes(wanted.len(), by_process);
        let mut exit = if has_errors { Exit::Error } else { Exit::Done };
        let mut waiting = Vec::new();
        let work = |at: usize| {
            let host = wanted.get(at).filter(|_| !self.stop.is_stopped());
            let keys = self.context.keys();
            host.map(|w| self.host_loop(w, keys, self.stop.clone()).run_once())
        };
        worker_pool::each(
            &classes,
            work,
            |_| {},
            |at, ended| {
                // it is gone through again when more is known of the others
                if ended.is_some_and(|ended| ended.waits) {
                    waiting.push(at);
                    return true;
                }
                let detailed = self.args.options.detailed_exitcode;
                exit = exit.worse(ended.map_or(Exit::Error, |ended| exit_of(ended, detailed)));
                true
            },
        );
        let again = worker_pool::classes(waiting.len(), |at| {
            waiting.get(at).is_some_and(|at| by_process(*at))
        });
        worker_pool::each(
            &again,
            |at| waiting.get(at).and_then(|at| work(*at)),
            |_| {},
            |_, ended| {
                let detailed = self.args.options.detailed_exitcode;
                exit = exit.worse(ended.map_or(Exit::Error, |ended| exit_of(ended, detailed)));
                true
            },
        );
        Ok(exit)
    }
}

/// Exit code for the outcome of a host.
fn exit_of(ended: Ended, detailed: bool) -> Exit {
    match ended {
        Ended { unresolved: true, .. } => Exit::Unresolved,
        Ended { failed: true, .. } => Exit::Error,
        Ended { refused: true, .. } => Exit::Refused,
        Ended { outage: true, .. } => Exit::Unresolved,
        Ended { pending: true, .. } if detailed => Exit::Pending,
        Ended { .. } => Exit::Done,
    }
}
