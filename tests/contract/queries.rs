//! Questions that no plan depends on.

use super::Rule;
use super::subject::{Deviation, Host, Subjected};
use virt::error::{ErrorCode, ErrorKind};
use virt::model::{
    AddressSource, Answer, DomainInfo, DomainOp, GuestInterface, Mac, NetworkOp, Query, State,
    Subnet, Target,
};

pub(super) const RULES: &[Rule] = &[
    ("a_domains_info_is_what_it_has", None, info_of_a_domain),
    ("addresses_are_those_of_its_interfaces", None, addresses_of_a_domain),
    ("a_host_says_what_it_is_made_of", None, node),
    ("each_query_has_its_own_answer", None, several),
];

const SOURCES: [AddressSource; 3] =
    [AddressSource::Lease, AddressSource::Agent, AddressSource::Arp];

fn target(object: &Subjected<'_>) -> Target {
    Target { id: object.id.clone(), uuid: object.uuid }
}

#[track_caller]
fn info(host: &Host, domain: &Subjected<'_>) -> DomainInfo {
    let answer = host.driver.query(&Query::DomainInfo(target(domain)));
    let Ok(Answer::DomainInfo(info)) = answer else { panic!("{answer:?}") };
    info
}

fn info_of_a_domain(host: &Host) {
    let web = host.domain("sizes", "");
    web.define();
    let off = info(host, &web);
    assert_eq!((off.state, off.max_memory_kib, off.vcpus), (State::Shutoff, 64 << 10, 2));
    assert_eq!(off.cpu_time_ns != 0, host.deviates(Deviation::CpuTimeIsTheClock), "{off:?}");
    web.start();
    let on = info(host, &web);
    assert_eq!((on.state, on.max_memory_kib, on.vcpus), (State::Running, 64 << 10, 2));
    assert!((1..=64 << 10).contains(&on.memory_kib), "{on:?}");
    web.done(DomainOp::Suspend);
    assert_eq!(info(host, &web).state, State::Paused);
    web.done(DomainOp::Destroy);
    let none = host.driver.query(&Query::DomainInfo(target(&host.domain("nobody", ""))));
    assert!(none.as_ref().is_err_and(|e| e.is(ErrorCode::NO_DOMAIN)), "{none:?}");
}

/// A network that reserves an address, and an interface on it.
const IP: &str = "<ip address='10.211.7.1' prefix='24'><dhcp>\
    <range start='10.211.7.2' end='10.211.7.9'/>\
    <host mac='52:54:00:aa:07:01' ip='10.211.7.5'/></dhcp></ip>";
const NIC: &str = "<devices><interface type='network'><mac address='52:54:00:aa:07:01'/>\
    <source network='addresses'/></interface></devices>";

/// A host may know no address, but none that is another interface's or of another network.
fn addresses_of_a_domain(host: &Host) {
    let lan = host.network("addresses", IP);
    let web = host.domain("reached", NIC);
    lan.define().start();
    web.define();
    let ask = |source| host.driver.query(&Query::Addresses(target(&web), source));
    let off = ask(AddressSource::Lease);
    assert!(off.as_ref().is_err_and(|e| e.is(ErrorCode::OPERATION_INVALID)), "{off:?}");
    web.start();
    let subnet = Subnet::new("10.211.7.1".parse().unwrap(), 24).unwrap();
    for source in SOURCES {
        let interfaces = match ask(source) {
            Ok(Answer::Addresses(interfaces)) => interfaces,
            // there is no agent
            Err(e) if source == AddressSource::Agent && e.kind == ErrorKind::Unsupported => {
                continue;
            }
            answer => panic!("{source:?}: {answer:?}"),
        };
        for GuestInterface { mac, addresses, .. } in interfaces {
            assert_eq!(mac, Mac::parse("52:54:00:aa:07:01"));
            for address in addresses {
                assert!(subnet.contains(address.address()), "{address}");
            }
        }
    }
    web.done(DomainOp::Destroy);
    lan.done(NetworkOp::Destroy);
}

fn node(host: &Host) {
    let answer = host.driver.query(&Query::Node);
    let Ok(Answer::Node(node)) = answer else { panic!("{answer:?}") };
    assert!(node.cpus > 0 && node.memory_kib > 1024 && !node.model.is_empty(), "{node:?}");
    let most = node.nodes * node.sockets * node.cores * node.threads;
    assert!(most >= node.cpus, "{node:?}");
}

fn several(host: &Host) {
    let (web, nobody) = (host.domain("asked", ""), host.domain("nobody", ""));
    let lan = host.network("asked", "");
    web.define();
    lan.define();
    let answers = host.driver.query_all(&[
        Query::DomainInfo(target(&nobody)),
        Query::Node,
        Query::Addresses(target(&lan), AddressSource::Lease),
        Query::DomainInfo(target(&web)),
    ]);
    let [nobody, node, lan, web] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(nobody.as_ref().is_err_and(|e| e.is(ErrorCode::NO_DOMAIN)), "{nobody:?}");
    assert!(matches!(node, Ok(Answer::Node(_))), "{node:?}");
    assert!(lan.as_ref().is_err_and(|e| e.kind == ErrorKind::Unsupported), "{lan:?}");
    assert!(matches!(web, Ok(Answer::DomainInfo(_))), "{web:?}");
    assert_eq!(host.driver.query_all(&[]), []);
}
