//! `virt apply`: make the host match, and look again afterwards.

use super::confirm::{Asking, agreed};
use super::context::Context;
use super::execute::carry_out;
use super::exit::{Exit, Failure, Run};
use super::options::{Format, PlanOptions, RunOptions};
use super::outcome;
use super::saved::{self, is_plan_file};
use super::session::{Purpose, Target, prepare};
use super::view::human;
use clap::Args;
use std::path::PathBuf;

/// Make the host match
///
/// A second run changes nothing. A path that is a saved plan (virt plan --out) is applied as it was
/// reviewed, or refused if the host has changed since.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Manifests, directories of them, or one saved plan
    #[arg(required = true, value_name = "PATH|PLANFILE")]
    pub(crate) paths: Vec<PathBuf>,
    /// Apply a saved plan only if it has this digest, as virt plan --out printed it; the plan is
    /// not shown again then
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect: Option<String>,
    #[command(flatten)]
    pub(crate) options: PlanOptions,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

pub(crate) fn run(context: &Context, args: &ApplyArgs) -> Run {
    let context = &context.changing("apply", &args.run);
    if let [path] = args.paths.as_slice()
        && is_plan_file(path)
    {
        if args.options.changes_the_plan() || !context.patterns.is_empty() || context.set.is_some()
        {
            let text =
                "a saved plan is applied as it is: the options that make a plan do not go with it";
            return Err(Failure::Usage(text.to_owned()));
        }
        return saved::apply(context, path, &args.run, args.expect.as_deref());
    }
    if args.expect.is_some() {
        let text = "--expect goes with one saved plan, as virt plan --out writes it";
        return Err(Failure::Usage(text.to_owned()));
    }
    let session = match prepare(context, &args.paths, &args.options, Purpose::Apply)? {
        Target::Host(session) => session,
        Target::Fleet(fleet) => return fleet.apply(context, args.options.reporting(), &args.run),
    };
    let stops = args.run.dry_run || !session.plan.refusals.is_empty();
    if stops || context.output.format == Format::Human {
        context.result_or_nobody(&outcome::text(context, &session, args.options.reporting()));
    }
    if stops {
        return Ok(outcome::exit(&session, args.options.reporting()));
    }
    let asking = Asking::of(&args.run);
    let shown = || human::plan(&session.view(), context.output, args.options.explain);
    if !agreed(context, asking, &session.plan, &session.host, shown)? {
        return Ok(Exit::Refused);
    }
    let applied = carry_out(context, &session, &args.run, None);
    Ok(applied.exit(&session, args.options.detailed_exitcode))
}
