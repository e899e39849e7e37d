//! Problems of the input: many at once, sorted by position, the first never hiding the rest.

use super::Span;

/// Severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Error: the object it concerns is blocked.
    Error,
    /// Warning: shown, and nothing is blocked.
    Warning,
}

/// A second place that a problem concerns, such as the first of two duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Place.
    pub span: Span,
    /// Text about the place.
    pub text: String,
}

/// Problem of the input: its description, place, cause and remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Severity.
    pub severity: Severity,
    /// A stable word for machines, such as `duplicate-name`.
    pub code: &'static str,
    /// Summary of the problem, in one line.
    pub summary: String,
    /// Found and expected content, if the summary does not have it.
    pub detail: Option<String>,
    /// Right content for the place: every word, name or kind of value that is possible there.
    pub expected: Vec<String>,
    /// Place of the problem.
    pub span: Option<Span>,
    /// The object or path it concerns, such as `domain/web devices/disk[1]`.
    pub address: Option<String>,
    /// Hint for a remedy.
    pub hint: Option<String>,
    /// Other places that belong to it.
    pub related: Vec<Label>,
}

impl Diagnostic {
    /// An error with a code and a one-line summary.
    pub fn error(code: &'static str, summary: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            summary: summary.into(),
            detail: None,
            expected: Vec::new(),
            span: None,
            address: None,
            hint: None,
            related: Vec::new(),
        }
    }

    /// A warning with a code and a one-line summary.
    pub fn warning(code: &'static str, summary: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, summary) }
    }

    /// Sets where it is; an unknown span leaves it without a place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = span.is_known().then_some(span);
        self
    }

    /// Sets the detail: the found and expected content.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the right content for the place.
    #[must_use]
    pub fn expected(mut self, expected: Vec<String>) -> Self {
        self.expected = expected;
        self
    }

    /// Sets the object it concerns.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds another place that belongs to it.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label { span, text: text.into() });
        self
    }

    /// Turns the problem into a warning, which blocks nothing.
    #[must_use]
    pub fn into_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Whether the problem blocks its object.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Problems collected over a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: impl IntoIterator<Item = Diagnostic>) {
        self.list.extend(other);
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_error)
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the number of problems.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns all problems in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Sorts by source, then position, so that output does not depend on the order of the checks.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|d| (d.span.unwrap_or(Span::NONE), d.severity));
    }

    /// Drops repeated problems, such as those of a file that is read in two ways; to be called once sorted.
    pub fn dedup(&mut self) {
        self.list.dedup();
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
