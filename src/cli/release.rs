//! `virt release`: objects stay as they are, and no set owns them any more.

use super::context::Context;
use super::execute::finish;
use super::exit::{Exit, Failure, Run};
use super::listing::not_there;
use super::options::{RunOptions, resource};
use super::project::Target;
use super::session::{Host, Session};
use crate::error::{Error, ErrorKind};
use crate::manifest::Loaded;
use crate::model::{Desired, Observed, ResourceId};
use crate::reconcile::{Options, status, unowned};
use clap::Args;
use std::sync::Arc;

/// Have their set let go of objects, which stay as they are
///
/// The record that says who owns an object is taken off it. Nothing else changes, and no guest notices.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The objects
    #[arg(required = true, value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) what: Vec<ResourceId>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

pub(crate) fn run(context: &Context, args: &ReleaseArgs) -> Run {
    let context = &context.changing("release", &args.run);
    let target = Target::named(context, "whose objects they are")?;
    let host = Host::open_at(context, &target.connection)?;
    let observed = host.observe()?;
    for id in &args.what {
        check(id, &observed, target.set.as_deref())?;
    }
    let options = Options { release: args.what.iter().cloned().collect(), ..Options::default() };
    let set = target.set.unwrap_or_default();
    let desired = Desired { set, complete: true, ..Desired::default() };
    let loaded = Loaded { desired: Arc::new(desired), ..Loaded::default() };
    let session = Session::of_host(context, loaded, options, (host, observed))?;
    let exit = finish(context, &session, &args.run)?;
    if exit == Exit::Done && !args.run.dry_run {
        context.note(
            "a manifest that still names it does nothing to it any more, unless it is applied with \
             --adopt\n",
        );
    }
    Ok(exit)
}

/// Only what a set owns can be released, and within a project only what its set owns.
fn check(id: &ResourceId, observed: &Observed, set: Option<&str>) -> Result<(), Failure> {
    let Some(object) = observed.resources.get(id) else {
        return Err(not_there(id, observed).into());
    };
    let refused = |text: String, hint: &str| {
        let error = Error::new(ErrorKind::Denied, text).address(id.to_string());
        Err(error.hint(hint).into())
    };
    match (status(object).owner, set) {
        (None, _) if object.record.doubt.is_none() => {
            refused(unowned(object), "there is nothing to release")
        }
        (Some(owner), Some(set)) if owner != set => refused(
            format!("the set \"{owner}\" owns it, and not \"{set}\""),
            "release it in that set's directory, or name the host with -c",
        ),
        _ => Ok(()),
    }
}
