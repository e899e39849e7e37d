//! Views: what results look like, for people and for machines.

pub(crate) mod diff;
pub(crate) mod envelope;
pub(crate) mod history;
pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod plan_view;
pub(crate) mod progress;
mod reach;
pub(crate) mod sarif;
pub(crate) mod saved;
pub(crate) mod states;
pub(crate) mod table;
mod values;
pub(crate) mod watch;
pub(crate) mod whole;
