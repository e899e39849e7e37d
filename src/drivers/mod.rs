//! Drivers: how hosts are observed, changed and watched, and which one a URI asks for.
//!
//! Floor 2: imports `diag`, `xml`, `wire`, `model`. A driver plans nothing; it carries out what it is
//! told, keeps the order of calls to one object, and says exactly what became of each.

mod ask;
mod environment;
mod place;
mod read_only;
pub mod remote;
mod test;
pub mod trust;
pub mod uri;
mod watching;

pub use ask::{Asker, Question, Secret};
pub use environment::Environment;
pub use place::Place;
pub use test::{TestDriver, TestHost};
pub use trust::{Connection, Trust, Written};
pub use uri::{Transport, Uri};
pub use watching::Stop;

use crate::diag::{Error, ErrorKind, Result};
use crate::model::{Call, Capabilities, DriverEvent, Observed, Outcome, Scope};
use crate::xml::Element;
use read_only::ReadOnly;
use remote::{Passed, RemoteDriver, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

/// A host that can be observed and changed.
pub trait Driver: Send + Sync {
    /// The driver's name, for people.
    fn name(&self) -> &'static str;

    /// The host's own name for the connection, which says what an empty URI has come to.
    fn uri(&self) -> Option<&str> {
        None
    }

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

    /// The definitions of the storage pools of these names, as far as the host has them.
    ///
    /// # Errors
    /// The host could not be asked: a pool that cannot be read is not one that is absent.
    fn pools(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Element>> {
        let _ = names;
        Ok(BTreeMap::new())
    }

    /// Carries out `batch`: as many outcomes as calls, in the same order. Calls to different
    /// objects may overlap; calls to one object run one after the other in the order given, and
    /// after the first that is not `Done` the rest of that object's are not sent, which is
    /// [`ErrorKind::NotSent`].
    fn execute(&self, batch: &[Call]) -> Vec<Outcome>;

    /// Lets go of what is open until it is needed again, so that a plan for a thousand hosts can
    /// wait for an answer without a thousand processes and sockets.
    fn hang_up(&self) {}

    /// Tells `events` what happens on the host, from a first [`DriverEvent::Resync`] on, whoever
    /// makes it happen. It holds up the thread it is called on until `stop` says so, or until there
    /// is something to tell and nobody to take it. A host that is lost is called again by itself.
    ///
    /// It never waits for the reader: what does not fit into the queue is dropped, and one
    /// [`DriverEvent::Resync`] comes in its place. Events of one object are told in their order.
    ///
    /// # Errors
    /// The host cannot be watched at all.
    fn watch(&self, events: &SyncSender<DriverEvent>, stop: &Stop) -> Result<()>;
}

/// Opens the driver that a connection asks for.
///
/// # Errors
/// The driver or its transport is not built, or the host cannot be reached.
pub fn open(connection: &Connection, env: &Environment) -> Result<Box<dyn Driver>> {
    let uri = connection.uri();
    match (uri.driver(), uri.transport(), uri.path()) {
        ("test", None, path) => {
            let host = match path {
                "/default" => TestHost::Default,
                file => TestHost::File(PathBuf::from(file)),
            };
            let state = uri.parameter("state").map(PathBuf::from);
            let driver = TestDriver::open(host, state)?;
            if env.read_only { Ok(Box::new(ReadOnly(driver))) } else { Ok(Box::new(driver)) }
        }
        ("qemu", None, "/embed") => Err(not_built(
            "the built-in QEMU driver",
            "QEMU is there behind libvirt's daemon: qemu:///system",
        )),
        _ => Ok(Box::new(RemoteDriver::open(uri, env)?)),
    }
}

/// Tries to open the driver that a connection asks for, if there is one, and says of each stage on
/// the way what came of it. The last one has the error, if there is one.
pub fn examine(connection: Result<Connection>, env: &Environment) -> Vec<Passed> {
    let begun = Instant::now();
    if let Ok(connection) = &connection
        && !is_built_in(connection.uri())
    {
        return RemoteDriver::examine(connection.uri(), env).1;
    }
    let said = connection
        .as_ref()
        .map_or(String::new(), |connection| format!("{}, within this program", connection.uri()));
    let opened = connection
        .and_then(|connection| open(&connection, env))
        .and_then(|driver| driver.observe(&Scope::all()));
    let stage = if said.is_empty() { Stage::Uri } else { Stage::Open };
    vec![Passed { stage, took: Some(begun.elapsed()), said, error: opened.err() }]
}

/// Whether the driver is one within this program.
fn is_built_in(uri: &Uri) -> bool {
    uri.transport().is_none() && (uri.driver() == "test" || uri.path() == "/embed")
}

fn not_built(what: &str, hint: &str) -> Error {
    let message = format!("{what} is not built yet");
    Error::new(ErrorKind::Unsupported, message).hint(hint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        let env = Environment::new(None, None);
        let connection = Connection::of_operator("qemu:///embed?root=/x").unwrap();
        let error = open(&connection, &env).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.message.contains("QEMU"), "{error}");
        assert!(error.hint.is_some());
    }
}
