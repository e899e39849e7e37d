//! Types of differences between a manifest and a definition: sides, edits, causes.

use super::normalize::Equivalence;
use diagnostics::Span;
use xmltree::{Element, Path};

/// Definition that a manifest is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The persistent definition, which the next boot uses.
    NextBoot,
    /// The running instance.
    Running,
}

/// Sort of a difference.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A value is set or changed.
    Set,
    /// An element is added.
    Add(Element),
    /// An element or value is removed.
    Remove,
}

/// Cause of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeCause {
    /// The manifest asks for something that it did not ask for when it was applied last.
    Manifest,
    /// The host was changed by somebody else since.
    Drift,
}

/// One difference between a manifest and a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Field that differs.
    pub path: Path,
    /// Value in the definition; `None` if it has nothing there.
    pub before: Option<String>,
    /// Value in the manifest; `None` if the field is to be removed.
    pub after: Option<String>,
    /// Place in the manifest that asks for it; [`Span::NONE`] if it asks by leaving the field out.
    pub span: Span,
    /// Cause: an edit of the manifest, or drift.
    pub origin: ChangeCause,
    /// Sort of the difference.
    pub edit: Edit,
}

/// A difference that is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredDifference {
    /// Field that differs.
    pub path: Path,
    /// Value in the manifest.
    pub manifest: Option<String>,
    /// Value in the definition.
    pub host: Option<String>,
    /// The equivalence rule that applies.
    pub rule: Equivalence,
}
