//! Storage volumes: they are there or not, and nothing of them runs.

use super::row::{KindRules, Operations};
use crate::model::{Effect, UndefineKeep, VolumeOp};

pub(super) const RULES: KindRules = KindRules {
    ops: Operations {
        define: |xml| VolumeOp::Create { xml }.into(),
        undefine: |_| VolumeOp::Delete.into(),
        create: |_| None,
        destroy: || None,
        set_autostart: |_| None,
    },
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
