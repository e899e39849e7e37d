//! A step that is decided and stands in no order yet.

use crate::model::{Effect, Target};
use crate::reconcile::plan::types::{LiveStep, StepAction};

/// A step before it has a number.
#[derive(Clone, Debug)]
pub(crate) struct DraftStep {
    pub(crate) target: Target,
    pub(crate) action: StepAction,
    pub(crate) effect: Effect,
    /// What it needs of the steps before it.
    pub(crate) link: Link,
    /// What it is a part of, if it is a live change.
    pub(crate) live: Option<LiveStep>,
}

/// What a step needs of those of its object that stand before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// All of them have to be done.
    Chain,
    /// All have to be over, and this one done.
    Live {
        /// Its place among the steps of the object.
        needs: Option<usize>,
    },
}

impl DraftStep {
    /// A step that follows the one before it.
    pub(crate) fn new(target: &Target, action: StepAction, effect: Effect) -> Self {
        Self { target: target.clone(), action, effect, link: Link::Chain, live: None }
    }
}
