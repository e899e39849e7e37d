//! `virt delete`: objects go, through the same plan and gate.

use super::apply::carry_out;
use super::args::{DeleteArgs, Format};
use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::plan;
use super::session::{Session, load};
use crate::manifest::Loaded;
use crate::model::{Desired, ResourceId};
use crate::reconcile::Options;
use std::collections::BTreeSet;
use std::path::PathBuf;

pub(crate) fn run(context: &Context, args: &DeleteArgs) -> Run {
    let (named, paths) = sort_out(&args.what)?;
    let mut loaded = if paths.is_empty() { Loaded::default() } else { load(&paths) };
    context.show(&loaded.diagnostics, &loaded.sources);
    if loaded.diagnostics.has_errors() {
        return Ok(Exit::Error);
    }
    let delete: BTreeSet<ResourceId> =
        named.into_iter().chain(loaded.desired.resources.keys().cloned()).collect();
    let protected = loaded.desired.resources.values().filter(|r| r.settings.prevent_destroy);
    let protected = protected.map(|r| r.id.clone()).collect();
    // only what is deleted is looked at: the manifests are not applied
    let set = std::mem::take(&mut loaded.desired.set);
    loaded.desired = Desired { set, complete: true, ..Desired::default() };
    let options = Options {
        adopt: args.adopt,
        allow: args.allow.iter().copied().collect(),
        protected,
        delete,
        ..Options::default()
    };
    let session = Session::plan(context, loaded, options)?;
    for id in &session.absent {
        context.output.note(&format!("{id} is not on the host\n"));
    }
    let stops = args.run.dry_run || !session.plan.refusals.is_empty();
    if stops || context.output.format == Format::Human {
        context.result_or_nobody(&plan::text(context, &session, false));
    }
    match (session.plan.refusals.is_empty(), args.run.dry_run) {
        (false, _) => Ok(Exit::Refused),
        (true, true) => Ok(Exit::Done),
        (true, false) => carry_out(context, &session, &args.run),
    }
}

/// What is a path, and what an object's name: a path that exists is a path.
fn sort_out(what: &[String]) -> Result<(Vec<ResourceId>, Vec<PathBuf>), Failure> {
    let (mut named, mut paths) = (Vec::new(), Vec::new());
    for text in what {
        let path = PathBuf::from(text);
        match ResourceId::parse(text) {
            _ if path.exists() => paths.push(path),
            Some(id) => named.push(id),
            None => {
                let text = format!("{text} is neither a path that exists nor KIND/NAME");
                return Err(Failure::Usage(text));
            }
        }
    }
    Ok((named, paths))
}
