//! Params of datatypes, and why a datatype with them cannot be.

use diagnostics::Span;

/// A `<param>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The name of the facet.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

/// Why a datatype cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeError {
    /// What is wrong, in one line.
    pub summary: String,
    /// What to do.
    pub hint: Option<String>,
    /// The param at fault, if it is one.
    pub span: Option<Span>,
}
