//! Certain errors in a network's values that no grammar can express, each with its place. A value that the
//! grammar refuses passes here: it was reported already.

use super::view::{Ip, Network};
use crate::model::subnet::netmask_prefix;
use crate::model::values::{DEVICE_NAME_MAX, check_identity, found};
use crate::model::{Mac, Subnet};
use diagnostics::{Diagnostic, Diagnostics, Severity, Span};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use xmltree::{Attribute, NodeRef};

/// Adds the problems of the network document `root` to `out`.
pub fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_identity(root, out);
    check_bridge(root, out);
    let network = Network::new(root);
    for ip in network.ips() {
        check_subnet(ip, out);
        if let Some(subnet) = ip.subnet() {
            check_dhcp(ip, subnet, out);
        }
    }
    super::lint::check(root, out);
}

fn check_bridge(root: NodeRef<'_>, out: &mut Diagnostics) {
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
}

/// Checks that address, family and netmask or prefix of an `<ip>` go together.
fn check_subnet(ip: Ip<'_>, out: &mut Diagnostics) {
    let element = ip.element();
    let Some(address) = element.attribute("address") else { return };
    let ipv6 = match element.attr("family") {
        Some("ipv6") => true,
        Some("ipv4") | None => false,
        Some(_) => return,
    };
    let Ok(parsed) = address.value.parse::<IpAddr>() else { return };
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
    let at = |diagnostic: Diagnostic, attribute: &Attribute, expected: &str| {
        let detail = format!("{}; {expected}", found(&attribute.value));
        diagnostic.at(attribute.span).detail(detail)
    };
    if let Some(netmask) = element.attribute("netmask")
        && let Ok(bits) = netmask.value.parse::<Ipv4Addr>()
    {
        // libvirt itself looks for the family at once, and at the bits when the network starts
        if ipv6 {
            let bad = Diagnostic::error("bad-prefix", "an IPv6 address has no netmask");
            out.push(at(bad, netmask, "IPv6 takes a prefix"));
        } else if netmask_prefix(bits).is_none() {
            let bad = Diagnostic::error("bad-netmask", "this is not a netmask");
            out.push(at(bad, netmask, "expected 255.255.255.0 or such"));
        }
    }
    // the grammar has one range for both families
    if let Some(prefix) = element.attribute("prefix")
        && !ipv6
        && prefix.value.parse::<u8>().is_ok_and(|n| n > 32)
    {
        let bad = Diagnostic::error("bad-prefix", "this is not a prefix of IPv4");
        out.push(at(bad, prefix, "expected 0 to 32"));
    }
}

/// Warns of DHCP hosts that make no sense: libvirt and dnsmasq start with any.
fn check_dhcp(ip: Ip<'_>, subnet: Subnet, out: &mut Diagnostics) {
    for range in ip.dhcp("range") {
        check_range(range, subnet, out);
    }
    let (mut macs, mut addresses) = (HashMap::new(), HashMap::new());
    for host in ip.dhcp("host") {
        if let Some(mac) = host.attribute("mac")
            && let Some(parsed) = Mac::parse(&mac.value)
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

fn check_range(range: NodeRef<'_>, subnet: Subnet, out: &mut Diagnostics) {
    let (Some(start), Some(end)) = (range.attribute("start"), range.attribute("end")) else {
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

/// The address, if it is one of `subnet`; if it is another one, that is said.
fn inside(
    attribute: &Attribute,
    subnet: Subnet,
    severity: Severity,
    out: &mut Diagnostics,
) -> Option<IpAddr> {
    let address: IpAddr = attribute.value.parse().ok()?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    fn codes(inside: &str) -> Vec<&'static str> {
        let text = format!("<network><name>lan</name>{inside}</network>");
        let root = parse(SourceId::NONE, &text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(root.node(), &mut out);
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
            (ip("<range start='10.0.0.9'/>"), vec![]),
            (ip("<range start='10.0.0.9' end='10.0.1.2'/>"), vec!["outside-subnet"]),
            (ip("<host mac='52:54:00:00:00:01' ip='10.1.0.2'/>"), vec!["outside-subnet"]),
            (ip("<host mac='52:54' ip='x'/>"), vec![]),
            (ip(twice), vec!["duplicate-mac", "duplicate-ip"]),
            ("<ip address='10.0.0'/>".into(), vec![]),
            ("<ip address='fd00::1' prefix='64'/>".into(), vec!["bad-ip"]),
            ("<ip address='10.0.0.1' family='ipv6'/>".into(), vec!["bad-ip"]),
            ("<ip address='10.0.0.1' prefix='33'/>".into(), vec!["bad-prefix"]),
            ("<ip address='10.0.0.1' netmask='255.0.255.0'/>".into(), vec!["bad-netmask"]),
            ("<bridge name='a-bridge-name-too-long'/>".into(), vec!["bad-device-name"]),
        ] {
            assert_eq!(codes(&inside), expected, "{inside}");
        }
    }
}
