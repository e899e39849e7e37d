//! Networks: the guests on one are cut off while it is down.

use super::row::KindRules;
use crate::model::{Effect, UndefineKeep};

pub(super) const RULES: KindRules = KindRules {
    restart: Effect::NetworkRestart,
    shuts_down: false,
    pauses: false,
    undefine_keeps: UndefineKeep::Nothing,
    changes_one_by_one: true,
};
