//! The network document: a typed view over its tree, and the check of its values.

use super::subnet::{default_prefix, netmask_prefix};
use super::values::{check_identity, check_mac, found};
use super::{Mac, Subnet, Uuid, parse_uuid};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::xml::{Attribute, Element};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};

/// A `<network>` element.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    root: &'a Element,
}

impl<'a> Network<'a> {
    /// The view of a document's root.
    pub fn new(root: &'a Element) -> Self {
        Self { root }
    }

    /// The name.
    pub fn name(self) -> Option<String> {
        self.root.child_text("name")
    }

    /// The UUID, if there is a valid one.
    pub fn uuid(self) -> Option<Uuid> {
        parse_uuid(&self.root.child_text("uuid")?)
    }

    /// How it reaches the world: `nat`, `route` or one of libvirt's later words; `None` for an
    /// isolated network.
    pub fn forward_mode(self) -> Option<&'a str> {
        Some(self.root.child("forward")?.attr("mode").unwrap_or("nat"))
    }

    /// The host's device that traffic leaves by, if it is bound to one.
    pub fn forward_device(self) -> Option<&'a str> {
        let forward = self.root.child("forward")?;
        forward.attr("dev").or_else(|| forward.child("interface")?.attr("dev"))
    }

    /// The host's bridge; `None` leaves the choice to the host.
    pub fn bridge(self) -> Option<&'a str> {
        self.root.child("bridge")?.attr("name")
    }

    /// Whether the bridge takes part in the spanning tree protocol, which is the default.
    pub fn stp(self) -> bool {
        self.root.child("bridge").and_then(|b| b.attr("stp")) != Some("off")
    }

    /// The bridge's forwarding delay in seconds.
    pub fn delay(self) -> Option<u32> {
        self.root.child("bridge")?.attr("delay")?.parse().ok()
    }

    /// The host's addresses on the network.
    pub fn ips(self) -> impl Iterator<Item = Ip<'a>> {
        self.root.children_named("ip").map(|element| Ip { element })
    }
}

/// An `<ip>` of a network: the host's address, and what DHCP hands out beside it.
#[derive(Clone, Copy, Debug)]
pub struct Ip<'a> {
    element: &'a Element,
}

impl<'a> Ip<'a> {
    /// The tree behind the view.
    pub fn element(self) -> &'a Element {
        self.element
    }

    /// The host's address, if there is a valid one.
    pub fn address(self) -> Option<IpAddr> {
        self.element.attr("address")?.parse().ok()
    }

    /// The subnet that address and netmask or prefix make; without either it is the one of the
    /// address's class, as libvirt has it.
    pub fn subnet(self) -> Option<Subnet> {
        let address = self.address()?;
        let prefix = match (self.element.attr("prefix"), self.element.attr("netmask")) {
            (Some(prefix), _) => prefix.parse().ok()?,
            (None, Some(mask)) => netmask_prefix(mask.parse().ok()?)?,
            (None, None) => default_prefix(address),
        };
        Subnet::new(address, prefix)
    }

    /// The first and last address of each DHCP range, as written.
    pub fn dhcp_ranges(self) -> impl Iterator<Item = (Option<&'a str>, Option<&'a str>)> {
        self.dhcp("range").map(|r| (r.attr("start"), r.attr("end")))
    }

    /// The hosts that DHCP gives a fixed address.
    pub fn dhcp_hosts(self) -> impl Iterator<Item = DhcpHost<'a>> {
        self.dhcp("host").map(|h| DhcpHost {
            mac: h.attr("mac"),
            name: h.attr("name"),
            ip: h.attr("ip"),
        })
    }

    fn dhcp(self, name: &'static str) -> impl Iterator<Item = &'a Element> {
        self.element.children_named("dhcp").flat_map(move |d| d.children_named(name))
    }
}

/// A host with a fixed address, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DhcpHost<'a> {
    /// Its MAC address.
    pub mac: Option<&'a str>,
    /// Its name.
    pub name: Option<&'a str>,
    /// The address it gets.
    pub ip: Option<&'a str>,
}

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
}

/// Longest name of a device in the kernel, in bytes.
const DEVICE_NAME_MAX: usize = 15;

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

fn check_dhcp(ip: Ip<'_>, subnet: Subnet, out: &mut Diagnostics) {
    for range in ip.dhcp("range") {
        check_range(range, subnet, out);
    }
    let (mut macs, mut addresses) = (HashMap::new(), HashMap::new());
    for host in ip.dhcp("host") {
        if let Some(mac) = host.attribute("mac")
            && let Some(parsed) = check_mac(mac, out)
        {
            check_unique::<Mac>("duplicate-mac", parsed, mac, &mut macs, out);
        }
        if let Some(address) = host.attribute("ip")
            && let Some(parsed) = inside(address, subnet, out)
        {
            check_unique::<IpAddr>("duplicate-ip", parsed, address, &mut addresses, out);
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
    if let (Some(first), Some(last)) = (inside(start, subnet, out), inside(end, subnet, out))
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
    code: &'static str,
    key: K,
    attribute: &Attribute,
    seen: &mut HashMap<K, Span>,
    out: &mut Diagnostics,
) {
    if let Some(first) = seen.insert(key, attribute.span) {
        out.push(
            Diagnostic::error(code, "two hosts of the network have the same address")
                .at(attribute.span)
                .detail(found(&attribute.value))
                .related(first, "the first one"),
        );
    }
}

/// The address, if it is one of `subnet`; otherwise the problem is said.
fn inside(attribute: &Attribute, subnet: Subnet, out: &mut Diagnostics) -> Option<IpAddr> {
    let address = parse_ip(attribute, out)?;
    if !subnet.contains(address) {
        out.push(
            Diagnostic::error("outside-subnet", "the address is outside the network's subnet")
                .at(attribute.span)
                .detail(format!("{}; expected one of {subnet}", found(&attribute.value))),
        );
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
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use crate::diag::SourceId;
    use crate::xml::{Limits, parse};

    fn read(inside: &str) -> Element {
        let text = format!("<network><name>lan</name>{inside}</network>");
        parse(SourceId::NONE, &text, &Limits::default()).unwrap()
    }

    fn codes(inside: &str) -> Vec<&'static str> {
        let mut out = Diagnostics::default();
        check(&read(inside), &mut out);
        out.iter().map(|d| d.code).collect()
    }

    #[test]
    fn the_view_reads_what_is_there() {
        let root = read(
            "<forward dev='eth0'/><bridge name='virbr7' stp='off' delay='3'/>\
             <ip address='192.168.40.1' netmask='255.255.255.0'><dhcp>\
             <range start='192.168.40.10' end='192.168.40.20'/>\
             <host mac='52:54:00:00:00:01' name='db' ip='192.168.40.5'/></dhcp></ip>\
             <ip family='ipv6' address='fd00:40::1' prefix='64'/>",
        );
        let network = Network::new(&root);
        assert_eq!(network.name().as_deref(), Some("lan"));
        assert_eq!(network.uuid(), None);
        assert_eq!(network.forward_mode(), Some("nat"));
        assert_eq!(network.forward_device(), Some("eth0"));
        assert_eq!((network.bridge(), network.stp()), (Some("virbr7"), false));
        assert_eq!(network.delay(), Some(3));
        let ips: Vec<_> = network.ips().collect();
        let subnets: Vec<_> = ips.iter().map(|i| i.subnet().unwrap().to_string()).collect();
        assert_eq!(subnets, ["192.168.40.0/24", "fd00:40::/64"]);
        assert_eq!(
            ips[0].dhcp_ranges().collect::<Vec<_>>(),
            [(Some("192.168.40.10"), Some("192.168.40.20"))]
        );
        assert_eq!(ips[0].dhcp_hosts().next().unwrap().name, Some("db"));
        let isolated = read("");
        assert_eq!(Network::new(&isolated).forward_mode(), None);
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
