//! From desired and observed to a plan, and from a plan to a converged host.
//!
//! Floor 3: imports everything below it. `overlay`, `plan` and all they use are pure functions of
//! values; only `apply` and `observe` talk to a driver.
//!
//! - `afterwards.rs`: consequences of a refused live change, planned as data
//! - `blocked.rs`: resources that cannot be reconciled on this host or in this run
//! - `changes.rs`: types of a plan: changes for people, steps for the machine
//! - `claims.rs`: things that only one object of a host may have at a time
//! - `difference.rs`: types of differences: sides, edits, causes
//! - `doubts.rs`: records that are not believed, in words
//! - `export.rs`: manifests of objects on the host, with the proof that applying them does nothing
//! - `filled.rs`: values that a host fills in again by itself
//! - `graph.rs`: the order of steps: which resource comes before which, and a graph that may be run as it is
//! - `held.rs`: values that a grammar refuses and the host has
//! - `history.rs`: the two versions of a manifest in a record, and rollback
//! - `identity.rs`: UUIDs and MAC addresses that a manifest leaves out
//! - `ignored.rs`: ignored differences, each with its equivalence
//! - `merge.rs`: edits of a definition, and the definition with them made
//! - `nic_migration.rs`: NICs of running guests, parked while their network restarts
//! - `others.rs`: entries of governed lists that are left to others
//! - `overlay.rs`: comparison and merge in one call
//! - `ownership.rs`: the ownership record on an object
//! - `pairing.rs`: pairs of entries between two lists
//! - `path_index.rs`: paths looked up by those that they cover
//! - `plan.rs`: `plan`: desired and observed in, a plan out
//! - `promise.rs`: the desired state that a saved plan promises
//! - `renames.rs`: objects under another name, found by UUID
//! - `secret.rs`: secrets of definitions, and their redaction
//! - `states.rs`: one object in three states: applied, next boot, running
//! - `status.rs`: owner of an object, and drift since its last apply
//! - `summary.rs`: values and elements in a few words, for people
//! - `taken.rs`: steps that would take things that other objects have

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
