//! Storage pools: guests keep the files that they have open while a pool is down.

use super::row::{KindRules, Operations, unstarted_by_autostart};
use crate::model::{Effect, Op, PoolOp, UndefineKeep};

pub(super) const RULES: KindRules = KindRules {
    ops: Operations {
        define: |xml| PoolOp::Define { xml }.into(),
        undefine: |_| PoolOp::Undefine.into(),
        create: |_| Some(PoolOp::Create.into()),
        destroy: || Some(Op::Pool(PoolOp::Destroy)),
        set_autostart: |on| Some(PoolOp::SetAutostart { on }.into()),
    },
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
