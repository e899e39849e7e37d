//! `virt plan`: the changes, their reasons, and how disruptive each step is.

use super::context::Context;
use super::exit::Run;
use super::options::ReportOptions;
use super::options::{PlanOptions, effect};
use super::outcome::{exit, text};
use super::saved;
use super::session::{Purpose, Target, prepare};
use crate::model::Effect;
use clap::Args;
use std::path::PathBuf;

/// Show what would change, why, and how disruptive each step is
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Manifests, or directories of them
    #[arg(required_unless_present = "show", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Show a saved plan, from its file alone: every step with what is sent
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "out", "fail_above"])]
    pub(crate) show: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: PlanOptions,
    /// Save the plan, to be applied as it is or not at all
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 5 if anything would be more disruptive than this: none, live, blip,
    /// network-restart, next-boot, restart, replace
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    pub(crate) fail_above: Option<Effect>,
}

pub(crate) fn run(context: &Context, args: &PlanArgs) -> Run {
    if let Some(path) = &args.show {
        return saved::show(context, path);
    }
    let reporting = ReportOptions { fail_above: args.fail_above, ..args.options.reporting() };
    let purpose = if args.out.is_some() { Purpose::Apply } else { Purpose::Show };
    match prepare(context, &args.paths, &args.options, purpose)? {
        Target::Host(session) => {
            context.output.result(&text(context, &session, reporting))?;
            saved::save(context, &session, args.out.as_deref())?;
            Ok(exit(&session, reporting))
        }
        Target::Fleet(fleet) => fleet.plan(context, reporting, args.out.as_deref(), text),
    }
}
