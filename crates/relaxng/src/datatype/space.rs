//! Treatment of white space by a datatype, before all other checks.

use std::borrow::Cow;

/// XML's white space; Unicode's other blanks are characters like all others.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The `whiteSpace` facet of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// The text as it is.
    Preserve,
    /// Each white space character becomes a blank.
    Replace,
    /// Collapse: blanks at the ends are removed, and those in a row become one, after replacement.
    Collapse,
}

impl Space {
    /// The text as the type sees it.
    pub(super) fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Preserve => Cow::Borrowed(text),
            Self::Replace if text.contains(['\t', '\n', '\r']) => {
                Cow::Owned(text.replace(['\t', '\n', '\r'], " "))
            }
            Self::Replace => Cow::Borrowed(text),
            Self::Collapse => collapse(text),
        }
    }
}

/// The text without white space at its ends, and with one blank for each white space within.
/// Borrowed if nothing has to be replaced.
pub fn collapse(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_matches(SPACE);
    if !trimmed.contains(['\t', '\n', '\r']) && !trimmed.contains("  ") {
        return Cow::Borrowed(trimmed);
    }
    let mut out = String::with_capacity(trimmed.len());
    for word in words(trimmed) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    Cow::Owned(out)
}

/// Returns the words between white space.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(SPACE).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collapses_and_borrows_where_it_can() {
        for text in ["", "a", "a b", " a ", "\n a b\t"] {
            assert!(matches!(collapse(text), Cow::Borrowed(_)), "{text:?}");
        }
        assert_eq!(collapse("  a \t b\r\nc "), "a b c");
        // a blank of Unicode's is none of XML's
        assert_eq!(collapse("\u{a0}a\u{a0}"), "\u{a0}a\u{a0}");
    }
}
