//! A diagnostic as text for people: the place, the line with a caret, the reason and the way out.

use super::escape::escape;
use super::redact::blot;
use super::{Diagnostic, Severity, Sources, Span};
use std::fmt::Write as _;

/// Longest source line shown whole, in characters; a longer one is shown around the caret.
const LINE: usize = 160;

/// Renders one diagnostic; ends with a line break. Foreign text in it is escaped.
///
/// ```text
/// manifests/web.xml:4:3: error: memory is not a number
///     4 |   <memory>lots</memory>
///       |   ^^^^^^^^
///     found "lots"; expected a whole number
///     hint: write <memory unit='MiB'>512</memory>
/// ```
pub fn render(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut out = String::new();
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = diagnostic.span.and_then(|span| sources.place(span));
    let head = match (&place, &diagnostic.address) {
        (Some(place), _) => format!("{place}: "),
        (None, Some(address)) => format!("{}: ", escape(address)),
        (None, None) => String::new(),
    };
    let _ = writeln!(out, "{head}{severity}: {}", escape(&diagnostic.summary));
    if let Some(span) = diagnostic.span {
        out.push_str(&snippet(span, sources));
    }
    if let Some(detail) = &diagnostic.detail {
        for line in detail.lines() {
            let _ = writeln!(out, "    {}", escape(line));
        }
    }
    let expected = expected(&diagnostic.expected);
    let hint = diagnostic.hint.as_ref().map(|hint| format!("    hint: {}\n", escape(hint)));
    // a probable meaning comes before a list that would hide it
    let (first, last) = if expected.len() > LISTED { (hint, None) } else { (None, hint) };
    out.push_str(&first.unwrap_or_default());
    for line in expected {
        let _ = writeln!(out, "    {}", escape(&line));
    }
    for label in &diagnostic.related {
        if let Some(place) = sources.place(label.span) {
            let _ = writeln!(out, "    {place}: {}", escape(&label.text));
        }
    }
    out.push_str(&last.unwrap_or_default());
    out
}

/// Most lines of expected content before the hint.
const LISTED: usize = 2;

/// Longest line of a list of expected content, in characters.
const EXPECTED: usize = 100;

/// `expected a, b or c`, in lines of a length that can be read.
fn expected(list: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = "expected".to_owned();
    for (i, item) in list.iter().enumerate() {
        let word = match list.len() - i {
            1 if i > 0 => format!("or {item}"),
            1 => item.clone(),
            2 => item.clone(),
            _ => format!("{item},"),
        };
        if line.chars().count() + 1 + word.chars().count() > EXPECTED && line != "expected" {
            lines.push(std::mem::take(&mut line));
            line.push_str("  ");
            line.push_str(&word);
        } else {
            line.push(' ');
            line.push_str(&word);
        }
    }
    if !list.is_empty() {
        lines.push(line);
    }
    lines
}

fn snippet(span: Span, sources: &Sources) -> String {
    let Some(source) = sources.get(span.source) else { return String::new() };
    let at = source.position(span.start);
    let Some(line) = source.line_at(span.start) else { return String::new() };
    let line: Vec<char> = blot(source.lead(span.start), line);
    if line.is_empty() {
        return String::new();
    }
    let caret = (at.column - 1).min(line.len());
    let from = if line.len() > LINE { caret.saturating_sub(LINE / 2) } else { 0 };
    let shown = |from: usize, to: usize| -> String {
        let some = line.iter().take(to).skip(from);
        escape(&some.map(|c| if *c == '\t' { ' ' } else { *c }).collect::<String>())
    };
    let bytes = usize::try_from(span.end.saturating_sub(span.start)).unwrap_or(1);
    let end = from + LINE.min(line.len() - from);
    // an escape is wider than what it stands for
    let before = shown(from, caret).chars().count();
    let marked = shown(caret, caret.saturating_add(bytes).min(end)).chars().count().max(1);
    let number = at.line.to_string();
    let gutter = " ".repeat(number.len());
    format!(
        "    {number} | {}\n    {gutter} | {}{}\n",
        shown(from, end),
        " ".repeat(before),
        "^".repeat(marked)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_place_line_and_caret() {
        let mut sources = Sources::default();
        let id = sources.add("web.xml", "<domain>\n  <memory>lots</memory>\n</domain>");
        let d = Diagnostic::error("bad-number", "memory is not a number")
            .at(Span::new(id, 19, 23))
            .detail("found \"lots\"; expected a whole number")
            .hint("write <memory unit='MiB'>512</memory>");
        assert_eq!(
            render(&d, &sources),
            "web.xml:2:11: error: memory is not a number\n    \
             2 |   <memory>lots</memory>\n      |           ^^^^\n    \
             found \"lots\"; expected a whole number\n    \
             hint: write <memory unit='MiB'>512</memory>\n"
        );
    }
}
