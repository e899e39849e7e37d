//! `virt plan`: what would change, why, and how disruptive each step is.

use super::context::Context;
use super::exit::{Exit, Run};
use super::options::ReportOptions;
use super::options::{Format, PlanOptions, effect};
use super::saved;
use super::session::{Purpose, Session, Target, prepare};
use super::view::{human, json};
use crate::diag::{Error, ErrorKind, Result};
use crate::model::Effect;
use crate::reconcile::planfile;
use clap::Args;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

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
            save(context, &session, args.out.as_deref())?;
            Ok(exit(&session, reporting))
        }
        Target::Fleet(fleet) => fleet.plan(context, reporting, args.out.as_deref(), text),
    }
}

/// The plan of a session, as it is printed.
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

/// Writes the plan, if there is a path, for nobody but its owner to read; it holds whole
/// definitions.
pub(crate) fn save(context: &Context, session: &Session, path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    if session.host.capabilities.read_only {
        let text = "a plan made with --read-only cannot be saved: it knows no secrets, and would \
                    define without them";
        return Err(Error::new(ErrorKind::Denied, text).hint("leave --read-only out"));
    }
    let text = planfile::save(&session.plan, &session.host.uri, context.signing()?.as_ref())?;
    let name = path.display().to_string();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(|e| Error::system(&name, &e))?;
    // a file that was there keeps its mode otherwise
    let owner_only = std::fs::Permissions::from_mode(0o600);
    file.set_permissions(owner_only).map_err(|e| Error::system(&name, &e))?;
    file.write_all(text.as_bytes()).map_err(|e| Error::system(&name, &e))?;
    context.note(&format!("saved to {name} ({})\n", planfile::digest(&text)));
    Ok(())
}
