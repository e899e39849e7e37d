//! Network interfaces: names and addresses that clash, VLAN tags.

use super::facts::devices;
use crate::model::lint::{Claims, check_vlans};
use crate::model::values::{DEVICE_NAME_MAX, found};
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    let mut names = Claims::default();
    for interface in devices(root).filter(|d| d.is("interface")) {
        check_vlans(interface, out);
        let Some(name) = interface.child("target").and_then(|t| t.attribute("dev")) else {
            continue;
        };
        // libvirt replaces %d by a free number
        if name.value.contains('%') {
            continue;
        }
        if name.value.len() > DEVICE_NAME_MAX {
            out.push(
                Diagnostic::error("bad-device-name", "this cannot name a device of the host")
                    .at(name.span)
                    .detail(format!(
                        "{}; expected at most {DEVICE_NAME_MAX} bytes",
                        found(&name.value)
                    ))
                    .hint("shorten it, or leave target out: the host finds a name"),
            );
        } else if let Some(first) = names.claim(&name.value, name.span) {
            out.push(
                Diagnostic::warning(
                    "duplicate-device-name",
                    "two interfaces have one name on the host",
                )
                .at(name.span)
                .detail(found(&name.value))
                .related(first, "the first one")
                .hint("leave target out: the host finds a name"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    #[test]
    fn names_and_tags() {
        let on = |inside: &str| format!("<devices><interface>{inside}</interface></devices>");
        let two = "<target dev='tap7'/></interface><interface><target dev='tap7'/>";
        let tags = "<tag id='4'/><tag id='5'/></vlan>";
        finds(
            check,
            &[
                (&on("<target dev='vnet%d'/>"), &[]),
                (&on("<target dev='abcdefghijklmno'/>"), &[]),
                (&on("<target dev='abcdefghijklmnop'/>"), &["53 bad-device-name!"]),
                (&on(two), &["96 duplicate-device-name"]),
                (&on("<vlan><tag id='4096'/></vlan>"), &["55 bad-vlan!"]),
                (&on("<vlan><tag id='7'/><tag id='7'/></vlan>"), &["68 bad-vlan"]),
                (&on(&format!("<vlan trunk='no'>{tags}")), &["53 bad-vlan!"]),
                (&on(&format!("<vlan trunk='yes'>{tags}")), &[]),
            ],
        );
    }
}
