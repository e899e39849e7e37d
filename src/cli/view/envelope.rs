//! What all results for machines share: their version, lines, problems and errors.

use crate::error::Error;
use diagnostics::{Diagnostic, Severity, Sources, Span, conceal, escape_json};
use serde_json::{Map, Value, json};

/// The version of every object printed for machines.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// A value on a line of its own, in characters that are safe to show.
pub(crate) fn line(value: &Value) -> String {
    escape_json(&value.to_string()) + "\n"
}

/// An error of an operation.
pub(crate) fn error(e: &Error) -> Value {
    let mut map = Map::new();
    map.insert("kind".to_owned(), json!(e.kind.as_str()));
    map.insert("message".to_owned(), json!(conceal(&e.message)));
    map.insert("hint".to_owned(), json!(e.hint));
    // the numbers and strings of libvirt's virError
    if let Some(vir) = &e.vir {
        map.insert("code".to_owned(), json!(vir.code.0));
        map.insert("domain".to_owned(), json!(vir.domain.0));
        for (key, text) in [("str1", &vir.str1), ("str2", &vir.str2), ("str3", &vir.str3)] {
            map.insert(key.to_owned(), json!(text.as_deref().map(conceal)));
        }
        map.insert("int1".to_owned(), json!(vir.int1));
        map.insert("int2".to_owned(), json!(vir.int2));
    }
    Value::Object(map)
}

/// Problems of the input, each with its place.
pub(crate) fn diagnostics<'a>(
    list: impl Iterator<Item = &'a Diagnostic>,
    sources: &Sources,
) -> Value {
    let list = list.map(|d| {
        json!({
            "severity": severity(d.severity),
            "code": d.code,
            "summary": d.summary,
            "detail": d.detail,
            "expected": d.expected,
            "address": d.address,
            "hint": d.hint,
            "source": d.span.map(|s| place(s, sources)),
            "related": d.related.iter().map(|l| json!({
                "text": l.text, "source": place(l.span, sources),
            })).collect::<Vec<_>>(),
        })
    });
    Value::Array(list.collect())
}

/// Where a span starts, or null for one that is in no file.
pub(crate) fn place(span: Span, sources: &Sources) -> Value {
    match sources.locate(span) {
        Some((file, at)) => json!({ "file": file, "line": at.line, "column": at.column }),
        None => Value::Null,
    }
}

/// The word for how bad a problem is.
pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
