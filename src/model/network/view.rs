//! A network and its addresses, read from the tree.

use crate::model::subnet::{default_prefix, netmask_prefix};
use crate::model::{Subnet, Uuid, parse_uuid};
use std::net::IpAddr;
use xmltree::NodeRef;

/// A `<network>` element.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    root: NodeRef<'a>,
}

impl<'a> Network<'a> {
    /// The view of a document's root.
    pub fn new(root: NodeRef<'a>) -> Self {
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

    /// Returns the mode of forwarding: `nat`, `route` or one of libvirt's later words; `None` for an isolated
    /// network.
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

/// View of an `<ip>` of a network: the host's address, and the DHCP settings beside it.
#[derive(Clone, Copy, Debug)]
pub struct Ip<'a> {
    pub(super) element: NodeRef<'a>,
}

impl<'a> Ip<'a> {
    /// The tree behind the view.
    pub fn element(self) -> NodeRef<'a> {
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

    pub(super) fn dhcp(self, name: &'static str) -> impl Iterator<Item = NodeRef<'a>> {
        self.element.children_named("dhcp").flat_map(move |d| d.children_named(name))
    }
}

/// A host with a fixed address, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DhcpHost<'a> {
    /// MAC address.
    pub mac: Option<&'a str>,
    /// Name.
    pub name: Option<&'a str>,
    /// The address it gets.
    pub ip: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Element, Limits, parse};

    fn read(inside: &str) -> Element {
        let text = format!("<network><name>lan</name>{inside}</network>");
        parse(SourceId::NONE, &text, &Limits::default()).unwrap()
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
        let network = Network::new(root.node());
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
        assert_eq!(Network::new(isolated.node()).forward_mode(), None);
    }
}
