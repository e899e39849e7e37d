//! Saved plans: showing one from its file alone, and applying it as it was reviewed.

use super::confirm::{Asking, agreed};
use super::context::Context;
use super::execute::{After, refuse_to_change, walk};
use super::exit::{Exit, Failure, Run};
use super::options::{Format, RunOptions};
use super::outcome::Applied;
use super::session::{Host, Session, still_fits};
use super::view::saved::saved as view_saved;
use super::view::{human, json};
use super::written;
use crate::drivers::Written;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{NotOwned, open_owned};
use crate::model::Observed;
use crate::reconcile::plan::file;
use crate::reconcile::plan::file::Seal;
use crate::reconcile::{self, Plan, promised};
use diagnostics::shown_path;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// A plan as it was read from its file.
struct Saved {
    plan: Plan,
    connection: String,
    /// The same as it stands in the file, which does not choose a host by itself.
    written: Written,
    digest: String,
    /// Why the file is nobody's word that can be taken without a digest or a signature, if so.
    foreign: Option<String>,
    /// What its signature is worth; nothing where there is no key to tell.
    seal: Option<Seal>,
}

/// Whether a path is a saved plan and not a manifest.
pub(crate) fn is_plan_file(path: &Path) -> bool {
    path.is_file() && path.extension().is_none_or(|e| e != "xml" && e != "toml")
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
    let text = file::save(&session.plan, &session.host.uri, context.signing()?.as_ref())?;
    let name = shown_path(path);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(|e| Error::system(&name, &e))?;
    // a file that was there keeps its mode otherwise; a device such as /dev/null is everybody's
    if file.metadata().map_err(|e| Error::system(&name, &e))?.is_file() {
        let owner_only = std::fs::Permissions::from_mode(0o600);
        file.set_permissions(owner_only).map_err(|e| Error::system(&name, &e))?;
    }
    file.write_all(text.as_bytes()).map_err(|e| Error::system(&name, &e))?;
    context.note(&format!("saved to {name} ({})\n", file::digest(&text)));
    Ok(())
}

/// Shows a saved plan; no host is asked.
pub(crate) fn show(context: &Context, path: &Path) -> Run {
    let saved = read(context, path)?;
    context.output.result(&match context.output.format {
        Format::Human => view_saved(&saved.plan, &saved.connection, &saved.digest, context.output),
        Format::Json => {
            context.line(json::saved_plan(&saved.plan, &saved.connection, &saved.digest))
        }
    })?;
    Ok(Exit::Done)
}

/// Applies a saved plan. `expected` is the digest of the file that was reviewed; without it, and without
/// a signature, the whole plan is shown first.
pub(crate) fn apply(
    context: &Context,
    path: &Path,
    run: &RunOptions,
    expected: Option<&str>,
) -> Run {
    let saved = read(context, path)?;
    if let Some(error) = objection(&saved, expected) {
        context.show_error(&error.address(path.display().to_string()));
        return Ok(Exit::Refused);
    }
    let is_known = expected.is_some() || saved.seal == Some(Seal::Right);
    let asking = Asking::of(run);
    announce(context, &saved, asking, is_known, run.dry_run);
    let Saved { mut plan, connection, written, digest, .. } = saved;
    let host = Host::open(context, Some(&written))?;
    if host.uri != connection {
        let text = format!("the plan was made for {connection}, not for {}", host.uri);
        return Err(Failure::Usage(text));
    }
    let before = host.observe()?;
    if let Err(e) = still_fits(&plan, &before).and_then(|()| file::hold_to(&mut plan, &before)) {
        context.show_error(&e);
        return Ok(Exit::Refused);
    }
    if run.dry_run {
        return Ok(Exit::Done);
    }
    if !plan.steps.is_empty() && host.capabilities.read_only {
        return Ok(refuse_to_change(context));
    }
    let whole = || view_saved(&plan, &connection, &digest, context.output);
    if !agreed(context, asking, &plan, &host, whole)? {
        return Ok(Exit::Refused);
    }
    let report = walk(context, &plan, &host, run, None, &|_| Vec::new())?;
    let again = match plan.is_empty() {
        true => Ok(None),
        false => plan_again(&plan, &before, &host).map(Some),
    };
    let after = After::of(context, &plan, &report, again);
    let residue = after.residue.as_ref();
    context.result_or_nobody(&match context.output.format {
        Format::Human => human::report(&plan, &report, residue, context.output),
        Format::Json => context.line(json::saved_summary(&plan, &connection, &report, residue)),
    });
    Ok(match after.judge(&plan, &report, false) {
        Applied::Unresolved => Exit::Unresolved,
        Applied::Failed => Exit::Error,
        Applied::ReadOnly => Exit::Refused,
        Applied::Converged | Applied::Waits => Exit::Done,
    })
}

/// Why a saved plan is not applied, by its file alone.
fn objection(saved: &Saved, expected: Option<&str>) -> Option<Error> {
    let denied = |text: &str, hint: &str| Some(Error::new(ErrorKind::Denied, text).hint(hint));
    let digest = &saved.digest;
    if expected.is_some_and(|expected| !is_digest(expected, digest)) {
        let text = format!("this is another plan than the one expected: its digest is {digest}");
        return denied(&text, "review it with virt plan --show, and expect its digest");
    }
    match saved.seal {
        Some(Seal::Wrong) => {
            let text = "its signature is wrong: it was changed, or signed with another key";
            denied(text, "make it anew with virt plan --out FILE")
        }
        Some(Seal::Missing) if expected.is_none() => {
            let text = "it has no signature, and there is a key that plans are signed with";
            let hint = format!(
                "make it anew where the key is, or review it with virt plan --show and pass --expect \
                 {digest}"
            );
            denied(text, &hint)
        }
        Some(Seal::Missing) | None if expected.is_none() => {
            let text = saved.foreign.as_ref()?;
            let hint = format!("review it with virt plan --show, and pass --expect {digest}");
            denied(text, &hint)
        }
        Some(Seal::Missing | Seal::Right) | None => None,
    }
}

/// Shows what is going to be done: all of it, unless the plan is known to be the one that was reviewed.
fn announce(context: &Context, saved: &Saved, asking: Asking, is_known: bool, dry_run: bool) {
    let Saved { plan, connection, digest, .. } = saved;
    let whole = || view_saved(plan, connection, digest, context.output);
    match (context.output.format, dry_run) {
        (Format::Json, true) => {
            context.result_or_nobody(&context.line(json::saved_plan(plan, connection, digest)));
        }
        // results are read by a program; what is going to be done is told to whoever looks on
        (Format::Json, false) if !is_known && !asking.about(plan) => context.say(&whole()),
        // whoever is asked sees all that is asked about
        (Format::Human, _) if !is_known || asking.about(plan) => {
            context.result_or_nobody(&whole());
        }
        (Format::Human, _) => {
            context.result_or_nobody(&human::steps(plan, connection, context.output));
        }
        (Format::Json, false) => {}
    }
}

/// What is left after the apply of a plan that found the host as it was `before`.
fn plan_again(plan: &Plan, before: &Observed, host: &Host) -> Result<Plan> {
    let (desired, options) = promised(plan, before);
    Ok(reconcile::plan(&desired, &host.observe()?, &host.capabilities, &options))
}

fn read(context: &Context, path: &Path) -> Result<Saved> {
    let name = shown_path(path);
    let file = crate::file::open(path).map_err(|e| Error::system(&name, &e))?;
    let mut text = String::new();
    file.take(file::SIZE_MAX).read_to_string(&mut text).map_err(|e| Error::system(&name, &e))?;
    let saved = file::read(&text).map_err(|e| e.address(name.clone()))?;
    let connection = saved.connection.clone();
    let seal = context.signing()?.map(|signing| saved.seal(&signing)).transpose()?;
    let plan = saved.into_plan().map_err(|e| e.address(name))?;
    let written = written::of_plan(path, &text, &connection);
    let foreign = foreign(path);
    Ok(Saved { plan, connection, written, foreign, seal, digest: file::digest(&text) })
}

/// Why a file may be somebody else's than whoever saved a plan here: `virt plan --out` makes it the
/// caller's and for nobody else, and no repository or archive of a pipeline keeps that.
fn foreign(path: &Path) -> Option<String> {
    if path.is_symlink() {
        return Some("a saved plan is not taken through a link".to_owned());
    }
    match open_owned(path, 0o077) {
        Ok(_) => None,
        Err(NotOwned::Mode(mode)) => {
            Some(format!("others have had access to this plan (mode {mode:03o})"))
        }
        Err(NotOwned::OfUser(user)) => Some(format!("this plan is another user's (uid {user})")),
        Err(NotOwned::NotRegular) => Some("a saved plan is a regular file".to_owned()),
        Err(NotOwned::Unreadable(e)) => Some(format!("the plan cannot be looked at: {e}")),
    }
}

/// Whether `expected` is the digest, with the algorithm before it or without.
fn is_digest(expected: &str, digest: &str) -> bool {
    let hex = |text: &str| text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    hex(expected.trim()) == hex(digest)
}
