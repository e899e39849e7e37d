//! Settlement between hosts: guests that move, and those that may not be created, started or removed for now,
//! worked out from the facts of all hosts.
//!
//! - `unknown.rs`: pools that could not be read

mod unknown;

use super::crossing::{Arrival, Blocked, Crossing};
use super::facts::{Guest, HostFacts, written};
use super::storage::{Pools, Storage, pools_in};
use crate::model::{Desired, DesiredResource, Power, ResourceId};
use diagnostics::{Diagnostic, Diagnostics};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// A guest that is wanted on a host while another one may have it.
const ELSEWHERE: &str = "on-another-host";

/// A disk that two hosts would write to.
const TWICE: &str = "disk-on-two-hosts";

/// Options for all hosts of a fleet.
#[derive(Clone, Copy, Debug)]
pub struct Fleet<'a> {
    /// The set whose guests they are.
    pub set: &'a str,
    /// Whether guests may be taken from hosts that no manifest wants them on.
    pub prune: bool,
    /// Hosts that are taken to have nothing as long as they cannot be read.
    pub assume_absent: &'a BTreeSet<String>,
    /// Paths beneath which all hosts find the same files.
    pub shared: &'a [PathBuf],
    /// The guests that are asked about; `None` for all.
    pub only: Option<&'a BTreeSet<ResourceId>>,
}

impl Fleet<'_> {
    fn includes(&self, id: &ResourceId) -> bool {
        self.only.is_none_or(|only| only.contains(id))
    }
}

/// A host of a fleet.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Name of the host in `virt.toml`.
    pub name: &'a str,
    /// Desired resources of the host.
    pub desired: &'a Desired,
    /// Facts of the host; `None` if it was not read.
    pub facts: Option<&'a HostFacts>,
}

/// Result of a settlement, host by host in the order of the sites.
#[derive(Debug, Default)]
pub struct Settled {
    /// Constraints of the others on each host.
    pub crossings: Vec<Crossing>,
    /// The guests that are to move: each with the places of the hosts that it leaves and goes to.
    pub moves: Vec<(ResourceId, usize, usize)>,
    /// Diagnostics about guests that run already.
    pub diagnostics: Diagnostics,
}

/// Settles the constraints between the hosts of a fleet.
pub fn settle(fleet: Fleet<'_>, sites: &[Site<'_>]) -> Settled {
    let settled = Settled {
        crossings: sites.iter().map(|_| Crossing::default()).collect(),
        ..Settled::default()
    };
    let mut s = Settling { fleet, sites, settled, written: HashMap::new() };
    let (mut new, mut old) = (Sites::new(), Sites::new());
    for (at, site) in sites.iter().enumerate() {
        let Some(facts) = site.facts else { continue };
        let wanted = site.desired.resources.keys().filter(|id| id.kind.is_guest());
        let wanted = wanted.filter(|id| fleet.includes(id));
        for id in wanted.filter(|id| facts.guests.get(*id).is_none_or(|g| !g.is_active)) {
            new.entry(id.clone()).or_default().push(at);
        }
        for (id, guest) in facts.guests.iter().filter(|(id, _)| fleet.includes(id)) {
            let ours = guest.set.as_deref() == Some(fleet.set);
            let named =
                site.desired.resources.contains_key(id) || site.desired.blocked.contains_key(id);
            if ours && !named {
                old.entry(id.clone()).or_default().push(at);
            }
        }
    }
    s.disks();
    s.pools();
    let ids: BTreeSet<&ResourceId> = new.keys().chain(old.keys()).collect();
    for id in ids {
        let at = |sites: &Sites| sites.get(id).cloned().unwrap_or_default();
        if let Some(name) = s.silent_where_wanted(id) {
            let reason = format!("{id} does not answer on {name}, where it is wanted");
            at(&old).into_iter().for_each(|at| s.keep(at, id, reason.clone()));
            continue;
        }
        match at(&old) {
            old if old.is_empty() => s.only_new(id, &at(&new)),
            old => s.old_and_new(id, old, &at(&new)),
        }
    }
    s.settled
}

/// The disks that are asked about; `None` for all.
struct Asked(Option<BTreeSet<String>>);

impl Asked {
    fn includes(&self, word: &String) -> bool {
        self.0.as_ref().is_none_or(|words| words.contains(word))
    }
}

/// The places of hosts, by a guest.
type Sites = BTreeMap<ResourceId, Vec<usize>>;

struct Settling<'a> {
    fleet: Fleet<'a>,
    sites: &'a [Site<'a>],
    settled: Settled,
    /// Disks that each manifest writes to, by the address of the manifest: the hosts of a fleet share them.
    written: HashMap<*const DesiredResource, Vec<String>>,
}

/// A guest that writes, or is to write, to a disk.
#[derive(Clone, Copy)]
struct Claim<'a> {
    at: usize,
    id: &'a ResourceId,
    is_active: bool,
    is_wanted: bool,
}

impl Claim<'_> {
    /// Whether two claims are on one disk from two hosts. A guest that is to leave one of them is one.
    fn clashes(self, other: Self) -> bool {
        let one = self.id == other.id && !(self.is_wanted && other.is_wanted);
        self.at != other.at && !one
    }
}

impl<'a> Settling<'a> {
    fn site(&self, at: usize) -> Option<&'a Site<'a>> {
        self.sites.get(at)
    }

    fn name(&self, at: usize) -> &'a str {
        self.site(at).map_or("", |s| s.name)
    }

    fn guest(&self, at: usize, id: &ResourceId) -> Option<&'a Guest> {
        self.site(at)?.facts?.guests.get(id)
    }

    fn block(&mut self, at: usize, id: &ResourceId, blocked: Blocked) {
        if let Some(crossing) = self.settled.crossings.get_mut(at) {
            crossing.blocked.entry(id.clone()).or_insert(blocked);
        }
    }

    fn keep(&mut self, at: usize, id: &ResourceId, reason: String) {
        if let Some(crossing) = self.settled.crossings.get_mut(at) {
            crossing.kept.insert(id.clone(), reason);
        }
    }

    /// Hosts of which nothing is known.
    fn unread(&self) -> impl Iterator<Item = &'a Site<'a>> + use<'a> {
        let absent = self.fleet.assume_absent;
        self.sites.iter().filter(|s| s.facts.is_none() && !absent.contains(s.name))
    }

    /// Returns the shared disks that the manifest of a guest writes to.
    fn writes(&mut self, at: usize, resource: &Arc<DesiredResource>) -> Vec<String> {
        let definition = &resource.definition;
        let none = Pools::new();
        let shared = self.fleet.shared;
        // the meaning of a volume depends on the host
        if pools_in(definition.as_element()).next().is_some() {
            let pools = self.site(at).and_then(|s| s.facts).map_or(&none, |facts| &facts.pools);
            return written(definition.as_element(), Storage { shared, pools });
        }
        let of = || written(definition.as_element(), Storage { shared, pools: &none });
        self.written.entry(Arc::as_ptr(resource)).or_insert_with(of).clone()
    }

    /// Refuses that two hosts write to one disk.
    fn disks(&mut self) {
        // most guests write to no shared storage at all
        let Some(asked) = self.asked_disks() else { return };
        let mut claims: BTreeMap<String, Vec<Claim<'a>>> = BTreeMap::new();
        for (at, site) in self.sites.iter().enumerate() {
            for (id, guest) in site.facts.into_iter().flat_map(|f| &f.guests) {
                let is_wanted = site.desired.resources.contains_key(id);
                let claim = Claim { at, id, is_active: guest.is_active, is_wanted };
                let writes = guest.writes.iter().filter(|_| guest.is_active);
                for word in writes.filter(|word| asked.includes(word)) {
                    claims.entry(word.clone()).or_default().push(claim);
                }
            }
            for (id, resource) in &site.desired.resources {
                let runs = matches!(resource.settings.power, Power::Running | Power::Paused);
                let is_active = self.guest(at, id).is_some_and(|g| g.is_active);
                if id.kind.is_guest() && runs && !is_active {
                    for word in self.writes(at, resource) {
                        if !asked.includes(&word) {
                            continue;
                        }
                        let claim = Claim { at, id, is_active, is_wanted: true };
                        claims.entry(word).or_default().push(claim);
                    }
                }
            }
        }
        for (word, claims) in claims.into_iter().filter(|(_, claims)| claims.len() > 1) {
            self.disk(&word, &claims);
        }
    }

    /// Returns the disks of the guests that are settled; `None` without such guests.
    fn asked_disks(&mut self) -> Option<Asked> {
        let Some(only) = self.fleet.only else { return Some(Asked(None)) };
        let mut words = BTreeSet::new();
        for (at, site) in self.sites.iter().enumerate() {
            for id in only {
                words.extend(self.guest(at, id).into_iter().flat_map(|g| g.writes.clone()));
                if let Some(resource) = site.desired.resources.get(id) {
                    words.extend(self.writes(at, resource));
                }
            }
        }
        (!words.is_empty()).then_some(Asked(Some(words)))
    }

    fn disk(&mut self, word: &str, claims: &[Claim<'a>]) {
        let disk = word.strip_prefix("path:").unwrap_or(word);
        for (n, claim) in claims.iter().enumerate() {
            let others = || claims.iter().filter(|other| claim.clashes(**other));
            let Some(other) = others().find(|other| other.is_active).or_else(|| others().next())
            else {
                continue;
            };
            let does = if other.is_active { "writes" } else { "is to write" };
            let reason =
                format!("{} on {} {does} to its disk {disk}", other.id, self.name(other.at));
            let hint =
                "two guests that write to one disk destroy it: have one of them run, or make \
                        it <shareable/> if they agree between themselves"
                    .to_owned();
            if !claim.is_active {
                self.block(claim.at, claim.id, Blocked { code: TWICE, reason, hint });
            } else if other.is_active && claims.iter().take(n).any(|c| c.at == other.at) {
                // both run already: it is said of the second of each two
                let who = format!("{} on {}", claim.id, self.name(claim.at));
                let diagnostic =
                    Diagnostic::error(TWICE, format!("{who} shares a disk")).hint(hint);
                let desired = self.site(claim.at).map(|s| &s.desired.resources);
                let span = desired.and_then(|d| d.get(claim.id)).map(|r| r.span);
                let diagnostic = diagnostic.detail(reason).address(claim.id.to_string());
                let diagnostic = Diagnostic { span, ..diagnostic };
                self.settled.diagnostics.push(diagnostic);
            }
        }
    }

    /// Settles a guest that is on no known host except those that are to have it.
    fn only_new(&mut self, id: &ResourceId, new: &[usize]) {
        for &at in new {
            let blocked = self.silent_namesake(id, at).or_else(|| self.silent_writer(id, at));
            let blocked = blocked.or_else(|| self.silent_pool(id, at));
            if let Some(blocked) = blocked {
                self.block(at, id, blocked);
                continue;
            }
            match self.guest(at, id) {
                None => self.unless_unread(id, at),
                Some(guest) => {
                    if let Some(moving) = &guest.moving {
                        self.unfinished(id, at, &moving.from);
                    }
                }
            }
        }
    }

    /// The host that has a guest where it is wanted, and could not read it.
    fn silent_where_wanted(&self, id: &ResourceId) -> Option<&'a str> {
        let is_here = |site: &&Site<'a>| {
            let silent = site.facts.is_some_and(|facts| facts.silent.contains(id));
            silent && site.desired.resources.contains_key(id)
        };
        self.sites.iter().find(is_here).map(|site| site.name)
    }

    /// The other hosts with guests that do not answer.
    fn silent_others(&self, at: usize) -> Vec<(&'a str, &'a BTreeSet<ResourceId>)> {
        let others = self.sites.iter().enumerate().filter(|(other, _)| *other != at);
        let others = others.filter_map(|(_, site)| Some((site.name, &site.facts?.silent)));
        others.filter(|(_, silent)| !silent.is_empty()).collect()
    }

    /// Refuses a guest of whose name another host has one that does not answer.
    fn silent_namesake(&self, id: &ResourceId, at: usize) -> Option<Blocked> {
        let others = self.silent_others(at);
        let (name, _) = others.iter().find(|(_, silent)| silent.contains(id))?;
        Some(silent(format!("{name} has a guest of that name, which does not answer")))
    }

    /// Refuses a guest to whose disk another host's guest that does not answer may write.
    fn silent_writer(&mut self, id: &ResourceId, at: usize) -> Option<Blocked> {
        let others = self.silent_others(at);
        let (first, silent_there) = others.first()?;
        let resource = self.site(at)?.desired.resources.get(id)?;
        let word = self.writes(at, resource).into_iter().next()?;
        let disk = word.strip_prefix("path:").unwrap_or(&word);
        let other = silent_there.first()?;
        let reason =
            format!("{other} on {first} does not answer, and may write to its disk {disk}");
        Some(silent(reason))
    }

    /// Blocks a new guest that may be on a host that was not read. Only a disk that both would write to is a
    /// reason.
    fn unless_unread(&mut self, id: &ResourceId, at: usize) {
        let unread: Vec<&str> = self.unread().map(|s| s.name).collect();
        let (Some(first), Some(site)) = (unread.first().copied(), self.site(at)) else { return };
        let Some(resource) = site.desired.resources.get(id) else { return };
        if let Some(word) = self.writes(at, resource).first() {
            let disk = word.strip_prefix("path:").unwrap_or(word);
            let others = unread.len() - 1;
            let more = if others > 0 { format!(" and {others} more") } else { String::new() };
            let reason = format!(
                "{first}{more} was not read and may have it, and its disk {disk} is on shared storage"
            );
            let flags: Vec<String> =
                unread.iter().take(3).map(|name| format!("--assume-absent {name}")).collect();
            let hint = format!("read all hosts, or pass {} if it is not there", flags.join(" "));
            self.block(at, id, Blocked { code: ELSEWHERE, reason, hint });
        }
    }

    /// Goes on with an unfinished move from a host where no guest is to leave, or blocks it.
    fn unfinished(&mut self, id: &ResourceId, at: usize, from: &str) {
        let site = self.sites.iter().find(|s| s.name == from);
        let there = site.and_then(|s| s.facts);
        let blocked = match there {
            Some(facts) if facts.guests.contains_key(id) => Blocked {
                code: ELSEWHERE,
                reason: format!("its move from {from} is not over, and {from} is to keep it now"),
                hint: format!("delete it on one of the two: virt delete {id} --host …"),
            },
            None if !self.fleet.assume_absent.contains(from) => unread(from),
            Some(_) | None => {
                if let Some(crossing) = self.settled.crossings.get_mut(at) {
                    let arrival = Arrival { from: from.to_owned(), old: None };
                    crossing.arriving.insert(id.clone(), arrival);
                }
                return;
            }
        };
        self.block(at, id, blocked);
    }

    /// Settles a guest that is on hosts that are not to have it.
    fn old_and_new(&mut self, id: &ResourceId, mut old: Vec<usize>, new: &[usize]) {
        let uuid = |at: usize| self.guest(at, id).map(|g| g.uuid);
        let olds: Vec<_> = old.iter().map(|at| uuid(*at)).collect();
        let comes = |at: &&usize| match self.guest(**at, id) {
            None => true,
            Some(guest) => guest.moving.is_some() || olds.contains(&Some(guest.uuid)),
        };
        let mut targets: Vec<usize> = new.iter().filter(comes).copied().collect();
        if self.fleet.prune {
            self.block_silent(id, &old, &targets);
        }
        let uuid = |at: usize| self.guest(at, id).map(|g| g.uuid);
        let names = |sites: &[usize]| {
            let names: Vec<&str> = sites.iter().map(|at| self.name(*at)).collect();
            names.join(" and ")
        };
        if !self.fleet.prune {
            let from = names(&old);
            for at in targets {
                let reason = format!("it is still on {from}");
                let hint = "pass --prune to have it moved: it is stopped there, and started here";
                let blocked = Blocked { code: ELSEWHERE, reason, hint: hint.to_owned() };
                self.block(at, id, blocked);
            }
            return;
        }
        // guests that are moving already
        let mut pairs = Vec::new();
        targets.retain(|&to| {
            let guest = self.guest(to, id);
            let same = |from: &usize| {
                let moving = guest.and_then(|g| g.moving.as_ref());
                moving.is_some_and(|m| m.from == self.name(*from))
                    || guest.is_some_and(|g| Some(g.uuid) == uuid(*from))
            };
            let Some(place) = old.iter().position(same) else { return true };
            pairs.push((old.remove(place), to));
            false
        });
        match (old.as_slice(), targets.as_slice()) {
            ([from], [to]) => pairs.push((*from, *to)),
            ([], _) => self.only_new(id, &targets),
            (old, []) => self.may_go_to_others(id, old, &pairs),
            (old, targets) => {
                let (from, to) = (names(old), names(targets));
                let reason = format!(
                    "it leaves {from} and is new on {to}: which of them moves where is ambiguous"
                );
                let hint = "change its hosts one by one, with an apply after each".to_owned();
                for at in targets {
                    let (reason, hint) = (reason.clone(), hint.clone());
                    self.block(*at, id, Blocked { code: ELSEWHERE, reason, hint });
                }
                for at in old {
                    self.keep(*at, id, reason.clone());
                }
            }
        }
        for (from, to) in pairs {
            self.pair(id, from, to);
        }
    }

    /// Blocks a guest whose namesake on a target does not answer. Disks matter only if the guest is off: one
    /// that runs has its disks already.
    fn block_silent(&mut self, id: &ResourceId, old: &[usize], targets: &[usize]) {
        let runs = old.iter().any(|at| self.guest(*at, id).is_some_and(|g| g.is_active));
        for &at in targets {
            let mut blocked = self.silent_namesake(id, at);
            if blocked.is_none() && !runs {
                blocked = self.silent_writer(id, at);
            }
            let blocked = blocked.or_else(|| self.silent_pool(id, at));
            if let Some(blocked) = blocked {
                self.block(at, id, blocked);
            }
        }
    }

    fn pair(&mut self, id: &ResourceId, from: usize, to: usize) {
        let blocked = self.settled.crossings.get(to).and_then(|c| c.blocked.get(id));
        match blocked.map(|b| b.reason.clone()) {
            Some(reason) => {
                let reason = format!("it is to go to {}, where {reason}", self.name(to));
                self.keep(from, id, reason);
            }
            None => self.settled.moves.push((id.clone(), from, to)),
        }
    }

    /// Keeps a guest that is to leave, where no host that was read lacks it: one that was not read may.
    fn may_go_to_others(&mut self, id: &ResourceId, old: &[usize], pairs: &[(usize, usize)]) {
        if !pairs.is_empty() {
            return;
        }
        let held = self.sites.iter().find_map(|site| {
            let reason = site.desired.blocked.get(id)?;
            Some(format!("it may go to {}, where it is blocked: {reason}", site.name))
        });
        let mut unread = self.unread().filter(|site| site.desired.resources.contains_key(id));
        let reason = held.or_else(|| {
            let site = unread.next()?;
            Some(format!("it may go to {}, which was not read: plan for both", site.name))
        });
        if let Some(reason) = reason {
            for at in old {
                self.keep(*at, id, reason.clone());
            }
        }
    }
}

/// Returns the block for a guest whose disks or identity cannot be read.
fn silent(reason: String) -> Blocked {
    Blocked { code: ELSEWHERE, reason, hint: "try again when it answers".to_owned() }
}

/// A guest has still to leave a host of which nothing is known.
pub(crate) fn unread(from: &str) -> Blocked {
    Blocked {
        code: ELSEWHERE,
        reason: format!("its move from {from} is not over, and {from} was not read"),
        hint: format!("plan for both, or pass --assume-absent {from} if it is gone from there"),
    }
}
