//! The processor: settings that only some modes have, Hyper-V's spin locks.

use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_migratable(root, out);
    check_spinlocks(root, out);
}

/// Modes that take the host's processor, without the features that cannot migrate.
const WITH_MIGRATABLE: [&str; 2] = ["host-passthrough", "maximum"];

fn check_migratable(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(cpu) = root.child("cpu") else { return };
    let mode = cpu.attr("mode").unwrap_or("custom");
    if let Some(migratable) = cpu.attribute("migratable")
        && !WITH_MIGRATABLE.contains(&mode)
    {
        out.push(
            Diagnostic::error("cpu-migratable", "only some modes of the processor have migratable")
                .at(migratable.name_span)
                .detail(format!("the mode is {mode}; expected {}", WITH_MIGRATABLE.join(" or ")))
                .hint("remove migratable, or change the mode"),
        );
    }
}

/// Fewest attempts before the guest tells the host that it waits.
const RETRIES_MIN: u32 = 4095;

fn check_spinlocks(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(hyperv) = root.descend(&["features", "hyperv"]) else { return };
    // there what stands in it says nothing
    if hyperv.attr("mode") == Some("passthrough") {
        return;
    }
    let Some(locks) = hyperv.child("spinlocks").filter(|s| s.attr("state") == Some("on")) else {
        return;
    };
    let hint = "write retries, such as 8191";
    match locks.attribute("retries") {
        None => out.push(
            Diagnostic::error("hyperv-spinlocks", "spinlocks lack the number of retries")
                .at(locks.span())
                .hint(hint),
        ),
        Some(retries) if retries.value.parse::<u32>().is_ok_and(|n| n < RETRIES_MIN) => out.push(
            Diagnostic::error("hyperv-spinlocks", "spinlocks have too few retries")
                .at(retries.span)
                .detail(format!("{}; expected at least {RETRIES_MIN}", found(&retries.value)))
                .hint(hint),
        ),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    #[test]
    fn migratable_by_mode() {
        finds(
            check,
            &[
                ("<cpu mode='host-passthrough' migratable='off'/>", &[]),
                ("<cpu mode='maximum' migratable='on'/>", &[]),
                ("<cpu mode='host-model' migratable='off'/>", &["43 cpu-migratable!"]),
                ("<cpu mode='custom' migratable='on'/>", &["39 cpu-migratable!"]),
                ("<cpu migratable='on'/>", &["25 cpu-migratable!"]),
            ],
        );
    }

    #[test]
    fn spinlocks() {
        let of = |hyperv: &str, locks: &str| {
            format!("<features><hyperv{hyperv}><spinlocks {locks}/></hyperv></features>")
        };
        finds(
            check,
            &[
                (&of("", "state='on' retries='4095'"), &[]),
                (&of("", "state='on'"), &["38 hyperv-spinlocks!"]),
                (&of(" mode='custom'", "state='on'"), &["52 hyperv-spinlocks!"]),
                (&of("", "state='on' retries='100'"), &["69 hyperv-spinlocks!"]),
                (&of("", "state='off'"), &[]),
                (&of(" mode='passthrough'", "state='on'"), &[]),
            ],
        );
    }
}
