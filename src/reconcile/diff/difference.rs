//! What differences between a manifest and a definition are told in: sides, edits, who moved.

use super::normalize::Equivalence;
use diagnostics::Span;
use xmltree::{Element, Path};

/// Which definition a manifest is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The persistent definition, which the next boot uses.
    NextBoot,
    /// The running instance.
    Running,
}

/// How a field differs.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A value is set or changed.
    Set,
    /// An element is added.
    Add(Element),
    /// An element or value is removed.
    Remove,
}

/// Where a difference comes from.
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
    /// Which field.
    pub path: Path,
    /// What the definition has; `None` if it has nothing there.
    pub before: Option<String>,
    /// What the manifest asks for; `None` if it is to go.
    pub after: Option<String>,
    /// Where the manifest asks for it; [`Span::NONE`] if it asks by leaving it out.
    pub span: Span,
    /// Who moved.
    pub origin: ChangeCause,
    /// What to do.
    pub edit: Edit,
}

/// A difference that is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredDifference {
    /// Which field.
    pub path: Path,
    /// What the manifest has there.
    pub manifest: Option<String>,
    /// What the definition has there.
    pub host: Option<String>,
    /// The equivalence rule that applies.
    pub rule: Equivalence,
}
