//! Why a text is no regular expression.

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::datatype) struct PatternError {
    /// What is wrong.
    pub(in crate::datatype) what: String,
    /// What to do, where it is known.
    pub(in crate::datatype) hint: Option<String>,
}
