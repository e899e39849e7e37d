//! The versions that objects remember, for people and machines.

use super::envelope::FORMAT_VERSION;
use super::table::columns;
use super::values;
use crate::cli::output::{Output, Paint};
use crate::model::ResourceId;
use crate::reconcile::{History, Version, VersionChange};
use diagnostics::escape;
use serde_json::{Value, json};
use std::fmt::Write as _;
use xmltree::Path;

/// One object after the other: its versions, the last one first, and what differs.
pub(crate) fn human(found: &[(&ResourceId, History)], output: Output) -> String {
    let mut out = String::new();
    for (id, history) in found {
        let _ = writeln!(out, "{}", output.paint(Paint::Bold, &id.to_string()));
        let mut rows = vec![row(&history.last, "applied last")];
        rows.extend(history.previous.as_ref().map(|p| row(p, "before that")));
        out.push_str(&columns(&rows, |_, _, cell| cell.to_owned()));
        if let Some(why) = &history.doubted {
            let _ = writeln!(out, "    the version before is not believed: {}", escape(why));
        }
        out.push_str(&changes(history, output));
    }
    if found.is_empty() {
        out.push_str("Nothing on this host is owned by a set.\n");
    }
    out
}

fn row(version: &Version, what: &str) -> Vec<String> {
    let at = version.at.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string());
    vec![
        format!("    {what}"),
        at,
        escape(version.short()),
        format!("by the set \"{}\"", escape(&version.set)),
    ]
}

fn changes(history: &History, output: Output) -> String {
    let Some(changes) = &history.changes else {
        return "    what differs between them cannot be read: the mark is damaged\n".to_owned();
    };
    let rows: Vec<Vec<String>> = changes
        .iter()
        .map(|c| {
            let path = Path::parse(&c.path).unwrap_or_default();
            let values = values::row(&path, &[c.before.as_deref(), c.after.as_deref()]).join(" → ");
            vec![format!("        {}", escape(&c.path)), values]
        })
        .collect();
    columns(&rows, |_, column, cell| match column {
        0 => cell.to_owned(),
        _ => output.paint(Paint::Yellow, cell),
    })
}

/// The same for machines.
pub(crate) fn json(found: &[(&ResourceId, History)], connection: &str) -> Value {
    let objects: Vec<Value> = found.iter().map(|(id, history)| object(id, history)).collect();
    json!({ "format_version": FORMAT_VERSION, "connection": connection, "objects": objects })
}

fn object(id: &ResourceId, history: &History) -> Value {
    let version = |v: &Version| {
        json!({
            "at": v.at.map(|at| at.to_string()), "set": v.set, "digest": v.digest,
        })
    };
    let change =
        |c: &VersionChange| json!({ "path": c.path, "before": c.before, "after": c.after });
    json!({
        "kind": id.kind.as_str(),
        "name": id.name,
        "last": version(&history.last),
        "previous": history.previous.as_ref().map(version),
        "doubt": history.doubted,
        "changes": history.changes.as_ref().map(|c| c.iter().map(change).collect::<Vec<_>>()),
    })
}
