//! `virt plan`: what would change, why, and how disruptive each step is.

use super::args::{Format, PlanArgs};
use super::context::Context;
use super::exit::{Exit, Run};
use super::fleet::Manner;
use super::saved;
use super::session::{Purpose, Session, Target, prepare};
use super::view::{human, json};
use crate::diag::{Error, ErrorKind, Result};
use crate::reconcile::planfile;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

pub(crate) fn run(context: &Context, args: &PlanArgs) -> Run {
    if let Some(path) = &args.show {
        return saved::show(context, path);
    }
    let manner = Manner { fail_above: args.fail_above, ..args.options.manner() };
    let purpose = if args.out.is_some() { Purpose::Apply } else { Purpose::Show };
    match prepare(context, &args.paths, &args.options, purpose)? {
        Target::Host(session) => {
            context.output.result(&text(context, &session, manner))?;
            save(context, &session, args.out.as_deref())?;
            Ok(exit(&session, manner))
        }
        Target::Fleet(fleet) => fleet.plan(context, manner, args.out.as_deref(), text),
    }
}

/// The plan of a session, as it is printed.
pub(crate) fn text(context: &Context, session: &Session, manner: Manner) -> String {
    match context.output.format {
        Format::Json => context.line(json::plan(session, manner.fail_above)),
        Format::Human => {
            let plan = human::plan(session, context.output, manner.explain);
            let above =
                manner.fail_above.map(|limit| human::above(&session.plan, limit, context.output));
            plan + &above.unwrap_or_default()
        }
    }
}

/// The exit code of a run that stops after the plan.
pub(crate) fn exit(session: &Session, manner: Manner) -> Exit {
    let plan = &session.plan;
    let detailed = manner.detailed_exitcode;
    let is_above = manner.fail_above.is_some_and(|limit| !plan.above(limit).is_empty());
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
    // a file that was there keeps its mode otherwise; a device such as /dev/null is everybody's
    if file.metadata().map_err(|e| Error::system(&name, &e))?.is_file() {
        let owner_only = std::fs::Permissions::from_mode(0o600);
        file.set_permissions(owner_only).map_err(|e| Error::system(&name, &e))?;
    }
    file.write_all(text.as_bytes()).map_err(|e| Error::system(&name, &e))?;
    context.note(&format!("saved to {name} ({})\n", planfile::digest(&text)));
    Ok(())
}
