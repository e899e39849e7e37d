//! A step that is decided and stands in no order yet.

use crate::model::{Effect, Target};
use crate::reconcile::plan::step::{LiveStep, StepAction};

/// A step before it has a number.
#[derive(Clone, Debug)]
pub(crate) struct DraftStep {
    pub(crate) target: Target,
    pub(crate) action: StepAction,
    pub(crate) effect: Effect,
    /// Dependency on the steps before it.
    pub(crate) link: Link,
    /// Live change that it is a part of, if any.
    pub(crate) live: Option<LiveStep>,
}

/// Dependency of a step on the earlier ones of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// All earlier steps have to be done.
    Chain,
    /// All earlier steps have to be over, and this one done.
    Live {
        /// Index of the step that must be done, among those of the object.
        needs: Option<usize>,
    },
}

impl DraftStep {
    /// A step that follows the one before it.
    pub(crate) fn new(target: &Target, action: StepAction, effect: Effect) -> Self {
        Self { target: target.clone(), action, effect, link: Link::Chain, live: None }
    }
}
