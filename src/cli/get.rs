//! `virt get`: objects of a host, their owners, and whether they still are as they were applied.

use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::listing::{Selection, Shown, not_there, whole};
use super::options::Format;
use super::session::Host;
use super::view::envelope::{self};
use super::view::wide::Wide;
use super::view::{self};
use super::{get_watch, get_wide};
use crate::model::{AddressSource, ObservedResource, ResourceId};
use crate::reconcile::states;
use clap::{Args, ValueEnum};

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
    /// Ask domains for virtual CPUs, memory, CPU time and IP addresses, too, and the host for its
    /// CPUs and memory; what cannot be had is unknown
    #[arg(long, conflicts_with = "watch")]
    pub(crate) wide: bool,
    /// Source of the addresses that --wide shows
    #[arg(long, value_enum, default_value_t = Source::Lease, requires = "wide")]
    pub(crate) source: Source,
}

/// Source of the addresses of domains, with the names that virsh has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// The leases of the host's own DHCP servers
    Lease,
    /// The agent in the guest; not over a read-only connection
    Agent,
    /// The host's ARP table
    Arp,
}

impl From<Source> for AddressSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Lease => Self::Lease,
            Source::Agent => Self::Agent,
            Source::Arp => Self::Arp,
        }
    }
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
    let selected = observed.resources.values().filter(|object| selection.includes(&object.id));
    let wide = args.wide.then(|| get_wide::ask(context, &host, selected, args.source.into()));
    let single = selection.single().and_then(|id| observed.resources.get(id));
    context.output.result(&match single {
        Some(object) => in_states(context, &host, object, wide.as_ref(), args.explain),
        None => {
            let mut shown = Shown::all(&observed, &selection);
            for (id, shown) in &mut shown {
                wide.iter().for_each(|wide| wide.add_to(id, &mut shown.object));
            }
            let shown: Vec<&Shown> = shown.values().collect();
            whole(context, &host.uri, &shown, wide.as_ref())
        }
    })?;
    Ok(Exit::Done)
}

/// Shows one object in its three states: applied manifest, next boot, and running.
fn in_states(
    context: &Context,
    host: &Host,
    object: &ObservedResource,
    wide: Option<&Wide>,
    explain: bool,
) -> String {
    let (mut shown, states) = (Shown::new(object), states(object, &host.capabilities, explain));
    match context.output.format {
        Format::Human => view::states::human(&shown, object, &states, wide, context.output),
        Format::Json => {
            wide.iter().for_each(|wide| wide.add_to(&object.id, &mut shown.object));
            let mut value = view::states::json(shown.object, &host.uri, &states);
            wide.iter().for_each(|wide| wide.add_node_to(&mut value));
            envelope::line(&value)
        }
    }
}
