//! `virt diff`: each definition as it is and as it would be, as a unified diff.

use super::context::Context;
use super::exit::Run;
use super::options::ReportOptions;
use super::options::{Format, PlanOptions};
use super::outcome;
use super::session::{Purpose, Session, Target, prepare};
use super::view::{diff, json};
use clap::Args;
use std::path::PathBuf;

/// Show each definition as it is and as it would be
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Manifests, or directories of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) options: PlanOptions,
}

pub(crate) fn run(context: &Context, args: &DiffArgs) -> Run {
    match prepare(context, &args.paths, &args.options, Purpose::Show)? {
        Target::Host(session) => {
            context.output.result(&text(context, &session, args.options.reporting()))?;
            Ok(outcome::exit(&session, args.options.reporting()))
        }
        Target::Fleet(fleet) => fleet.plan(context, args.options.reporting(), None, text),
    }
}

fn text(context: &Context, session: &Session, _manner: ReportOptions) -> String {
    match context.output.format {
        Format::Json => context.line(json::plan(&session.view(), None)),
        Format::Human => {
            let changes = session.plan.changes.iter();
            changes.map(|change| diff::unified(change, context.output)).collect()
        }
    }
}
