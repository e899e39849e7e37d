//! TOML as a notation: its tables with their places, and its syntax errors.

use crate::model::Kind;
use diagnostics::{Diagnostic, Diagnostics, SourceId, Span, closest, excerpt};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use xmltree::Limits;

/// Reads the tables of a TOML text, with each problem of the notation said in `out`.
pub(crate) fn parse_table<'a>(
    source: SourceId,
    text: &'a str,
    out: &mut Diagnostics,
) -> DeTable<'a> {
    let limit = Limits::MANIFEST.bytes;
    if text.len() > limit {
        let detail = format!("{} bytes; a file may have {} MiB", text.len(), limit >> 20);
        let summary = "the document is too large";
        out.push(Diagnostic::error("limit", summary).at(Span::new(source, 0, 0)).detail(detail));
        return DeTable::default();
    }
    let (table, errors) = if text.len() > RECOVER_MAX {
        DeTable::parse(text).map_or_else(|e| (None, vec![e]), |table| (Some(table), Vec::new()))
    } else {
        let (table, errors) = DeTable::parse_recoverable(text);
        (Some(table), errors)
    };
    for (i, error) in errors.iter().take(PROBLEMS_MAX).enumerate() {
        let at = error.span().unwrap_or(0..0);
        let problem = Diagnostic::error("toml", "the TOML cannot be read")
            .at(Span::new(source, at.start, at.end))
            .detail(excerpt(error.message()));
        out.push(if i + 1 == PROBLEMS_MAX { too_many(problem) } else { problem });
    }
    table.map(Spanned::into_inner).unwrap_or_default()
}

/// Most problems of one file that are said one by one.
pub(super) const PROBLEMS_MAX: usize = 100;

/// Longest text of which every problem is looked for, in bytes; each costs memory.
pub(super) const RECOVER_MAX: usize = 1 << 20;

pub(super) fn too_many(last: Diagnostic) -> Diagnostic {
    last.hint("there may be more problems in this file: they are not shown")
}

/// Returns the place of a string's value, without its quotes.
pub(super) fn value_span(source: SourceId, text: &str, value: &Spanned<DeValue<'_>>) -> Span {
    let range = value.span();
    let written = text.get(range.clone()).unwrap_or("");
    for quote in ["\"\"\"", "'''", "\"", "'"] {
        if let Some(rest) = written.strip_prefix(quote)
            && rest.ends_with(quote)
        {
            return Span::new(source, range.start + quote.len(), range.end - quote.len());
        }
    }
    Span::new(source, range.start, range.end)
}

/// A key that nobody knows, with the one that was probably meant, or all there are.
pub(crate) fn unknown_key(
    what: String,
    name: &str,
    span: Span,
    keys: &[&'static str],
) -> Diagnostic {
    let hint = match closest(name, keys.iter().copied()) {
        Some(known) => format!("did you mean {known}?"),
        None => format!("it may have {}", keys.join(", ")),
    };
    Diagnostic::error("unknown-setting", what)
        .at(span)
        .detail(format!("found \"{}\"", excerpt(name)))
        .hint(hint)
}

/// A table that is of no kind of resource.
pub(super) fn unknown_kind(name: &str, span: Span) -> Diagnostic {
    let hint = match closest(name, Kind::ALL.map(Kind::as_str)) {
        Some(word) => format!("did you mean {word}?"),
        None => "start a resource with [[domain]] or [[network]]".to_owned(),
    };
    Diagnostic::error("toml", "a manifest holds domains, networks, pools and volumes only")
        .at(span)
        .detail(format!("found \"{}\"", excerpt(name)))
        .hint(hint)
}
