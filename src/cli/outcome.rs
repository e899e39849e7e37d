//! Text of a plan, and the exit code of its outcome.

use super::context::Context;
use super::exit::Exit;
use super::options::{Format, ReportOptions};
use super::session::Session;
use super::view::{human, json};

/// Formats the plan of a session.
pub(crate) fn text(context: &Context, session: &Session, reporting: ReportOptions) -> String {
    match context.output.format {
        Format::Json => context.line(json::plan(&session.view(), reporting.fail_above)),
        Format::Human => {
            let plan = human::plan(&session.view(), context.output, reporting.explain);
            let above = reporting
                .fail_above
                .map(|limit| human::above(&session.plan, limit, context.output));
            plan + &above.unwrap_or_default()
        }
    }
}

/// The exit code of a run that stops after the plan.
pub(crate) fn exit(session: &Session, reporting: ReportOptions) -> Exit {
    let plan = &session.plan;
    let detailed = reporting.detailed_exitcode;
    let is_above = reporting.fail_above.is_some_and(|limit| !plan.above(limit).is_empty());
    if !plan.refusals.is_empty() || is_above {
        Exit::Refused
    } else if session.has_errors() {
        Exit::Error
    } else if plan.has_outage() {
        Exit::Unresolved
    } else if detailed && !plan.only_asks_again() {
        Exit::Changes
    } else if detailed && (plan.has_pending() || !plan.is_empty()) {
        Exit::Pending
    } else {
        Exit::Done
    }
}

/// Outcome of an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The host is as the manifests say, except for blocked objects.
    Converged,
    /// Converged, but a guest has still to follow: to release a device, or to give memory back.
    Waits,
    /// A step failed.
    Failed,
    /// The outcome of a step is unknown, the host did not converge, or a guest is up and does not
    /// work.
    Unresolved,
    /// Nothing was tried: the connection is read-only.
    ReadOnly,
}

impl Applied {
    /// The exit code for it.
    pub(crate) fn exit(self, session: &Session, detailed: bool) -> Exit {
        match self {
            Self::Unresolved => Exit::Unresolved,
            Self::Failed => Exit::Error,
            Self::ReadOnly => Exit::Refused,
            Self::Converged | Self::Waits if session.has_errors() => Exit::Error,
            Self::Waits if detailed => Exit::Pending,
            Self::Converged if detailed && session.plan.leaves_pending() => Exit::Pending,
            Self::Converged | Self::Waits => Exit::Done,
        }
    }
}
