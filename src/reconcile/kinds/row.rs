//! Columns of a kind's row.

use crate::model::{Effect, UndefineKeep};

/// Planning rules of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KindRules {
    /// Effect on guests when an active object is stopped and started again.
    pub(crate) restart: Effect,
    /// Whether an active one is asked to end and has time for it; else it is ended at once.
    pub(crate) shuts_down: bool,
    /// Whether an active object can be paused.
    pub(crate) pauses: bool,
    /// Files that undefining leaves on a host that can keep them.
    pub(crate) undefine_keeps: UndefineKeep,
    /// Whether the changes of one entry of an active one go one by one: an entry that is taken out and
    /// put back makes room for others in between.
    pub(crate) changes_one_by_one: bool,
}
