//! Fields by the names of their paths: which is within which.

/// Whether one of two fields contains the other.
pub(super) fn touches(one: &str, other: &str) -> bool {
    is_within(one, other) || is_within(other, one)
}

/// Whether a field is another, or in it.
pub(super) fn is_within(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
