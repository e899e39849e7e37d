//! Values that follow from others, worked out once.

use std::fmt;
use std::sync::OnceLock;

/// A value that follows from other fields of its struct: worked out when it is first asked for, and kept.
///
/// It makes no difference between two structs, and a clone works it out anew: whoever changes a clone finds
/// nothing in it that was true before.
pub(crate) struct Memo<T>(OnceLock<T>);

impl<T> Memo<T> {
    /// Returns the value, which `work_out` gives if nobody has asked before.
    pub(crate) fn get(&self, work_out: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(work_out)
    }
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Clone for Memo<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> PartialEq for Memo<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Memo<T> {}

impl<T> fmt::Debug for Memo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}
