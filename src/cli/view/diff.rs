//! A definition before and after, as a unified diff.

use crate::cli::output::{Output, Paint};
use crate::reconcile::{ResourceChange, shown};
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;
use xmltree::write;

/// The unified diff of a change; empty if the definition stays as it is. Secrets are blotted out.
pub(crate) fn unified(change: &ResourceChange, output: Output) -> String {
    let text = |e: Option<&xmltree::Element>| e.map(|e| write(&shown(e))).unwrap_or_default();
    let (before, after) = (text(change.before.as_ref()), text(change.after.as_ref()));
    if before == after {
        return String::new();
    }
    let mut out = String::new();
    let id = change.id.to_string();
    let name = |there: bool, side: &str| {
        if there { format!("{side}/{id}") } else { "/dev/null".to_owned() }
    };
    let _ = writeln!(
        out,
        "{}",
        output.paint(Paint::Bold, &format!("--- {}", name(change.before.is_some(), "host")))
    );
    let _ = writeln!(
        out,
        "{}",
        output.paint(Paint::Bold, &format!("+++ {}", name(change.after.is_some(), "manifest")))
    );
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        let _ = writeln!(out, "{}", output.paint(Paint::Cyan, &hunk.header().to_string()));
        for line in hunk.iter_changes() {
            let (sign, paint) = match line.tag() {
                ChangeTag::Equal => (' ', Paint::Plain),
                ChangeTag::Delete => ('-', Paint::Red),
                ChangeTag::Insert => ('+', Paint::Green),
            };
            let text = line.value().trim_end_matches('\n');
            let _ = writeln!(out, "{}", output.paint(paint, &format!("{sign}{text}")));
        }
    }
    out
}
