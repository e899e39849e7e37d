//! Storage pools: guests keep the files that they have open while a pool is down.

use super::row::{KindRules, unstarted_by_autostart};
use crate::model::{Effect, UndefineKeep};

pub(super) const RULES: KindRules = KindRules {
    // guests go on: they have their files open
    restart: Effect::None,
    shuts_down: false,
    pauses: false,
    undefine_keeps: UndefineKeep::Nothing,
    changes_one_by_one: false,
    waits: "waits for the next start",
    unstarted: unstarted_by_autostart,
    drop_identity: |_| {},
};
