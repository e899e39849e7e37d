//! [`MockDriver`]: a test host in memory or in a state file, behind the [`Driver`] trait.

use super::default_host::default_host;
use super::node_file;
use super::operations::carry_out;
use super::queries;
use crate::drivers::host::{OsFile, Stamp};
use crate::drivers::objects::device_defaults::MAC_PREFIX;
use crate::drivers::objects::event_bus::{Watchers, Watching};
use crate::drivers::objects::state_file::{Locked, NotSaved, StateFile};
use crate::drivers::objects::store::{Change, Store};
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
    host: Mutex<Kept>,
    state: Option<StateFile>,
    /// Locked last, after the host or its file.
    watchers: Watchers,
}

/// The host as it was last read or written.
#[derive(Debug)]
struct Kept {
    store: Store,
    /// Version of the state file that it is; `None` if the file is to be read.
    stamp: Option<Stamp>,
    /// The host to start with, while there is no state file.
    first: Store,
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

    fn with(first: Store, state: Option<StateFile>) -> Result<Self> {
        let host = Kept { store: first.clone(), stamp: None, first };
        let driver = Self { host: Mutex::new(host), state, watchers: Watchers::default() };
        drop(driver.current()?);
        Ok(driver)
    }

    /// The host as it is now: the state file is read if it is another version than the one known.
    fn current(&self) -> Result<MutexGuard<'_, Kept>> {
        // what a holder that panicked left is read again
        let mut kept = self.host.lock().unwrap_or_else(|poisoned| {
            let mut kept = PoisonError::into_inner(poisoned);
            kept.stamp = None;
            kept
        });
        let Some(state) = &self.state else { return Ok(kept) };
        let before = state.stamp();
        if before.is_none() || before != kept.stamp {
            kept.stamp = None;
            kept.store = state.read()?.unwrap_or_else(|| kept.first.clone());
            // one that was replaced meanwhile is read again the next time
            kept.stamp = before.filter(|before| state.stamp() == Some(*before));
        }
        Ok(kept)
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
        Ok(self.current()?.store.observe(scope))
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        queries::answer(&self.current()?.store, query)
    }

    fn query_all(&self, queries: &[Query]) -> Vec<Result<Answer>> {
        match self.current() {
            Ok(host) => queries.iter().map(|query| queries::answer(&host.store, query)).collect(),
            Err(e) => queries.iter().map(|_| Err(e.clone())).collect(),
        }
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let Some(state) = &self.state else {
            return match self.current() {
                Ok(mut kept) => {
                    one_by_one(&mut kept.store, batch, context, &mut self.watchers.lock())
                }
                Err(e) => batch.iter().map(|_| Outcome::NotSent(e.clone())).collect(),
            };
        };
        // read under the lock: nobody changes the host between that and the last call
        let ready = state.lock().and_then(|lock| Ok((self.current()?, lock)));
        match ready {
            Ok((mut kept, lock)) => {
                let mut watching = self.watchers.lock();
                watching.look(Some(state));
                // whatever ends this thread in between, the file decides
                let known = kept.stamp.take();
                let (outcomes, is_new) =
                    at_once(&mut kept.store, batch, context, &lock, &mut watching);
                kept.stamp = if is_new { state.stamp() } else { known };
                outcomes
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

/// Carries out the calls one after the other on a host in memory.
fn one_by_one(
    host: &mut Store,
    batch: &[Call],
    context: &ExecContext<'_>,
    watching: &mut Watching,
) -> Vec<Outcome> {
    let mut failed = BTreeSet::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for (index, call) in batch.iter().enumerate() {
        let outcome = match one(host, call, context, &mut failed) {
            Ok(undo) => {
                let is_left = host.objects.contains_key(&undo.id);
                watching.happened(call, &undo.id, is_left, None);
                Outcome::Done
            }
            Err(outcome) => outcome,
        };
        context.report(index, &outcome);
        outcomes.push(outcome);
    }
    outcomes
}

/// Carries out the calls on a host in a file, which is written once, with all of them. Also says whether there
/// is a new version of the file.
fn at_once(
    host: &mut Store,
    batch: &[Call],
    context: &ExecContext<'_>,
    lock: &Locked<'_>,
    watching: &mut Watching,
) -> (Vec<Outcome>, bool) {
    let mut failed = BTreeSet::new();
    let mut undos = Vec::new();
    let mut happened = Vec::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for call in batch {
        outcomes.push(match one(host, call, context, &mut failed) {
            Ok(undo) => {
                let is_left = host.objects.contains_key(&undo.id);
                happened.push((call, undo.id.clone(), is_left));
                undos.push(undo);
                Outcome::Done
            }
            Err(outcome) => outcome,
        });
    }
    let saved = if undos.is_empty() { Ok(()) } else { lock.save(host) };
    let is_new = !undos.is_empty() && !matches!(saved, Err(NotSaved::Unchanged(_)));
    if is_new {
        for (call, id, is_left) in happened {
            watching.happened(call, &id, is_left, Some(lock.file()));
        }
    }
    if let Err(not_saved) = saved {
        if !is_new {
            for undo in undos.into_iter().rev() {
                host.commit(undo);
            }
        }
        take_back(batch, &mut outcomes, &not_saved);
    }
    for (index, outcome) in outcomes.iter().enumerate() {
        context.report(index, outcome);
    }
    (outcomes, is_new)
}

/// Puts outcomes right whose changes were not kept: the first of each object is refused, and the others were
/// never sent; or what became of all is unknown.
fn take_back(batch: &[Call], outcomes: &mut [Outcome], why: &NotSaved) {
    let mut failed = BTreeSet::new();
    for (call, outcome) in batch.iter().zip(outcomes) {
        let id = &call.target.id;
        if *outcome == Outcome::Done {
            *outcome = match why {
                NotSaved::Unchanged(e) if failed.insert(id) => {
                    Outcome::Refused(e.clone().address(id.to_string()))
                }
                NotSaved::Unchanged(_) => earlier_failed(id),
                NotSaved::Unsure(e) => Outcome::Unknown(e.clone().address(id.to_string())),
            };
        }
    }
}

/// Carries out one call; returns the change that takes it back, or the outcome if nothing was changed.
fn one<'a>(
    host: &mut Store,
    call: &'a Call,
    context: &ExecContext<'_>,
    failed: &mut BTreeSet<&'a ResourceId>,
) -> Result<Change, Outcome> {
    let id = &call.target.id;
    let change = if context.is_cancelled() {
        Err(Outcome::NotSent(ExecContext::cancelled().address(id.to_string())))
    } else if failed.contains(id) {
        Err(earlier_failed(id))
    } else {
        carry_out(host, call).map_err(|e| Outcome::Refused(e.address(id.to_string())))
    };
    match change {
        Ok(change) => Ok(host.commit(change)),
        Err(outcome) => {
            failed.insert(id);
            Err(outcome)
        }
    }
}

fn earlier_failed(id: &ResourceId) -> Outcome {
    let message = "not carried out: an earlier operation on this object was not done";
    Outcome::NotSent(Error::new(ErrorKind::NotSent, message).address(id.to_string()))
}
