//! Params of datatypes, and why a datatype with them cannot be.

use diagnostics::Span;

/// A `<param>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The name of the facet.
    pub name: String,
    /// Value of the param.
    pub value: String,
    /// Place of the param.
    pub span: Span,
}

/// Fault of a datatype's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeError {
    /// Summary, in one line.
    pub summary: String,
    /// Hint for a remedy.
    pub hint: Option<String>,
    /// The param at fault, if it is one.
    pub span: Option<Span>,
}
