//! Queries: several at once, each answered or not by itself.

use super::connection::{Answer as Reply, Request};
use super::connections::ConnectionPair;
use super::silent::{Silent, Subject};
use super::timeouts;
use crate::error::{Error, ErrorCode, ErrorKind, Result};
use crate::model::{
    AddressSource, Answer, DomainInfo, GuestInterface, InterfaceAddress, Mac, NodeInfo, Query,
    State, Target,
};
use libvirt_rpc::{Class, DomainHandle, Procedure, from_bytes, to_bytes};
use std::time::Duration;

/// Asks `queries`: those that need no guest all together, the others a few at a time. Domains that are
/// `silent` already are not waited for again.
pub(super) fn query(
    connections: &mut ConnectionPair,
    queries: &[Query],
    silent: &mut Silent,
) -> Vec<Result<Answer>> {
    let unanswered = |_: &Query| Err(Error::new(ErrorKind::Protocol, "it was not answered"));
    let mut answers: Vec<Result<Answer>> = queries.iter().map(unanswered).collect();
    let numbered = || queries.iter().enumerate();
    let quick: Vec<Asked<'_>> = numbered().filter(|(_, q)| !waits_for_guest(q)).collect();
    let long: Vec<Asked<'_>> = numbered().filter(|(_, q)| waits_for_guest(q)).collect();
    let groups = std::iter::once((Class::Quick, quick.as_slice()));
    let few = long.chunks(ConnectionPair::window(Class::Long)).map(|few| (Class::Long, few));
    for (class, asked) in groups.chain(few).filter(|(_, asked)| !asked.is_empty()) {
        for (place, answer) in ask(connections, class, asked, silent) {
            if let Some(slot) = answers.get_mut(place) {
                let target = queries.get(place).and_then(Query::target);
                *slot = answer.map_err(|e| match target {
                    Some(target) => e.address(target.id.to_string()),
                    None => e,
                });
            }
        }
    }
    answers
}

/// A query with its place among all.
type Asked<'a> = (usize, &'a Query);

fn ask(
    connections: &mut ConnectionPair,
    class: Class,
    asked: &[Asked<'_>],
    silent: &mut Silent,
) -> Vec<(usize, Result<Answer>)> {
    let (mut answers, mut sent, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for (place, query) in asked {
        match request(query, silent) {
            Ok(request) => {
                sent.push((*place, *query));
                requests.push(request);
            }
            Err(error) => answers.push((*place, Err(error))),
        }
    }
    if requests.is_empty() {
        return answers;
    }
    let connection = connections.connection(class);
    match connection.and_then(|connection| connection.call_each(requests, lull(class))) {
        Ok(replies) => answers.extend(
            sent.into_iter()
                .zip(replies)
                .map(|((place, query), reply)| (place, answer(class, query, reply, silent))),
        ),
        Err(error) => {
            answers.extend(sent.into_iter().map(|(place, _)| (place, Err(error.clone()))));
        }
    }
    answers
}

fn answer(class: Class, query: &Query, reply: Reply, silent: &mut Silent) -> Result<Answer> {
    match reply {
        Reply::Said(Ok(result)) => read(query, &result),
        Reply::Said(Err(error)) => Err(or_unsupported(error)),
        Reply::Late(error) => {
            note(silent, class, query, &error);
            Err(error)
        }
        Reply::NotReached => {
            Err(Error::new(ErrorKind::Timeout, "the host works on others that do not answer"))
        }
    }
}

fn lull(class: Class) -> Duration {
    match class {
        Class::Quick => timeouts::SILENCE,
        Class::Long => timeouts::AGENT,
    }
}

/// Whether the answer is the guest's own.
fn waits_for_guest(query: &Query) -> bool {
    match query {
        Query::Addresses(_, AddressSource::Agent) => true,
        Query::Addresses(_, AddressSource::Lease | AddressSource::Arp)
        | Query::DomainInfo(_)
        | Query::Node => false,
    }
}

fn request(query: &Query, silent: &Silent) -> Result<Request> {
    let (procedure, args) = match query {
        Query::DomainInfo(target) => {
            (Procedure::DOMAIN_GET_INFO, to_bytes(&handle(target, silent)?))
        }
        Query::Addresses(target, source) => {
            let args = (handle(target, silent)?, number(*source), 0u32);
            (Procedure::DOMAIN_INTERFACE_ADDRESSES, to_bytes(&args))
        }
        Query::Node => (Procedure::NODE_GET_INFO, Ok(Vec::new())),
    };
    let args = args.map_err(|malformed| {
        let message = format!("the query cannot be sent: {malformed}");
        Error::new(ErrorKind::Invalid, message)
    })?;
    Ok(Request { procedure, args, time: timeouts::QUICK })
}

fn handle(target: &Target, silent: &Silent) -> Result<DomainHandle> {
    let Target { id, uuid } = target;
    if !id.kind.is_guest() {
        let message = format!("a {} is not asked about", id.kind);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    match silent.why(&Subject::Object(id.clone())) {
        Some(why) => Err(Error::new(ErrorKind::Timeout, why)),
        None => Ok(DomainHandle { name: id.name.clone(), uuid: *uuid, id: -1 }),
    }
}

/// libvirt's number of a source: virDomainInterfaceAddressesSource.
fn number(source: AddressSource) -> u32 {
    match source {
        AddressSource::Lease => 0,
        AddressSource::Agent => 1,
        AddressSource::Arp => 2,
    }
}

/// Keeps in mind that a domain does not answer. An agent that does not says nothing of its domain.
fn note(silent: &mut Silent, class: Class, query: &Query, error: &Error) {
    if let (Class::Quick, Some(target)) = (class, query.target()) {
        let domain = DomainHandle { name: target.id.name.clone(), uuid: target.uuid, id: -1 };
        if let Ok(handle) = to_bytes(&domain) {
            silent.note(target.id.clone(), handle, &error.message);
        }
    }
}

/// A host's driver that lacks an answer says so by a number.
fn or_unsupported(error: Error) -> Error {
    let lacks =
        [ErrorCode::NO_SUPPORT, ErrorCode::ARGUMENT_UNSUPPORTED, ErrorCode::OPERATION_UNSUPPORTED];
    if !error.is_any(&lacks) {
        return error;
    }
    Error::new(ErrorKind::Unsupported, error.message.clone()).caused_by(error)
}

fn read(query: &Query, result: &[u8]) -> Result<Answer> {
    Ok(match query {
        Query::DomainInfo(_) => {
            let libvirt_rpc::DomainInfo { state, max_memory, memory, vcpus, cpu_time } =
                from_bytes(result)?;
            Answer::DomainInfo(DomainInfo {
                state: State::from_number(state.into()),
                max_memory_kib: max_memory,
                memory_kib: memory,
                vcpus: vcpus.into(),
                cpu_time_ns: cpu_time,
            })
        }
        Query::Addresses(_, source) => {
            let interfaces: Vec<libvirt_rpc::DomainInterface> = from_bytes(result)?;
            let interfaces: Result<_> =
                interfaces.into_iter().map(|wire| interface(*source, wire)).collect();
            Answer::Addresses(interfaces?)
        }
        Query::Node => Answer::Node(node(from_bytes(result)?)?),
    })
}

fn interface(source: AddressSource, wire: libvirt_rpc::DomainInterface) -> Result<GuestInterface> {
    let libvirt_rpc::DomainInterface { name, mac, addresses } = wire;
    let mac = mac.as_deref().and_then(Mac::parse);
    let addresses: Result<_> = addresses.iter().map(|wire| address(source, wire)).collect();
    Ok(GuestInterface { name, mac, addresses: addresses? })
}

/// The guest's agent may have said anything. An ARP table has no prefixes: libvirt then gives 0.
fn address(source: AddressSource, wire: &libvirt_rpc::IpAddress) -> Result<InterfaceAddress> {
    let parsed = wire.address.parse().ok().and_then(|address| match (source, wire.prefix) {
        (AddressSource::Arp, 0) => Some(InterfaceAddress::without_prefix(address)),
        (_, prefix) => InterfaceAddress::new(address, prefix),
    });
    parsed.ok_or_else(|| {
        let text = format!("{:?} with prefix {} is no address", wire.address, wire.prefix);
        Error::new(ErrorKind::Protocol, text)
    })
}

fn node(wire: libvirt_rpc::NodeInfo) -> Result<NodeInfo> {
    let count = |number: i32| {
        u32::try_from(number).map_err(|_| {
            let text = format!("the host says that it has {number} processors, or parts of them");
            Error::new(ErrorKind::Protocol, text)
        })
    };
    Ok(NodeInfo {
        model: wire.model.0,
        memory_kib: wire.memory,
        cpus: count(wire.cpus)?,
        mhz: count(wire.mhz)?,
        nodes: count(wire.nodes)?,
        sockets: count(wire.sockets)?,
        cores: count(wire.cores)?,
        threads: count(wire.threads)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::super::fake_server;
    use super::*;
    use crate::model::{Kind, ResourceId, Uuid};
    use libvirt_rpc::{CpuModel, DomainInterface, IpAddress};
    use std::time::Instant;

    fn target(kind: Kind, name: &str) -> Target {
        Target { id: ResourceId::new(kind, name), uuid: Uuid::from_bytes([7; 16]) }
    }

    fn info(name: &str) -> Query {
        Query::DomainInfo(target(Kind::Domain, name))
    }

    fn addresses(name: &str, source: AddressSource) -> Query {
        Query::Addresses(target(Kind::Domain, name), source)
    }

    fn kind(answer: &Result<Answer>) -> ErrorKind {
        answer.as_ref().unwrap_err().kind
    }

    /// An answer to DOMAIN_GET_INFO.
    const INFO: libvirt_rpc::DomainInfo =
        libvirt_rpc::DomainInfo { state: 3, max_memory: 8, memory: 2, vcpus: 4, cpu_time: 9 };

    #[test]
    fn each_query_has_its_own_answer_at_its_place() {
        let mut connections = fake_server::connections(|procedure, args| match procedure {
            Procedure::NODE_GET_INFO => {
                let model = CpuModel("x86_64".to_owned());
                let (memory, cpus, mhz, nodes, sockets, cores, threads) = (8, 4, 0, 1, 1, 2, 2);
                Ok(to_bytes(&libvirt_rpc::NodeInfo {
                    model,
                    memory,
                    cpus,
                    mhz,
                    nodes,
                    sockets,
                    cores,
                    threads,
                })?)
            }
            Procedure::DOMAIN_GET_INFO => match from_bytes::<DomainHandle>(args)?.name.as_str() {
                "web" => Ok(to_bytes(&INFO)?),
                _ => Err(fake_server::refusal(ErrorCode::NO_DOMAIN)),
            },
            Procedure::DOMAIN_INTERFACE_ADDRESSES => {
                let (_, source, flags): (DomainHandle, u32, u32) = from_bytes(args)?;
                assert_eq!(flags, 0);
                match source {
                    0 => Err(fake_server::refusal(ErrorCode::NO_SUPPORT)),
                    _ => Ok(to_bytes(&vec![DomainInterface {
                        name: "eth0".to_owned(),
                        mac: Some("20 bytes of it".to_owned()),
                        addresses: vec![IpAddress {
                            family: 1,
                            address: "fd00::5".to_owned(),
                            prefix: 64,
                        }],
                    }])?),
                }
            }
            other => panic!("{other:?}"),
        });
        let queries = [
            addresses("web", AddressSource::Agent),
            info("none"),
            addresses("web", AddressSource::Lease),
            info("web"),
            Query::DomainInfo(target(Kind::Network, "lan")),
            Query::Node,
        ];
        let answers = query(&mut connections, &queries, &mut Silent::default());
        let [agent, none, lease, web, network, node] = answers.as_slice() else { panic!() };
        let Ok(Answer::Addresses(interfaces)) = agent else { panic!("{agent:?}") };
        let [GuestInterface { name, mac: None, addresses }] = interfaces.as_slice() else {
            panic!("{interfaces:?}")
        };
        let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(
            (name.as_str(), shown.as_slice()),
            ("eth0", ["fd00::5/64".to_owned()].as_slice())
        );
        let none = none.as_ref().unwrap_err();
        assert!(none.is(ErrorCode::NO_DOMAIN));
        assert_eq!(none.address.as_deref(), Some("domain/none"));
        assert_eq!((kind(lease), kind(network)), (ErrorKind::Unsupported, ErrorKind::Unsupported));
        let Ok(Answer::DomainInfo(info)) = web else { panic!("{web:?}") };
        assert_eq!((info.state, info.vcpus, info.cpu_time_ns), (State::Paused, 4, 9));
        assert_eq!((info.max_memory_kib, info.memory_kib), (8, 2));
        let Ok(Answer::Node(node)) = node else { panic!("{node:?}") };
        assert_eq!((node.model.as_str(), node.cpus, node.threads), ("x86_64", 4, 2));
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_none() {
        let mut connections = fake_server::connections(|procedure, args| match procedure {
            Procedure::NODE_GET_INFO => {
                let model = CpuModel::default();
                let (memory, cpus, mhz, nodes, sockets, cores, threads) = (8, -4, 0, 1, 1, 2, 2);
                Ok(to_bytes(&libvirt_rpc::NodeInfo {
                    model,
                    memory,
                    cpus,
                    mhz,
                    nodes,
                    sockets,
                    cores,
                    threads,
                })?)
            }
            Procedure::DOMAIN_GET_INFO => Ok(vec![0; 7]),
            _ => {
                let (domain, ..): (DomainHandle, u32, u32) = from_bytes(args)?;
                let (address, prefix) = match domain.name.as_str() {
                    "text" => ("fe80::1%eth0\x1b[2J", 64),
                    _ => ("10.0.0.5", 33),
                };
                let address = IpAddress { family: 0, address: address.to_owned(), prefix };
                let (name, mac, addresses) = (String::new(), None, vec![address]);
                Ok(to_bytes(&vec![DomainInterface { name, mac, addresses }])?)
            }
        });
        let source = AddressSource::Lease;
        let queries =
            [Query::Node, info("web"), addresses("text", source), addresses("long", source)];
        let answers = query(&mut connections, &queries, &mut Silent::default());
        assert_eq!(answers.iter().map(kind).collect::<Vec<_>>(), [ErrorKind::Protocol; 4]);
    }

    #[test]
    fn a_domain_that_is_silent_delays_the_others_once() {
        let mut connections = ConnectionPair::new(std::sync::Arc::new(|| {
            Ok(fake_server::connection(|server| {
                let mut held = Vec::new();
                while let Some(packet) = server.packet() {
                    match from_bytes::<DomainHandle>(&packet.payload).unwrap().name.as_str() {
                        "hung" => held.push(packet),
                        _ => server.reply(packet.header, &INFO),
                    }
                }
            }))
        }));
        let mut silent = Silent::default();
        let mut ask = || {
            let begun = Instant::now();
            let answers = query(&mut connections, &[info("hung"), info("web")], &mut silent);
            let [hung, web] = answers.as_slice() else { panic!() };
            assert_eq!(kind(hung), ErrorKind::Timeout);
            assert!(web.is_ok(), "{web:?}");
            begun.elapsed()
        };
        let (first, second) = (ask(), ask());
        assert!(first >= timeouts::SILENCE && first < timeouts::SILENCE * 2, "{first:?}");
        assert!(second < timeouts::SILENCE, "{second:?}");
    }
}
