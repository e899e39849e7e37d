//! What the row of a kind has.

use crate::model::{DesiredResource, Effect, ObservedResource, UndefineKeep};
use xmltree::Element;

/// Why something is off that nobody turned off: its host has not started it.
pub(crate) const NOT_STARTED: &str = "not started since it was defined, or since the host came up";

/// What a plan has to know of a kind.
#[derive(Clone, Copy, Debug)]
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
    /// What is said of one whose definition is newer than what runs.
    pub(crate) waits: &'static str,
    /// Why one that was to run is off by nobody's doing, as far as the host tells.
    pub(crate) unstarted: fn(&DesiredResource, &ObservedResource) -> Option<&'static str>,
    /// Leaves out what identifies one beside its UUID, for another one like it.
    pub(crate) drop_identity: fn(&mut Element),
}

/// Why one that tells no reason is off: where it is not started by its host either, though it was to be,
/// an apply has got no further.
pub(super) fn unstarted_by_autostart(
    desired: &DesiredResource,
    host: &ObservedResource,
) -> Option<&'static str> {
    (desired.settings.autostart == Some(true) && !host.autostart).then_some(NOT_STARTED)
}
