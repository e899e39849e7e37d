//! Reconciliation: from desired and observed to a plan, and from a plan to a converged host.
//!
//! Floor 3: imports everything below it. `overlay`, `plan` and all they use are pure functions of
//! values; only `apply` and `observe` talk to a driver.
//!
//! - `export.rs`: manifests of objects on the host, with the proof that applying them does nothing
//! - `states.rs`: one object in three states: applied, next boot, running
//! - `status.rs`: owner of an object, and drift since its last apply
//! - `summary.rs`: values and elements in a few words, for people

mod apply;
pub(crate) mod diff;
mod export;
mod kinds;
mod live;
pub mod moves;
pub mod ownership;
pub mod plan;
mod sparse;
mod states;
mod status;
mod summary;

pub use apply::{
    Clock, Crossroads, Event, Report, Status, StepReport, SystemClock, Walker, apply, apply_beside,
    apply_until,
};
pub use diff::difference::{Change, ChangeCause, Edit, IgnoredDifference, Side};
pub use diff::ignored::filled_in;
pub use diff::normalize::{Derived, Equivalence, derived};
pub use diff::overlay::{Overlay, overlay};
pub use export::{Exported, export, prove};
pub use ownership::history::{History, Version, VersionChange, history, rollback, unowned};
pub(crate) use ownership::record::owner_record_of;
pub use ownership::record::without_owner_record;
pub use plan::afterwards::{Afterwards, Note, Notes, Piece, Restore, Undo};
pub use plan::fingerprint::fingerprint;
pub use plan::planner::plan;
pub use plan::promise::promised;
pub use plan::step::{LiveStep, Milestone, Otherwise, Step, StepAction, Until};
pub use plan::types::{Above, Action, FieldChange, Move, Options, Plan, Refusal, ResourceChange};
pub use sparse::Sparse;
pub use states::{Reason, StateRow, States, states};
pub use status::{ObjectStatus, Sync, shown, status};
