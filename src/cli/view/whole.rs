//! What a definition gets that reaches beyond the guest, in full: a record is not a manifest that
//! somebody has just read.

use crate::diag::escape;
use crate::reconcile::{Plan, shown};
use crate::xml::{Element, write_compact};
use std::fmt::Write as _;

/// Elements that open files and devices of the host to a guest, or say how its emulator is started.
const REACH: [&str; 5] = ["disk", "filesystem", "hostdev", "interface", "commandline"];

/// What of these a plan adds, each whole, for people; empty if there is none.
pub(crate) fn added(plan: &Plan) -> String {
    let mut out = String::new();
    for change in &plan.changes {
        let Some(after) = change.after.as_ref().map(shown) else { continue };
        let before = change.before.as_ref().map(shown);
        let known = before.as_ref().map(reaching).unwrap_or_default();
        for element in reaching(&after).into_iter().filter(|e| !known.contains(e)) {
            let _ = writeln!(out, "    {}: {}", change.id, escape(&write_compact(element)));
        }
    }
    if out.is_empty() { out } else { format!("\nWhat this brings back, whole:\n{out}") }
}

fn reaching(definition: &Element) -> Vec<&Element> {
    let devices = definition.child("devices").into_iter().flat_map(Element::elements);
    let reaches = |e: &&Element| REACH.contains(&e.name.local.as_str());
    definition.elements().chain(devices).filter(reaches).collect()
}
