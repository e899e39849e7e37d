//! From desired and observed to a plan, and from a plan to a converged host.
//!
//! Floor 3: imports everything below it. `overlay`, `plan` and all they use are pure functions of
//! values; only `apply` and `observe` talk to a driver.

mod afterwards;
mod apply;
mod blocked;
mod changes;
mod claims;
mod compare;
mod decide;
mod difference;
mod doubts;
mod export;
mod filled;
mod graph;
mod held;
mod history;
mod identity;
mod ignored;
mod kinds;
mod live;
mod merge;
pub mod moves;
mod nic_migration;
mod normalize;
mod others;
mod overlay;
mod ownership;
mod pairing;
mod path_index;
mod plan;
pub mod planfile;
mod promise;
pub mod records;
mod renames;
mod secret;
mod sparse;
mod states;
mod status;
mod summary;
mod taken;

pub use afterwards::{Afterwards, Note, Notes, Piece, Restore, Undo};
pub use apply::{
    Clock, Crossroads, Event, Report, Status, StepReport, SystemClock, Walker, apply, apply_beside,
    apply_until,
};
pub use changes::{
    Above, Action, FieldChange, LiveStep, Milestone, Move, Options, Otherwise, Plan, Refusal,
    ResourceChange, Step, StepAction, Until,
};
pub use difference::{Change, ChangeCause, Edit, IgnoredDifference, Side};
pub use export::{Exported, export, prove};
pub use history::{History, Version, VersionChange, history, rollback, unowned};
pub use ignored::filled_in;
pub use normalize::{Derived, Equivalence, derived};
pub use overlay::{Overlay, overlay};
pub(crate) use ownership::owner_record_of;
pub use ownership::without_owner_record;
pub use plan::{fingerprint, plan};
pub use promise::promised;
pub use sparse::Sparse;
pub use states::{Reason, StateRow, States, states};
pub use status::{ObjectStatus, Sync, shown, status};
