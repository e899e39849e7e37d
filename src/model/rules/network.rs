//! The rules for networks, and for addresses wherever they stand.

use super::rule::{DEFINE, Rule, SILENT, START};
use diagnostics::Severity::{Error, Warning};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "bad-device-name",
        Error,
        "a name that no device of the kernel can have",
        "shorten it to 15 bytes, without a slash",
        START,
    ),
    Rule::new(
        "bad-ip",
        Error,
        "an IP address of another family",
        "write an address of the family",
        DEFINE,
    ),
    Rule::new(
        "bad-netmask",
        Error,
        "a netmask whose ones are not all at its start",
        "write one as 255.255.255.0, or a prefix",
        START,
    ),
    Rule::new(
        "bad-prefix",
        Error,
        "a prefix that does not go with the address, or a netmask for IPv6",
        "write one of its family",
        DEFINE,
    ),
    Rule::new(
        "bad-range",
        Error,
        "a DHCP range that is reversed, too large, or has a reserved address",
        "choose other ends",
        DEFINE,
    ),
    Rule::new(
        "bad-route",
        Error,
        "a route through an unreachable gateway, or to a host",
        "name a gateway on the network",
        DEFINE,
    ),
    Rule::new(
        "bad-vlan",
        Error,
        "a VLAN tag above 4095, twice, or too many without a trunk",
        "correct the tags, or make trunk yes",
        DEFINE,
    ),
    Rule::new(
        "dhcp-host-mac",
        Error,
        "a DHCP host of IPv6 with a MAC address",
        "name it by its name or its DUID",
        DEFINE,
    ),
    Rule::new(
        "duplicate-ip",
        Warning,
        "two DHCP hosts with one address",
        "change one of them",
        SILENT,
    ),
    Rule::new(
        "forward-mode",
        Error,
        "elements that do not go with the mode of forward, VLANs among them",
        "remove them, or change the mode",
        DEFINE,
    ),
    Rule::new(
        "missing-ip",
        Error,
        "a network that is forwarded by nat or route without an address",
        "add an ip, or make the mode open",
        DEFINE,
    ),
    Rule::new(
        "outside-subnet",
        Error,
        "a DHCP range or host outside its subnet",
        "choose addresses of the subnet",
        DEFINE,
    ),
    Rule::new(
        "own-address",
        Warning,
        "a DHCP host with the host's own address",
        "choose another address",
        SILENT,
    ),
    Rule::new(
        "portgroup",
        Error,
        "two port groups with one name, or two defaults",
        "rename one, or keep one default",
        DEFINE,
    ),
    Rule::new("second-dhcp", Error, "DHCP for two subnets of one family", "keep one", DEFINE),
];
