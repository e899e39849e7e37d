//! Columns of a kind's row.

use crate::model::{DesiredResource, Effect, ObservedResource, Op, UndefineKeep};
use xmltree::Element;

/// Why something is off that nobody turned off: its host has not started it.
pub(crate) const NOT_STARTED: &str = "not started since it was defined, or since the host came up";

/// Planning rules of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindRules {
    /// The operations that plans of all kinds need.
    pub(crate) ops: Operations,
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
    /// Note for an object whose definition is newer than its running instance.
    pub(crate) waits: &'static str,
    /// Why one that was to run is off by nobody's doing, as far as the host tells.
    pub(crate) unstarted: fn(&DesiredResource, &ObservedResource) -> Option<&'static str>,
    /// Leaves out what identifies one beside its UUID, for another one like it.
    pub(crate) drop_identity: fn(&mut Element),
}

/// Constructors of operations; `None` where objects of the kind have no such operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operations {
    /// Makes a document the object's definition.
    pub(crate) define: fn(String) -> Op,
    /// Removes the object, with what is not kept of its files.
    pub(crate) undefine: fn(UndefineKeep) -> Op,
    /// Starts it; whether it is to be paused.
    pub(crate) create: fn(bool) -> Option<Op>,
    /// Stops it at once.
    pub(crate) destroy: fn() -> Option<Op>,
    /// Sets whether it starts with the host.
    pub(crate) set_autostart: fn(bool) -> Option<Op>,
}

/// Why one that tells no reason is off: where it is not started by its host either, though it was to be,
/// an apply has got no further.
pub(super) fn unstarted_by_autostart(
    desired: &DesiredResource,
    host: &ObservedResource,
) -> Option<&'static str> {
    (desired.settings.autostart == Some(true) && !host.autostart).then_some(NOT_STARTED)
}
