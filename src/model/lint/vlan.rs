//! VLAN tags, of a network, a portgroup or an interface.

use super::Claims;
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

/// Highest tag: it has 12 bits on the wire.
const TAG_MAX: u32 = 4095;

/// Checks the tags below `parent`.
pub(in crate::model) fn check_vlans(parent: NodeRef<'_>, out: &mut Diagnostics) {
    for vlan in parent.children_named("vlan") {
        let mut seen = Claims::default();
        let mut count = 0;
        for id in vlan.children_named("tag").filter_map(|t| t.attribute("id")) {
            count += 1;
            let Ok(tag) = id.value.parse::<u32>() else { continue };
            if tag > TAG_MAX {
                out.push(
                    Diagnostic::error("bad-vlan", "this is not a VLAN tag")
                        .at(id.span)
                        .detail(format!("{}; expected 0 to {TAG_MAX}", found(&id.value))),
                );
            } else if let Some(first) = seen.claim(tag, id.span) {
                out.push(
                    Diagnostic::warning("bad-vlan", "the VLAN tag is given twice")
                        .at(id.span)
                        .related(first, "the first one")
                        .hint("leave one out"),
                );
            }
        }
        if let Some(trunk) = vlan.attribute("trunk").filter(|t| t.value == "no" && count > 1) {
            out.push(
                Diagnostic::error("bad-vlan", "several VLAN tags make a trunk")
                    .at(trunk.span)
                    .detail(format!("found {count} tags"))
                    .hint("make trunk yes, or leave one tag"),
            );
        }
    }
}
