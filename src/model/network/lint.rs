//! Rules for networks that no grammar can say: addresses, routes and port groups that do not go
//! together. What libvirt 11.3 refuses is an error; what only does not work there is a warning.

use super::view::{Ip, Network};
use crate::model::Subnet;
use crate::model::lint::{Claims, check_padding, check_running, check_vlans};
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics, Span};
use std::net::IpAddr;
use xmltree::NodeRef;

/// Reports combinations in the network document `root` that do not work together.
pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_padding(root, out);
    check_running(root, out);
    check_vlans(root, out);
    check_port_groups(root, out);
    check_forward(root, out);
    check_missing_ip(root, out);
    check_tagged(root, out);
    check_servers(root, out);
    for ip in Network::new(root).ips() {
        if let (Some(subnet), Some(own)) = (ip.subnet(), ip.address()) {
            check_addresses(ip, own, subnet, out);
        }
    }
    check_routes(root, out);
}

fn check_port_groups(root: NodeRef<'_>, out: &mut Diagnostics) {
    let (mut names, mut defaults) = (Claims::default(), Claims::default());
    for group in root.children_named("portgroup") {
        check_vlans(group, out);
        if let Some(name) = group.attribute("name")
            && let Some(first) = names.claim(&name.value, name.span)
        {
            out.push(
                Diagnostic::error("portgroup", "two port groups have one name")
                    .at(name.span)
                    .detail(found(&name.value))
                    .related(first, "the first one")
                    .hint("rename one of them"),
            );
        }
        if let Some(flag) = group.attribute("default").filter(|d| d.value == "yes")
            && let Some(first) = defaults.claim((), flag.span)
        {
            out.push(
                Diagnostic::error("portgroup", "two port groups are the default")
                    .at(flag.span)
                    .related(first, "the first one")
                    .hint("keep one of them"),
            );
        }
    }
}

/// Ways out in which libvirt only hands on a bridge or a device of the host.
const HANDED_ON: [&str; 5] = ["bridge", "private", "vepa", "passthrough", "hostdev"];

fn check_forward(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(forward) = root.child("forward") else { return };
    let mode = forward.attr("mode").unwrap_or("nat");
    if HANDED_ON.contains(&mode) {
        for element in root.elements().filter(|e| ["ip", "dns", "domain"].iter().any(|n| e.is(n))) {
            out.push(
                Diagnostic::error(
                    "forward-mode",
                    format!(
                        "a network of this forward mode has no {} of its own",
                        element.name().local
                    ),
                )
                .at(element.span())
                .detail(format!("the mode of forward is {mode}"))
                .hint("remove it, or make the mode nat, route or open"),
            );
        }
    }
    if mode == "open"
        && let Some(device) = forward.attribute("dev")
    {
        out.push(
            Diagnostic::error(
                "forward-mode",
                "forwarding without rules cannot be tied to a device",
            )
            .at(device.span)
            .detail("the mode of forward is open: libvirt adds no rules of the firewall")
            .hint("leave dev out, or make the mode route"),
        );
    }
    if mode != "nat"
        && let Some(nat) = forward.child("nat")
    {
        out.push(
            Diagnostic::error("forward-mode", "addresses are only translated in mode nat")
                .at(nat.span())
                .detail(format!("the mode of forward is {mode}"))
                .hint("remove nat, or make the mode nat"),
        );
    }
    let first = forward.children_named("interface").find_map(|i| i.attribute("dev"));
    if let (Some(device), Some(first)) = (forward.attribute("dev"), first)
        && device.value != first.value
    {
        out.push(
            Diagnostic::error("forward-mode", "dev of forward is not its first interface")
                .at(device.span)
                .detail(format!("{}; the first interface is {}", found(&device.value), first.value))
                .related(first.span, "the first interface")
                .hint("leave dev out"),
        );
    }
}

/// Ways out for which libvirt writes rules of the firewall, from the addresses.
const ROUTED: [&str; 2] = ["nat", "route"];

fn check_missing_ip(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(forward) = root.child("forward") else { return };
    let mode = forward.attribute("mode");
    let name = mode.map_or("nat", |mode| mode.value.as_str());
    if ROUTED.contains(&name) && root.child("ip").is_none() {
        out.push(
            Diagnostic::error("missing-ip", "a network that is forwarded needs an address")
                .at(mode.map_or(forward.span(), |mode| mode.span))
                .detail(format!("the mode of forward is {name}, and there is no ip"))
                .hint("add an ip with address and prefix, or make the mode open"),
        );
    }
}

/// Ways out in which something other than libvirt's own bridge can do VLANs.
const TAGGED: [&str; 3] = ["bridge", "passthrough", "hostdev"];

fn check_tagged(root: NodeRef<'_>, out: &mut Diagnostics) {
    let forward = root.child("forward");
    let mode = forward.map(|forward| forward.attr("mode").unwrap_or("nat"));
    if mode.is_some_and(|mode| TAGGED.contains(&mode)) {
        return;
    }
    let own = root.child("vlan");
    let groups = root.children_named("portgroup").filter_map(|group| group.child("vlan"));
    for vlan in own.into_iter().chain(groups) {
        out.push(
            Diagnostic::error("forward-mode", "a network of this kind does no VLANs")
                .at(vlan.span())
                .detail(match mode {
                    Some(mode) => format!("the mode of forward is {mode}"),
                    None => "the network is isolated".to_owned(),
                })
                .hint("remove vlan, or make the mode bridge, passthrough or hostdev"),
        );
    }
}

/// Refuses DHCP on a second address of a family: libvirt serves one of each.
fn check_servers(root: NodeRef<'_>, out: &mut Diagnostics) {
    let mut seen = Claims::default();
    for ip in root.children_named("ip") {
        let Some(dhcp) = ip.child("dhcp") else { continue };
        let family = if ip.attr("family") == Some("ipv6") { "IPv6" } else { "IPv4" };
        if family == "IPv6" {
            check_keys(dhcp, out);
        }
        if let Some(first) = seen.claim(family, dhcp.span()) {
            out.push(
                Diagnostic::error(
                    "second-dhcp",
                    format!("the network has DHCP for {family} twice"),
                )
                .at(dhcp.span())
                .related(first, "the first one")
                .hint("libvirt runs it for one subnet of each family: keep one"),
            );
        }
    }
}

/// DHCP for IPv6 knows its clients by an identifier of their own.
fn check_keys(dhcp: NodeRef<'_>, out: &mut Diagnostics) {
    for mac in dhcp.children_named("host").filter_map(|host| host.attribute("mac")) {
        out.push(
            Diagnostic::error("dhcp-host-mac", "a DHCP host of IPv6 has no MAC address")
                .at(mac.span)
                .detail(found(&mac.value))
                .hint("name it by its name, or by its DUID as id"),
        );
    }
}

/// Most addresses that libvirt lets a DHCP range have.
const RANGE_MAX: u128 = 65_535;

fn check_addresses(ip: Ip<'_>, own: IpAddr, subnet: Subnet, out: &mut Diagnostics) {
    let dhcp = || ip.element().children_named("dhcp");
    for range in dhcp().flat_map(|d| d.children_named("range")) {
        let (Some(start), Some(end)) = (range.attribute("start"), range.attribute("end")) else {
            continue;
        };
        let (Ok(first), Ok(last)) = (start.value.parse(), end.value.parse()) else { continue };
        if !subnet.contains(first) || !subnet.contains(last) || first > last {
            continue; // said already
        }
        reserved(subnet, first, "the DHCP range starts at", start.span, out);
        reserved(subnet, last, "the DHCP range ends at", end.span, out);
        let size = Subnet::number(last) - Subnet::number(first);
        if size >= RANGE_MAX {
            out.push(
                Diagnostic::error("bad-range", "the DHCP range is too large")
                    .at(start.span)
                    .detail(format!("{} addresses; expected at most {RANGE_MAX}", size + 1))
                    .hint("let it end earlier"),
            );
        }
    }
    for host in dhcp().flat_map(|d| d.children_named("host")).filter_map(|h| h.attribute("ip")) {
        if host.value.parse() == Ok(own) {
            out.push(
                Diagnostic::warning("own-address", "DHCP gives a guest the host's own address")
                    .at(host.span)
                    .detail(found(&host.value))
                    .hint("choose another address of the subnet"),
            );
        }
    }
}

/// The first and the last address of an IPv4 subnet stand for the network and for everybody in it.
fn reserved(subnet: Subnet, address: IpAddr, what: &str, span: Span, out: &mut Diagnostics) {
    if !address.is_ipv4() || subnet.prefix() >= 31 {
        return;
    }
    let number = Subnet::number(address);
    let role = if number == subnet.first() {
        "the network's own address"
    } else if number == subnet.last() {
        "the broadcast address"
    } else {
        return;
    };
    out.push(
        Diagnostic::error("bad-range", format!("{what} {role}"))
            .at(span)
            .detail(format!("{}; the subnet is {subnet}", found(&address.to_string())))
            .hint("leave the first and the last address of the subnet out"),
    );
}

/// Most subnets that a message lists.
const SHOWN: usize = 8;

/// Returns the ranges that a network's addresses reach, sorted: the first address of each subnet, and the
/// last one of it and of those before. Lookup stays fast however many there are.
fn reach(subnets: &[Subnet]) -> Vec<(bool, u128, u128)> {
    let mut all: Vec<_> = subnets.iter().map(|s| (s.is_ipv4(), s.first(), s.last())).collect();
    all.sort_unstable();
    let mut widest = (false, 0);
    for (ipv4, _, last) in &mut all {
        if widest.0 == *ipv4 {
            *last = widest.1.max(*last);
        }
        widest = (*ipv4, *last);
    }
    all
}

fn check_routes(root: NodeRef<'_>, out: &mut Diagnostics) {
    let subnets: Vec<Subnet> = Network::new(root).ips().filter_map(Ip::subnet).collect();
    let reach = reach(&subnets);
    let reachable = |address: IpAddr| {
        let (ipv4, number) = (address.is_ipv4(), Subnet::number(address));
        let after = reach.partition_point(|(family, first, _)| (*family, *first) <= (ipv4, number));
        let before = after.checked_sub(1).and_then(|n| reach.get(n));
        before.is_some_and(|(family, _, last)| *family == ipv4 && *last >= number)
    };
    for route in root.children_named("route") {
        if let Some(gateway) = route.attribute("gateway")
            && let Ok(address) = gateway.value.parse::<IpAddr>()
            && !reachable(address)
        {
            let there: Vec<String> = subnets.iter().take(SHOWN).map(ToString::to_string).collect();
            let expected = match there.len() {
                0 => "the network has no subnet".to_owned(),
                _ => format!("expected an address of {}", there.join(" or ")),
            };
            out.push(
                Diagnostic::error("bad-route", "the gateway cannot be reached from the network")
                    .at(gateway.span)
                    .detail(format!("{}; {expected}", found(&gateway.value)))
                    .hint("name a guest on this network that forwards"),
            );
        }
        // an address with its netmask or prefix reads as an ip does
        let target = Ip { element: route };
        if let (Some(address), Some(subnet)) = (target.address(), target.subnet())
            && (route.attr("prefix").is_some() || route.attr("netmask").is_some())
            && Subnet::number(address) != subnet.first()
        {
            let place = route.attribute("address").map_or(route.span(), |a| a.span);
            out.push(
                Diagnostic::error("bad-route", "the route is to a host, and not to a network")
                    .at(place)
                    .detail(format!("{}; the network is {subnet}", found(&address.to_string())))
                    .hint("write the first address of the network"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use diagnostics::Sources;
    use xmltree::{Limits, parse};

    /// Each problem as `column code`, errors with `!`.
    fn problems(inside: &str) -> Vec<String> {
        let text = format!("<network>{inside}</network>");
        let mut sources = Sources::default();
        let id = sources.add("x.xml", text.as_str());
        let root = parse(id, &text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(root.node(), &mut out);
        out.sort();
        out.iter()
            .map(|d| {
                let (_, at) = sources.locate(d.span.unwrap()).unwrap();
                format!("{} {}{}", at.column, d.code, if d.is_error() { "!" } else { "" })
            })
            .collect()
    }

    #[test]
    fn each_rule_has_its_place() {
        let ip = |inside: &str| format!("<ip address='10.0.0.1' prefix='24'>{inside}</ip>");
        let range = |a: &str, b: &str| ip(&format!("<dhcp><range start='{a}' end='{b}'/></dhcp>"));
        let route = |inside: &str| format!("{}<route {inside}/>", ip(""));
        for (inside, expected) in [
            (range("10.0.0.1", "10.0.0.254"), vec![]),
            (range("10.0.0.0", "10.0.0.9"), vec!["65 bad-range!"]),
            (range("10.0.0.2", "10.0.0.255"), vec!["80 bad-range!"]),
            (
                "<ip address='10.0.0.1' prefix='8'><dhcp><range start='10.0.0.2' end='10.9.0.9'/>\
                 </dhcp></ip>"
                    .into(),
                vec!["64 bad-range!"],
            ),
            (ip("<dhcp><host ip='10.0.0.1'/></dhcp>"), vec!["61 own-address"]),
            (format!("{}{}", ip("<dhcp/>"), ip("<dhcp/>")), vec!["92 second-dhcp!"]),
            (route("address='10.1.0.0' prefix='16' gateway='10.0.0.2'"), vec![]),
            (route("address='10.1.0.0' prefix='16' gateway='10.2.0.2'"), vec!["97 bad-route!"]),
            (route("address='10.1.0.1' prefix='16' gateway='10.0.0.2'"), vec!["66 bad-route!"]),
            ("<portgroup name='a'/><portgroup name='a'/>".into(), vec!["48 portgroup!"]),
            ("<portgroup default='yes'/><portgroup default='yes'/>".into(), vec!["56 portgroup!"]),
            (
                "<forward mode='hostdev'/><vlan><tag id='4096'/></vlan>".into(),
                vec!["50 bad-vlan!"],
            ),
            ("<vlan><tag id='5'/></vlan>".into(), vec!["10 forward-mode!"]),
            (format!("<forward/>{}<vlan/>", ip("")), vec!["60 forward-mode!"]),
            (
                "<portgroup name='a'><vlan><tag id='5'/></vlan></portgroup>".into(),
                vec!["30 forward-mode!"],
            ),
            ("<forward mode='passthrough'/><vlan/>".into(), vec![]),
            ("<forward/>".into(), vec!["10 missing-ip!"]),
            ("<forward mode='route'/>".into(), vec!["25 missing-ip!"]),
            ("<forward mode='open'/>".into(), vec![]),
            (
                "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><host name='a' ip='fd00::2'/>\
                 <host mac='52:54:00:00:00:01' ip='fd00::3'/></dhcp></ip>"
                    .into(),
                vec!["104 dhcp-host-mac!"],
            ),
            (ip("<dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.3'/></dhcp>"), vec![]),
            (format!("<forward mode='bridge'/>{}", ip("")), vec!["34 forward-mode!"]),
            ("<forward mode='open' dev='eth0'/>".into(), vec!["36 forward-mode!"]),
            (format!("{}<forward mode='route'><nat/></forward>", ip("")), vec!["72 forward-mode!"]),
            (
                format!("{}<forward dev='eth0'><interface dev='eth1'/></forward>", ip("")),
                vec!["64 forward-mode!"],
            ),
            ("<forward mode=' nat'/>".into(), vec!["25 padded-value!"]),
        ] {
            assert_eq!(problems(&inside), expected, "{inside}");
        }
    }
}
