//! Drivers: how hosts are observed and changed, and which one a URI asks for.
//!
//! Floor 2: imports `diag`, `xml`, `wire`, `model`. A driver plans nothing; it carries out what it is
//! told, keeps the order of calls to one object, and says exactly what became of each.

mod environment;
pub mod remote;
pub mod uri;

pub use environment::Environment;
pub use uri::Uri;

use crate::diag::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Call, Capabilities, Observed, Outcome, Scope};
use remote::RemoteDriver;

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

/// Opens the driver that `uri` asks for.
///
/// # Errors
/// The driver or its transport is not built, or the host cannot be reached.
pub fn open(uri: &Uri, env: &Environment) -> Result<Box<dyn Driver>> {
    match (uri.driver(), uri.transport(), uri.path()) {
        ("test", None, _) => Err(not_built(
            "the built-in test host",
            "libvirt's own is there behind its daemon: test+unix:///default",
        )),
        ("qemu", None, "/embed") => Err(not_built(
            "the built-in QEMU driver",
            "QEMU is there behind libvirt's daemon: qemu:///system",
        )),
        _ => Ok(Box::new(RemoteDriver::open(uri, env)?)),
    }
}

fn not_built(what: &str, hint: &str) -> Error {
    let message = format!("{what} is not built yet");
    Error::new(ErrorCode::NO_SUPPORT, ErrorDomain::NONE, message).hint(hint)
}
