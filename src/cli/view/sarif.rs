//! Problems of manifests as SARIF 2.1.0, for tools that show them beside the code under review.

use crate::model::rules::rules;
use diagnostics::{Diagnostic, Diagnostics, Severity, Source, Sources, Span, escape, escape_json};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// One SARIF log with one run.
pub(crate) fn validation(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let codes: BTreeSet<&str> = diagnostics.iter().map(|d| d.code).collect();
    let known = rules();
    let rules: Vec<Value> = codes
        .iter()
        .map(|code| match known.iter().find(|r| r.name == *code) {
            Some(rule) => json!({
                "id": code,
                "shortDescription": { "text": rule.summary },
                "help": { "text": rule.remedy },
            }),
            None => json!({ "id": code }),
        })
        .collect();
    let results: Vec<Value> = diagnostics.iter().map(|d| result(d, sources)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "virt",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    escape_json(&log.to_string()) + "\n"
}

fn result(d: &Diagnostic, sources: &Sources) -> Value {
    let level = match d.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut text = escape(&d.summary);
    let expected = (!d.expected.is_empty()).then(|| format!("expected {}", d.expected.join(", ")));
    for more in [&d.detail, &expected, &d.hint].into_iter().flatten() {
        text.push_str("; ");
        text.push_str(&escape(more));
    }
    let mut value = json!({ "ruleId": d.code, "level": level, "message": { "text": text } });
    // what has no place in a file is known by its name alone
    let place = match (d.span.and_then(|s| location(s, sources)), &d.address) {
        (Some(place), _) => Some(place),
        (None, Some(path)) if Path::new(path).exists() => Some(json!({
            "physicalLocation": { "artifactLocation": { "uri": uri(path) } }
        })),
        (None, _) => None,
    };
    let related: Vec<Value> = d
        .related
        .iter()
        .filter_map(|label| {
            let mut place = location(label.span, sources)?;
            place.as_object_mut()?.insert("message".into(), json!({ "text": escape(&label.text) }));
            Some(place)
        })
        .collect();
    if let Some(object) = value.as_object_mut() {
        if let Some(mut place) = place {
            if let (Some(address), Some(fields)) = (&d.address, place.as_object_mut()) {
                let name = json!([{ "fullyQualifiedName": escape(address) }]);
                fields.insert("logicalLocations".into(), name);
            }
            object.insert("locations".into(), json!([place]));
        }
        if !related.is_empty() {
            object.insert("relatedLocations".into(), json!(related));
        }
    }
    value
}

fn location(span: Span, sources: &Sources) -> Option<Value> {
    let source = sources.get(span.source)?;
    let (start, end) = (source.position(span.start), source.position(span.end.max(span.start)));
    Some(json!({
        "physicalLocation": {
            "artifactLocation": { "uri": name(source) },
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
        },
    }))
}

fn name(source: &Source) -> String {
    uri(&source.name)
}

/// A path as a URI reference: relative ones stay relative, to the root of the repository.
fn uri(path: &str) -> String {
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_with_its_places() {
        let mut sources = Sources::default();
        let id = sources.add("./a dir/web.xml", "<a>\n <b/></a>");
        let mut all = Diagnostics::default();
        all.push(
            Diagnostic::error("repeated-element", "<b> may appear only once")
                .at(Span::new(id, 5, 9))
                .address("domain/web")
                .hint("remove one of them")
                .related(Span::new(id, 0, 3), "the first one"),
        );
        let log: Value = serde_json::from_str(&validation(&all, &sources)).unwrap_or_default();
        let at = |pointer: &str| log.pointer(pointer).cloned().unwrap_or_default();
        let result = "/runs/0/results/0";
        assert_eq!(at("/version"), "2.1.0");
        assert_eq!(at("/runs/0/tool/driver/rules/0/id"), "repeated-element");
        assert_eq!(at(&format!("{result}/level")), "error");
        assert_eq!(
            at(&format!("{result}/message/text")),
            "<b> may appear only once; remove one of them"
        );
        let place = format!("{result}/locations/0/physicalLocation");
        assert_eq!(at(&format!("{place}/artifactLocation/uri")), "a%20dir/web.xml");
        assert_eq!(at(&format!("{place}/region/startLine")), 2);
        assert_eq!(at(&format!("{place}/region/endColumn")), 6);
        assert_eq!(at(&format!("{result}/relatedLocations/0/message/text")), "the first one");
    }
}
