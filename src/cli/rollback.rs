//! `virt rollback`: applies the previous manifest of an object, by the same plan and effect policy
//! as apply.

use super::confirm::{Asking, agreed};
use super::context::Context;
use super::execute::carry_out;
use super::exit::{Exit, Run};
use super::listing::not_there;
use super::options::ReportOptions;
use super::options::{Format, RunOptions, effect, resource};
use super::outcome;
use super::session::{Session, observe_meant};
use super::view::{human, whole};
use crate::manifest::Loaded;
use crate::model::{Effect, ResourceId};
use crate::reconcile::{Options, rollback};
use clap::Args;
use std::sync::Arc;

/// Take an object back to the manifest that was applied before the last one
///
/// By the same plan and effect policy as apply. The version applied then becomes the last one, and
/// the version it replaces the one before: a second rollback undoes the first. Manifests are not
/// changed: the next apply of the newer one brings it back. A secret stays as the host has it.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The object
    #[arg(value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) what: ResourceId,
    /// Allow steps as disruptive as this: network-restart, restart, stops, replace, data-loss
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    pub(crate) allow: Vec<Effect>,
    /// Exit with 2 if the plan has changes, with 3 if something applied waits for a boot
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Name the rule behind each ignored difference
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

pub(crate) fn run(context: &Context, args: &RollbackArgs) -> Run {
    let (host, observed) = observe_meant(context)?;
    let Some(object) = observed.resources.get(&args.what) else {
        return Err(not_there(&args.what, &observed).into());
    };
    let desired = rollback(object, &host.capabilities)?;
    let loaded = Loaded { desired: Arc::new(desired), ..Loaded::default() };
    let options = Options {
        allow: args.allow.iter().copied().collect(),
        only: [args.what.clone()].into(),
        explain: args.explain,
        ..Options::default()
    };
    let session = Session::of_host(context, loaded, options, (host, observed))?;
    let reporting = ReportOptions {
        explain: args.explain,
        detailed_exitcode: args.detailed_exitcode,
        ..ReportOptions::default()
    };
    let stops = args.run.dry_run || !session.plan.refusals.is_empty();
    if stops || context.output.format == Format::Human {
        let whole = match context.output.format {
            Format::Human => whole::added(&session.plan),
            Format::Json => String::new(),
        };
        context.result_or_nobody(&(outcome::text(context, &session, reporting) + &whole));
    }
    if stops {
        return Ok(outcome::exit(&session, reporting));
    }
    let shown = || {
        human::plan(&session.view(), context.output, args.explain) + &whole::added(&session.plan)
    };
    if !agreed(context, Asking::of(&args.run), &session.plan, &session.host, shown)? {
        return Ok(Exit::Refused);
    }
    let exit = carry_out(context, &session, &args.run, None).exit(&session, args.detailed_exitcode);
    if matches!(exit, Exit::Done | Exit::Pending) {
        context.note(
            "the manifests still have the newer version, and the next virt apply brings it back: \
             revert them, too\n",
        );
    }
    Ok(exit)
}
