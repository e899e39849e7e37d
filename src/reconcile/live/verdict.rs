//! Input and outcome of the judgement on a change of a running instance.

use crate::model::{Capabilities, Op, Tuning, TuningParameter};
use crate::reconcile::diff::overlay::Overlay;
use crate::reconcile::plan::step::StepAction;
use xmltree::NodeRef;

/// Both sides of a running instance, and the capabilities of its host.
#[derive(Clone, Copy)]
pub(super) struct LiveContext<'a> {
    /// The manifest on the running definition.
    pub(super) overlay: &'a Overlay,
    /// The running definition.
    pub(super) live: NodeRef<'a>,
    /// The definition for the next boot, as it will be.
    pub(super) next_boot: NodeRef<'a>,
    pub(super) capabilities: &'a Capabilities,
}

/// Verdict on a change.
pub(super) enum Verdict {
    /// Live: these operations make the change, and with it the changes of those indices.
    Live(Vec<StepAction>, Vec<usize>),
    /// Parameters of a call that others may share.
    Tune(Tuning, Vec<TuningParameter>),
    /// Waiting, for this reason.
    Waits(String),
}

impl Verdict {
    pub(super) fn call(op: impl Into<Op>) -> Self {
        Self::Live(vec![StepAction::Call(op.into())], Vec::new())
    }

    pub(super) fn waits(why: impl Into<String>) -> Self {
        Self::Waits(why.into())
    }
}
