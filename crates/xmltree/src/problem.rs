//! Problems for which a document is refused: their words and places.

use super::NamespaceDecl;
use super::wellformed::{self, Reference, forbidden, name_length, split_name};
use diagnostics::{Diagnostic, Label, SourceId, Span, excerpt, excerpt_at};
use std::sync::Arc;

pub(super) type Step<T = ()> = Result<T, Box<Diagnostic>>;

/// The text that is read, and how a place in it is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document<'a> {
    pub(super) source: SourceId,
    pub(super) text: &'a str,
}

/// The innermost declaration of a prefix, `None` being the default namespace.
pub(super) fn binding<'s>(
    scope: &'s [NamespaceDecl],
    prefix: Option<&str>,
) -> Option<&'s NamespaceDecl> {
    scope.iter().rev().find(|d| d.prefix.as_deref() == prefix)
}

impl Document<'_> {
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    /// One past the character at `at`.
    pub(super) fn char_end(&self, at: usize) -> usize {
        let c = self.text.get(at..).and_then(|rest| rest.chars().next());
        at + c.map_or(0, char::len_utf8)
    }

    #[cold]
    pub(super) fn error(&self, start: usize, end: usize, summary: &str) -> Box<Diagnostic> {
        Box::new(Diagnostic::error("xml", summary).at(self.span(start, end)))
    }

    #[cold]
    pub(super) fn over(
        &self,
        start: usize,
        end: usize,
        what: &str,
        limit: usize,
    ) -> Box<Diagnostic> {
        let mut d = self.error(start, end, &format!("the document has too many {what}"));
        d.code = "xml-limit";
        d.detail = Some(format!("at most {limit} are read"));
        d
    }

    /// Checks that XML allows all characters of `text`, which starts at `at`.
    pub(super) fn check_chars(&self, text: &str, at: usize) -> Step {
        match forbidden(text) {
            None => Ok(()),
            Some((n, c)) => Err(self.forbidden_char(at + n, c)),
        }
    }

    #[cold]
    pub(super) fn forbidden_char(&self, at: usize, c: char) -> Box<Diagnostic> {
        let what = format!("the character U+{:04X} is not allowed in XML", u32::from(c));
        self.error(at, at + c.len_utf8(), &what)
    }

    /// Checks the name of an element, which starts at `at`; its prefix is another matter.
    #[inline]
    pub(super) fn check_element_name(&self, name: &str, at: usize) -> Step {
        let length = name_length(name);
        if length > 0 && length == name.len() {
            return Ok(());
        }
        if name.is_empty() {
            let mut d = self.error(at.saturating_sub(1), at, "no name follows \"<\"");
            d.hint = Some("write &lt; for the character itself".to_owned());
            return Err(d);
        }
        Err(self.not_a_name(name, at, length))
    }

    /// `written` starts at `at`, and its character at byte `offset` does not belong into a name.
    #[cold]
    pub(super) fn not_a_name(&self, written: &str, at: usize, offset: usize) -> Box<Diagnostic> {
        if written.is_empty() {
            return self.error(at, at, "a name is missing");
        }
        let place = at + offset;
        let shown = excerpt_at(self.text, at, at + written.len());
        let what = format!("\"{shown}\" is not a name");
        let mut d = self.error(place, self.char_end(place), &what);
        if let Some(c) = written.get(offset..).and_then(|rest| rest.chars().next()) {
            let where_ = if offset == 0 { "start with" } else { "hold" };
            d.detail = Some(match c {
                ':' => "a colon stands between a prefix and the rest, and only there".to_owned(),
                c => format!("a name cannot {where_} \"{}\"", excerpt(c.encode_utf8(&mut [0; 4]))),
            });
        }
        d
    }

    /// The prefix and the local part of a well-formed name, which starts at `at`.
    #[inline]
    pub(super) fn split<'n>(&self, name: &'n str, at: usize) -> Step<(Option<&'n str>, &'n str)> {
        split_name(name).map_err(|offset| self.not_a_name(name, at, offset))
    }

    /// The namespace of a prefix, `None` being the default namespace.
    pub(super) fn resolve(
        &self,
        scope: &[NamespaceDecl],
        prefix: Option<&str>,
        at: Span,
    ) -> Step<Option<Arc<str>>> {
        match (binding(scope, prefix), prefix) {
            (Some(declaration), _) if declaration.uri.is_empty() => Ok(None),
            (Some(declaration), _) => Ok(Some(declaration.uri.clone())),
            (None, None) => Ok(None),
            (None, Some("xml")) => Ok(Some(wellformed::XML_NAMESPACE.into())),
            (None, Some(prefix)) => {
                let prefix = excerpt(prefix);
                let mut d = self.error(0, 0, &format!("the prefix {prefix} is not declared"));
                d.span = at.is_known().then_some(at);
                d.hint = Some(format!("declare it: xmlns:{prefix}='…'"));
                Err(d)
            }
        }
    }

    #[cold]
    pub(super) fn twice(&self, second: Span, first: Option<Span>) -> Box<Diagnostic> {
        let range = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let name = self.text.get(range(second.start)..range(second.end)).unwrap_or("");
        let what = format!("the attribute {} is given twice", excerpt(name));
        let mut d = self.error(range(second.start), range(second.end), &what);
        if let Some(span) = first {
            d.related.push(Label { span, text: "it is given here first".to_owned() });
        }
        d
    }

    /// A `<` in the value that starts at `value`.
    #[cold]
    pub(super) fn open_in_value(&self, at: usize, value: usize) -> Box<Diagnostic> {
        let mut d = self.error(at, at + 1, "\"<\" stands in the value of an attribute");
        d.hint = Some("write &lt;, or close the value's quote before it".to_owned());
        let span = self.span(value.saturating_sub(1), value);
        d.related.push(Label { span, text: "the value starts here".to_owned() });
        d
    }

    #[cold]
    pub(super) fn lone_ampersand(&self, at: usize) -> Box<Diagnostic> {
        let mut d = self.error(at, at + 1, "\"&\" starts no reference: \";\" is missing");
        d.hint = Some("write &amp; for the character itself".to_owned());
        d
    }

    /// A reference from `start` to `end` that stands for nothing.
    #[cold]
    pub(super) fn bad_reference(
        &self,
        start: usize,
        end: usize,
        why: &Reference,
    ) -> Box<Diagnostic> {
        let written = excerpt_at(self.text, start, end);
        let (what, hint) = match why {
            Reference::Unknown => (
                format!("entity {written} is not known"),
                "XML itself has &lt; &gt; &amp; &apos; &quot;; write other characters themselves",
            ),
            Reference::Char(_) | Reference::Forbidden => {
                (format!("{written} is not a character that XML allows"), "remove it")
            }
            Reference::Malformed => {
                (format!("{written} is not a reference"), "write &amp; for the character itself")
            }
        };
        let mut d = self.error(start, end, &what);
        d.hint = Some(hint.to_owned());
        d
    }
}
