//! Drivers: how hosts are observed and changed, and which one a URI asks for.
//!
//! Floor 2: imports `diag`, `xml`, `wire`, `model`. A driver plans nothing; it carries out what it is
//! told, keeps the order of calls to one object, and says exactly what became of each.

mod ask;
mod environment;
pub mod remote;
mod test;
pub mod uri;

pub use ask::{Asker, Question, Secret};
pub use environment::Environment;
pub use test::{TestDriver, TestHost};
pub use uri::Uri;

use crate::diag::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Call, Capabilities, Observed, Outcome, Scope};
use remote::RemoteDriver;
use std::path::PathBuf;

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
        ("test", None, path) => {
            let host = match path {
                "/default" => TestHost::Default,
                file => TestHost::File(PathBuf::from(file)),
            };
            let state = uri.parameter("state").map(PathBuf::from);
            Ok(Box::new(TestDriver::open(host, state)?))
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        let env = Environment { uid: 0, ..Environment::new(None, None) };
        for (uri, name) in [
            ("qemu+tls://h/system", "tls"),
            ("qemu://h/system", "tls"),
            ("qemu+tcp://h/system", "tcp"),
            ("qemu+ssh://h/system", "ssh"),
            ("qemu+ext:///system?command=/x", "ext"),
            ("qemu:///embed?root=/x", "QEMU"),
        ] {
            let error = open(&Uri::parse(uri).unwrap(), &env).err().unwrap();
            assert_eq!(error.code, ErrorCode::NO_SUPPORT, "{uri}");
            assert!(error.message.contains(name), "{uri}: {error}");
            assert!(error.hint.is_some(), "{uri}");
        }
    }
}
