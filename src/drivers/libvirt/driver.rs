//! The remote driver: a host behind a libvirt daemon.

use super::capabilities;
use super::connection::Request;
use super::connections::{ConnectionPair, Dial};
use super::endpoint::Endpoint;
use super::events;
use super::session::{self, Host};
use super::silent::{Silent, Subject};
use super::trace::{Stage, StageResult, Trace};
use super::{execute, observe, pools, query, request};
use crate::drivers::{CancelToken, Driver, Environment, EventSink, ExecContext, Hypervisor};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Answer, Call, Capabilities, Observed, ObservedPools, OpKind, Outcome, Query, Scope, Uri,
};
use libvirt_rpc::Class;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sender of calls to a host. Objects that are known not to answer can only be ended: libvirt would have all
/// other calls wait for them.
struct Sending<'a> {
    host: &'a Host,
    silent: &'a Silent,
}

impl execute::Requests for Sending<'_> {
    fn request(&self, call: &Call) -> Result<Request> {
        let subject = Subject::Object(call.target.id.clone());
        match self.silent.why(&subject).filter(|_| !call.op.is(OpKind::Destroy)) {
            Some(why) => Err(execute::no_answer(why)),
            None => request::request(self.host, call),
        }
    }

    fn question(&self, call: &Call) -> Option<Request> {
        let subject = Subject::Object(call.target.id.clone());
        let known = self.silent.why(&subject).is_some();
        request::question(self.host, call).filter(|_| !known)
    }
}

/// A host whose libvirt daemon is reached by any of its transports.
///
/// A lost connection is opened again at the next use; a request is never sent twice.
pub struct LibvirtDriver {
    host: Host,
    /// Whether the host is only looked at.
    read_only: bool,
    /// Most memory that its inventory takes, in bytes.
    max_inventory: usize,
    connections: Mutex<ConnectionPair>,
    silent: Mutex<Silent>,
    /// Function that opens the events' connection; `None` where it would see another host.
    dial: Option<Dial>,
}

impl fmt::Debug for LibvirtDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, read_only, max_inventory: _, connections, silent, dial: _ } = self;
        f.debug_struct("LibvirtDriver")
            .field("host", host)
            .field("read_only", read_only)
            .field("lanes", connections)
            .field("silent", silent)
            .finish_non_exhaustive()
    }
}

impl LibvirtDriver {
    /// Connects to the daemon that `uri` means, and opens its hypervisor.
    ///
    /// # Errors
    /// No daemon is there, it does not let us in, or it does not have the hypervisor.
    pub fn open(uri: &Uri, env: &Environment) -> Result<Self> {
        Self::open_traced(uri, env, &mut Trace::default())
    }

    /// Opens the driver, and returns every stage on the way with its time and result. The last of them has
    /// the error, if there is one.
    pub fn diagnose(uri: &Uri, env: &Environment) -> (Option<Self>, Vec<StageResult>) {
        let mut trace = Trace::default();
        let driver = Self::open_traced(uri, env, &mut trace).ok();
        if let Some(driver) = &driver {
            // the trace has the result
            let _ = trace.stage(Stage::Permissions, |said| {
                let mut connections = driver.connections();
                *said = session::permissions(connections.connection(Class::Quick)?)?.to_owned();
                Ok(())
            });
        }
        (driver, trace.passed)
    }

    fn open_traced(uri: &Uri, env: &Environment, trace: &mut Trace) -> Result<Self> {
        let endpoint = trace.stage(Stage::Uri, |said| {
            let endpoint = Endpoint::choose(uri, env, Path::exists)?;
            *said = endpoint.shown();
            Ok(endpoint)
        })?;
        let read_only = endpoint.read_only;
        let mut first = session::open(&endpoint, uri, env, trace)?;
        let host = session::probe(&mut first, trace)?;
        if uri.is_empty() && host.hypervisor == Hypervisor::Test {
            let message = "no URI was given, and the only hypervisor found is a mock";
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("name it if you mean it: test+unix:///default"));
        }
        let private = endpoint.is_private_host();
        let connections = if private { ConnectionPair::single } else { ConnectionPair::new };
        let max_inventory = env.max_inventory;
        let (uri, env) = (uri.clone(), env.clone());
        let dial: Dial =
            Arc::new(move || session::open(&endpoint, &uri, &env, &mut Trace::default()));
        let connections = connections(Arc::clone(&dial)).with(first);
        let dial = (!private).then_some(dial);
        let (connections, silent) = (Mutex::new(connections), Mutex::default());
        Ok(Self { host, read_only, max_inventory, connections, silent, dial })
    }

    /// The connections are sound whatever a panic interrupted: each checks itself before use.
    fn connections(&self) -> MutexGuard<'_, ConnectionPair> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for LibvirtDriver {
    fn name(&self) -> &'static str {
        "remote"
    }

    fn uri(&self) -> Option<&str> {
        Some(&self.host.uri)
    }

    fn capabilities(&self) -> Result<Capabilities> {
        Ok(capabilities::capabilities(&self.host, self.read_only))
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.hear(self.dial.as_ref());
        let (mut connections, most) = (self.connections(), self.max_inventory);
        connections.limit_results(Some(most));
        let observed = observe::observe(&mut connections, scope, self.read_only, most, &mut silent);
        connections.limit_results(None);
        observed
    }

    fn pools(&self, names: &BTreeSet<String>) -> Result<ObservedPools> {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.hear(self.dial.as_ref());
        pools::pools(self.connections().connection(Class::Quick)?, names, &mut silent)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        let unanswered = || Err(Error::new(ErrorKind::Protocol, "the query was not answered"));
        self.query_all(std::slice::from_ref(query)).pop().unwrap_or_else(unanswered)
    }

    fn query_all(&self, queries: &[Query]) -> Vec<Result<Answer>> {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.hear(self.dial.as_ref());
        let mut connections = self.connections();
        connections.limit_results(Some(self.max_inventory));
        let answers = query::query(&mut connections, queries, &mut silent);
        connections.limit_results(None);
        answers
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.hear(self.dial.as_ref());
        let requests = Sending { host: &self.host, silent: &silent };
        let executed = execute::execute(&mut self.connections(), batch, &requests, context);
        for target in executed.silent {
            silent.note_domain(target);
        }
        executed.outcomes
    }

    fn disconnect_idle(&self) {
        // libvirt's mock host is gone with the last connection to it
        if self.host.hypervisor != Hypervisor::Test {
            self.connections().disconnect_idle();
        }
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        let Some(dial) = &self.dial else {
            let message = "this host cannot be watched: each connection sees one of its own";
            return Err(Error::new(ErrorKind::Unsupported, message)
                .hint("test:///default is one host for all connections"));
        };
        events::watch(dial, &events::PACE, events, stop)
    }
}
