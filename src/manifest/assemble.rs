//! Assembly of the manifests of a set of paths, each read by itself, into the desired state.

use super::check;
use super::files::{Found, directory_name};
use super::fleet::{self, Directory, HostDesired, Selections};
use super::object::{Object, first_error};
use super::project::{self, Connect, FILE, NamedHost};
use crate::model::{Desired, DesiredResource, ResourceId};
use diagnostics::shorten::{self, AllUntold, shorten};
use diagnostics::{Diagnostic, Diagnostics, Sources, Span};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Desired state of a set of paths, with all diagnostics.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Desired state: sound resources, and blocked ones. For a fleet it covers all hosts together, with one
    /// place for several objects of one name; it serves reports, while `fleet` is applied.
    pub desired: Arc<Desired>,
    /// Hosts that `virt.toml` names, in its order, each with its desired state. Empty if it names none: then
    /// `desired` is for the one host that the caller names.
    pub fleet: Vec<HostDesired>,
    /// Numbers of resources that are sound, and that are blocked.
    pub counts: (usize, usize),
    /// The texts that were read, for showing places.
    pub sources: Sources,
    /// Problems of all files, sorted by position.
    pub diagnostics: Diagnostics,
    /// Whether a `virt.toml` or the caller names the set; otherwise its name is a directory's.
    pub set_is_named: bool,
    /// The connection that `virt.toml` names.
    pub connect: Option<Connect>,
    /// Paths beneath which all hosts find the same files, as `virt.toml` says.
    pub shared: Vec<PathBuf>,
}

/// Manifests that were read, each by itself.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) objects: Vec<Object>,
    pub(super) sources: Sources,
    pub(super) diagnostics: Diagnostics,
    /// Number of unreported problems of each file.
    pub(super) untold: AllUntold,
    pub(super) complete: bool,
    /// Diagnostics about the grammars that `virt.toml` names.
    pub(super) grammars: Diagnostics,
}

/// Treatment of content that a grammar refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedAre {
    /// An error: its object is blocked.
    Wrong,
    /// Kept with its object, for callers that ask hosts: one that holds the same has accepted it.
    ForHosts,
}

/// Assembles the desired state from the manifests and the `virt.toml`s.
pub(super) fn put_together(
    paths: &[PathBuf],
    found: &Found,
    parts: Parts,
    refused: RefusedAre,
    asked: Option<&str>,
) -> Loaded {
    let Parts { mut objects, sources, diagnostics, mut untold, mut complete, grammars } = parts;
    let mut loaded = Loaded { sources, diagnostics, ..Loaded::default() };
    if refused == RefusedAre::Wrong {
        objects.iter_mut().for_each(|object| object.condemn(&mut loaded.diagnostics));
    }
    let settled = settle(paths, found, grammars, asked, &mut loaded);
    let Settled { set, hosts, directories, broken } = settled;
    let broken = broken.or_else(|| found.over.clone());
    complete &= broken.is_none();
    let selections = fleet::select(&mut objects, &hosts, &directories, &mut loaded.diagnostics);
    check::across(&mut objects, &selections, &mut loaded.diagnostics);
    if refused == RefusedAre::ForHosts {
        // refusals that no host is asked about are reported at once
        let is_held = |object: &&mut Object| object.broken.is_some() || broken.is_some();
        let held = objects.iter_mut().filter(is_held);
        held.for_each(|object| object.condemn(&mut loaded.diagnostics));
    }
    let empty = Desired { set, complete, ..Desired::default() };
    assemble(objects, &selections, hosts, broken, &empty, &mut loaded);
    loaded.diagnostics = shorten(std::mem::take(&mut loaded.diagnostics), &mut untold);
    shorten::say(&untold, &loaded.sources, &mut loaded.diagnostics);
    loaded.diagnostics.sort();
    loaded
}

/// Combined settings of the `virt.toml`s.
#[derive(Debug, Default)]
struct Settled {
    set: String,
    hosts: Vec<NamedHost>,
    /// Choices of each directory.
    directories: Vec<Directory>,
    /// Reason for which nothing may be applied, if so.
    broken: Option<String>,
}

/// Settles the name of the set, the connection and the hosts.
/// `problems` are those of the grammars that one of them names.
fn settle(
    paths: &[PathBuf],
    files: &Found,
    mut problems: Diagnostics,
    asked: Option<&str>,
    loaded: &mut Loaded,
) -> Settled {
    let mut settled = Settled::default();
    let (mut set, mut connect, mut schema_dir) = (None, None, None);
    let mut beside = PathBuf::new();
    for file in &files.virt_tomls {
        let mut own = Diagnostics::default();
        let mut found = match files.read(file, &mut loaded.sources, &mut own) {
            Some(source) => {
                let text = loaded.sources.get(source).map_or("", |s| s.text.as_str());
                project::parse(source, text, file.is_top, &mut own)
            }
            None => project::VirtToml::default(),
        };
        // the mistakes of one further down concern what is below it
        let broken = if file.is_top { None } else { first_error(&own, &loaded.sources) };
        settled.directories.push(Directory { above: file.above, choice: found.choice, broken });
        let into = if file.is_top { &mut problems } else { &mut loaded.diagnostics };
        into.extend(own);
        let directory = file.path.parent().unwrap_or(Path::new(""));
        if connect.is_none() && found.connect.is_some() {
            beside = directory.to_owned();
        }
        found.hosts.iter_mut().for_each(|host| host.directory = directory.to_owned());
        if asked.is_none() {
            agree(&mut set, found.set, "set", &mut problems);
        }
        agree(&mut connect, found.connect, "connection", &mut problems);
        agree(&mut schema_dir, found.schema_dir, "directory of grammars", &mut problems);
        agree_on_hosts(&mut settled.hosts, found.hosts, &mut problems);
        loaded.shared.extend(found.shared);
    }
    if let (Some((_, span)), Some(host)) = (&connect, settled.hosts.first())
        && span.source != host.span.source
    {
        problems.push(
            Diagnostic::error("ambiguous-hosts", "the paths name one host and several")
                .at(*span)
                .related(host.span, "one of several")
                .hint("apply them one after the other"),
        );
    }
    loaded.connect = connect.map(|(text, span)| Connect { text, span, directory: beside });
    match asked.map(str::to_owned).or(set.map(|(set, _)| set)) {
        Some(set) => {
            settled.set = set;
            loaded.set_is_named = true;
        }
        None => {
            let names: Vec<String> = paths.iter().map(|p| directory_name(p)).collect();
            if names.iter().any(|n| Some(n) != names.first()) {
                problems.push(
                    Diagnostic::error("ambiguous-set", "the paths do not name their set")
                        .detail(format!("without a {FILE} they are {}", names.join(", ")))
                        .hint(format!("give one of them a {FILE} with a set")),
                );
            }
            settled.set = names.into_iter().next().unwrap_or_default();
        }
    }
    settled.broken = first_error(&problems, &loaded.sources);
    loaded.diagnostics.extend(problems);
    settled
}

/// Keeps the hosts of the one path that names any, and complains of another.
fn agree_on_hosts(kept: &mut Vec<NamedHost>, found: Vec<NamedHost>, out: &mut Diagnostics) {
    match (kept.first(), found.first()) {
        (None, _) => *kept = found,
        (Some(first), Some(other)) => out.push(
            Diagnostic::error("ambiguous-hosts", "two paths name hosts")
                .at(other.name_span)
                .related(first.name_span, "the first one")
                .hint("apply them one after the other"),
        ),
        (Some(_), None) => {}
    }
}

/// Keeps the first of several values and complains of another one.
fn agree(
    kept: &mut Option<(String, Span)>,
    found: Option<(String, Span)>,
    what: &str,
    out: &mut Diagnostics,
) {
    match (&kept, found) {
        (_, None) => {}
        (None, found) => *kept = found,
        (Some((first, first_span)), Some((other, span))) if *first != other => out.push(
            Diagnostic::error("ambiguous-set", format!("two paths name a different {what}"))
                .at(span)
                .related(*first_span, "the first one")
                .hint("apply them one after the other"),
        ),
        (Some(_), Some(_)) => {}
    }
}

/// Makes the desired state of each group of hosts, and that of all.
fn assemble(
    objects: Vec<Object>,
    selections: &Selections,
    hosts: Vec<NamedHost>,
    broken: Option<String>,
    empty: &Desired,
    loaded: &mut Loaded,
) {
    let of_groups: Vec<Vec<usize>> = selections
        .groups
        .iter()
        .map(|g| (0..).zip(&objects).filter(|(_, o)| g.has(o)).map(|(i, _)| i).collect())
        .collect();
    let settled: Vec<Entry> = objects.into_iter().map(|o| entry(o, broken.as_deref())).collect();
    let sound = settled.iter().filter(|(_, entry)| entry.is_ok()).count();
    loaded.counts = (sound, settled.len() - sound);
    loaded.desired = Arc::new(together(settled.iter(), empty));
    let mut fleet: Vec<Option<HostDesired>> = hosts.iter().map(|_| None).collect();
    for (group, members) in selections.groups.iter().zip(of_groups) {
        let mut desired = together(members.iter().filter_map(|i| settled.get(*i)), empty);
        // a resource with unknown hosts does not block another that is for this host
        desired.blocked.retain(|id, _| !desired.resources.contains_key(id));
        let desired = Arc::new(desired);
        for at in &group.hosts {
            // without a fleet the one group has no host here
            if let (Some(host), Some(place)) = (hosts.get(*at), fleet.get_mut(*at)) {
                let NamedHost { name, connect, span, directory, .. } = host.clone();
                let (connect, desired) =
                    (Connect { text: connect, span, directory }, Arc::clone(&desired));
                *place = Some(HostDesired { name, connect, desired });
            }
        }
    }
    loaded.fleet = fleet.into_iter().flatten().collect();
}

/// Resource, or the reason for which it is blocked.
type Entry = (ResourceId, Result<Arc<DesiredResource>, String>);

fn entry(object: Object, broken: Option<&str>) -> Entry {
    let id = object.id.clone();
    match object.broken.or_else(|| broken.map(str::to_owned)) {
        Some(reason) => (id, Err(reason)),
        None => (id, Ok(object.resource)),
    }
}

fn together<'a>(entries: impl Iterator<Item = &'a Entry>, empty: &Desired) -> Desired {
    let mut desired = empty.clone();
    for (id, entry) in entries {
        match entry {
            Ok(resource) => {
                desired.resources.insert(id.clone(), Arc::clone(resource));
            }
            Err(reason) => {
                desired.blocked.entry(id.clone()).or_insert_with(|| reason.clone());
            }
        }
    }
    desired
}
