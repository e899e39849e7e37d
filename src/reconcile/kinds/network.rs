//! Networks: the guests on one are cut off while it is down.

use super::row::{KindRules, Operations, unstarted_by_autostart};
use crate::model::{Effect, NetworkOp, Op, UndefineKeep};
use xmltree::Element;

pub(super) const RULES: KindRules = KindRules {
    ops: Operations {
        define: |xml| NetworkOp::Define { xml }.into(),
        undefine: |_| NetworkOp::Undefine.into(),
        create: |_| Some(NetworkOp::Create.into()),
        destroy: || Some(Op::Network(NetworkOp::Destroy)),
        set_autostart: |on| Some(NetworkOp::SetAutostart { on }.into()),
    },
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
