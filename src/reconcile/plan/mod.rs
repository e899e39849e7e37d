//! Plans: from desired and observed to the steps of a run, as data.
//!
//! `planner.rs` joins the stages: what is blocked, one decision per resource (`decide/`), what is taken and
//! renamed between them, and the order of all steps. `file/` saves and reads plans.
//!
//! - `afterwards.rs`: consequences of a refused live change, planned as data
//! - `blocked.rs`: resources that cannot be reconciled on this host or in this run
//! - `claims.rs`: things that only one object of a host may have at a time
//! - `consequences.rs`: consequences of a whole plan for each of its steps
//! - `fingerprint.rs`: fingerprint of the host's state that a plan relies on
//! - `held.rs`: values that a grammar refuses and the host has
//! - `nic_migration.rs`: NICs of running guests, parked while their network restarts
//! - `order.rs`: the order of steps: which resource comes before which, and a graph that may be run as it is
//! - `path_index.rs`: paths looked up by those that they cover
//! - `planner.rs`: `plan`: desired and observed in, a plan out
//! - `promise.rs`: the desired state that a saved plan promises
//! - `renames.rs`: objects under another name, found by UUID
//! - `step.rs`: steps: calls of a driver, and waits between them
//! - `taken.rs`: steps that would take things that other objects have
//! - `types.rs`: types of a plan: options, changes for people, and the plan itself

pub(crate) mod afterwards;
pub(crate) mod blocked;
pub(crate) mod claims;
pub(crate) mod consequences;
pub(crate) mod decide;
pub mod file;
pub(crate) mod fingerprint;
pub(crate) mod held;
pub(crate) mod nic_migration;
pub(crate) mod order;
pub(crate) mod path_index;
pub(crate) mod planner;
pub(crate) mod promise;
pub(crate) mod renames;
pub(crate) mod step;
pub(crate) mod taken;
pub(crate) mod types;
