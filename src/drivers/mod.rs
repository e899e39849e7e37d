//! Drivers: how hosts are observed and changed, and which one a URI asks for.
//!
//! Floor 2: imports `diag`, `xml`, `wire`, `model`. A driver plans nothing; it carries out what it is
//! told, keeps the order of calls to one object, and says exactly what became of each.

mod test;

pub use test::{TestDriver, TestHost};

use crate::diag::Result;
use crate::model::{Call, Capabilities, Observed, Outcome, Scope};

/// A host that can be observed and changed.
pub trait Driver: Send + Sync {
    /// The driver's name, for people.
    fn name(&self) -> &'static str;

    /// What the driver and its host can do.
    ///
    /// # Errors
    /// The host could not be asked.
    fn capabilities(&self) -> Result<Capabilities>;

    /// The inventory, as far as `scope` asks, read in one go.
    ///
    /// # Errors
    /// The host could not be read whole: a part of an inventory is no inventory.
    fn observe(&self, scope: &Scope) -> Result<Observed>;

    /// Carries out `batch`: as many outcomes as calls, in the same order. Calls to different
    /// objects may overlap; calls to one object run one after the other in the order given, and
    /// after the first that is not `Done` the rest of that object's are refused unsent with
    /// [`ErrorCode::OPERATION_ABORTED`](crate::diag::ErrorCode::OPERATION_ABORTED).
    fn execute(&self, batch: &[Call]) -> Vec<Outcome>;
}
