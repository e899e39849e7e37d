//! Error of a text that is no regular expression.

/// Reason for which a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::datatype) struct PatternError {
    /// Description of the fault.
    pub(in crate::datatype) what: String,
    /// Hint for a remedy, where one is known.
    pub(in crate::datatype) hint: Option<String>,
}
