//! Draft of a decision: notes, steps and fields collected while one resource is examined.

use super::decision::{Context, Move};
use super::moves::LiveMoves;
use crate::model::{DesiredResource, Effect, ObservedResource};
use crate::reconcile::diff::difference::{Change, ChangeCause};
use crate::reconcile::ownership::redact::{is_secret, presented};
use crate::reconcile::plan::path_index::PathIndex;
use crate::reconcile::plan::types::FieldChange;
use xmltree::Path;

/// Draft of the decision about one resource.
pub(super) struct Draft<'a> {
    pub(super) context: Context<'a>,
    pub(super) desired: &'a DesiredResource,
    pub(super) host: &'a ObservedResource,
    pub(super) steps: Vec<Move>,
    /// The last of the steps, which are live changes.
    pub(super) live: LiveMoves,
    pub(super) fields: Vec<FieldChange>,
    pub(super) pending: Vec<FieldChange>,
    pub(super) held: Vec<FieldChange>,
    pub(super) notes: Vec<String>,
    pub(super) resumes: bool,
    /// Reason for which it is off although it was defined to run, if nobody turned it off.
    pub(super) unstarted: Option<&'static str>,
    /// Whether the manifest's definition is unchanged since the last apply, by its text; `None` where the
    /// whole manifest is unchanged, or was another set's.
    pub(super) same_text: Option<bool>,
}

impl Draft<'_> {
    pub(super) fn has_field(&self, change: &Change) -> bool {
        self.fields.iter().any(|f| f.path.covers(&change.path))
    }

    /// The paths of the fields, to look many changes up among them.
    pub(super) fn field_index(&self) -> PathIndex {
        PathIndex::of(self.fields.iter().map(|f| &f.path))
    }

    /// Whether a change is among the fields, of which `index` has the paths.
    pub(super) fn has_field_by(&self, index: &PathIndex, change: &Change) -> bool {
        let covers = |n: &usize| self.fields.get(*n).is_some_and(|f| f.path.covers(&change.path));
        index.near(&change.path).iter().any(covers)
    }

    /// A change of something that is not in the definition.
    pub(super) fn meta(
        &self,
        name: &str,
        before: Option<String>,
        after: &str,
        effect: Effect,
        origin: ChangeCause,
    ) -> FieldChange {
        FieldChange {
            path: Path::parse(name).unwrap_or_default(),
            before,
            after: Some(after.to_owned()),
            effect,
            span: self.desired.span,
            origin,
            why: None,
        }
    }
}

/// The change of a field, as people are shown it.
pub(super) fn field(change: &Change, effect: Effect, origin: ChangeCause) -> FieldChange {
    let show = |value: &Option<String>| value.as_ref().map(|value| presented(&change.path, value));
    FieldChange {
        path: change.path.clone(),
        before: show(&change.before),
        after: show(&change.after),
        effect,
        span: change.span,
        // applied secrets are not kept, so nobody can know who changed them
        origin: if is_secret(&change.path) { ChangeCause::Manifest } else { origin },
        why: None,
    }
}
