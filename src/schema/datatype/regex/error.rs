//! Why a text is no regular expression.

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::schema::datatype) struct PatternError {
    /// What is wrong.
    pub(in crate::schema::datatype) what: String,
    /// What to do, where it is known.
    pub(in crate::schema::datatype) hint: Option<String>,
}
