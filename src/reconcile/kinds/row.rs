//! What the row of a kind has.

use crate::model::{Effect, UndefineKeep};

/// What a plan has to know of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KindRules {
    /// What it means to guests when an active one is ended and started again.
    pub(crate) restart: Effect,
    /// Whether an active one is asked to end and has time for it; else it is ended at once.
    pub(crate) shuts_down: bool,
    /// Whether it can be active and paused.
    pub(crate) pauses: bool,
    /// What undefining leaves on a host that can keep it.
    pub(crate) undefine_keeps: UndefineKeep,
    /// Whether the changes of one entry of an active one go one by one: an entry that is taken out and
    /// put back makes room for others in between.
    pub(crate) changes_one_by_one: bool,
}
