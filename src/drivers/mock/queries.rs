//! Answers to queries, from the definitions: nothing here runs a guest.

use crate::drivers::objects::errors::{absent, fault};
use crate::drivers::objects::post_parse;
use crate::drivers::objects::store::{Object, Store};
use crate::error::{Error, ErrorCode, ErrorDomain, ErrorKind, Result};
use crate::model::domain::{Domain, Interface, InterfaceSource};
use crate::model::network::Network;
use crate::model::{
    Answer, DomainInfo, GuestInterface, InterfaceAddress, Kind, Mac, NodeInfo, Query, ResourceId,
    Target,
};
use xmltree::Element;

/// Answers `query`.
pub(super) fn answer(host: &Store, query: &Query) -> Result<Answer> {
    let answer = match query {
        Query::DomainInfo(target) => info(guest(host, target)?).map(Answer::DomainInfo),
        // each source knows the same of a guest that does not run
        Query::Addresses(target, _) => {
            interfaces(host, guest(host, target)?).map(Answer::Addresses)
        }
        Query::Node => Ok(Answer::Node(node())),
    };
    match query.target() {
        Some(target) => answer.map_err(|e| e.address(target.id.to_string())),
        None => answer,
    }
}

fn guest<'a>(host: &'a Store, target: &Target) -> Result<&'a Object> {
    let kind = target.id.kind;
    if !kind.is_guest() {
        let message = format!("a {kind} is not asked about");
        return Err(Error::new(ErrorKind::Unsupported, message).address(target.id.to_string()));
    }
    Ok(host.find(target)?.1)
}

fn info(domain: &Object) -> Result<DomainInfo> {
    let Some(definition) = domain.live.as_ref().or(domain.persistent.as_ref()) else {
        let message = "the domain has no definition";
        return Err(fault(absent(Kind::Domain), ErrorDomain::TEST, message));
    };
    let memory = |name| definition.child(name).map(post_parse::kib).transpose();
    let max_memory_kib = memory("memory")?.unwrap_or(0);
    Ok(DomainInfo {
        state: domain.state,
        max_memory_kib,
        memory_kib: memory("currentMemory")?.unwrap_or(max_memory_kib),
        vcpus: vcpus(definition),
        cpu_time_ns: 0,
    })
}

fn vcpus(definition: &Element) -> u32 {
    let written = definition
        .child("vcpu")
        .map(|vcpu| vcpu.attr("current").map_or_else(|| vcpu.text(), str::to_owned));
    written.and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// The interfaces for which a network reserves an address.
fn interfaces(host: &Store, domain: &Object) -> Result<Vec<GuestInterface>> {
    let Some(live) = &domain.live else {
        let message = "domain is not running";
        return Err(fault(ErrorCode::OPERATION_INVALID, ErrorDomain::TEST, message));
    };
    let all = Domain::new(live.node()).interfaces().enumerate();
    let reserved = all.filter_map(|(number, interface)| {
        let mac = interface.mac()?;
        let addresses = reservations(host, interface, mac)?;
        // libvirt's mock calls them so where the definition does not
        let name = interface.target().map_or_else(|| format!("testnet{number}"), str::to_owned);
        (!addresses.is_empty()).then_some(GuestInterface { name, mac: Some(mac), addresses })
    });
    Ok(reserved.collect())
}

/// Addresses that the interface's network reserves for a MAC address.
fn reservations(host: &Store, interface: Interface<'_>, mac: Mac) -> Option<Vec<InterfaceAddress>> {
    let InterfaceSource::Network(Some(name)) = interface.source() else { return None };
    let network = host.objects.get(&ResourceId::new(Kind::Network, name))?.live.as_ref()?;
    let of_ips = Network::new(network.node()).ips().flat_map(|ip| {
        let prefix = ip.subnet().map(|subnet| u32::from(subnet.prefix()));
        let own = ip.dhcp_hosts().filter(move |h| h.mac.and_then(Mac::parse) == Some(mac));
        own.filter_map(move |h| InterfaceAddress::new(h.ip?.parse().ok()?, prefix?))
    });
    Some(of_ips.collect())
}

/// The host that libvirt's `test:///default` describes.
fn node() -> NodeInfo {
    NodeInfo {
        model: "i686".to_owned(),
        memory_kib: 3 << 20,
        cpus: 16,
        mhz: 1400,
        nodes: 2,
        sockets: 2,
        cores: 2,
        threads: 2,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::super::default_host::default_host;
    use super::*;
    use crate::drivers::objects::errors::read;
    use crate::model::{AddressSource, State};

    const NETWORK: &str = "<network><name>lan</name><ip address='10.0.0.1' prefix='24'><dhcp>\
        <host mac='52:54:00:00:00:01' ip='10.0.0.5'/>\
        <host mac='52:54:00:00:00:02' ip='10.0.0.6'/></dhcp></ip>\
        <ip family='ipv6' address='fd00::1' prefix='64'><dhcp><host name='web' ip='fd00::5'/>\
        </dhcp></ip></network>";

    const DOMAIN: &str = "<domain type='test'><name>web</name><memory unit='MiB'>64</memory>\
        <currentMemory unit='MiB'>32</currentMemory><vcpu current='1'>4</vcpu><os><type>hvm</type></os>\
        <devices><interface type='user'><mac address='52:54:00:00:00:02'/></interface>\
        <interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/></interface>\
        <interface type='network'><mac address='52:54:00:00:00:03'/><source network='lan'/></interface>\
        <interface type='network'><mac address='52:54:00:00:00:02'/><source network='none'/>\
        </interface></devices></domain>";

    fn host() -> (Store, Target) {
        let mut host = default_host().unwrap();
        for (kind, text) in [(Kind::Network, NETWORK), (Kind::Domain, DOMAIN)] {
            let mut object = Object::defined(kind, read(kind, text).unwrap(), &host).unwrap();
            object.start(&host, State::Running, 0);
            host.add(kind, object).unwrap();
        }
        let id = ResourceId::new(Kind::Domain, "web");
        let uuid = host.objects.get(&id).unwrap().uuid;
        (host, Target { id, uuid })
    }

    #[test]
    fn a_reservation_is_the_address_of_the_interface_that_it_is_for() {
        let (host, target) = host();
        let asked = Query::Addresses(target, AddressSource::Lease);
        let Answer::Addresses(interfaces) = answer(&host, &asked).unwrap() else { panic!() };
        let shown: Vec<String> = interfaces
            .iter()
            .map(|i| format!("{} {} {}", i.name, i.mac.unwrap(), i.addresses.first().unwrap()))
            .collect();
        assert_eq!(shown, ["testnet1 52:54:00:00:00:01 10.0.0.5/24"]);
    }

    #[test]
    fn the_size_of_a_domain_is_that_of_its_definition() {
        let (host, target) = host();
        let Answer::DomainInfo(info) = answer(&host, &Query::DomainInfo(target.clone())).unwrap()
        else {
            panic!()
        };
        assert_eq!((info.state, info.vcpus, info.cpu_time_ns), (State::Running, 1, 0));
        assert_eq!((info.max_memory_kib, info.memory_kib), (64 << 10, 32 << 10));
        let network = Target { id: ResourceId::new(Kind::Network, "lan"), ..target };
        let error = answer(&host, &Query::DomainInfo(network)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
    }
}
