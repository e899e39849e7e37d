//! A network's life.

use super::Rule;
use super::subject::{Host, Need, uuid_of};
use virt::error::ErrorCode;
use virt::model::{Affect, NetworkCommand, NetworkOp, NetworkSection, State};
use xmltree::Path;

pub(super) const RULES: &[Rule] = &[
    ("a_network_is_defined_and_undefined", None, defined_and_undefined),
    ("a_network_is_one_name_and_one_uuid", None, one_name_and_one_uuid),
    ("a_network_starts_and_stops", None, starts_and_stops),
    (
        "a_network_is_redefined_for_its_next_start",
        Some(Need::NextStart),
        redefined_for_its_next_start,
    ),
    ("a_networks_sections_are_updated", Some(Need::NetworkUpdate), sections_are_updated),
    ("a_networks_update_that_fits_nothing_is_refused", Some(Need::NetworkUpdate), unfit_updates),
];

fn undefine() -> NetworkOp {
    NetworkOp::Undefine
}

fn defined_and_undefined(host: &Host) {
    // to forward, a network needs an address
    let bare = host.network("lan", "<forward/>");
    bare.refused(NetworkOp::Define { xml: bare.xml.clone() }, &[ErrorCode::XML_ERROR]);
    let lan = host.network("lan", "<forward/><ip address='10.90.0.1' prefix='24'/>");
    lan.define();
    let config = lan.config();
    assert_eq!(config.child("forward").unwrap().attr("mode"), Some("nat"));
    let bridge = config.child("bridge").unwrap();
    assert_eq!((bridge.attr("stp"), bridge.attr("delay")), (Some("on"), Some("0")));
    lan.is(State::Shutoff).done(NetworkOp::SetAutostart { on: true });
    // the bridge keeps its name when a definition without one comes again
    lan.define();
    assert!(lan.seen().autostart);
    assert_eq!(lan.config().child("bridge"), Some(bridge));
    lan.done(undefine());
    assert!(lan.look().is_none());
}

fn one_name_and_one_uuid(host: &Host) {
    let lan = host.network("only", "");
    lan.define();
    let failed = [ErrorCode::OPERATION_FAILED];
    let uuid = lan.uuid.to_string();
    let other_uuid = lan.xml.replace(&uuid, &uuid_of("another net").to_string());
    lan.refused(NetworkOp::Define { xml: other_uuid }, &failed);
    let other_name = lan.xml.replace(">only<", ">other<");
    lan.refused(NetworkOp::Define { xml: other_name }, &failed);
}

fn starts_and_stops(host: &Host) {
    let lan = host.network("wire", "");
    let invalid = [ErrorCode::OPERATION_INVALID];
    lan.define().start().is(State::Running);
    assert!(lan.seen().live.is_some());
    lan.refused(NetworkOp::Create, &invalid);
    lan.done(NetworkOp::Destroy).is(State::Shutoff);
    lan.done(undefine());
}

fn redefined_for_its_next_start(host: &Host) {
    let old = host.network("grows", "");
    let new = host.network("grows", "<domain name='new'/>");
    old.define().start();
    new.define();
    assert!(new.live().child("domain").is_none());
    new.done(NetworkOp::Destroy).start();
    assert!(new.live().child("domain").is_some());
    new.done(NetworkOp::Destroy).done(undefine());
}

/// A subnet with DHCP. Rules that share a daemon run at the same time: each has one of its own.
fn subnet(second: u8) -> String {
    format!(
        "<ip address='10.{second}.0.1' prefix='24'>\
         <dhcp><range start='10.{second}.0.2' end='10.{second}.0.99'/></dhcp></ip>"
    )
}

fn update(command: NetworkCommand, section: NetworkSection, xml: &str) -> NetworkOp {
    NetworkOp::Update { command, section, parent: -1, xml: xml.to_owned(), affect: Affect::Both }
}

/// An entry of a section of a network on `subnet(91)`: the section, where a value of it is found, the entry and that value, and
/// both once more, changed, for sections whose entries can change.
type Entry = (NetworkSection, &'static str, [&'static str; 2], Option<[&'static str; 2]>);

const ENTRIES: [Entry; 6] = [
    (
        NetworkSection::IpDhcpHost,
        "ip/dhcp/host/@ip",
        ["<host mac='52:54:00:00:00:11' ip='10.91.0.150'/>", "10.91.0.150"],
        Some(["<host mac='52:54:00:00:00:11' ip='10.91.0.151'/>", "10.91.0.151"]),
    ),
    (
        NetworkSection::IpDhcpRange,
        "ip/dhcp/range[2]/@end",
        ["<range start='10.91.0.200' end='10.91.0.210'/>", "10.91.0.210"],
        None,
    ),
    (
        NetworkSection::Portgroup,
        "portgroup/@default",
        ["<portgroup name='p' default='yes'/>", "yes"],
        Some(["<portgroup name='p' default='yes'><vlan><tag id='5'/></vlan></portgroup>", "yes"]),
    ),
    (
        NetworkSection::DnsHost,
        "dns/host/hostname",
        ["<host ip='10.91.0.160'><hostname>a</hostname></host>", "a"],
        Some(["<host ip='10.91.0.160'><hostname>b</hostname></host>", "b"]),
    ),
    (
        NetworkSection::DnsTxt,
        "dns/txt/@value",
        ["<txt name='t' value='a'/>", "a"],
        Some(["<txt name='t' value='b'/>", "b"]),
    ),
    (
        NetworkSection::DnsSrv,
        "dns/srv/@port",
        ["<srv service='s' protocol='tcp' target='x' port='5'/>", "5"],
        None,
    ),
];

fn sections_are_updated(host: &Host) {
    let lan = host.network("parts", &subnet(91));
    lan.define().start();
    let invalid = [ErrorCode::OPERATION_INVALID];
    let dns = [NetworkSection::DnsHost, NetworkSection::DnsTxt];
    for (section, path, [xml, value], changed) in ENTRIES {
        let path = Path::parse(path).unwrap();
        let both_have = |value: Option<&str>| {
            assert_eq!(path.value(&lan.config()).as_deref(), value, "{section:?}");
            assert_eq!(path.value(&lan.live()).as_deref(), value, "{section:?}");
        };
        let added = xml;
        lan.done(update(NetworkCommand::AddLast, section, xml));
        both_have(Some(value));
        lan.refused(update(NetworkCommand::AddLast, section, xml), &invalid);
        match changed {
            // libvirt 9.0 only adds and deletes these
            Some([xml, _]) if dns.contains(&section) && host.is_old() => {
                let unsupported = [ErrorCode::OPERATION_UNSUPPORTED];
                lan.refused(update(NetworkCommand::Modify, section, xml), &unsupported);
                lan.done(update(NetworkCommand::Delete, section, added));
                continue;
            }
            Some([xml, value]) => {
                lan.done(update(NetworkCommand::Modify, section, xml));
                both_have(Some(value));
            }
            None => lan.refused(
                update(NetworkCommand::Modify, section, xml),
                &[ErrorCode::OPERATION_UNSUPPORTED],
            ),
        }
        let last = changed.map_or(xml, |[xml, _]| xml);
        lan.done(update(NetworkCommand::Delete, section, last));
        both_have(None);
        lan.refused(update(NetworkCommand::Delete, section, last), &invalid);
    }
    lan.done(NetworkOp::Destroy);
}

fn unfit_updates(host: &Host) {
    let lan = host.network("misfit", &subnet(92));
    let (add, section) = (NetworkCommand::AddLast, NetworkSection::IpDhcpHost);
    let invalid = [ErrorCode::OPERATION_INVALID];
    let entry = "<host mac='52:54:00:00:00:11' ip='10.92.0.150'/>";
    // a network that does not run has nothing live to change
    lan.define().refused(update(add, section, entry), &invalid);
    lan.start();
    for xml in ["<junk/>", "<host", ""] {
        let codes = [ErrorCode::XML_ERROR, ErrorCode::XML_DETAIL];
        lan.refused(update(add, section, xml), &codes);
    }
    let no_such_ip = NetworkOp::Update {
        command: add,
        section,
        parent: 5,
        xml: entry.to_owned(),
        affect: Affect::Both,
    };
    lan.refused(no_such_ip, &invalid);
    lan.done(NetworkOp::Destroy);
}
