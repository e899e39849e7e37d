//! The remote driver: a host behind a libvirt daemon.

use super::lanes::Lanes;
use super::session::{self, Host};
use super::socket::Endpoint;
use super::{execute, observe, request};
use crate::diag::{Error, ErrorCode, ErrorDomain, Result};
use crate::drivers::uri::{Transport, Uri};
use crate::drivers::{Driver, Environment};
use crate::model::{Call, Capabilities, Hypervisor, Observed, Outcome, Scope};
use crate::wire::Class;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A host whose libvirt daemon is reached through a unix socket of this one.
///
/// A lost connection is opened again at the next use; a request is never sent twice.
#[derive(Debug)]
pub struct RemoteDriver {
    host: Host,
    lanes: Mutex<Lanes>,
}

impl RemoteDriver {
    /// Connects to the daemon that `uri` means, and opens its hypervisor.
    ///
    /// # Errors
    /// The transport is not built, no daemon is there, it does not let us in, or it does not have
    /// the hypervisor.
    pub fn open(uri: &Uri, env: &Environment) -> Result<Self> {
        if let Some(transport) = uri.transport().filter(|t| *t != Transport::Unix) {
            let message = format!("transport {transport} is not built yet");
            let hint = "run virt on that host, with a URI such as qemu:///system";
            return Err(Error::new(ErrorCode::NO_SUPPORT, ErrorDomain::REMOTE, message).hint(hint));
        }
        let endpoint = Endpoint::choose(uri, env, Path::exists)?;
        let lanes = if endpoint.is_private_host() { Lanes::single } else { Lanes::new };
        let (dialled, env) = (uri.clone(), env.clone());
        let mut lanes = lanes(Box::new(move || session::open(&endpoint, &dialled, &env)));
        let host = session::probe(lanes.connection(Class::Quick)?)?;
        if uri.is_empty() && host.hypervisor == Hypervisor::Test {
            let message = "no URI was given, and the only hypervisor found is a mock";
            return Err(Error::new(ErrorCode::INVALID_CONN, ErrorDomain::REMOTE, message)
                .hint("name it if you mean it: test+unix:///default"));
        }
        Ok(Self { host, lanes: Mutex::new(lanes) })
    }

    /// The server's own name for the connection; for an empty URI, what it chose.
    pub fn uri(&self) -> &str {
        &self.host.uri
    }

    /// The connections are sound whatever a panic interrupted: each checks itself before use.
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for RemoteDriver {
    fn name(&self) -> &'static str {
        "remote"
    }

    fn capabilities(&self) -> Result<Capabilities> {
        Ok(request::capabilities(&self.host))
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        observe::observe(self.lanes().connection(Class::Quick)?, scope)
    }

    fn execute(&self, batch: &[Call]) -> Vec<Outcome> {
        execute::execute(&mut self.lanes(), batch, |call| request::request(&self.host, call))
    }
}
