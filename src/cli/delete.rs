//! `virt delete`: deletes objects, by the same plan and effect policy as apply.

use super::context::Context;
use super::execute::finish;
use super::exit::{Exit, Failure, Run};
use super::fleet::{self, Fleet};
use super::options::ReportOptions;
use super::options::{RunOptions, effect, interval};
use super::project::Target;
use super::session::{Host, Session, check_set, deletion, load};
use crate::manifest::{Grammars, Loaded, load_as};
use crate::model::{Effect, ResourceId};
use crate::reconcile::Options;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Delete objects, by the same plan and effect policy as apply
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// Objects as KIND/NAME, or manifests that name them
    #[arg(required = true, value_name = "PATH|KIND/NAME")]
    pub(crate) what: Vec<String>,
    /// Delete objects that nobody owns, too
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Delete the NVRAM and TPM state of guests, too, which cannot be undone: it needs --allow
    /// data-loss. Disks stay in any case
    #[arg(long)]
    pub(crate) nvram: bool,
    /// Destroy a guest that does not shut down in time, as by pulling the plug
    #[arg(long)]
    pub(crate) force: bool,
    /// How long a guest has to shut down [default: as its manifest said, or 60s]
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) timeout: Option<Duration>,
    /// Allow steps as disruptive as this: data-loss for a saved memory image, snapshots, --nvram
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    pub(crate) allow: Vec<Effect>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

pub(crate) fn run(context: &Context, args: &DeleteArgs) -> Run {
    let context = &context.changing("delete", &args.run);
    let (named, paths) = sort_out(&args.what)?;
    if !paths.is_empty() && context.project.is_some() {
        let text =
            "--project is for objects named as KIND/NAME: paths name their directory themselves";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut loaded = match paths.is_empty() {
        true => Loaded::default(),
        false => load(context, load_as, &paths, &Grammars::Embedded),
    };
    context.show(&loaded.diagnostics, &loaded.sources);
    if loaded.diagnostics.has_errors() {
        return Ok(Exit::Error);
    }
    if !paths.is_empty() {
        check_set(&paths, &loaded)?;
    }
    let options = Options {
        adopt: args.adopt,
        allow: args.allow.iter().copied().collect(),
        remove_firmware: args.nvram,
        force: args.force,
        stop_timeout: args.timeout,
        ..Options::default()
    };
    let here = if paths.is_empty() {
        Some(Target::named(context, "which host they are to be deleted from")?)
    } else {
        None
    };
    let hosts = if paths.is_empty() { Vec::new() } else { fleet::chosen(context, &loaded)? };
    if !hosts.is_empty() {
        return Fleet::deleting(loaded, hosts, options, named).apply(
            context,
            ReportOptions::default(),
            &args.run,
        );
    }
    let (mut desired, options) = deletion(&loaded.desired, &named, options);
    let session = match here {
        None => {
            loaded.desired = Arc::new(desired);
            Session::plan(context, loaded, options)?
        }
        Some(target) => {
            desired.set = target.set.unwrap_or_default();
            loaded.desired = Arc::new(desired);
            let host = Host::open_at(context, &target.connection)?;
            let observed = host.observe()?;
            Session::of_host(context, loaded, options, (host, observed))?
        }
    };
    session.say_absent(context);
    finish(context, &session, &args.run)
}

/// Separates paths from names of objects: a path that exists is a path.
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
