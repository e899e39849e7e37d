//! What is made of the record that says who owns an object.

use super::{Memo, OwnerRecord};
use std::sync::Arc;

/// How far the record on an object is believed. One that is not is no record to anybody: the object is
/// seen without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Why it is not believed, if so.
    pub doubt: Option<Doubt>,
    /// Why the version before in it is not believed, if so: there is no way back to that.
    pub previous: Option<String>,
    /// Why it is to be written anew, though it is believed.
    pub renew: Option<String>,
    /// What the record says: that of the definition, or of what runs if there is no other.
    pub(crate) owner: Memo<Option<Arc<OwnerRecord>>>,
    /// What the record says that an instance was started with.
    pub(crate) running: Memo<Option<Arc<OwnerRecord>>>,
}

/// A record that is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The set that it says owns the object.
    pub set: String,
    /// Why it is not believed.
    pub why: String,
}

impl Doubt {
    /// The same, for people.
    pub fn describe(&self) -> String {
        format!(
            "its record says that the set \"{}\" owns it, and is not believed: {}",
            self.set, self.why
        )
    }
}
