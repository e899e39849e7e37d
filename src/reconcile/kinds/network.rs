//! Networks: the guests on one are cut off while it is down.

use super::row::{KindRules, NOT_STARTED};
use crate::model::{DesiredResource, Effect, ObservedResource, UndefineKeep};
use xmltree::Element;

pub(super) const RULES: KindRules = KindRules {
    restart: Effect::NetworkRestart,
    shuts_down: false,
    pauses: false,
    undefine_keeps: UndefineKeep::Nothing,
    changes_one_by_one: true,
    waits: "waits for the next start",
    unstarted,
    drop_identity,
};

/// A network tells no reason; where it is not started by its host either, though it was to be, an apply
/// has got no further.
fn unstarted(desired: &DesiredResource, host: &ObservedResource) -> Option<&'static str> {
    (desired.settings.autostart == Some(true) && !host.autostart).then_some(NOT_STARTED)
}

fn drop_identity(document: &mut Element) {
    document.remove_elements(|e| e.is("mac"));
}
