//! What a definition gets that reaches out of its guest, in full: a record is not a manifest that somebody
//! has just read.

use super::reach::reaching;
use crate::reconcile::{Plan, shown};
use diagnostics::escape;
use std::fmt::Write as _;
use xmltree::write_compact;

/// What of these a plan adds, each whole, for people; empty if there is none.
pub(crate) fn added(plan: &Plan) -> String {
    let mut out = String::new();
    for change in &plan.changes {
        let Some(after) = change.after.as_ref().map(shown) else { continue };
        let before = change.before.as_ref().map(shown);
        let known = before.as_ref().map(reaching).unwrap_or_default();
        let is_known = |line: &String| known.iter().any(|of| of.line == *line);
        for reach in reaching(&after).into_iter().filter(|of| !is_known(&of.line)) {
            let _ = writeln!(out, "    {}: {}", change.id, escape(&write_compact(reach.element)));
        }
    }
    if out.is_empty() { out } else { format!("\nWhat this brings back, whole:\n{out}") }
}
