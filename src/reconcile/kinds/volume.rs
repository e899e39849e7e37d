//! Storage volumes: they are there or not, and nothing of them runs.

use super::row::KindRules;
use crate::model::{Effect, UndefineKeep};

pub(super) const RULES: KindRules = KindRules {
    // there is nothing to start
    restart: Effect::None,
    shuts_down: false,
    pauses: false,
    undefine_keeps: UndefineKeep::Nothing,
    changes_one_by_one: false,
    waits: "waits",
    unstarted: |_, _| None,
    drop_identity: |_| {},
};
