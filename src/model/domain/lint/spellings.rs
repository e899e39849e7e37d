//! Spellings of libvirt's first years, which the grammar still takes and libvirt does not read.

use super::facts::devices;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::{Attribute, NodeRef};

/// Former names of attributes: element, its type, the old attribute of its source, and its present name.
const SOURCES: [(&str, &str, &str, &str); 2] =
    [("interface", "network", "name", "network"), ("interface", "bridge", "dev", "bridge")];

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    for clock in root.children_named("clock") {
        if let Some(sync) = clock.attribute("sync") {
            out.push(old(sync, "offset"));
        }
    }
    for device in devices(root) {
        let source = device.child("source");
        for (element, kind, was, is) in SOURCES {
            if device.is(element)
                && device.attr("type") == Some(kind)
                && let Some(attribute) = source.and_then(|s| s.attribute(was))
            {
                out.push(old(attribute, is));
            }
        }
    }
}

fn old(attribute: &Attribute, today: &str) -> Diagnostic {
    let was = &attribute.name.local;
    Diagnostic::warning("old-spelling", format!("{was} is a spelling that libvirt no longer reads"))
        .at(attribute.name_span)
        .hint(format!("call it {today}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    #[test]
    fn of_2007() {
        finds(
            check,
            &[
                ("<clock sync='utc'/>", &["27 old-spelling"]),
                ("<clock offset='utc'/>", &[]),
                (
                    "<devices><interface type='network'><source name='lan'/></interface></devices>",
                    &["63 old-spelling"],
                ),
                (
                    "<devices><interface type='bridge'><source dev='br0'/></interface></devices>",
                    &["62 old-spelling"],
                ),
                (
                    "<devices><interface type='direct'><source dev='eth0'/></interface></devices>",
                    &[],
                ),
            ],
        );
    }
}
