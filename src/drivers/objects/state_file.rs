//! The file that keeps a test host between runs.
//!
//! It is one XML document of our own:
//!
//! ```xml
//! <virt-test-host version='1'>
//!   <object kind='domain' state='1' reason='1' autostart='no' managedsave='no'>
//!     <persistent>…the definition…</persistent>
//!     <live>…</live>
//!     <snapshot name='s1'/>
//!     <checkpoint name='c1'/>
//!   </object>
//! </virt-test-host>
//! ```
//!
//! A new version is written beside it, synced, and renamed over it, so it is always one whole
//! version. Whoever changes the host holds a lock on a file beside it; reading needs none.

use super::store::{Change, Object, Store};
use crate::drivers::host::{HostFile, LockedFile, NotReplaced, Stamp, replace};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Kind, ResourceId, State, Uuid};
use diagnostics::{SourceId, shown_path};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use xmltree::{Element, Limits, parse, write};

const ROOT: &str = "virt-test-host";
const VERSION: &str = "1";

/// Definitions have limits of their own; these hold the file to what may be written.
const LIMITS: Limits =
    Limits { bytes: 256 << 20, depth: 512, attributes: 512, namespaces: 256, elements: usize::MAX };

/// How long another process may hold the lock before it is reported.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A state file.
#[derive(Debug)]
pub(crate) struct StateFile {
    file: Box<dyn HostFile>,
    /// Its path, for messages.
    path: PathBuf,
}

/// The right to change the host; given up when dropped.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    state: &'a StateFile,
    file: Box<dyn LockedFile + 'a>,
}

/// Reason for which a host was not kept.
#[derive(Debug)]
pub(crate) enum NotSaved {
    /// The file is as it was.
    Unchanged(Error),
    /// The new version is in place, but may not survive a power failure.
    Unsure(Error),
}

impl StateFile {
    /// Keeps a host in this file; `path` is for messages.
    pub(crate) fn new(file: Box<dyn HostFile>, path: PathBuf) -> Self {
        Self { file, path }
    }

    /// The host in the file; `None` if there is no file yet.
    pub(crate) fn read(&self) -> Result<Option<Store>> {
        let limit = u64::try_from(LIMITS.bytes).unwrap_or(u64::MAX);
        let bytes = match self.file.read(limit) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(e) => return Err(self.system("cannot read it", &e)),
        };
        let text = String::from_utf8(bytes).map_err(|_| self.damaged("it is not UTF-8"))?;
        let root = parse(SourceId::NONE, &text, &LIMITS).map_err(|d| {
            self.damaged(&d.detail.map_or(d.summary.clone(), |why| format!("{}: {why}", d.summary)))
        })?;
        self.host(&root).map(Some)
    }

    /// Returns the identity of the present version; `None` without one.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.file.stamp()
    }

    /// Waits for the right to change the host.
    pub(crate) fn lock(&self) -> Result<Locked<'_>> {
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match self.file.try_lock() {
                Ok(Some(file)) => return Ok(Locked { state: self, file }),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOCK_PAUSE),
                Ok(None) => {
                    let message = format!(
                        "the mock host's state file {} has been locked for {} s",
                        shown_path(&self.path),
                        LOCK_WAIT.as_secs()
                    );
                    let e = Error::new(ErrorKind::Locked, message);
                    return Err(e.hint("another virt is changing this host: wait until it is done"));
                }
                Err(e) => return Err(self.system("cannot lock it", &e)),
            }
        }
    }

    fn host(&self, root: &Element) -> Result<Store> {
        if !root.is(ROOT) {
            return Err(self.damaged(&format!("its root element is not <{ROOT}>")));
        }
        match root.attr("version") {
            Some(VERSION) => {}
            Some(other) if other.parse::<u64>().is_ok_and(|n| n > 1) => {
                let message = format!(
                    "the mock host's state file {} has format {other}; this virt reads {VERSION}",
                    shown_path(&self.path)
                );
                let e = Error::new(ErrorKind::Unsupported, message);
                return Err(e.hint("use the newer virt that wrote it, or another state file"));
            }
            _ => return Err(self.damaged("it has no version")),
        }
        let mut host = Store::default();
        for element in root.elements() {
            let broken = || self.damaged("an object in it is not complete");
            let (id, object) = object(element).ok_or_else(broken)?;
            host.check_identity(id.kind, &id.name, object.uuid)
                .map_err(|e| self.damaged(&e.message))?;
            if host.commit(Change::of(id, Some(object))).object.is_some() {
                return Err(self.damaged("it has an object twice"));
            }
        }
        Ok(host)
    }

    fn system(&self, what: &str, e: &std::io::Error) -> Error {
        Error::system(&format!("the mock host's state file {}: {what}", shown_path(&self.path)), e)
    }

    fn damaged(&self, why: &str) -> Error {
        let path = shown_path(&self.path);
        let message = format!("the mock host's state file {path} cannot be used: {why}");
        Error::new(ErrorKind::Invalid, message).hint(
            "bring back an intact copy, or move the file away to start with a fresh mock host",
        )
    }
}

impl Locked<'_> {
    /// The file that this lock protects.
    pub(crate) fn file(&self) -> &StateFile {
        self.state
    }

    /// Keeps `host`: when this returns, the file has it, whole and synced.
    pub(crate) fn save(&self, host: &Store) -> Result<(), NotSaved> {
        let text = write(&document(host));
        if text.len() > LIMITS.bytes {
            return Err(NotSaved::Unchanged(self.state.damaged("it would be too large")));
        }
        replace(&*self.file, text.as_bytes()).map_err(|e| match e {
            NotReplaced::Unchanged(e) => {
                NotSaved::Unchanged(self.state.system("cannot write it", &e))
            }
            NotReplaced::Unsure(e) => {
                NotSaved::Unsure(self.state.system("cannot sync its directory", &e))
            }
        })
    }
}

fn document(host: &Store) -> Element {
    let mut root = Element::new(ROOT).with_attr("version", VERSION);
    let word = |yes| if yes { "yes" } else { "no" };
    for (id, o) in &host.objects {
        let mut element = Element::new("object")
            .with_attr("kind", id.kind.as_str())
            .with_attr("state", number(o.state).to_string())
            .with_attr("reason", o.reason.to_string())
            .with_attr("autostart", word(o.autostart))
            .with_attr("managedsave", word(o.managed_save));
        for (name, definition) in [("persistent", &o.persistent), ("live", &o.live)] {
            if let Some(definition) = definition {
                element.push(Element::new(name).with_child(definition.clone()));
            }
        }
        for (sort, names) in [("snapshot", &o.snapshots), ("checkpoint", &o.checkpoints)] {
            for name in names {
                element.push(Element::new(sort).with_attr("name", name));
            }
        }
        root.push(element);
    }
    root
}

/// The object in an element; `None` if something is missing or makes no sense.
fn object(element: &Element) -> Option<(ResourceId, Object)> {
    let kind = element.attr("kind").and_then(Kind::parse)?;
    if !element.is("object") || !kind.on_hosts() {
        return None;
    }
    let state = State::from_number(element.attr("state")?.parse().ok()?);
    let yes = |name| match element.attr(name) {
        Some("yes") => Some(true),
        Some("no") => Some(false),
        _ => None,
    };
    let definition = |name| match element.child(name) {
        Some(holder) => holder.child(kind.as_str()).cloned().map(Some),
        None => Some(None),
    };
    let (persistent, live) = (definition("persistent")?, definition("live")?);
    let either = live.as_ref().or(persistent.as_ref())?;
    let id = ResourceId::new(kind, either.child_text("name")?);
    let uuid = Uuid::try_parse(&either.child_text("uuid")?).ok()?;
    let ours = |d: &Element| {
        let same_uuid = d.child_text("uuid").and_then(|u| Uuid::try_parse(&u).ok()) == Some(uuid);
        same_uuid && d.child_text("name").as_ref() == Some(&id.name)
    };
    let agree = [&persistent, &live].into_iter().flatten().all(ours);
    // one that crashed may be kept, or gone
    let is_up = state.is_active() || state == State::Crashed && live.is_some();
    if !agree || is_up != live.is_some() {
        return None;
    }
    let names = |sort| element.children_named(sort).filter_map(|e| e.attr("name"));
    let snapshots = names("snapshot").map(str::to_owned).collect();
    let checkpoints = names("checkpoint").map(str::to_owned).collect();
    let reason = element.attr("reason")?.parse().ok()?;
    let (autostart, managed_save) = (yes("autostart")?, yes("managedsave")?);
    let object = Object {
        uuid,
        persistent,
        live,
        state,
        reason,
        autostart,
        managed_save,
        snapshots,
        checkpoints,
    };
    Some((id, object))
}

/// libvirt's number of a state.
fn number(state: State) -> i32 {
    (0..=7).find(|n| State::from_number(*n) == state).unwrap_or(0)
}
