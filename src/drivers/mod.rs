//! Drivers: how hosts are observed, changed and watched, and which one a URI asks for.
//!
//! Floor 2: imports `error`, `file`, `model`, `pki` and the crates of formats and protocols. A driver plans nothing; it carries out what it is
//! told, keeps the order of calls to one object, and says exactly what became of each.
//!
//! - `cancel.rs`: `CancelToken`
//! - `driver.rs`: the `Driver` trait
//! - `environment.rs`: facts of the process that opens a driver
//! - `event_sink.rs`: the receiving end of a host's events
//! - `exec_context.rs`: context of a batch of calls: its cancellation, and reports of its progress
//! - `host/`: port to the operating system, for drivers that keep their objects themselves
//! - `hypervisor.rs`: facts about hypervisors that drivers give as capabilities
//! - `libvirt/`: libvirt's daemons; it opens each URI that no driver of ours takes
//! - `mock/`: the built-in host
//! - `objects/`: objects of drivers that keep them themselves
//! - `place.rs`: identity of the host that a connection leads to, however its URI is spelled
//! - `prompt.rs`: questions to the user, and secrets
//! - `read_only.rs`: a read-only driver around any other
//! - `trust.rs`: rules for connections that a file names

mod cancel;
mod driver;
mod environment;
mod event_sink;
mod exec_context;
mod host;
mod hypervisor;
pub mod libvirt;
mod mock;
mod objects;
mod place;
mod prompt;
mod read_only;
pub mod trust;

pub use cancel::CancelToken;
pub use driver::Driver;
pub use environment::Environment;
pub use event_sink::EventSink;
pub use exec_context::ExecContext;
pub use hypervisor::Hypervisor;
pub use mock::{MockDriver, MockHost};
pub use place::Place;
pub use prompt::{CredentialPrompt, Question, Secret};
pub use trust::{Beneath, Connection, Trust, Written};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Scope, Uri};
use libvirt::{LibvirtDriver, Stage, StageResult};
use read_only::ReadOnly;
use std::path::PathBuf;
use std::time::Instant;

/// Opens the driver that a connection asks for.
///
/// # Errors
/// The driver or its transport is not built, or the host cannot be reached.
pub fn open(connection: &Connection, env: &Environment) -> Result<Box<dyn Driver>> {
    let uri = connection.uri();
    match (uri.driver(), uri.transport(), uri.path()) {
        ("test", None, path) => {
            let host = match path {
                "/default" => MockHost::Default,
                file => MockHost::File(PathBuf::from(file)),
            };
            let state = uri.parameter("state").map(PathBuf::from);
            let driver = match connection.beneath() {
                Some(beneath) => MockDriver::open_beneath(beneath, host, state)?,
                None => MockDriver::open(host, state)?,
            };
            if env.read_only { Ok(Box::new(ReadOnly(driver))) } else { Ok(Box::new(driver)) }
        }
        ("qemu", None, "/embed") => Err(not_built(
            "the built-in QEMU driver",
            "QEMU is there behind libvirt's daemon: qemu:///system",
        )),
        _ => Ok(Box::new(LibvirtDriver::open(uri, env)?)),
    }
}

/// Tries to open the driver that a connection asks for, if there is one, and says of each stage on
/// the way what came of it. The last one has the error, if there is one.
pub fn diagnose(connection: Result<Connection>, env: &Environment) -> Vec<StageResult> {
    let begun = Instant::now();
    if let Ok(connection) = &connection
        && !is_built_in(connection.uri())
    {
        return LibvirtDriver::diagnose(connection.uri(), env).1;
    }
    let said = connection
        .as_ref()
        .map_or(String::new(), |connection| format!("{}, within this program", connection.uri()));
    let opened = connection
        .and_then(|connection| open(&connection, env))
        .and_then(|driver| driver.observe(&Scope::all()));
    let stage = if said.is_empty() { Stage::Uri } else { Stage::Open };
    vec![StageResult { stage, took: Some(begun.elapsed()), said, error: opened.err() }]
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
