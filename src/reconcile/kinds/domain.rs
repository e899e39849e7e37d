//! Domains: guests that are asked to shut down.

use super::row::KindRules;
use crate::model::{Effect, UndefineKeep};

pub(super) const RULES: KindRules = KindRules {
    restart: Effect::Restart,
    shuts_down: true,
    pauses: true,
    // NVRAM and the state of a TPM
    undefine_keeps: UndefineKeep::State,
    changes_one_by_one: false,
};
