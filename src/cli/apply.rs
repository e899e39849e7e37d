//! `virt apply`: make the host match, and look again afterwards.

use super::args::{ApplyArgs, Format, RunOptions};
use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::plan;
use super::session::{Host, Session, Target, prepare, still_fits};
use super::signals::stop_on_signal;
use super::view::{human, json, progress::Progress};
use crate::diag::{Error, ErrorKind};
use crate::model::{Kind, Op, ResourceId};
use crate::reconcile::{
    Crossroads, Event, Plan, Report, Status, Step, StepAction, SystemClock, Walker, apply_beside,
    planfile,
};
use crate::xml;
use std::collections::BTreeSet;
use std::io::{BufRead as _, Read as _};
use std::path::Path;

pub(crate) fn run(context: &Context, args: &ApplyArgs) -> Run {
    let context = &context.changing("apply", &args.run);
    if let [path] = args.paths.as_slice()
        && is_plan_file(path)
    {
        if args.options.changes_the_plan() {
            let text =
                "a saved plan is applied as it is: the options that make a plan do not go with it";
            return Err(Failure::Usage(text.to_owned()));
        }
        return saved_plan(context, path, &args.run);
    }
    let session = match prepare(context, &args.paths, &args.options)? {
        Target::Host(session) => session,
        Target::Fleet(fleet) => return fleet.apply(context, args.options.manner(), &args.run),
    };
    let stops = args.run.dry_run || !session.plan.refusals.is_empty();
    if stops || context.output.format == Format::Human {
        context.result_or_nobody(&plan::text(context, &session, args.options.manner()));
    }
    if stops {
        return Ok(plan::exit(&session, args.options.manner()));
    }
    let asks = args.run.confirm && !session.host.capabilities.read_only;
    if !session.plan.is_empty() && asks && !confirmed_still(context, &session.plan, &session.host)?
    {
        return Ok(Exit::Refused);
    }
    let applied = carry_out(context, &session, &args.run, None);
    Ok(applied.exit(&session, args.options.detailed_exitcode))
}

/// What an apply came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The host is as the manifests say, as far as they can be carried out.
    Converged,
    /// The same, but that a guest has still to follow: to let a device go, or to give memory back.
    Waits,
    /// A step failed.
    Failed,
    /// It is not known what became of a step, the host is not as it was told to be, or a guest is up
    /// and does not work.
    Unresolved,
    /// Nothing was tried: the host is only looked at.
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

/// Applies the plan of a session that nothing refuses, and looks again.
/// `beside` is where the plans of other hosts that guests come from or go to are walked.
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
    let after = match session.plan.is_empty() {
        true => Ok(None),
        false => session.plan_again().map(Some),
    };
    let is_read = after.is_ok();
    // what the plan did not know of: a guest's balloon that has not followed its start, say
    let waits =
        matches!(&after, Ok(Some(again)) if again.has_pending()) && !session.plan.leaves_pending();
    let is_down = match &after {
        Ok(Some(again)) => again.outages().next().is_some(),
        Ok(None) | Err(_) => session.plan.outages().next().is_some(),
    };
    let residue = match after {
        Ok(again) => again.and_then(|again| report.left_over(&session.plan, again)),
        Err(e) => {
            context.show_error(&e);
            None
        }
    };
    let residue = residue.as_ref();
    context.result_or_nobody(&match context.output.format {
        Format::Human => human::report(&session.plan, &report, residue, context.output),
        Format::Json => context.line(json::summary(session, &report, residue)),
    });
    if report.has_unknown() || !is_read {
        Applied::Unresolved
    } else if !report.is_done() {
        Applied::Failed
    } else if residue.is_some() && !session.has_errors() || is_down {
        Applied::Unresolved
    } else if report.pending(&session.plan).is_empty() && !waits {
        Applied::Converged
    } else {
        Applied::Waits
    }
}

/// Says that a host is only looked at, before the first call that would change it.
fn refuse_to_change(context: &Context) -> Exit {
    let text = "the connection is read-only; nothing was changed";
    let error = Error::new(ErrorKind::Denied, text);
    context.show_error(&error.hint("leave --read-only out to apply the plan"));
    Exit::Refused
}

/// Carries a plan out and says what failed. A definition that is refused may be so for what the host
/// itself had filled in earlier: `sent_along` names that.
fn walk(
    context: &Context,
    plan: &Plan,
    host: &Host,
    run: &RunOptions,
    beside: Option<Walker<'_>>,
    sent_along: &dyn Fn(&Step) -> Vec<xml::Path>,
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
        let is_define = matches!(step.action, StepAction::Call(Op::Define { .. }));
        let along = if is_define && e.hint.is_none() { sent_along(step) } else { Vec::new() };
        let along: Vec<String> = along.iter().map(ToString::to_string).collect();
        context.show_error(&match along.is_empty() {
            true => e.clone(),
            false => e.clone().hint(format!(
                "sent along, as the host had filled them in and the manifest does not say: {}",
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

/// Asks whether what was shown is to be done.
pub(crate) fn confirmed(context: &Context) -> Result<bool, Failure> {
    context.output.say("Apply this plan? Only \"yes\" is taken: ");
    let mut answer = String::new();
    // a line is enough; more than that is no answer
    std::io::stdin().lock().take(64).read_line(&mut answer)?;
    let yes = answer.trim() == "yes";
    if !yes {
        context.note("nothing was changed\n");
    }
    Ok(yes)
}

/// Asks, and looks whether the host still has what the plan was made for: an answer takes its time.
pub(crate) fn confirmed_still(
    context: &Context,
    plan: &Plan,
    host: &Host,
) -> Result<bool, Failure> {
    if !confirmed(context)? {
        return Ok(false);
    }
    match still_fits(plan, &host.observe_for(&targets(plan))?) {
        Ok(()) => Ok(true),
        Err(e) => {
            context.show_error(&e);
            Ok(false)
        }
    }
}

/// What a plan is about. Who is on a network that it takes down is part of that.
fn targets(plan: &Plan) -> BTreeSet<ResourceId> {
    let targets: BTreeSet<ResourceId> =
        plan.steps.iter().map(|step| step.target.id.clone()).collect();
    let any_network = targets.iter().any(|id| id.kind == Kind::Network);
    if any_network { BTreeSet::new() } else { targets }
}

fn is_plan_file(path: &Path) -> bool {
    path.is_file() && path.extension().is_none_or(|e| e != "xml" && e != "toml")
}

fn saved_plan(context: &Context, path: &Path, run: &RunOptions) -> Run {
    let name = path.display().to_string();
    let file = crate::file::open(path).map_err(|e| Error::system(&name, &e))?;
    let mut text = String::new();
    file.take(planfile::SIZE_MAX)
        .read_to_string(&mut text)
        .map_err(|e| Error::system(&name, &e))?;
    let saved = planfile::read(&text).map_err(|e| e.address(name.clone()))?;
    let connection = saved.connection.clone();
    let plan = saved.into_plan().map_err(|e| e.address(name))?;
    let host = Host::open(context, Some(&connection))?;
    if host.uri != connection {
        return Err(Failure::Usage(format!(
            "the plan was made for {connection}, not for {}",
            host.uri
        )));
    }
    if let Err(e) = still_fits(&plan, &host.observe_for(&targets(&plan))?) {
        context.show_error(&e);
        return Ok(Exit::Refused);
    }
    if run.dry_run || context.output.format == Format::Human {
        context.result_or_nobody(&match context.output.format {
            Format::Human => human::steps(&plan, &connection, context.output),
            Format::Json => context.line(json::saved_plan(&plan, &connection)),
        });
    }
    if run.dry_run {
        return Ok(Exit::Done);
    }
    if !plan.steps.is_empty() && host.capabilities.read_only {
        return Ok(refuse_to_change(context));
    }
    if run.confirm && !confirmed_still(context, &plan, &host)? {
        return Ok(Exit::Refused);
    }
    let report = walk(context, &plan, &host, run, None, &|_| Vec::new())?;
    context.result_or_nobody(&match context.output.format {
        Format::Human => human::report(&plan, &report, None, context.output),
        Format::Json => context.line(json::saved_summary(&plan, &connection, &report)),
    });
    Ok(if report.has_unknown() {
        Exit::Unresolved
    } else if report.is_done() {
        Exit::Done
    } else {
        Exit::Error
    })
}
