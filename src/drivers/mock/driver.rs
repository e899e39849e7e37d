//! [`MockDriver`]: a test host in memory or in a state file, behind the [`Driver`] trait.

use super::default_host::default_host;
use super::node_file;
use super::operations::carry_out;
use super::queries;
use crate::drivers::host::OsFile;
use crate::drivers::objects::device_defaults::MAC_PREFIX;
use crate::drivers::objects::event_bus::{Watchers, Watching};
use crate::drivers::objects::state_file::{Locked, NotSaved, StateFile};
use crate::drivers::objects::store::Store;
use crate::drivers::{Beneath, CancelToken, Driver, EventSink, ExecContext, Hypervisor};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Answer, Call, Capabilities, DomainCapabilities, Kind, NetworkCapabilities, Observed, OpKind,
    Outcome, Query, ResourceId, Scope, StorageCapabilities, Version,
};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Initial contents of a test host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MockHost {
    /// One running domain `test` and one active network `default`: `test:///default`.
    Default,
    /// The contents of a file in libvirt's `<node>` format: `test:///PATH`.
    File(PathBuf),
}

/// The driver of a test host.
#[derive(Debug)]
pub struct MockDriver {
    /// The host; with a state file, the one to start with while there is no file.
    host: Mutex<Store>,
    state: Option<StateFile>,
    /// Locked last, after the host or its file.
    watchers: Watchers,
}

impl MockDriver {
    /// Opens a test host. With `state`, that file holds it between runs, and processes that name
    /// the same file share it; `host` counts only while the file is not there.
    ///
    /// # Errors
    /// The host file or the state file cannot be read, or is not what it should be.
    pub fn open(host: MockHost, state: Option<PathBuf>) -> Result<Self> {
        let host = match host {
            MockHost::Default => default_host()?,
            MockHost::File(path) => node_file::load(&path)?,
        };
        Self::with(
            host,
            state.map(|path| StateFile::new(Box::new(OsFile::new(path.clone())), path)),
        )
    }

    /// The same of a host that a file has chosen: its files are opened beneath that file's directory,
    /// whatever links are put there meanwhile. The paths are for messages.
    ///
    /// # Errors
    /// As above, or one of them leads elsewhere.
    pub fn open_beneath(beneath: &Beneath, host: MockHost, state: Option<PathBuf>) -> Result<Self> {
        let host = match (host, &beneath.host) {
            (MockHost::File(path), Some(file)) => {
                node_file::load_beneath(&beneath.root, file, &path)?
            }
            (MockHost::Default | MockHost::File(_), _) => default_host()?,
        };
        let state = match (state, &beneath.state) {
            (Some(path), Some(file)) => {
                let file = OsFile::beneath(&beneath.root, file);
                Some(StateFile::new(Box::new(file), path))
            }
            _ => None,
        };
        Self::with(host, state)
    }

    fn with(host: Store, state: Option<StateFile>) -> Result<Self> {
        let driver = Self { host: Mutex::new(host), state, watchers: Watchers::default() };
        driver.current()?;
        Ok(driver)
    }

    /// The host as it is now.
    fn current(&self) -> Result<Store> {
        let kept = self.state.as_ref().map(StateFile::read).transpose()?.flatten();
        Ok(kept.unwrap_or_else(|| self.memory().clone()))
    }

    fn memory(&self) -> MutexGuard<'_, Store> {
        // a change is made whole or not at all, so a host is usable even if a holder panicked
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for MockDriver {
    fn name(&self) -> &'static str {
        "test"
    }

    /// The version is that of the libvirt whose rules this driver follows.
    fn capabilities(&self) -> Result<Capabilities> {
        let operations = |kind| OpKind::ALL.into_iter().filter(|op| takes(kind, *op)).collect();
        Ok(Capabilities {
            version: Version::new(11, 3, 0),
            read_only: false,
            domain: DomainCapabilities {
                operations: operations(Kind::Domain),
                undefine_keeps_state: false,
                creates_paused: true,
                mac_prefix: MAC_PREFIX,
                defaults: Hypervisor::Test.defaults(),
                live: Hypervisor::Test.live_devices(),
            },
            network: NetworkCapabilities { operations: operations(Kind::Network) },
            storage: StorageCapabilities::default(),
        })
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        match &self.state {
            None => Ok(self.memory().observe(scope)),
            Some(_) => Ok(self.current()?.observe(scope)),
        }
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        queries::answer(&self.current()?, query)
    }

    fn query_all(&self, queries: &[Query]) -> Vec<Result<Answer>> {
        match self.current() {
            Ok(host) => queries.iter().map(|query| queries::answer(&host, query)).collect(),
            Err(e) => queries.iter().map(|_| Err(e.clone())).collect(),
        }
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let Some(state) = &self.state else {
            return run(&mut self.memory(), batch, context, (None, &mut self.watchers.lock()));
        };
        // read under the lock: nobody changes the host between that and the last call
        let ready = state.lock().and_then(|lock| Ok((self.current()?, lock)));
        match ready {
            Ok((mut host, lock)) => {
                let mut watching = self.watchers.lock();
                watching.look(Some(state));
                run(&mut host, batch, context, (Some(&lock), &mut watching))
            }
            Err(e) => batch.iter().map(|_| Outcome::NotSent(e.clone())).collect(),
        }
    }

    /// Reports operations of this process at once, and those of others on a state file as a `Resync`.
    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.watchers.watch(self.state.as_ref(), events, stop);
        Ok(())
    }
}

fn takes(kind: Kind, op: OpKind) -> bool {
    match op {
        _ if !kind.on_hosts() => false,
        OpKind::Define
        | OpKind::Undefine
        | OpKind::Create
        | OpKind::Destroy
        | OpKind::SetAutostart
        | OpKind::SetMetadata => true,
        OpKind::NetworkUpdate => kind.connects_guests(),
        OpKind::Shutdown
        | OpKind::DiscardSaved
        | OpKind::Suspend
        | OpKind::Resume
        | OpKind::Attach
        | OpKind::Detach
        | OpKind::Update
        | OpKind::SetMemory
        | OpKind::SetVcpus
        | OpKind::Pin
        | OpKind::AddIoThread
        | OpKind::DeleteIoThread
        | OpKind::Tune
        | OpKind::SetLifecycle
        | OpKind::SetMemoryStatsPeriod
        | OpKind::Rename => kind.is_guest(),
        OpKind::Delete => false,
    }
}

/// Carries out the calls one after the other, each kept before the next one starts.
fn run(
    host: &mut Store,
    batch: &[Call],
    context: &ExecContext<'_>,
    (keep, watching): (Option<&Locked<'_>>, &mut Watching),
) -> Vec<Outcome> {
    let mut failed: BTreeSet<&ResourceId> = BTreeSet::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for (index, call) in batch.iter().enumerate() {
        let id = &call.target.id;
        let outcome = if context.is_cancelled() {
            Outcome::NotSent(ExecContext::cancelled().address(id.to_string()))
        } else if failed.contains(id) {
            let message = "not carried out: an earlier operation on this object was not done";
            Outcome::NotSent(Error::new(ErrorKind::NotSent, message).address(id.to_string()))
        } else {
            one(host, call, keep, watching)
        };
        if outcome != Outcome::Done {
            failed.insert(id);
        }
        context.report(index, &outcome);
        outcomes.push(outcome);
    }
    outcomes
}

fn one(
    host: &mut Store,
    call: &Call,
    keep: Option<&Locked<'_>>,
    watching: &mut Watching,
) -> Outcome {
    let about = |e: Error| e.address(call.target.id.to_string());
    let change = match carry_out(host, call) {
        Ok(change) => change,
        Err(e) => return Outcome::Refused(about(e)),
    };
    let undo = host.commit(change);
    let saved = keep.map_or(Ok(()), |lock| lock.save(host));
    if !matches!(saved, Err(NotSaved::Unchanged(_))) {
        let is_left = host.objects.contains_key(&undo.id);
        watching.happened(call, &undo.id, is_left, keep.map(Locked::file));
    }
    match saved {
        Ok(()) => Outcome::Done,
        Err(NotSaved::Unchanged(e)) => {
            host.commit(undo);
            Outcome::Refused(about(e))
        }
        Err(NotSaved::Unsure(e)) => Outcome::Unknown(about(e)),
    }
}
