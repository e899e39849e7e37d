//! Networks: the guests on one are cut off while it is down.

use super::row::{KindRules, unstarted_by_autostart};
use crate::model::{Effect, UndefineKeep};
use xmltree::Element;

pub(super) const RULES: KindRules = KindRules {
    restart: Effect::NetworkRestart,
    shuts_down: false,
    pauses: false,
    undefine_keeps: UndefineKeep::Nothing,
    changes_one_by_one: true,
    waits: "waits for the next start",
    unstarted: unstarted_by_autostart,
    drop_identity,
};

fn drop_identity(document: &mut Element) {
    document.remove_elements(|e| e.is("mac"));
}
