//! Asking whether a plan is to be applied.

use super::context::Context;
use super::exit::Failure;
use super::options::{Format, RunOptions};
use super::output::is_at_terminal;
use super::session::{Host, still_fits};
use crate::model::Effect;
use crate::reconcile::Plan;
use std::io::{BufRead as _, IsTerminal as _, Read as _};

/// Condition for asking before a plan is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// Never: there is no terminal, or --yes was given.
    Never,
    /// Before effects that take a guest down or lose something.
    Disruptive,
    /// Before any change: --confirm.
    Always,
}

impl Asking {
    /// Condition by the options: at a terminal, ask about disruptive plans.
    pub(crate) fn of(run: &RunOptions) -> Self {
        let somebody = || std::io::stdin().is_terminal() && is_at_terminal();
        if run.confirm {
            Self::Always
        } else if !run.yes && somebody() {
            Self::Disruptive
        } else {
            Self::Never
        }
    }

    /// Condition for a command that is itself an explicit request, such as `delete`.
    pub(crate) fn of_asked(run: &RunOptions) -> Self {
        if run.confirm { Self::Always } else { Self::Never }
    }

    /// Whether to ask about this plan.
    pub(crate) fn about(self, plan: &Plan) -> bool {
        match self {
            Self::Never => false,
            Self::Disruptive => plan.steps.iter().any(|step| step.effect >= Effect::Restart),
            Self::Always => !plan.is_empty(),
        }
    }
}

/// Whether the plan may be applied: no question is due, or the answer was yes and the host still
/// has what the plan was made for, since an answer takes its time. `shown` is the whole plan, for a
/// user who has not seen it: results in a program's format are read by a program.
pub(crate) fn agreed(
    context: &Context,
    asking: Asking,
    plan: &Plan,
    host: &Host,
    shown: impl FnOnce() -> String,
) -> Result<bool, Failure> {
    if !asking.about(plan) || host.capabilities.read_only {
        return Ok(true);
    }
    if context.output.format == Format::Json {
        context.say(&shown());
    }
    if !confirmed(context)? {
        return Ok(false);
    }
    match still_fits(plan, &host.observe()?) {
        Ok(()) => Ok(true),
        Err(e) => {
            context.show_error(&e);
            Ok(false)
        }
    }
}

/// Asks whether to apply the plan that was shown.
pub(crate) fn confirmed(context: &Context) -> Result<bool, Failure> {
    context.output.say("Apply this plan? Only \"yes\" is accepted: ");
    let mut answer = String::new();
    // a line is enough; more than that is no answer
    std::io::stdin().lock().take(64).read_line(&mut answer)?;
    let yes = answer.trim() == "yes";
    if !yes {
        context.note("nothing was changed\n");
    }
    Ok(yes)
}
