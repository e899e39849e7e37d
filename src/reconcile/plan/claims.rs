//! Claims of a definition: things that only one object of a host may have at a time.

use super::nic_migration::makes_a_bridge;
use crate::model::domain::{Domain, Storage, host_device, listeners};
use crate::model::network::Network;
use crate::model::{Kind, Mac, Subnet};
use diagnostics::Span;
use std::fmt;
use xmltree::Element;

/// Thing that only one object may have, or several only by agreement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    /// Storage of a disk.
    Storage(Storage),
    /// Address of an interface, or of a network's bridge.
    Mac(Mac),
    /// A network's bridge.
    Bridge(String),
    /// The addresses of a network.
    Subnet(Subnet),
    /// A device of the host, in words.
    Device(String),
    /// A port of the host that something listens on, in words.
    Port(String),
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(place) => write!(f, "{place}"),
            Self::Mac(mac) => write!(f, "the MAC address {mac}"),
            Self::Bridge(name) => write!(f, "the bridge {name}"),
            Self::Subnet(subnet) => write!(f, "the subnet {subnet}"),
            Self::Device(words) => write!(f, "the {words}"),
            Self::Port(words) => f.write_str(words),
        }
    }
}

impl Thing {
    /// Returns the code of the problem that somebody else has it, and a hint.
    pub(crate) fn code_and_hint(&self) -> (&'static str, &'static str) {
        match self {
            Self::Storage(_) => (
                "disk-in-use",
                "shut the other one down, mark the disk <shareable/> in both if their guests \
                 coordinate their writes, or give this one an image of its own",
            ),
            Self::Mac(_) => (
                "mac-taken",
                "give one of them another address, or leave it out: a stable one is made",
            ),
            Self::Bridge(_) => {
                ("bridge-taken", "leave the bridge's name out: the host finds a free one")
            }
            Self::Subnet(_) => ("subnet-taken", "give one of them other addresses"),
            Self::Device(_) => {
                ("device-in-use", "shut the other one down, or give this one another device")
            }
            Self::Port(_) => ("port-in-use", "use autoport, or give each a port of its own"),
        }
    }

    /// Whether the two cannot be there for two objects at once.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Subnet(a), Self::Subnet(b)) => {
                a.is_ipv4() == b.is_ipv4() && a.first() <= b.last() && b.first() <= a.last()
            }
            _ => self == other,
        }
    }

    /// Whether the host refuses it to a second object even while neither runs.
    pub(crate) fn is_of_definitions(&self) -> bool {
        matches!(self, Self::Bridge(_))
    }

    /// The kind of objects that have such things.
    pub(crate) fn kinds(&self) -> &'static [Kind] {
        match self {
            Self::Storage(_) | Self::Device(_) | Self::Port(_) => &[Kind::Domain],
            Self::Bridge(_) | Self::Subnet(_) => &[Kind::Network],
            Self::Mac(_) => &[Kind::Network, Kind::Domain],
        }
    }
}

/// One thing that a definition claims.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) thing: Thing,
    /// Place in the source.
    pub(crate) span: Span,
    /// Whether storage is written to; `shares`: whether others may use it at the same time.
    writes: bool,
    shares: bool,
    /// Whether the thing is taken, and not only used: a network on a bridge of the host takes it from nobody,
    /// but no other network can create one of that name.
    pub(crate) takes: bool,
}

impl Claim {
    fn of(thing: Thing, span: Span) -> Self {
        Self { thing, span, writes: true, shares: false, takes: true }
    }

    /// Returns a key that does not depend on the place in the source.
    pub(crate) fn key(&self) -> (Thing, [bool; 3]) {
        (self.thing.clone(), [self.writes, self.shares, self.takes])
    }

    /// Whether another one says the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let flags = |claim: &Self| [claim.writes, claim.shares, claim.takes];
        self.thing == other.thing && flags(self) == flags(other)
    }

    /// Whether both cannot be at once.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let is_written = self.writes || other.writes;
        self.thing.meets(&other.thing) && is_written && !(self.shares && other.shares)
    }
}

/// Returns the claims of a definition.
pub(crate) fn claims(kind: Kind, definition: &Element) -> Vec<Claim> {
    match kind {
        Kind::Domain => of_domain(Domain::new(definition.node())),
        Kind::Network => of_network(definition),
        // no plan has storage yet
        Kind::Pool | Kind::Volume => Vec::new(),
    }
}

fn of_domain(domain: Domain<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for disk in domain.disks() {
        let (element, shares) = (disk.element(), disk.is_shareable());
        let span = element.child("source").map_or(element.span(), |source| source.span());
        for (depth, place) in Storage::chain(element).into_iter().enumerate() {
            let writes = depth == 0 && Storage::of(element).is_some() && !disk.is_readonly();
            let claim = Claim::of(Thing::Storage(place), span);
            claims.push(Claim { writes, shares, ..claim });
        }
        // a copy that is being made, or an overlay that is being written back
        let mirror = element.child("mirror").and_then(Storage::of);
        claims.extend(mirror.map(|place| Claim::of(Thing::Storage(place), span)));
    }
    for interface in domain.interfaces() {
        let place = interface.element().child("mac").and_then(|mac| mac.attribute("address"));
        let mac = interface.mac().filter(|mac| mac.0 != [0; 6]);
        claims.extend(mac.zip(place).map(|(mac, at)| Claim::of(Thing::Mac(mac), at.span)));
    }
    for device in domain.all_devices() {
        let held = host_device(device).map(Thing::Device);
        claims.extend(held.map(|thing| Claim::of(thing, device.span())));
        let ports = listeners(device).into_iter();
        claims.extend(ports.map(|l| Claim::of(Thing::Port(l.key()), l.span)));
    }
    claims
}

fn of_network(definition: &Element) -> Vec<Claim> {
    let mut claims = Vec::new();
    let name = definition.child("bridge").and_then(|bridge| bridge.attribute("name"));
    if let Some(name) = name {
        let claim = Claim::of(Thing::Bridge(name.value.clone()), name.span);
        claims.push(Claim { takes: makes_a_bridge(definition), ..claim });
    }
    let mac = definition.child("mac").and_then(|mac| mac.attribute("address"));
    if let Some((mac, at)) = mac.and_then(|at| Some((Mac::parse(&at.value)?, at))) {
        claims.push(Claim::of(Thing::Mac(mac), at.span));
    }
    for ip in Network::new(definition.node()).ips() {
        let at = ip.element().attribute("address").map_or(definition.span, |a| a.span);
        // 0.0.0.0 stands for no address
        let has_address = ip.address().is_some_and(|address| !address.is_unspecified());
        let subnet = ip.subnet().filter(|_| has_address);
        claims.extend(subnet.map(|subnet| Claim::of(Thing::Subnet(subnet), at)));
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    fn read(text: &str) -> Element {
        parse(SourceId::NONE, text, &Limits::default()).expect("it is well-formed")
    }

    fn domain(devices: &str) -> Vec<Claim> {
        claims(Kind::Domain, &read(&format!("<domain><devices>{devices}</devices></domain>")))
    }

    #[test]
    fn disks_are_shared_only_if_both_sides_say_so_or_neither_writes() {
        let disk = |inside: &str| {
            domain(&format!(
                "<disk type='file'><source file='/a'/><target dev='vda'/>{inside}</disk>"
            ))
        };
        let excludes = |a: &str, b: &str| match (disk(a).first(), disk(b).first()) {
            (Some(a), Some(b)) => (a.excludes(b), b.excludes(a)),
            _ => (false, false),
        };
        assert_eq!(excludes("", ""), (true, true));
        assert_eq!(excludes("<readonly/>", ""), (true, true));
        assert_eq!(excludes("<readonly/>", "<readonly/>"), (false, false));
        assert_eq!(excludes("<shareable/>", ""), (true, true));
        assert_eq!(excludes("<shareable/>", "<shareable/>"), (false, false));
    }

    #[test]
    fn what_lies_below_an_overlay_is_read_and_a_mirror_is_written() {
        let claims = domain(
            "<disk type='file'><source file='/top'/><backingStore type='block'><source dev='/base'/>\
             </backingStore><mirror type='file'><source file='/copy'/></mirror></disk>\
             <disk type='file' device='cdrom'><source/></disk>",
        );
        let words: Vec<_> = claims.iter().map(|c| (c.thing.to_string(), c.writes)).collect();
        let expected = [("/top", true), ("/base", false), ("/copy", true)];
        assert_eq!(words, expected.map(|(place, writes)| (place.to_owned(), writes)));
    }

    #[test]
    fn a_network_takes_its_bridge_only_where_it_makes_it() {
        let words = |text: &str| -> Vec<String> {
            let claims = claims(Kind::Network, &read(text)).into_iter().filter(|c| c.takes);
            claims.map(|c| c.thing.to_string()).collect()
        };
        assert_eq!(
            words(
                "<network><bridge name='br1'/><mac address='52:54:00:00:00:01'/>\
                 <ip address='10.0.0.1' prefix='24'/><ip address='0.0.0.0'/></network>"
            ),
            ["the bridge br1", "the MAC address 52:54:00:00:00:01", "the subnet 10.0.0.0/24"]
        );
        assert_eq!(
            words("<network><forward mode='bridge'/><bridge name='br0'/></network>"),
            Vec::<String>::new()
        );
    }
}
