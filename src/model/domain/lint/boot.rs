//! Boot order: given once, and in one notation.

use super::facts::devices;
use crate::model::lint::Claims;
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    let general = root.child("os").and_then(|os| os.child("boot"));
    let mut seen = Claims::default();
    let mut both = false;
    for boot in devices(root).filter_map(|d| d.child("boot")) {
        let Some(order) = boot.attribute("order") else { continue };
        if let Some(general) = general
            && !both
        {
            both = true;
            out.push(
                Diagnostic::error("boot-order", "the boot order is given in two ways")
                    .at(order.span)
                    .detail("boot of os names kinds of devices, order of a device names this one")
                    .related(general.span(), "the kinds of devices")
                    .hint("keep one of them"),
            );
        }
        let Ok(number) = order.value.parse::<u32>() else { continue };
        if number == 0 {
            out.push(
                Diagnostic::error("boot-order", "the boot order starts at 1")
                    .at(order.span)
                    .detail(found(&order.value))
                    .hint("leave boot out of a device that is not to be booted from"),
            );
        } else if let Some(first) = seen.claim(number, order.span) {
            out.push(
                Diagnostic::error("boot-order", "two devices have one place in the boot order")
                    .at(order.span)
                    .detail(found(&order.value))
                    .related(first, "the first one")
                    .hint("give each device a number of its own"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    #[test]
    fn orders_that_contradict() {
        let one = "<disk><boot order='1'/></disk>";
        finds(
            check,
            &[
                (&format!("<devices>{one}<disk><boot order='2'/></disk></devices>"), &[]),
                (&format!("<devices>{one}{one}</devices>"), &["78 boot-order!"]),
                (
                    "<devices><interface><boot order='0'/></interface></devices>",
                    &["53 boot-order!"],
                ),
                (
                    &format!("<os><boot dev='hd'/></os><devices>{one}</devices>"),
                    &["73 boot-order!"],
                ),
                ("<os><boot dev='hd'/></os><devices><disk/></devices>", &[]),
            ],
        );
    }
}
