//! Objects without a definition of their own: whether that is so, or they came or went between the
//! lists, which a daemon works on at different times.

use super::{ConnectionPair, Entry, Request, ask, timeouts};
use crate::drivers::libvirt::reading::reading;
use crate::error::{ErrorCode, Result};
use crate::model::State;
use libvirt_rpc::from_bytes;

/// Why an object is not believed that can be neither running nor defined.
const CHANGED: &str = "it changed while it was read";

/// Asks each object that is in the list of all and not among the persistent ones. One that was defined
/// in between is persistent, and one that was undefined is gone.
pub(super) fn confirm(connections: &mut ConnectionPair, entries: &mut [Entry]) -> Result<()> {
    let doubtful = entries.iter().enumerate().filter(|(_, entry)| !entry.resource.is_persistent);
    let procedure = |entry: &Entry| reading(entry.resource.id.kind).is_persistent;
    let wanted = doubtful.filter_map(|(index, entry)| Some((index, procedure(entry)?))).collect();
    let request = |entry: &Entry, procedure| {
        Ok(Request { procedure, args: entry.handle.clone(), time: timeouts::of(procedure) })
    };
    ask(connections, entries, wanted, request, |entry, _, reply| {
        match entry.unless_vanished(reply) {
            Ok(Some(result)) => entry.resource.is_persistent = from_bytes::<i32>(&result)? == 1,
            Ok(None) => {}
            // the list's word has to do
            Err(error) if error.is(ErrorCode::NO_SUPPORT) => {}
            Err(error) => return Err(error),
        }
        // its state is older than that
        if is_neither(entry) && entry.resource.id.kind.is_guest() {
            entry.has_state = false;
        }
        Ok(())
    })
}

/// Doubts what is still neither running nor defined: libvirt has no such object.
pub(super) fn doubt(entries: &mut [Entry]) {
    for entry in entries.iter_mut().filter(|entry| entry.is_open() && is_neither(entry)) {
        entry.unknown = Some(CHANGED.to_owned());
    }
}

fn is_neither(entry: &Entry) -> bool {
    !entry.resource.is_persistent && entry.resource.state == State::Shutoff
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::*;
    use super::*;
    use crate::drivers::libvirt::fake_server;

    /// Reads a domain and a network that are in no list but that of all, where the host says
    /// then whether they are persistent, and what state the domain has.
    fn read(persistent: Result<i32>, listed: i32, state: i32) -> Vec<String> {
        let uuid = Uuid::from_u128(1);
        let xml = move |tag: &str, attributes: &str| {
            format!("<{tag}{attributes}><name>a</name><uuid>{uuid}</uuid></{tag}>")
        };
        let mut connections = fake_server::connections(move |procedure, args| {
            let flags = args.last_chunk().map(|last| u32::from_be_bytes(*last));
            let domain = || DomainHandle { name: "a".to_owned(), uuid, id: -1 };
            Ok(match procedure {
                Procedure::CONNECT_LIST_ALL_DOMAINS => {
                    let all = if flags == Some(DOMAINS_ALL) { vec![domain()] } else { vec![] };
                    to_bytes(&(all, 0u32))?
                }
                Procedure::CONNECT_LIST_ALL_NETWORKS => {
                    let network = NetworkHandle { name: "a".to_owned(), uuid };
                    let all = if flags == Some(NETWORKS_ALL) { vec![network] } else { vec![] };
                    to_bytes(&(all, 0u32))?
                }
                Procedure::CONNECT_GET_ALL_DOMAIN_STATS => {
                    let value = libvirt_rpc::TypedValue::Int(listed);
                    let state = libvirt_rpc::TypedParam { field: "state.state".into(), value };
                    to_bytes(&vec![DomainStats { domain: domain(), params: vec![state] }])?
                }
                Procedure::DOMAIN_IS_PERSISTENT | Procedure::NETWORK_IS_PERSISTENT => {
                    to_bytes(&persistent.clone()?)?
                }
                Procedure::DOMAIN_GET_STATE => to_bytes(&(state, 0i32))?,
                Procedure::DOMAIN_GET_XML_DESC if flags == Some(3) => to_bytes(&xml("domain", ""))?,
                Procedure::DOMAIN_GET_XML_DESC => to_bytes(&xml("domain", " id='1'"))?,
                Procedure::NETWORK_GET_XML_DESC => to_bytes(&xml("network", ""))?,
                other => panic!("{other:?}"),
            })
        });
        let mut silent = Silent::default();
        let observed =
            observe(&mut connections, &Scope::all(), false, usize::MAX, &mut silent).unwrap();
        let known = observed.resources.values().map(|r| {
            let defined = if r.persistent.is_some() { "defined" } else { "transient" };
            let live = if r.live.is_some() { ", live" } else { "" };
            format!("{} {defined}, {}{live}", r.id, r.state)
        });
        let unknown = observed.unknown.iter().map(|(id, unknown)| format!("{id} {}", unknown.why));
        known.chain(unknown).collect()
    }

    #[test]
    fn one_that_is_defined_between_the_lists_is_read_with_its_definition() {
        let whole = ["network/a defined, shut off", "domain/a defined, shut off"];
        assert_eq!(read(Ok(1), 5, 5), whole);
    }

    #[test]
    fn one_that_is_undefined_between_the_lists_is_gone() {
        assert!(read(Err(fake_server::refusal(ErrorCode::NO_DOMAIN)), 5, 5).is_empty());
    }

    #[test]
    fn one_that_is_neither_running_nor_defined_is_asked_for_its_state_and_not_believed() {
        let changed = format!("network/a {CHANGED}");
        assert_eq!(read(Ok(0), 5, 1), ["domain/a transient, running, live", &*changed]);
        assert_eq!(read(Ok(0), 5, 5), [changed, format!("domain/a {CHANGED}")]);
    }
}
