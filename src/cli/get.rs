//! `virt get`: objects of a host, their owners, and whether they still are as they were applied.

use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::get_watch;
use super::listing::{Selection, Shown, not_there, whole};
use super::options::Format;
use super::session::Host;
use super::view::envelope::{self};
use super::view::{self};
use crate::model::{ObservedResource, ResourceId};
use crate::reconcile::states;
use clap::Args;

/// Show what is there: state, owner, pending changes, in sync or drifted
///
/// One object is shown by itself: the fields that differ between its last applied manifest, its next
/// boot, and what is running, each with the reason.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// domains, networks, or single objects as KIND/NAME; all without any
    #[arg(value_name = "domains|networks|KIND/NAME")]
    pub(crate) what: Vec<String>,
    /// Continue with a line for each change, as it happens, until interrupted
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Of one object, name the rule behind each ignored difference
    #[arg(long, conflicts_with = "watch")]
    pub(crate) explain: bool,
}

pub(crate) fn run(context: &Context, args: &GetArgs) -> Run {
    let selection = Selection::parse(&args.what)?;
    if args.explain && selection.single().is_none() {
        let text = "--explain is about one object: name it as KIND/NAME";
        return Err(Failure::Usage(text.to_owned()));
    }
    if args.watch {
        return get_watch::run(context, selection);
    }
    let host = Host::meant(context)?;
    let observed = host.observe()?;
    let is_there =
        |id: &ResourceId| observed.resources.contains_key(id) || observed.unknown.contains_key(id);
    if let Some(missing) = selection.ids.iter().find(|id| !is_there(id)) {
        return Err(not_there(missing, &observed).into());
    }
    let single = selection.single().and_then(|id| observed.resources.get(id));
    context.output.result(&match single {
        Some(object) => in_states(context, &host, object, args.explain),
        None => {
            let shown = Shown::all(&observed, &selection);
            whole(context, &host.uri, &shown.values().collect::<Vec<_>>())
        }
    })?;
    Ok(Exit::Done)
}

/// Shows one object in its three states: applied manifest, next boot, and running.
fn in_states(context: &Context, host: &Host, object: &ObservedResource, explain: bool) -> String {
    let (shown, states) = (Shown::new(object), states(object, &host.capabilities, explain));
    match context.output.format {
        Format::Human => view::states::human(&shown, object, &states, context.output),
        Format::Json => envelope::line(&view::states::json(shown.object, &host.uri, &states)),
    }
}
