//! Plan and apply for the hosts that `virt.toml` names: many at once, one report, in their order.

use super::context::Context;
use super::exit::Failure;
use super::written;
use crate::drivers::{Connection, Place};
use crate::error::Result;
use crate::manifest::{HostDesired, Loaded};
use crate::model::{Desired, HostPattern, ResourceId, Roster, Transport};
use crate::reconcile::Options;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Hosts to work on, and what to do there.
pub(crate) struct Fleet {
    pub(super) loaded: Arc<Loaded>,
    pub(super) hosts: Vec<Member>,
    pub(super) options: Options,
    /// Objects to delete beside those that the manifests name; `None` unless this is a deletion.
    pub(super) deletes: Option<Vec<ResourceId>>,
}

/// A selected host of the fleet.
#[derive(Debug)]
pub(crate) struct Member {
    /// Name of the host in `virt.toml`.
    pub(crate) name: String,
    /// Connection to the host, unless `virt.toml` may not choose it.
    pub(crate) connection: Result<Connection>,
    /// The connection, for people.
    pub(crate) shown: String,
    /// Desired state of the host.
    pub(crate) desired: Arc<Desired>,
}

impl Member {
    fn new(context: &Context, loaded: &Loaded, host: &HostDesired) -> Self {
        let connection = context.admit(&written::of_host(loaded, host));
        let shown = connection.as_ref().map_or(host.connect.text.as_str(), Connection::text);
        Self {
            name: host.name.clone(),
            shown: shown.to_owned(),
            connection,
            desired: Arc::clone(&host.desired),
        }
    }
}

/// The hosts of the fleet that `--host` chooses; none if `virt.toml` names none.
pub(crate) fn chosen(context: &Context, loaded: &Loaded) -> Result<Vec<Member>, Failure> {
    let patterns: &[HostPattern] = &context.patterns;
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    if loaded.fleet.is_empty() {
        return match patterns {
            [] => Ok(Vec::new()),
            _ => usage("--host chooses among the hosts that a virt.toml names, and none is named"),
        };
    }
    if context.connect.is_some() {
        return usage("virt.toml names the hosts: choose among them with --host, not --connect");
    }
    let roster = Roster::new(loaded.fleet.iter().map(|h| h.name.clone()));
    match roster.choose(patterns) {
        Ok(set) if set.is_empty() => usage("--host selects no host"),
        Ok(set) => {
            let all = loaded.fleet.iter().map(|host| Member::new(context, loaded, host));
            let all: Vec<Member> = all.collect();
            check_destinations(context, &all)?;
            let chosen = (0..).zip(all).filter(|(i, _)| set.contains(*i));
            Ok(chosen.map(|(_, member)| member).collect())
        }
        Err(lost) => {
            let lost = lost.first().and_then(|i| patterns.get(*i));
            let text = lost.map(|p| format!("no host is named {p}; {}", roster.hint(p)));
            Err(Failure::Usage(text.unwrap_or_default()))
        }
    }
}

/// Checks that no two names lead to one host, however each is spelled: each would prune the other's
/// objects. URIs in the files that differ in spelling only are reported with their places.
fn check_destinations(context: &Context, all: &[Member]) -> Result<(), Failure> {
    let environment = context.environment();
    let mut known: BTreeMap<(String, String), &str> = BTreeMap::new();
    for member in all {
        let Ok(connection) = &member.connection else { continue };
        let Some(place) = Place::of(connection.uri(), &environment) else { continue };
        for mark in place.marks() {
            let host = (mark.clone(), place.hypervisor().to_owned());
            let first = *known.entry(host).or_insert(&member.name);
            if first != member.name {
                return Err(Failure::Usage(format!(
                    "{first} and {} of virt.toml lead to one host, {}: leave one out",
                    member.name, member.shown
                )));
            }
        }
    }
    Ok(())
}

/// Whether a host is reached through a process of its own.
pub(crate) fn by_process(connection: &Result<Connection>) -> bool {
    let transport = connection.as_ref().ok().and_then(|connection| connection.uri().transport());
    matches!(transport, Some(Transport::Ssh | Transport::Ext))
}

impl Fleet {
    /// Creates the fleet of an apply.
    pub(crate) fn applying(loaded: Loaded, hosts: Vec<Member>, options: Options) -> Self {
        Self { loaded: Arc::new(loaded), hosts, options, deletes: None }
    }

    /// Creates the fleet of a deletion: of all that the manifests name for each host, and of
    /// `named`.
    pub(crate) fn deleting(
        loaded: Loaded,
        hosts: Vec<Member>,
        options: Options,
        named: Vec<ResourceId>,
    ) -> Self {
        Self { loaded: Arc::new(loaded), hosts, options, deletes: Some(named) }
    }
}
