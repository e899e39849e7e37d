//! Additional uses of the host by a definition, in full: a record, unlike a manifest, has not just
//! been read by anybody.

use super::reach::reaching;
use crate::reconcile::{Plan, shown};
use diagnostics::escape;
use std::fmt::Write as _;
use xmltree::write_compact;

/// Uses of the host that a plan adds, each whole, for people; empty if there are none.
pub(crate) fn added(plan: &Plan) -> String {
    let mut out = String::new();
    for change in &plan.changes {
        let Some(after) = change.after.as_ref().map(shown) else { continue };
        let before = change.before.as_ref().map(shown);
        let known = before.as_ref().map(reaching).unwrap_or_default();
        let is_known = |line: &String| known.iter().any(|of| of.line == *line);
        for reach in reaching(&after).into_iter().filter(|of| !is_known(&of.line)) {
            let _ = writeln!(
                out,
                "    {}: {}",
                change.id,
                escape(&write_compact(reach.element.as_element()))
            );
        }
    }
    if out.is_empty() { out } else { format!("\nElements that this restores, in full:\n{out}") }
}
