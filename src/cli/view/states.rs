//! One object in its three states, for people and machines.

use super::envelope::FORMAT_VERSION;
use super::json::ignored;
use super::table::columns;
use super::values;
use super::wide::Wide;
use crate::cli::listing::Shown;
use crate::cli::output::{Output, Paint};
use crate::model::ObservedResource;
use crate::reconcile::{IgnoredDifference, Reason, Side, StateRow, States};
use diagnostics::escape;
use serde_json::{Value, json};

/// The object's status, and a table of the fields that differ.
pub(crate) fn human(
    shown: &Shown,
    object: &ObservedResource,
    states: &States,
    wide: Option<&Wide>,
    output: Output,
) -> String {
    let head = format!("{}  {}\n", shown.id, shown.state);
    let mut out = output.paint(Paint::Bold, head.trim_end()) + "\n";
    let owner = match (&shown.status.owner, states.applied_at) {
        (None, _) => "nobody".to_owned(),
        (Some(set), None) => format!("the set \"{}\"", escape(set)),
        (Some(set), Some(at)) => format!("the set \"{}\", applied {at}", escape(set)),
    };
    let sync = output.paint(shown.sync_paint(), shown.status.sync.as_str());
    let facts = [
        ("uuid", object.uuid.to_string()),
        ("owner", owner),
        ("autostart", if object.autostart { "yes" } else { "no" }.to_owned()),
        ("sync", sync),
    ];
    let running = wide.into_iter().flat_map(|wide| wide.facts(&shown.id));
    let facts: Vec<Vec<String>> = facts
        .into_iter()
        .chain(running)
        .map(|(name, value)| vec![format!("    {name}"), value])
        .collect();
    out.push_str(&columns(&facts, |_, _, cell| cell.to_owned()));
    out.push('\n');
    out.push_str(&match states.rows.as_slice() {
        [] => format!("{}\n", agreement(states)),
        rows => table(rows, states, output),
    });
    if !states.ignored.is_empty() {
        out.push_str("\nIgnored differences:\n");
        out.push_str(&passed_over(&states.ignored, output));
    }
    out
}

/// Name of a state, and its value in a row.
type Column = (&'static str, fn(&StateRow) -> &Option<String>);

/// Columns of the states that exist.
fn columns_of(states: &States) -> Vec<Column> {
    let all: [(bool, Column); 3] = [
        (states.has_manifest, ("MANIFEST", |r| &r.manifest)),
        (states.has_next_boot, ("NEXT BOOT", |r| &r.next_boot)),
        (states.has_running, ("RUNNING", |r| &r.running)),
    ];
    all.into_iter().filter(|(is_there, _)| *is_there).map(|(_, column)| column).collect()
}

fn agreement(states: &States) -> String {
    let names: Vec<String> =
        columns_of(states).iter().map(|(name, _)| name.to_lowercase()).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("No field differs between {} and {last}.", rest.join(", "))
        }
        _ => "There is nothing to compare it with.".to_owned(),
    }
}

fn table(rows: &[StateRow], states: &States, output: Output) -> String {
    let sides = columns_of(states);
    let names = sides.iter().map(|(name, _)| *name);
    let head = ["FIELD"].into_iter().chain(names).chain(["REASON"]).map(str::to_owned);
    let mut lines: Vec<Vec<String>> = vec![head.collect()];
    lines.extend(rows.iter().map(|row| {
        let values: Vec<_> = sides.iter().map(|(_, of)| of(row).as_deref()).collect();
        let values = values::row(&row.path, &values);
        let words = row.reason.describe(states.id.kind);
        let reason = match &row.why {
            Some(why) => format!("{words}: {}", escape(why)),
            None => words.to_owned(),
        };
        [escape(&row.path.to_string())].into_iter().chain(values).chain([reason]).collect()
    }));
    let last = sides.len() + 1;
    columns(&lines, |line, column, cell| {
        let reason = line.checked_sub(1).and_then(|n| rows.get(n)).map(|r| r.reason);
        let paint = match reason {
            None => Paint::Bold,
            Some(Reason::Waits) if column == last => Paint::Yellow,
            Some(_) if column == last => Paint::Red,
            Some(_) => Paint::Plain,
        };
        output.paint(paint, cell)
    })
}

fn passed_over(list: &[(Side, IgnoredDifference)], output: Output) -> String {
    let head = ["FIELD", "MANIFEST", "HOST", "", "RULE"].map(str::to_owned).to_vec();
    let rows = list.iter().map(|(side, u)| {
        let mut row = vec![escape(&u.path.to_string())];
        row.extend(values::row(&u.path, &[u.manifest.as_deref(), u.host.as_deref()]));
        row.extend([side_word(*side).replace('_', " "), u.rule.describe().to_owned()]);
        row
    });
    let rows: Vec<Vec<String>> = [head].into_iter().chain(rows).collect();
    columns(&rows, |line, _, cell| {
        output.paint(if line == 0 { Paint::Bold } else { Paint::Dim }, cell)
    })
}

fn side_word(side: Side) -> &'static str {
    match side {
        Side::NextBoot => "next_boot",
        Side::Running => "running",
    }
}

/// The object as in lists, with its fields.
pub(crate) fn json(mut object: Value, connection: &str, states: &States) -> Value {
    let field = |row: &StateRow| {
        json!({
            "path": row.path.to_string(),
            "manifest": row.manifest,
            "next_boot": row.next_boot,
            "running": row.running,
            "reason": row.reason.as_str(states.id.kind),
            "why": row.why,
        })
    };
    let passed_over = states.ignored.iter().map(|(side, u)| {
        let mut object = ignored(u);
        if let Some(map) = object.as_object_mut() {
            map.insert("side".to_owned(), json!(side_word(*side)));
        }
        object
    });
    if let Some(map) = object.as_object_mut() {
        map.insert("applied_at".to_owned(), json!(states.applied_at.map(|at| at.to_string())));
        let fields = states.rows.iter().map(field).collect();
        map.insert("fields".to_owned(), Value::Array(fields));
        map.insert("uncounted".to_owned(), Value::Array(passed_over.collect()));
    }
    json!({ "format_version": FORMAT_VERSION, "connection": connection, "objects": [object] })
}
