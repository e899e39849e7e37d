//! Choice of hosts: each manifest is assigned to those that it is for.
//!
//! The innermost choice counts: the manifest's own, then that of the nearest `virt.toml` above it
//! that has one, then all hosts. Equal choices are worked out once, and hosts with the same
//! manifests are one group, so that nothing but the choice itself is done for each pair of a host
//! and a manifest.

use super::object::Object;
use super::project::Connect;
use super::project::{Choice, FILE, NamedHost};
use crate::model::{BitSet, Desired, HostPattern, Roster};
use diagnostics::{Diagnostic, Diagnostics, Span};
use std::collections::HashMap;
use std::sync::Arc;

/// Host of a fleet, with its desired state.
#[derive(Clone, Debug)]
pub struct HostDesired {
    /// Name in `virt.toml`.
    pub name: String,
    /// Connection, as it is written there.
    pub connect: Connect,
    /// Desired state, shared with the hosts that have the same.
    pub desired: Arc<Desired>,
}

/// A `virt.toml` as far as it chooses hosts.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// The next `virt.toml` above it.
    pub(super) above: Option<usize>,
    /// Choice of hosts.
    pub(super) choice: Option<Choice>,
    /// Reason for which the choice is unknown.
    pub(super) broken: Option<String>,
}

/// The number of the set of all hosts.
const ALL: usize = 0;

/// Index of the set of an object whose choice of hosts is unknown: it is blocked on all hosts, and clashes
/// with nothing.
const UNKNOWN: usize = 1;

/// The hosts that each object is for. Without a fleet there is one host, and all is for it.
#[derive(Debug)]
pub(super) struct Selections {
    /// The distinct sets of hosts; an object has the number of its own.
    sets: Vec<BitSet>,
    /// Hosts that are to have the same, in the order of their first.
    pub(super) groups: Vec<Group>,
}

/// Hosts that are to have the same.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) hosts: Vec<usize>,
    /// The sets in which they are.
    selections: BitSet,
}

impl Group {
    /// Whether an object is for the hosts of the group.
    pub(super) fn has(&self, object: &Object) -> bool {
        self.selections.contains(object.selection)
    }
}

impl Selections {
    /// Returns the selections for the only host.
    fn single() -> Self {
        let all = BitSet::full(1);
        let selections = [ALL, UNKNOWN].into_iter().collect();
        Self { sets: vec![all; 2], groups: vec![Group { hosts: vec![0], selections }] }
    }

    /// The hosts that an object is for, if that is known.
    pub(super) fn hosts(&self, object: &Object) -> Option<&BitSet> {
        if object.selection == UNKNOWN { None } else { self.sets.get(object.selection) }
    }

    /// Whether both objects are for a common host, or may be.
    pub(super) fn meet(&self, a: &Object, b: &Object) -> bool {
        let sets = (self.sets.get(a.selection), self.sets.get(b.selection));
        a.selection == b.selection || matches!(sets, (Some(a), Some(b)) if a.intersects(b))
    }
}

/// Settles for each object which hosts it is for. An object whose choice cannot be made out is
/// held back on all hosts: none of them may take it for gone.
pub(super) fn select(
    objects: &mut [Object],
    hosts: &[NamedHost],
    directories: &[Directory],
    out: &mut Diagnostics,
) -> Selections {
    if hosts.is_empty() {
        without_hosts(objects, directories, out);
        return Selections::single();
    }
    let mut chooser = Chooser::new(hosts);
    let of_directories: Vec<Chosen> =
        directories.iter().map(|d| chooser.directory(d, out)).collect();
    for object in objects.iter_mut() {
        // a mistake may have hidden the choice, and what it is held back on is not pruned there
        let hidden =
            (object.broken.is_some() || object.may_hide_hosts()) && object.hosts.is_empty();
        let chosen = if !object.hosts_known || hidden {
            Chosen::unknown("it is not known which hosts it is for".to_owned())
        } else if object.hosts.is_empty() {
            let nearest = nearest(directories, object.directory);
            nearest.and_then(|n| of_directories.get(n)).cloned().unwrap_or_else(Chosen::all)
        } else {
            let places: Vec<Span> = object.hosts.iter().map(|(_, span)| *span).collect();
            let patterns = object.hosts.iter().map(|(p, _)| p.clone()).collect();
            let whole = places.first().copied().unwrap_or(object.span);
            chooser.choose(patterns, &places, whole, Some(&object.id.to_string()), out)
        };
        object.selection = chosen.selection;
        if let Some(reason) = chosen.broken {
            object.broken.get_or_insert(reason);
        }
    }
    let groups = groups(&chooser.sets, hosts.len());
    Selections { sets: chooser.sets, groups }
}

/// The nearest `virt.toml` at or above a place that chooses hosts, or should.
fn nearest(directories: &[Directory], from: Option<usize>) -> Option<usize> {
    let mut at = from;
    // a link may have led back to where it came from
    for _ in directories {
        let directory = directories.get(at?)?;
        if directory.choice.is_some() || directory.broken.is_some() {
            return at;
        }
        at = directory.above;
    }
    None
}

/// Reports a choice of hosts in a project that names no hosts.
fn without_hosts(objects: &mut [Object], directories: &[Directory], out: &mut Diagnostics) {
    const SUMMARY: &str = "hosts are chosen, and no virt.toml names any";
    let say = |span: Span| {
        Diagnostic::error("unknown-host", SUMMARY).at(span).hint(format!(
            "name them as in [hosts.kvm01] in the {FILE} of the directory that is given"
        ))
    };
    for choice in directories.iter().filter_map(|d| d.choice.as_ref()) {
        out.push(say(choice.span));
    }
    for object in objects {
        let own = object.hosts.first().map(|(_, span)| *span);
        out.extend(own.map(|span| say(span).address(object.id.to_string())));
        if own.is_some() || nearest(directories, object.directory).is_some() {
            object.broken.get_or_insert(SUMMARY.to_owned());
        }
    }
}

/// Result of matching patterns.
#[derive(Clone, Debug)]
struct Chosen {
    /// The number of the set.
    selection: usize,
    broken: Option<String>,
}

impl Chosen {
    fn all() -> Self {
        Self { selection: ALL, broken: None }
    }

    fn unknown(reason: String) -> Self {
        Self { selection: UNKNOWN, broken: Some(reason) }
    }
}

struct Chooser {
    roster: Roster,
    sets: Vec<BitSet>,
    numbers: HashMap<BitSet, usize>,
    /// Cached result for each list of patterns.
    known: HashMap<Vec<HostPattern>, Result<usize, Vec<usize>>>,
}

impl Chooser {
    fn new(hosts: &[NamedHost]) -> Self {
        let all = BitSet::full(hosts.len());
        Self {
            roster: Roster::new(hosts.iter().map(|h| h.name.clone())),
            // UNKNOWN's has them all, too, and no pattern gives its number
            sets: vec![all.clone(), all.clone()],
            numbers: HashMap::from([(all, ALL)]),
            known: HashMap::new(),
        }
    }

    fn directory(&mut self, directory: &Directory, out: &mut Diagnostics) -> Chosen {
        if let Some(reason) = &directory.broken {
            return Chosen::unknown(reason.clone());
        }
        let Some(choice) = &directory.choice else { return Chosen::all() };
        let places: Vec<Span> = choice.patterns.iter().map(|(_, span)| *span).collect();
        let patterns = choice.patterns.iter().map(|(p, _)| p.clone()).collect();
        self.choose(patterns, &places, choice.span, None, out)
    }

    fn choose(
        &mut self,
        patterns: Vec<HostPattern>,
        places: &[Span],
        whole: Span,
        address: Option<&str>,
        out: &mut Diagnostics,
    ) -> Chosen {
        let found = match self.known.get(&patterns) {
            Some(found) => found.clone(),
            None => {
                let found = self.roster.choose(&patterns).map(|set| self.number(set));
                self.known.insert(patterns.clone(), found.clone());
                found
            }
        };
        let mut say = |problem: Diagnostic| {
            let reason = problem.summary.clone();
            out.push(Diagnostic { address: address.map(str::to_owned), ..problem });
            Chosen::unknown(reason)
        };
        match found {
            Ok(number) if self.sets.get(number).is_some_and(|set| !set.is_empty()) => {
                Chosen { selection: number, broken: None }
            }
            Ok(_) => say(Diagnostic::error("no-host", "the patterns select no host")
                .at(whole)
                .hint("to have an object nowhere, remove its manifest")),
            Err(lost) => {
                let mut chosen = Chosen::all();
                for i in lost {
                    let (Some(pattern), Some(place)) = (patterns.get(i), places.get(i)) else {
                        continue;
                    };
                    let summary = format!("no host is named {pattern}");
                    let hint = self.roster.hint(pattern);
                    chosen = say(Diagnostic::error("unknown-host", summary).at(*place).hint(hint));
                }
                chosen
            }
        }
    }

    fn number(&mut self, set: BitSet) -> usize {
        let next = self.sets.len();
        let number = *self.numbers.entry(set.clone()).or_insert(next);
        if number == next {
            self.sets.push(set);
        }
        number
    }
}

fn groups(sets: &[BitSet], hosts: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<BitSet, usize> = HashMap::new();
    for host in 0..hosts {
        let mine: BitSet =
            sets.iter().enumerate().filter(|(_, set)| set.contains(host)).map(|(i, _)| i).collect();
        let at = *known.entry(mine.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.hosts.push(host),
            None => groups.push(Group { hosts: vec![host], selections: mine }),
        }
    }
    groups
}
