//! Values of storage that libvirt reads from the host, and takes from nobody.

use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

/// Warns of the children of `parent` with these names: what they say changes nothing.
pub(in crate::model) fn check_read_outs(
    parent: NodeRef<'_>,
    names: &[&str],
    out: &mut Diagnostics,
) {
    for element in parent.elements().filter(|e| names.iter().any(|name| e.is(name))) {
        out.push(
            Diagnostic::warning(
                "read-out",
                format!("{} is the host's to say", element.name().local),
            )
            .at(element.span())
            .detail(found(&element.text()))
            .hint("remove it: libvirt does not take it from a definition"),
        );
    }
}
