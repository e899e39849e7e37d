//! What is certainly wrong with a network's values, each with its place.

use super::{Ip, Network};
use crate::diag::{Diagnostic, Diagnostics, Severity, Span};
use crate::model::subnet::netmask_prefix;
use crate::model::values::{DEVICE_NAME_MAX, check_identity, check_mac, found};
use crate::model::{Mac, Subnet};
use crate::xml::{Attribute, Element};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};

/// Adds the problems of the network document `root` to `out`.
pub fn check(root: &Element, out: &mut Diagnostics) {
    check_identity(root, out);
    check_bridge(root, out);
    if let Some(mac) = root.child("mac").and_then(|m| m.attribute("address")) {
        check_mac(mac, out);
    }
    let network = Network::new(root);
    for ip in network.ips() {
        check_subnet(ip, out);
        if let Some(subnet) = ip.subnet() {
            check_dhcp(ip, subnet, out);
        }
    }
    super::lint::check(root, out);
}

fn check_bridge(root: &Element, out: &mut Diagnostics) {
    let Some(bridge) = root.child("bridge") else { return };
    if let Some(name) = bridge.attribute("name")
        && (name.value.len() > DEVICE_NAME_MAX || name.value.contains(['/', ' ', '\n', '\t']))
    {
        out.push(
            Diagnostic::error("bad-device-name", "this cannot name a bridge").at(name.span).detail(
                format!("{}; expected at most 15 characters, no slash", found(&name.value)),
            ),
        );
    }
    if let Some(stp) = bridge.attribute("stp")
        && !["on", "off"].contains(&stp.value.as_str())
    {
        out.push(
            Diagnostic::error("bad-value", "stp is neither on nor off")
                .at(stp.span)
                .detail(found(&stp.value)),
        );
    }
}

/// Checks address, family and netmask or prefix of an `<ip>`.
fn check_subnet(ip: Ip<'_>, out: &mut Diagnostics) {
    let element = ip.element();
    let Some(address) = element.attribute("address") else { return };
    let ipv6 = element.attr("family") == Some("ipv6");
    let Some(parsed) = parse_ip(address, out) else { return };
    if parsed.is_ipv6() != ipv6 {
        let family = if ipv6 { "IPv6" } else { "IPv4" };
        out.push(
            Diagnostic::error("bad-ip", format!("this is not an {family} address"))
                .at(address.span)
                .detail(found(&address.value))
                .hint(if ipv6 { "drop family" } else { "add family ipv6" }),
        );
        return;
    }
    let bad = |attribute: &Attribute, summary: &str, expected: &str| {
        Diagnostic::error("bad-prefix", summary)
            .at(attribute.span)
            .detail(format!("{}; {expected}", found(&attribute.value)))
    };
    let (netmask, prefix) = (element.attribute("netmask"), element.attribute("prefix"));
    if let (Some(netmask), Some(prefix)) = (netmask, prefix) {
        out.push(
            bad(netmask, "netmask and prefix say the same thing twice", "expected one of them")
                .related(prefix.span, "the prefix"),
        );
    }
    if let Some(netmask) = netmask
        && (ipv6 || netmask.value.parse::<Ipv4Addr>().ok().and_then(netmask_prefix).is_none())
    {
        let expected = if ipv6 { "IPv6 takes a prefix" } else { "expected 255.255.255.0 or such" };
        out.push(bad(netmask, "this is not a netmask", expected));
    }
    let most = if ipv6 { 128 } else { 32 };
    if let Some(prefix) = prefix
        && !prefix.value.parse::<u8>().is_ok_and(|n| n <= most)
    {
        out.push(bad(prefix, "this is not a prefix", &format!("expected 0 to {most}")));
    }
}

/// libvirt and dnsmasq start with whatever hosts there are: of those that make no sense is warned.
fn check_dhcp(ip: Ip<'_>, subnet: Subnet, out: &mut Diagnostics) {
    for range in ip.dhcp("range") {
        check_range(range, subnet, out);
    }
    let (mut macs, mut addresses) = (HashMap::new(), HashMap::new());
    for host in ip.dhcp("host") {
        if let Some(mac) = host.attribute("mac")
            && let Some(parsed) = check_mac(mac, out)
        {
            let twice = "two hosts of the network have the same MAC address";
            check_unique::<Mac>(
                Diagnostic::warning("duplicate-mac", twice),
                parsed,
                mac,
                &mut macs,
                out,
            );
        }
        if let Some(address) = host.attribute("ip")
            && let Some(parsed) = inside(address, subnet, Severity::Warning, out)
        {
            let twice = "two hosts of the network have the same address";
            check_unique::<IpAddr>(
                Diagnostic::warning("duplicate-ip", twice),
                parsed,
                address,
                &mut addresses,
                out,
            );
        }
    }
}

fn check_range(range: &Element, subnet: Subnet, out: &mut Diagnostics) {
    let (Some(start), Some(end)) = (range.attribute("start"), range.attribute("end")) else {
        out.push(
            Diagnostic::error("bad-range", "the DHCP range is open")
                .at(range.span)
                .hint("give it both start and end"),
        );
        return;
    };
    if let (Some(first), Some(last)) =
        (inside(start, subnet, Severity::Error, out), inside(end, subnet, Severity::Error, out))
        && first > last
    {
        out.push(
            Diagnostic::error("bad-range", "the DHCP range ends before it starts")
                .at(start.span)
                .detail(format!("from {first} to {last}"))
                .hint("swap start and end"),
        );
    }
}

fn check_unique<K: Eq + Hash>(
    problem: Diagnostic,
    key: K,
    attribute: &Attribute,
    seen: &mut HashMap<K, Span>,
    out: &mut Diagnostics,
) {
    if let Some(first) = seen.insert(key, attribute.span) {
        out.push(
            problem
                .at(attribute.span)
                .detail(found(&attribute.value))
                .related(first, "the first one"),
        );
    }
}

/// The address, if it is one of `subnet`; otherwise the problem is said.
fn inside(
    attribute: &Attribute,
    subnet: Subnet,
    severity: Severity,
    out: &mut Diagnostics,
) -> Option<IpAddr> {
    let address = parse_ip(attribute, out)?;
    if !subnet.contains(address) {
        let mut problem =
            Diagnostic::error("outside-subnet", "the address is outside the network's subnet")
                .at(attribute.span)
                .detail(format!("{}; expected one of {subnet}", found(&attribute.value)));
        problem.severity = severity;
        out.push(problem);
        return None;
    }
    Some(address)
}

fn parse_ip(attribute: &Attribute, out: &mut Diagnostics) -> Option<IpAddr> {
    let parsed = attribute.value.parse().ok();
    if parsed.is_none() {
        out.push(
            Diagnostic::error("bad-ip", "this is not an IP address")
                .at(attribute.span)
                .detail(found(&attribute.value)),
        );
    }
    parsed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::diag::SourceId;
    use crate::xml::{Limits, parse};

    fn codes(inside: &str) -> Vec<&'static str> {
        let text = format!("<network><name>lan</name>{inside}</network>");
        let root = parse(SourceId::NONE, &text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(&root, &mut out);
        out.iter().map(|d| d.code).collect()
    }

    #[test]
    fn addresses_that_cannot_work() {
        let ip =
            |inside: &str| format!("<ip address='10.0.0.1' prefix='24'><dhcp>{inside}</dhcp></ip>");
        let twice = "<host mac='52:54:00:00:00:01' ip='10.0.0.2'/>\
                     <host mac='52:54:0:0:0:1' ip='10.0.0.2'/>";
        for (inside, expected) in [
            (ip("<range start='10.0.0.2' end='10.0.0.254'/>"), vec![]),
            (ip("<range start='10.0.0.9' end='10.0.0.2'/>"), vec!["bad-range"]),
            (ip("<range start='10.0.0.9'/>"), vec!["bad-range"]),
            (ip("<range start='10.0.0.9' end='10.0.1.2'/>"), vec!["outside-subnet"]),
            (ip("<host mac='52:54:00:00:00:01' ip='10.1.0.2'/>"), vec!["outside-subnet"]),
            (ip("<host mac='52:54' ip='x'/>"), vec!["bad-mac", "bad-ip"]),
            (ip(twice), vec!["duplicate-mac", "duplicate-ip"]),
            ("<ip address='10.0.0'/>".into(), vec!["bad-ip"]),
            ("<ip address='fd00::1' prefix='64'/>".into(), vec!["bad-ip"]),
            ("<ip address='10.0.0.1' family='ipv6'/>".into(), vec!["bad-ip"]),
            ("<ip address='10.0.0.1' prefix='33'/>".into(), vec!["bad-prefix"]),
            ("<ip address='10.0.0.1' netmask='255.0.255.0'/>".into(), vec!["bad-prefix"]),
            ("<ip address='10.0.0.1' netmask='255.0.0.0' prefix='8'/>".into(), vec!["bad-prefix"]),
            ("<bridge name='a-bridge-name-too-long'/>".into(), vec!["bad-device-name"]),
            ("<bridge stp='maybe'/>".into(), vec!["bad-value"]),
        ] {
            assert_eq!(codes(&inside), expected, "{inside}");
        }
    }
}
