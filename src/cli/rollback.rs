//! `virt rollback`: an object goes back to the manifest before the last one, through the same plan
//! and gate.

use super::apply::carry_out;
use super::args::{Format, RollbackArgs};
use super::confirm::{Asking, agreed};
use super::context::Context;
use super::exit::{Exit, Run};
use super::fleet::Manner;
use super::get::not_there;
use super::plan;
use super::session::{Session, observe_meant};
use super::view::whole;
use crate::manifest::Loaded;
use crate::reconcile::{Options, rollback};
use std::sync::Arc;

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
    let manner = Manner {
        explain: args.explain,
        detailed_exitcode: args.detailed_exitcode,
        ..Manner::default()
    };
    let stops = args.run.dry_run || !session.plan.refusals.is_empty();
    if stops || context.output.format == Format::Human {
        let whole = match context.output.format {
            Format::Human => whole::added(&session.plan),
            Format::Json => String::new(),
        };
        context.result_or_nobody(&(plan::text(context, &session, manner) + &whole));
    }
    if stops {
        return Ok(plan::exit(&session, manner));
    }
    if !agreed(context, Asking::of(&args.run), &session.plan, &session.host)? {
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
