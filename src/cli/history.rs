//! `virt history`: the versions of manifests that objects remember.

use super::context::Context;
use super::exit::{Exit, Run};
use super::listing::not_there;
use super::options::{Format, resource};
use super::session::observe_meant;
use super::view;
use crate::error::{Error, ErrorKind};
use crate::model::ResourceId;
use crate::reconcile::{history, unowned};
use clap::Args;

/// Show the versions of manifests that objects remember, and what differs between them
///
/// An object remembers the manifest that was applied last and the one before it, secrets left out.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Objects as KIND/NAME; all that are owned without any
    #[arg(value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) what: Vec<ResourceId>,
}

pub(crate) fn run(context: &Context, args: &HistoryArgs) -> Run {
    let (host, observed) = observe_meant(context)?;
    let mut found = Vec::new();
    for id in &args.what {
        let Some(object) = observed.resources.get(id) else {
            return Err(not_there(id, &observed).into());
        };
        let Some(history) = history(object) else {
            let text = unowned(object);
            return Err(Error::new(ErrorKind::Invalid, text)
                .address(id.to_string())
                .hint("virt apply --adopt takes it over")
                .into());
        };
        found.push((id, history));
    }
    if args.what.is_empty() {
        let all = observed.resources.values();
        found.extend(all.filter_map(|object| Some((&object.id, history(object)?))));
    }
    context.output.result(&match context.output.format {
        Format::Human => view::history::human(&found, context.output),
        Format::Json => context.line(view::history::json(&found, &host.uri)),
    })?;
    Ok(Exit::Done)
}
