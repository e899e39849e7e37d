//! What a watch tells: a line for people, or one for machines, for each thing that happens.

use super::envelope::{self, FORMAT_VERSION};
use super::json;
use crate::cli::context::Context;
use crate::cli::options::Format;
use crate::cli::output::Paint;
use crate::controller::{ControllerEvent, Outcome, fields};
use crate::error::Error;
use crate::manifest::Loaded;
use crate::model::{ResourceId, Unknown};
use diagnostics::escape;
use jiff::{Timestamp, ZonedDateTime};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What does not answer, in a line.
fn silent_words(silent: &BTreeMap<ResourceId, Unknown>) -> String {
    let Some((first, of)) = silent.iter().next() else {
        return "all guests answer again".to_owned();
    };
    let what = match silent.len() {
        1 => "1 guest does not answer".to_owned(),
        n => format!("{n} guests do not answer"),
    };
    format!("{what}: {first}: {}; the others are looked after", escape(&of.why))
}

/// Prints what happened on a host.
pub(crate) fn event(context: &Context, event: &ControllerEvent<'_>, loaded: &Loaded) {
    if context.output.format == Format::Json {
        let (event, object) = machine(event, loaded);
        return line(context, event, object);
    }
    if let ControllerEvent::Problems(problems) = event {
        return context.show(problems, &loaded.sources);
    }
    let output = context.output;
    let (paint, text) = match event {
        ControllerEvent::Reconciled { change, outcome, cause, took, pause } => {
            let (paint, told) = match outcome {
                Outcome::Done => (Paint::Green, "done".to_owned()),
                other => {
                    let detail = other.detail().map(|d| format!(": {}", escape(&d)));
                    (Paint::Red, format!("{}{}", other.as_str(), detail.unwrap_or_default()))
                }
            };
            let again = match (pause, outcome) {
                (None, _) => String::new(),
                (Some(pause), Outcome::Done) => format!(
                    "; somebody undoes it again and again, so it is left alone for {}",
                    seconds(*pause)
                ),
                (Some(pause), _) => format!("; again in {}", seconds(*pause)),
            };
            let fields = fields(change);
            let fields = if fields.is_empty() { fields } else { format!("  {fields}") };
            let head = output.paint(Paint::Bold, &change.id.to_string());
            let told = output.paint(paint, &told);
            let text = format!(
                "{head}  {}  {}{fields}  {told} in {} ({cause}){again}",
                change.action,
                change.effect.as_str().replace('-', " "),
                seconds(*took),
            );
            (Paint::Plain, text)
        }
        ControllerEvent::Blocked(id, reason) => {
            (Paint::Yellow, format!("{id}  held back: {}", escape(reason)))
        }
        ControllerEvent::Free(id) => (Paint::Plain, format!("{id}  no longer held back")),
        ControllerEvent::Down(id, reason) => (Paint::Red, format!("{id}  {}", escape(reason))),
        ControllerEvent::Works(id) => (Paint::Green, format!("{id}  works again")),
        ControllerEvent::Silent(silent) => (Paint::Red, silent_words(silent)),
        ControllerEvent::NotPruned(reason) => (Paint::Yellow, escape(reason)),
        ControllerEvent::Problems(_) => return,
        ControllerEvent::Lost(e) => {
            (Paint::Red, format!("the host is lost and called until it answers: {e}"))
        }
        ControllerEvent::Back => (Paint::Green, "the host is back".to_owned()),
        ControllerEvent::Deaf(e) => {
            (Paint::Yellow, format!("the host tells of no changes, and is looked at instead: {e}"))
        }
        ControllerEvent::Busy(e) => (Paint::Yellow, format!("{e}; it is waited for")),
        ControllerEvent::NoLock(e) => {
            let hint = e.hint.as_ref().map(|hint| format!("; {}", escape(hint)));
            let hint = hint.unwrap_or_default();
            (Paint::Red, format!("nothing is changed, as the host cannot be locked: {e}{hint}"))
        }
    };
    said(context, &output.paint(paint, &text));
}

fn machine(event: &ControllerEvent<'_>, loaded: &Loaded) -> (&'static str, Value) {
    match event {
        ControllerEvent::Reconciled { change, outcome, cause, took, pause } => {
            let mut object = json::change(change, &loaded.sources);
            if let Some(map) = object.as_object_mut() {
                map.insert("outcome".to_owned(), json!(outcome.as_str()));
                map.insert("detail".to_owned(), json!(outcome.detail()));
                map.insert("cause".to_owned(), json!(cause.to_string()));
                map.insert("took".to_owned(), json!(took.as_secs_f64()));
                map.insert("pause".to_owned(), json!(pause.map(|p| p.as_secs_f64())));
            }
            ("reconciled", object)
        }
        ControllerEvent::Blocked(id, reason) => {
            ("held-back", json!({ "kind": id.kind.as_str(), "name": id.name, "reason": reason }))
        }
        ControllerEvent::Free(id) => {
            ("released", json!({ "kind": id.kind.as_str(), "name": id.name }))
        }
        ControllerEvent::Down(id, reason) => {
            ("outage", json!({ "kind": id.kind.as_str(), "name": id.name, "reason": reason }))
        }
        ControllerEvent::Works(id) => {
            ("works", json!({ "kind": id.kind.as_str(), "name": id.name }))
        }
        ControllerEvent::Silent(silent) => {
            let objects: Vec<Value> = silent
                .iter()
                .map(
                    |(id, of)| json!({ "kind": id.kind.as_str(), "name": id.name, "reason": of.why }),
                )
                .collect();
            ("silent", json!({ "count": silent.len(), "objects": objects }))
        }
        ControllerEvent::NotPruned(reason) => ("not-pruned", json!({ "reason": reason })),
        ControllerEvent::Problems(problems) => {
            let list = envelope::diagnostics(problems.iter(), &loaded.sources);
            ("problems", json!({ "diagnostics": list }))
        }
        ControllerEvent::Lost(e) => ("lost", error(e)),
        ControllerEvent::Back => ("back", json!({})),
        ControllerEvent::Deaf(e) => ("deaf", error(e)),
        ControllerEvent::Busy(e) => ("busy", error(e)),
        ControllerEvent::NoLock(e) => ("no-lock", error(e)),
    }
}

fn error(error: &Error) -> Value {
    json!({ "error": envelope::error(error) })
}

/// Prints that manifests were read, or why they were not taken.
pub(crate) fn manifests(context: &Context, loaded: &Loaded, stale: Option<&str>) {
    let (sound, held) = loaded.counts;
    let problems = loaded.diagnostics.iter().filter(|d| d.is_error()).count();
    if context.output.format == Format::Json {
        let object = json!({
            "set": loaded.desired.set, "resources": sound, "held_back": held, "problems": problems,
            "stale": stale,
            "diagnostics": envelope::diagnostics(loaded.diagnostics.iter(), &loaded.sources),
        });
        return line(context, "manifests", object);
    }
    let text = match stale {
        Some(reason) => {
            let text = format!("manifests are kept as they were read last: {}", escape(reason));
            context.output.paint(Paint::Yellow, &text)
        }
        None => {
            let held = if held > 0 { format!(", {held} held back") } else { String::new() };
            let problems = if problems > 0 { format!(", {problems} problems") } else { held };
            format!("manifests read: {sound} objects{problems}")
        }
    };
    said(context, &text);
}

/// Prints that the watch begins.
pub(crate) fn started(context: &Context, paths: &[String], hosts: &[String], interval: Duration) {
    if context.output.format == Format::Json {
        let object = json!({
            "format_version": FORMAT_VERSION, "pid": std::process::id(), "paths": paths, "hosts": hosts,
            "interval": interval.as_secs_f64(),
        });
        return line(context, "started", object);
    }
    let (paths, hosts) = (paths.join(", "), hosts.join(", "));
    let text = format!("watching {} for {}", escape(&paths), escape(&hosts));
    said(context, &text);
}

/// Prints where the status page is.
pub(crate) fn listening(context: &Context, address: SocketAddr) {
    if context.output.format == Format::Json {
        return line(context, "listening", json!({ "address": address.to_string() }));
    }
    said(context, &format!("status page at http://{address}/, metrics at /metrics"));
}

/// Prints that files are not listened to.
pub(crate) fn polling(context: &Context, reason: &str) {
    if context.output.format == Format::Json {
        return line(context, "polling", json!({ "reason": reason }));
    }
    let reason = escape(reason);
    let text = format!(
        "the system does not tell of changed files, so they are looked at every 30 s: {reason}"
    );
    said(context, &context.output.paint(Paint::Yellow, &text));
}

/// Prints that the watch ends.
pub(crate) fn stopped(context: &Context) {
    match context.output.format {
        Format::Json => line(context, "stopped", json!({})),
        Format::Human => said(context, "stopped"),
    }
}

fn said(context: &Context, text: &str) {
    let time = ZonedDateTime::now().strftime("%H:%M:%S").to_string();
    let time = context.output.paint(Paint::Dim, &time);
    let host = context.host().map(|host| format!("{}: ", escape(host))).unwrap_or_default();
    context.result_or_nobody(&format!("{time}  {host}{text}\n"));
}

fn line(context: &Context, event: &str, object: Value) {
    let mut map = Map::new();
    map.insert("event".to_owned(), json!(event));
    map.insert("time".to_owned(), json!(format!("{:.3}", Timestamp::now())));
    if let Value::Object(fields) = object {
        map.extend(fields);
    }
    context.result_or_nobody(&context.line(Value::Object(map)));
}

fn seconds(time: Duration) -> String {
    let millis = time.as_millis();
    if millis < 10_000 {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{} s", millis / 1_000)
    }
}
