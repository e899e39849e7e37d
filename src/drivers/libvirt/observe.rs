//! Reading a host's inventory: a few bulk calls in one round trip, then the definitions, and of the
//! few domains that have any their snapshots and checkpoints.
//!
//! - `each.rs`: asking something of many objects, each of which stands for itself
//! - `snapshots.rs`: snapshots and checkpoints: of domains that have any, and that is known from the lists
//! - `transient.rs`: objects without a definition of their own, and those that came or went between the
//!   lists

mod each;
mod snapshots;
mod transient;

use super::connection::{Request, SERVED_AT_ONCE, too_much};
use super::connections::ConnectionPair;
use super::reading::reading;
use super::silent::{Silent, Subject};
use super::timeouts;
use crate::error::{Error, ErrorCode, ErrorKind, Result};
use crate::model::{
    Detail, Kind, Observed, ObservedResource, ResourceId, Scope, State, Unknown, Uuid,
};
use diagnostics::SourceId;
use each::ask;
use libvirt_rpc::{
    Class, Decode, DomainHandle, DomainStats, Encode, Listed, NetworkHandle, Procedure, from_bytes,
    to_bytes,
};
use std::collections::{HashMap, HashSet};
use std::vec::IntoIter;
use xmltree::{Element, Limits};

/// Flags of virConnectListAllDomains.
const DOMAINS_ALL: u32 = 0;
const DOMAINS_PERSISTENT: u32 = 1 << 2;
const DOMAINS_MANAGED_SAVE: u32 = 1 << 8;
const DOMAINS_AUTOSTART: u32 = 1 << 10;
const DOMAINS_SNAPSHOT: u32 = 1 << 12;
const DOMAINS_CHECKPOINT: u32 = 1 << 14;

/// Flags of virConnectListAllNetworks.
const NETWORKS_ALL: u32 = 0;
const NETWORKS_ACTIVE: u32 = 1 << 1;
const NETWORKS_PERSISTENT: u32 = 1 << 2;
const NETWORKS_AUTOSTART: u32 = 1 << 4;

/// VIR_DOMAIN_STATS_STATE: the only statistics that never wait for a guest.
const STATS_STATE: u32 = 1;

/// Flags of virDomainGetXMLDesc. Secrets are read too: a definition is merged from them and would lose them.
const DOMAIN_XML_SECURE: u32 = 1;

/// Reads the objects of `scope`, without secrets if the connection is read-only, which may not see them, and
/// at most `most` bytes. An object that vanishes while it is read is left out; one that cannot be read is
/// noted as unknown, and one that is `silent` already is not waited for again.
///
/// # Errors
/// The host could not be asked, or it is not known what it has.
pub(super) fn observe(
    connections: &mut ConnectionPair,
    scope: &Scope,
    read_only: bool,
    most: usize,
    silent: &mut Silent,
) -> Result<Observed> {
    let mut entries = list(connections, scope)?;
    doubt_twins(&mut entries);
    if scope.detail == Detail::Full {
        for entry in &mut entries {
            let subject = Subject::Object(entry.resource.id.clone());
            if entry.unknown.is_none() {
                entry.unknown = silent.why(&subject).map(str::to_owned);
            }
        }
    }
    transient::confirm(connections, &mut entries)?;
    read_missing_states(connections, &mut entries)?;
    transient::doubt(&mut entries);
    if scope.detail == Detail::Full {
        let secrets = if read_only { 0 } else { DOMAIN_XML_SECURE };
        read_definitions(connections, &mut entries, secrets, most)?;
        snapshots::read(connections, &mut entries)?;
    }
    let mut observed = Observed::default();
    for entry in entries.into_iter().filter(|entry| !entry.vanished) {
        let Entry { resource, unknown, late, handle, .. } = entry;
        let id = resource.id.clone();
        if let (true, Some(why)) = (late, &unknown) {
            silent.note(id.clone(), handle, why);
        }
        match unknown {
            Some(why) => {
                let unknown = Unknown { uuid: resource.uuid, state: resource.state, why };
                observed.unknown.insert(id, unknown);
            }
            None => {
                observed.resources.insert(id, resource);
            }
        }
    }
    Ok(observed)
}

/// A resource that is being read.
struct Entry {
    resource: ObservedResource,
    /// Handle for questions about it, in XDR.
    handle: Vec<u8>,
    /// Whether its state is known.
    has_state: bool,
    /// Whether the domain has any snapshots; `has_checkpoints`: any checkpoints.
    has_snapshots: bool,
    has_checkpoints: bool,
    vanished: bool,
    /// Reason for which it could not be read.
    unknown: Option<String>,
    /// Whether the reason is that it did not answer.
    late: bool,
}

/// The kinds in scope, their lists and states: all in one round trip.
fn list(connections: &mut ConnectionPair, scope: &Scope) -> Result<Vec<Entry>> {
    let mut requests = Vec::new();
    if scope.includes_kind(Kind::Network) {
        for flags in [NETWORKS_ALL, NETWORKS_ACTIVE, NETWORKS_PERSISTENT, NETWORKS_AUTOSTART] {
            requests.push(quick(Procedure::CONNECT_LIST_ALL_NETWORKS, &(1u32, flags))?);
        }
    }
    if scope.includes_kind(Kind::Domain) {
        for flags in [
            DOMAINS_ALL,
            DOMAINS_PERSISTENT,
            DOMAINS_MANAGED_SAVE,
            DOMAINS_AUTOSTART,
            DOMAINS_SNAPSHOT,
            DOMAINS_CHECKPOINT,
        ] {
            requests.push(quick(Procedure::CONNECT_LIST_ALL_DOMAINS, &(1u32, flags))?);
        }
        let args = (Vec::<DomainHandle>::new(), STATS_STATE, 0u32);
        requests.push(quick(Procedure::CONNECT_GET_ALL_DOMAIN_STATS, &args)?);
    }
    let connection = connections.connection(Class::Quick)?;
    let mut replies = Replies(connection.call_all(requests)?.into_iter());
    let mut entries = Vec::new();
    if scope.includes_kind(Kind::Network) {
        entries.extend(network_entries(&mut replies, scope)?);
    }
    if scope.includes_kind(Kind::Domain) {
        entries.extend(domain_entries(&mut replies, scope)?);
    }
    Ok(entries)
}

fn network_entries(replies: &mut Replies, scope: &Scope) -> Result<Vec<Entry>> {
    let mut list = || replies.list::<NetworkHandle>();
    let all = list()?;
    let uuids = |list: Vec<NetworkHandle>| list.into_iter().map(|n| n.uuid).collect();
    let active: HashSet<Uuid> = uuids(list()?);
    let persistent: HashSet<Uuid> = uuids(list()?);
    let autostart: HashSet<Uuid> = uuids(list()?);
    let mut entries = Vec::new();
    for network in all {
        let id = ResourceId::new(Kind::Network, &network.name);
        let unknown = unsound_name(&id);
        if !scope.includes(&id) {
            continue;
        }
        let uuid = network.uuid;
        let active = active.contains(&uuid);
        let state = if active { State::Running } else { State::Shutoff };
        let resource = ObservedResource {
            state,
            autostart: autostart.contains(&uuid),
            is_persistent: persistent.contains(&uuid),
            ..ObservedResource::unread(id, uuid)
        };
        let entry = Entry::new(resource, to_bytes(&network)?);
        entries.push(Entry { has_state: true, unknown, ..entry });
    }
    Ok(entries)
}

fn domain_entries(replies: &mut Replies, scope: &Scope) -> Result<Vec<Entry>> {
    let mut list = || replies.list::<DomainHandle>();
    let all = list()?;
    let uuids = |list: Vec<DomainHandle>| list.into_iter().map(|d| d.uuid).collect();
    let persistent: HashSet<Uuid> = uuids(list()?);
    let managed_save: HashSet<Uuid> = uuids(list()?);
    let autostart: HashSet<Uuid> = uuids(list()?);
    let snapshots: HashSet<Uuid> = uuids(replies.list_if_known()?);
    let checkpoints: HashSet<Uuid> = uuids(replies.list_if_known()?);
    let states = replies.states()?;
    let mut entries = Vec::new();
    for domain in all {
        let id = ResourceId::new(Kind::Domain, &domain.name);
        let unknown = unsound_name(&id);
        if !scope.includes(&id) {
            continue;
        }
        let uuid = domain.uuid;
        let (state, reason) = states.get(&uuid).copied().unwrap_or((State::NoState, 0));
        let resource = ObservedResource {
            state,
            reason,
            autostart: autostart.contains(&uuid),
            is_persistent: persistent.contains(&uuid),
            managed_save: managed_save.contains(&uuid),
            ..ObservedResource::unread(id, uuid)
        };
        entries.push(Entry {
            has_state: states.contains_key(&uuid),
            unknown,
            has_snapshots: snapshots.contains(&uuid),
            has_checkpoints: checkpoints.contains(&uuid),
            ..Entry::new(resource, to_bytes(&domain)?)
        });
    }
    Ok(entries)
}

/// Returns the reason for which no object of libvirt's can have a name that the host gave.
fn unsound_name(id: &ResourceId) -> Option<String> {
    let why = id.kind.check_host_name(&id.name).err()?;
    Some(format!("nothing can have that name: {why}"))
}

/// Marks objects with equal names or UUIDs as unknown: no host of libvirt's has them, so none is believed.
fn doubt_twins(entries: &mut [Entry]) {
    let mut names: HashMap<ResourceId, usize> = HashMap::new();
    let mut uuids: HashMap<(Kind, Uuid), usize> = HashMap::new();
    let uuid = |entry: &Entry| (entry.resource.id.kind, entry.resource.uuid);
    for entry in entries.iter() {
        *names.entry(entry.resource.id.clone()).or_default() += 1;
        *uuids.entry(uuid(entry)).or_default() += 1;
    }
    let is_twice = |entry: &Entry| {
        names.get(&entry.resource.id).is_some_and(|n| *n > 1)
            || uuids.get(&uuid(entry)).is_some_and(|n| *n > 1)
    };
    for entry in entries.iter_mut().filter(|entry| is_twice(entry)) {
        let why = "the host has two of that name or UUID";
        entry.unknown.get_or_insert_with(|| why.to_owned());
    }
}

/// Asks for states one by one: of all domains where the driver has no statistics, as Xen's, and of
/// one that came between the two bulk calls.
fn read_missing_states(connections: &mut ConnectionPair, entries: &mut [Entry]) -> Result<()> {
    let missing = entries.iter().enumerate().filter(|(_, entry)| !entry.has_state);
    let missing: Vec<usize> = missing.map(|(index, _)| index).collect();
    let request = |entry: &Entry, ()| about(Procedure::DOMAIN_GET_STATE, &entry.handle, 0);
    let wanted = missing.into_iter().map(|index| (index, ())).collect();
    ask(connections, entries, wanted, request, |entry, (), reply| {
        let Some(result) = entry.unless_vanished(reply)? else { return Ok(()) };
        let (state, reason): (i32, i32) = from_bytes(&result)?;
        entry.resource.state = State::from_number(state);
        entry.resource.reason = reason;
        Ok(())
    })
}

/// Sort of a definition that a reply holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Definition {
    Persistent,
    Live,
}

fn read_definitions(
    connections: &mut ConnectionPair,
    entries: &mut [Entry],
    secrets: u32,
    most: usize,
) -> Result<()> {
    let (mut wanted, mut second) = (Vec::new(), Vec::new());
    for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.vanished) {
        if entry.resource.is_persistent {
            wanted.push((index, Definition::Persistent, inactive_flags(entry, secrets)));
        }
        // a crashed domain that is kept for inspection has an instance, too
        if entry.resource.state.is_active() || entry.resource.state == State::Crashed {
            let live = (index, Definition::Live, live_flags(entry, secrets));
            if entry.resource.is_persistent { second.push(live) } else { wanted.push(live) }
        }
    }
    // so a silent guest takes one of the daemon's threads, and not two
    if wanted.len() + second.len() <= SERVED_AT_ONCE {
        wanted.append(&mut second);
    }
    let mut room = Room { left: most, most };
    for wanted in [wanted, second] {
        let again = read_xml(connections, entries, wanted, &mut room)?;
        read_xml(connections, entries, again, &mut room)?;
    }
    Ok(())
}

fn inactive_flags(entry: &Entry, secrets: u32) -> u32 {
    live_flags(entry, secrets) | reading(entry.resource.id.kind).inactive
}

fn live_flags(entry: &Entry, secrets: u32) -> u32 {
    if reading(entry.resource.id.kind).has_secrets { secrets } else { 0 }
}

/// Memory that definitions may still take, and its limit.
struct Room {
    left: usize,
    most: usize,
}

/// A definition to be read: of which entry, which one, with which flags.
type Wanted = (usize, Definition, u32);

/// Reads definitions into `entries`, and returns those that have to be asked for again without flags:
/// libvirt's test driver knows none for a network, and shows the running definition of an active one.
fn read_xml(
    connections: &mut ConnectionPair,
    entries: &mut [Entry],
    wanted: Vec<Wanted>,
    room: &mut Room,
) -> Result<Vec<Wanted>> {
    let request = |entry: &Entry, (_, _, flags): Wanted| {
        about(reading(entry.resource.id.kind).procedure, &entry.handle, flags)
    };
    let (mut again, mut is_full) = (Vec::new(), false);
    let wanted = wanted.into_iter().map(|wanted| (wanted.0, wanted)).collect();
    ask(connections, entries, wanted, request, |entry, (index, definition, flags), reply| {
        let network = entry.resource.id.kind.connects_guests();
        match entry.unless_vanished(reply) {
            Ok(Some(_)) if is_full => Ok(()),
            Ok(Some(result)) => {
                let weight = entry.keep(definition, &from_bytes::<String>(&result)?)?;
                match room.left.checked_sub(weight) {
                    Some(left) => room.left = left,
                    None => is_full = true,
                }
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) if error.is(ErrorCode::INVALID_ARG) && network && flags != 0 => {
                again.push((index, definition, 0));
                Ok(())
            }
            Err(error) => Err(error),
        }
    })?;
    // it is the host's, and no single object's
    if is_full { Err(too_much(room.most)) } else { Ok(again) }
}

impl Entry {
    /// An entry of which nothing is known but that it is there.
    fn new(resource: ObservedResource, handle: Vec<u8>) -> Self {
        Self {
            resource,
            handle,
            has_state: false,
            has_snapshots: false,
            has_checkpoints: false,
            vanished: false,
            unknown: None,
            late: false,
        }
    }

    /// Whether more has to be read of the object.
    fn is_open(&self) -> bool {
        !self.vanished && self.unknown.is_none()
    }

    /// Marks the object as not answering.
    fn is_silent(&mut self, why: String) {
        self.unknown = Some(why);
        self.late = true;
    }

    /// The reply's result, or `None` and a note that the object is no longer there.
    fn unless_vanished(&mut self, reply: Result<Vec<u8>>) -> Result<Option<Vec<u8>>> {
        match reply {
            Ok(result) => Ok(Some(result)),
            Err(error) if error.is_any(&[ErrorCode::NO_DOMAIN, ErrorCode::NO_NETWORK]) => {
                self.vanished = true;
                Ok(None)
            }
            Err(error) => Err(error.address(self.resource.id.to_string())),
        }
    }

    /// Keeps a definition, and gives the memory that it takes.
    fn keep(&mut self, definition: Definition, text: &str) -> Result<usize> {
        let element =
            xmltree::parse(SourceId::NONE, text, &Limits::default()).map_err(|diagnostic| {
                let message = format!("its definition cannot be read: {}", diagnostic.summary);
                unreadable(&message).address(self.resource.id.to_string())
            })?;
        if !self.is_of(&element) {
            let text = "the host answered with the definition of another object";
            return Err(unreadable(text).address(self.resource.id.to_string()));
        }
        let weight = element.weight();
        match definition {
            Definition::Persistent => self.resource.persistent = Some(element.into()),
            Definition::Live if self.has_stopped(&element) => {
                self.resource.state = State::Shutoff;
                self.resource.reason = 0;
            }
            Definition::Live => self.resource.live = Some(element.into()),
        }
        Ok(weight)
    }

    /// Whether a definition is that of the object that it was asked for.
    fn is_of(&self, definition: &Element) -> bool {
        let is = |name: &str, expected: &str| {
            definition.child(name).is_some_and(|e| e.text().trim() == expected)
        };
        let uuid = definition.child("uuid").and_then(|e| Uuid::parse_str(e.text().trim()).ok());
        definition.is(self.resource.id.kind.as_str())
            && is("name", self.resource.id.name.trim())
            && uuid == Some(self.resource.uuid)
    }

    /// Whether `live` shows a domain that has stopped since it was listed: a running one has an id.
    fn has_stopped(&self, live: &Element) -> bool {
        self.resource.id.kind.is_guest() && live.attr("id").is_none()
    }
}

/// Replies to a batch, read in the order of their requests.
struct Replies(IntoIter<Result<Vec<u8>>>);

impl Replies {
    fn next(&mut self) -> Result<Vec<u8>> {
        self.0.next().unwrap_or_else(|| Err(unreadable("a reply is missing")))
    }

    /// The objects of a list, none where the host does not have the kind.
    fn list<T: Decode + Listed>(&mut self) -> Result<Vec<T>> {
        let result = match self.next() {
            Err(error) if error.is(ErrorCode::NO_SUPPORT) => return Ok(Vec::new()),
            other => other?,
        };
        let (objects, _count): (Vec<T>, u32) = from_bytes(&result)?;
        Ok(objects)
    }

    /// Lists objects, and none where the host does not know the call: libvirt has checkpoints since 5.6.
    fn list_if_known<T: Decode + Listed>(&mut self) -> Result<Vec<T>> {
        match self.list() {
            Err(error) if error.is(ErrorCode::INVALID_ARG) => Ok(Vec::new()),
            other => other,
        }
    }

    /// States and reasons from statistics, none where the host has no statistics.
    fn states(&mut self) -> Result<HashMap<Uuid, (State, i32)>> {
        let result = match self.next() {
            Err(error) if error.is(ErrorCode::NO_SUPPORT) => return Ok(HashMap::new()),
            other => other?,
        };
        let records: Vec<DomainStats> = from_bytes(&result)?;
        let state = |record: &DomainStats| {
            let state = State::from_number(record.int("state.state")?);
            Some((record.domain.uuid, (state, record.int("state.reason").unwrap_or(0))))
        };
        Ok(records.iter().filter_map(state).collect())
    }
}

/// A call about one object: its handle, and flags.
fn about(procedure: Procedure, handle: &[u8], flags: u32) -> Result<Request> {
    let mut args = handle.to_vec();
    flags.encode(&mut args)?;
    Ok(Request { procedure, args, time: timeouts::of(procedure) })
}

fn quick(procedure: Procedure, args: &impl Encode) -> Result<Request> {
    Ok(Request { procedure, args: to_bytes(args)?, time: timeouts::of(procedure) })
}

fn unreadable(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::fake_server;
    use super::*;
    use libvirt_rpc::{Reader, SnapshotHandle, TypedParam, TypedValue};
    use std::collections::BTreeSet;

    const ON: u8 = 1;
    const OFF: u8 = 2;
    const GONE: u8 = 3;
    const TRANSIENT: u8 = 4;
    const STOPPING: u8 = 5;
    const NET: u8 = 6;

    fn domain(n: u8) -> DomainHandle {
        let id = if n == OFF { -1 } else { i32::from(n) };
        DomainHandle { name: format!("d{n}"), uuid: Uuid::from_bytes([n; 16]), id }
    }

    fn network(n: u8) -> NetworkHandle {
        NetworkHandle { name: format!("n{n}"), uuid: Uuid::from_bytes([n; 16]) }
    }

    fn definition(tag: &str, letter: char, n: u8) -> String {
        let (uuid, end) = (Uuid::from_bytes([n; 16]), tag.split(' ').next().unwrap());
        format!("<{tag}><name>{letter}{n}</name><uuid>{uuid}</uuid></{end}>")
    }

    fn state(n: u8) -> i32 {
        if n == OFF { 5 } else { 1 }
    }

    /// A host with a domain of each sort and one network; `mock` has libvirt's test driver's holes,
    /// and no statistics.
    fn answer(mock: bool, procedure: Procedure, args: &[u8]) -> Result<Vec<u8>> {
        let flags = u32::decode(&mut Reader::new(args.split_at(args.len() - 4).1))?;
        let domains = |list: &[u8]| list.iter().map(|n| domain(*n)).collect::<Vec<_>>();
        let about = |args: &[u8]| *args.get(8).unwrap();
        let handles = |names: &[&str]| -> Vec<SnapshotHandle> {
            let handle = |name: &&str| SnapshotHandle { name: (*name).into(), domain: domain(ON) };
            names.iter().map(handle).collect()
        };
        Ok(match procedure {
            Procedure::CONNECT_LIST_ALL_DOMAINS => {
                let list = match flags {
                    DOMAINS_ALL => domains(&[ON, OFF, GONE, TRANSIENT, STOPPING]),
                    DOMAINS_PERSISTENT => domains(&[ON, OFF, GONE, STOPPING]),
                    DOMAINS_AUTOSTART => domains(&[OFF]),
                    DOMAINS_SNAPSHOT => domains(&[ON]),
                    // libvirt before 5.6
                    DOMAINS_CHECKPOINT if mock => {
                        return Err(fake_server::refusal(ErrorCode::INVALID_ARG));
                    }
                    DOMAINS_CHECKPOINT => domains(&[OFF, ON]),
                    _ => domains(&[ON]),
                };
                to_bytes(&(list, 0u32))?
            }
            Procedure::CONNECT_GET_ALL_DOMAIN_STATS if mock => {
                return Err(fake_server::refusal(ErrorCode::NO_SUPPORT));
            }
            Procedure::CONNECT_GET_ALL_DOMAIN_STATS => {
                let record = |n| {
                    let value = TypedValue::Int(state(n));
                    let params = vec![TypedParam { field: "state.state".into(), value }];
                    DomainStats { domain: domain(n), params }
                };
                to_bytes(&[ON, OFF, GONE, TRANSIENT, STOPPING].map(record).to_vec())?
            }
            Procedure::CONNECT_LIST_ALL_NETWORKS => to_bytes(&(vec![network(NET)], 1u32))?,
            Procedure::DOMAIN_LIST_ALL_SNAPSHOTS => to_bytes(&(handles(&["s2", "s1"]), 2u32))?,
            Procedure::DOMAIN_LIST_ALL_CHECKPOINTS => to_bytes(&(handles(&["c"]), 1u32))?,
            Procedure::DOMAIN_SNAPSHOT_GET_XML_DESC if args.windows(2).any(|w| w == b"s2") => {
                return Err(fake_server::refusal(ErrorCode::NO_DOMAIN_SNAPSHOT));
            }
            Procedure::DOMAIN_SNAPSHOT_GET_XML_DESC => to_bytes(
                "<domainsnapshot><disks><disk name='vda' snapshot='external'><source file='/s1'/>\
                 </disk></disks><domain><devices><disk><source file='/base'/><target dev='vda'/>\
                 </disk></devices></domain></domainsnapshot>",
            )?,
            Procedure::DOMAIN_IS_PERSISTENT => to_bytes(&0i32)?,
            Procedure::DOMAIN_GET_STATE => to_bytes(&(state(about(args)), 3i32))?,
            Procedure::DOMAIN_GET_XML_DESC => match (about(args), flags) {
                (GONE, _) => return Err(fake_server::refusal(ErrorCode::NO_DOMAIN)),
                (n @ STOPPING, 1) | (n, 3) => to_bytes(&definition("domain", 'd', n))?,
                (n, 1) => to_bytes(&definition("domain id='1'", 'd', n))?,
                other => panic!("{other:?}"),
            },
            Procedure::NETWORK_GET_XML_DESC if mock && flags != 0 => {
                return Err(fake_server::refusal(ErrorCode::INVALID_ARG));
            }
            Procedure::NETWORK_GET_XML_DESC => to_bytes(&definition("network", 'n', NET))?,
            other => panic!("{other:?}"),
        })
    }

    fn summary(mock: bool, scope: &Scope) -> Vec<String> {
        let mut connections =
            fake_server::connections(move |procedure, args| answer(mock, procedure, args));
        let observed =
            observe(&mut connections, scope, false, usize::MAX, &mut Silent::default()).unwrap();
        let line = |r: &ObservedResource| {
            let mut line = format!("{} {} {}", r.id, r.state, r.reason);
            let facts = [
                (" persistent", r.is_persistent),
                (" autostart", r.autostart),
                (" saved", r.managed_save),
                (" +inactive", r.persistent.is_some()),
                (" +live", r.live.is_some()),
            ];
            facts.iter().filter(|(_, yes)| *yes).for_each(|(word, _)| line.push_str(word));
            for snapshot in &r.snapshots {
                let over = snapshot.overlays.iter().map(|(a, b)| format!("({a} over {b})"));
                line.push_str(&format!(" {}{}", snapshot.name, over.collect::<String>()));
            }
            r.checkpoints.iter().for_each(|name| line.push_str(&format!(" {name}")));
            line
        };
        observed.resources.values().map(line).collect()
    }

    #[test]
    fn an_inventory_is_what_was_there_all_the_time() {
        for (mock, reason) in [(false, 0), (true, 3)] {
            let c = if mock { "" } else { " c" };
            assert_eq!(
                summary(mock, &Scope::all()),
                [
                    "network/n6 running 0 persistent autostart +inactive +live".to_owned(),
                    format!(
                        "domain/d1 running {reason} persistent saved +inactive +live s1(/s1 over /base){c}"
                    ),
                    format!("domain/d2 shut off {reason} persistent autostart +inactive{c}"),
                    format!("domain/d4 running {reason} +live"),
                    "domain/d5 shut off 0 persistent +inactive".to_owned(),
                ]
            );
        }
    }

    #[test]
    fn no_more_is_read_than_the_scope_asks_for() {
        let only: BTreeSet<ResourceId> = [ResourceId::new(Kind::Domain, "d2")].into();
        assert_eq!(
            summary(false, &Scope::only(only.clone(), Detail::Full)),
            ["domain/d2 shut off 0 persistent autostart +inactive c"]
        );
        assert_eq!(
            summary(false, &Scope::only(only, Detail::State)),
            ["domain/d2 shut off 0 persistent autostart"]
        );
    }

    /// Returns the unknown objects, each with the reason, where `answers` gives the first answer.
    fn unknown_where(
        answers: impl Fn(Procedure, &[u8]) -> Option<Result<Vec<u8>>> + Clone + Send + Sync + 'static,
    ) -> Result<Vec<String>> {
        let mut connections = fake_server::connections(move |procedure, args| {
            answers(procedure, args).unwrap_or_else(|| answer(false, procedure, args))
        });
        let observed =
            observe(&mut connections, &Scope::all(), false, usize::MAX, &mut Silent::default())?;
        assert_eq!(observed.resources.len() + observed.unknown.len(), 5);
        let words = |(id, u): (&ResourceId, &Unknown)| format!("{id} {}: {}", u.state, u.why);
        Ok(observed.unknown.iter().map(words).collect())
    }

    #[test]
    fn an_object_that_cannot_be_read_is_unknown_by_itself() {
        let unknown = unknown_where(|procedure, args| {
            let is_on = procedure == Procedure::DOMAIN_GET_XML_DESC && args.get(8) == Some(&ON);
            is_on.then(|| Err(fake_server::refusal(ErrorCode::OPERATION_DENIED)))
        });
        assert_eq!(unknown.unwrap(), ["domain/d1 running: OPERATION_DENIED"]);
        let unknown = unknown_where(|procedure, _| {
            (procedure == Procedure::NETWORK_GET_XML_DESC)
                .then(|| to_bytes("<network>").map_err(Error::from))
        });
        assert!(
            unknown
                .unwrap()
                .concat()
                .starts_with("network/n6 running: its definition cannot be read")
        );
        // garbage is not believed either
        let unknown = unknown_where(|procedure, _| {
            (procedure == Procedure::DOMAIN_LIST_ALL_CHECKPOINTS).then(|| Ok(vec![0; 3]))
        });
        assert_eq!(unknown.unwrap().len(), 2);
    }

    #[test]
    fn a_definition_of_another_object_is_none_of_this_one() {
        let other = "network/n6 running: the host answered with the definition of another object";
        for tag in [("network", 'n', OFF), ("network", 'd', NET), ("domain", 'n', NET)] {
            let mut connections =
                fake_server::connections(move |procedure, args| match procedure {
                    Procedure::NETWORK_GET_XML_DESC => {
                        Ok(to_bytes(&definition(tag.0, tag.1, tag.2))?)
                    }
                    _ => answer(false, procedure, args),
                });
            let observed =
                observe(&mut connections, &Scope::all(), false, usize::MAX, &mut Silent::default())
                    .unwrap();
            let words = |(id, u): (&ResourceId, &Unknown)| format!("{id} {}: {}", u.state, u.why);
            assert_eq!(observed.unknown.iter().map(words).collect::<Vec<_>>(), [other]);
            assert_eq!(observed.resources.len(), 4);
        }
    }

    #[test]
    fn names_that_libvirt_admits_are_read_and_others_are_unknown() {
        const ODD: [&str; 7] = ["-a", "a b", "..", "\u{202e}a", "a\tb", "~", "\u{e9}"];
        let read = |names: &'static [&'static str], n: fn(usize) -> u8| {
            let mut connections = fake_server::connections(move |procedure, args| {
                let handle = |(at, name): (usize, &&str)| DomainHandle {
                    name: (*name).to_owned(),
                    uuid: Uuid::from_bytes([n(at); 16]),
                    id: -1,
                };
                let all: Vec<_> = names.iter().enumerate().map(handle).collect();
                match procedure {
                    Procedure::CONNECT_LIST_ALL_DOMAINS => Ok(to_bytes(&(all, 0u32))?),
                    Procedure::CONNECT_LIST_ALL_NETWORKS => {
                        Ok(to_bytes(&(Vec::<NetworkHandle>::new(), 0u32))?)
                    }
                    Procedure::CONNECT_GET_ALL_DOMAIN_STATS => Ok(to_bytes(&0u32)?),
                    Procedure::DOMAIN_GET_STATE => Ok(to_bytes(&(5i32, 0i32))?),
                    Procedure::DOMAIN_GET_XML_DESC => {
                        let handle = DomainHandle::decode(&mut Reader::new(args))?;
                        let mut root = Element::new("domain");
                        root.push(Element::new("name").with_text(handle.name));
                        root.push(Element::new("uuid").with_text(handle.uuid.to_string()));
                        Ok(to_bytes(&xmltree::write(&root))?)
                    }
                    _ => Ok(to_bytes(&(Vec::<SnapshotHandle>::new(), 0u32))?),
                }
            });
            let mut silent = Silent::default();
            observe(&mut connections, &Scope::all(), false, usize::MAX, &mut silent).unwrap()
        };
        let distinct = |at: usize| u8::try_from(at).unwrap();
        // an object whose name no manifest may have still exists, and keeps its holdings
        let observed = read(&ODD, distinct);
        assert!(observed.unknown.is_empty(), "{:?}", observed.unknown);
        assert!(ODD.iter().all(|name| {
            observed.resources.contains_key(&ResourceId::new(Kind::Domain, *name))
        }));
        let observed = read(&["", "a\nb", "good"], distinct);
        assert_eq!((observed.resources.len(), observed.unknown.len()), (1, 2));
        assert!(observed.unknown.values().all(|u| u.why.starts_with("nothing can have that name")));
        // nor are there two of one name, or one UUID
        assert_eq!(read(&["a", "a", "b"], distinct).unknown.len(), 1);
        assert_eq!(read(&["a", "b"], |_| 7).unknown.len(), 2);
    }

    #[test]
    fn one_that_takes_too_much_memory_is_none() {
        let read = |results: Option<usize>, most: usize| {
            let mut connections = fake_server::connections(|procedure, args| match procedure {
                // a little text may take much memory
                Procedure::DOMAIN_GET_XML_DESC => {
                    let xml = definition("domain", 'd', ON);
                    let many = format!("{}</domain>", "<a/>".repeat(10_000));
                    Ok(to_bytes(&xml.replace("</domain>", &many))?)
                }
                _ => answer(false, procedure, args),
            });
            connections.limit_results(results);
            let mut silent = Silent::default();
            observe(&mut connections, &Scope::all(), false, most, &mut silent)
                .map_err(|e| e.to_string())
        };
        assert!(read(None, 64 << 20).is_ok());
        for (results, most) in [(None, 4 << 20), (Some(100_000), usize::MAX)] {
            let error = read(results, most).unwrap_err();
            assert!(error.contains("takes more memory than it may"), "{error}");
        }
    }

    #[test]
    fn without_its_lists_there_is_no_inventory() {
        let fails = |on: fn(Procedure) -> Option<Result<Vec<u8>>>| {
            let mut connections = fake_server::connections(move |procedure, args| {
                on(procedure).unwrap_or_else(|| answer(false, procedure, args))
            });
            observe(&mut connections, &Scope::all(), false, usize::MAX, &mut Silent::default())
                .is_err()
        };
        assert!(fails(|p| match p {
            Procedure::CONNECT_LIST_ALL_NETWORKS =>
                Some(Err(fake_server::refusal(ErrorCode::SYSTEM_ERROR))),
            _ => None,
        }));
        assert!(fails(|p| match p {
            Procedure::CONNECT_GET_ALL_DOMAIN_STATS =>
                Some(Err(fake_server::refusal(ErrorCode::RPC))),
            _ => None,
        }));
        assert!(fails(|p| (p == Procedure::CONNECT_LIST_ALL_DOMAINS).then(|| Ok(vec![0; 3]))));
    }
}
