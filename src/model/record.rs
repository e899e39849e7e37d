//! Verdict on an object's ownership record.

use super::{Memo, OwnerRecord};
use std::sync::Arc;

/// How far the record on an object is believed. One that is not is no record to anybody: the object is
/// seen without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Reason for which it is not believed, if so.
    pub doubt: Option<Doubt>,
    /// Reason for which its earlier version is not believed, if so: there is no way back to that.
    pub previous: Option<String>,
    /// Reason for which it is to be written anew, though it is believed.
    pub renew: Option<String>,
    /// Parsed record: that of the definition, or of the running instance if there is no other.
    pub(crate) owner: Memo<Option<Arc<OwnerRecord>>>,
    /// Parsed record that the running instance was started with.
    pub(crate) running: Memo<Option<Arc<OwnerRecord>>>,
}

/// A record that is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The set that it says owns the object.
    pub set: String,
    /// Reason for which it is not believed.
    pub why: String,
}

impl Doubt {
    /// Returns the reason, for people.
    pub fn describe(&self) -> String {
        format!(
            "its record says that the set \"{}\" owns it, and is not believed: {}",
            self.set, self.why
        )
    }
}
