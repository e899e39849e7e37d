//! Views: results for people and for programs.
//!
//! - `diff.rs`: a definition before and after, as a unified diff
//! - `envelope.rs`: the frame of all JSON results: version, lines, problems, errors
//! - `history.rs`: the versions that objects remember, for people and programs
//! - `human.rs`: a plan and a report for people: one line per object, its fields below, counts at the end
//! - `json.rs`: results for programs: one JSON object, or JSON lines for a longer operation
//! - `plan_view.rs`: a plan with its sources, ready to be shown
//! - `progress.rs`: progress of an apply: a line on a terminal, or JSON lines
//! - `reach.rs`: parts of a definition that reach out of its guest
//! - `sarif.rs`: problems of manifests as SARIF 2.1.0, for tools that show them beside the code under review
//! - `saved.rs`: a saved plan, whole: every step with what is sent to the host, from the plan's file alone
//! - `states.rs`: one object in its three states, for people and programs
//! - `table.rs`: columns that line up
//! - `values.rs`: values that stand side by side in a row: in one unit, and short where they are the same
//! - `watch.rs`: events of a watch: a line each, for people or as JSON
//! - `whole.rs`: values of a definition that reach beyond the guest, in full
//! - `wide.rs`: how domains run: processors, memory, processor time, addresses

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
pub(crate) mod wide;
