//! Execution of a plan: asking, applying it, observing again, and the outcome.

use super::confirm::{Asking, agreed};
use super::context::Context;
use super::exit::{Exit, Run};
use super::options::{Format, ReportOptions, RunOptions};
use super::outcome::{self, Applied};
use super::session::{Host, Session};
use super::signals::stop_on_signal;
use super::view::{human, json, progress::Progress};
use crate::error::{Error, ErrorKind};
use crate::model::OpKind;
use crate::reconcile::{
    Crossroads, Event, Plan, Report, Status, Step, SystemClock, Walker, apply_beside,
};

/// Shows a plan for objects that were named, and applies it.
pub(crate) fn finish(context: &Context, session: &Session, run: &RunOptions) -> Run {
    let stops = run.dry_run || !session.plan.refusals.is_empty();
    if stops || context.output.format == Format::Human {
        context.result_or_nobody(&outcome::text(context, session, ReportOptions::default()));
    }
    if stops {
        let refused = !session.plan.refusals.is_empty();
        return Ok(if refused { Exit::Refused } else { Exit::Done });
    }
    let shown = || human::plan(&session.view(), context.output, false);
    if !agreed(context, Asking::of_asked(run), &session.plan, &session.host, shown)? {
        return Ok(Exit::Refused);
    }
    Ok(carry_out(context, session, run, None).exit(session, false))
}

/// Applies the plan of a session that nothing refuses, and observes again. `beside` has the other
/// hosts that guests come from or go to, where the plans are applied at the same time.
pub(crate) fn carry_out(
    context: &Context,
    session: &Session,
    run: &RunOptions,
    beside: Option<Walker<'_>>,
) -> Applied {
    if !session.plan.is_empty() && session.host.capabilities.read_only {
        refuse_to_change(context);
        return Applied::ReadOnly;
    }
    let sent_along = |step: &Step| session.sent_along(&step.target.id);
    let report = match walk(context, &session.plan, &session.host, run, beside, &sent_along) {
        Ok(report) => report,
        Err(e) => {
            context.show_error(&e);
            return Applied::Failed;
        }
    };
    // what was done is told even if the host cannot be read any more
    let again = match session.plan.is_empty() {
        true => Ok(None),
        false => session.plan_again().map(Some),
    };
    let after = After::of(context, &session.plan, &report, again);
    let residue = after.residue.as_ref();
    context.result_or_nobody(&match context.output.format {
        Format::Human => human::report(&session.plan, &report, residue, context.output),
        Format::Json => context.line(json::summary(&session.view(), &report, residue)),
    });
    after.judge(&session.plan, &report, session.has_errors())
}

/// State of the host after an apply.
pub(super) struct After {
    /// Remaining drift, beyond the changes that are left to guests.
    pub(super) residue: Option<Plan>,
    is_read: bool,
    waits: bool,
    is_down: bool,
}

impl After {
    /// `again` is the plan that was made afterwards, if there was one to make.
    pub(super) fn of(
        context: &Context,
        plan: &Plan,
        report: &Report,
        again: Result<Option<Plan>, Error>,
    ) -> Self {
        let is_read = again.is_ok();
        // what the plan did not know of: a guest's balloon that has not followed its start, say
        let waits =
            matches!(&again, Ok(Some(again)) if again.has_pending()) && !plan.leaves_pending();
        let is_down = match &again {
            Ok(Some(again)) => again.has_outage(),
            Ok(None) | Err(_) => plan.has_outage(),
        };
        let residue = match again {
            Ok(again) => again.and_then(|again| report.left_over(plan, again)),
            Err(e) => {
                context.show_error(&e);
                None
            }
        };
        Self { residue, is_read, waits, is_down }
    }

    /// Outcome of the apply.
    pub(super) fn judge(&self, plan: &Plan, report: &Report, has_errors: bool) -> Applied {
        if report.has_unknown() || !self.is_read {
            Applied::Unresolved
        } else if !report.is_done() {
            Applied::Failed
        } else if self.residue.is_some() && !has_errors || self.is_down {
            Applied::Unresolved
        } else if report.pending(plan).is_empty() && !self.waits {
            Applied::Converged
        } else {
            Applied::Waits
        }
    }
}

/// Refuses to change a host that is only looked at, before the first call.
pub(super) fn refuse_to_change(context: &Context) -> Exit {
    let text = "the connection is read-only; nothing was changed";
    let error = Error::new(ErrorKind::Denied, text);
    context.show_error(&error.hint("leave --read-only out to apply the plan"));
    Exit::Refused
}

/// Applies a plan and shows what failed. A definition may be refused for a value that the host
/// itself had filled in earlier: `sent_along` names that.
pub(super) fn walk(
    context: &Context,
    plan: &Plan,
    host: &Host,
    run: &RunOptions,
    beside: Option<Walker<'_>>,
    sent_along: &dyn Fn(&Step) -> Vec<xmltree::Path>,
) -> Result<Report, Error> {
    let stop = stop_on_signal()?;
    let mut progress = Progress::new(context, plan.steps.len());
    let mut show = |event: Event<'_>| progress.event(event);
    let parallel = usize::from(run.parallel);
    let driver = host.driver.as_ref();
    let alone = Crossroads::default();
    // those that wait for it wait no longer than the walk takes
    let beside = beside.unwrap_or_else(|| alone.enter(""));
    let pace = (parallel, &stop);
    let report = apply_beside(plan, driver, &SystemClock, pace, &beside, &mut show);
    drop(beside);
    progress.clear();
    for (step, told) in plan.steps.iter().zip(&report.steps) {
        let (Status::Failed(e) | Status::Unknown(e)) = &told.status else { continue };
        let is_define = step.action.calls(OpKind::Define);
        let along = if is_define && e.hint.is_none() { sent_along(step) } else { Vec::new() };
        let along: Vec<String> = along.iter().map(ToString::to_string).collect();
        context.show_error(&match along.is_empty() {
            true => e.clone(),
            false => e.clone().hint(format!(
                "also sent, with the values that the host had filled in, since the manifest has \
                 none: {}",
                along.join(", ")
            )),
        });
    }
    for (_, status) in &report.put_back {
        if let Status::Failed(e) | Status::Unknown(e) = status {
            let text = "what the running instance refused could not be taken out of the definition for \
                        the next boot, which will most likely not start";
            let error = Error::new(ErrorKind::NotSent, text).caused_by(e.clone());
            context.show_error(&match &e.address {
                Some(address) => error.address(address.clone()),
                None => error,
            });
        }
    }
    Ok(report)
}
