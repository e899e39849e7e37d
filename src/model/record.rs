//! Verdict on an object's ownership record.

/// Verdict on the record of an object. One that is not believed does not count for anybody: the object is
/// seen without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Reason for which it is not believed, if so.
    pub doubt: Option<Doubt>,
    /// Reason for which its earlier version is not believed, if so: there is no way back to that.
    pub previous: Option<String>,
    /// Reason for which it is to be written anew, though it is believed.
    pub renew: Option<String>,
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
