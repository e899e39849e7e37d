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

use super::host::{Change, Host, Object};
use crate::error::{Error, ErrorKind, Result};
use crate::file::{Held, open_itself};
use crate::model::{Kind, ResourceId, State, Uuid};
use diagnostics::{SourceId, shown_path};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
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
pub(super) struct StateFile {
    path: PathBuf,
    /// A real directory and the file from there, where a file of manifests has named it: no link that
    /// anybody puts there leads it elsewhere.
    beneath: Option<(PathBuf, PathBuf)>,
}

/// How the file is reached for one operation.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// The directory that the path counts from, and that nobody can exchange meanwhile.
    held: Option<Held>,
}

impl Place {
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }
}

/// Identity of a version of the file: device, inode, size, and time of writing. Each
/// version is a new file, but its inode may be one that was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([u64; 3], [i64; 2]);

/// The right to change the host; given up when dropped.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    state: &'a StateFile,
    place: Place,
    _lock: File,
}

/// Why a host was not kept.
#[derive(Debug)]
pub(super) enum NotSaved {
    /// The file is as it was.
    Unchanged(Error),
    /// The new version is in place, but may not survive a power failure.
    Unsure(Error),
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, beneath: None }
    }

    /// The same of a file beneath a real directory; `path` is for messages.
    pub(super) fn beneath(root: &Path, file: &Path, path: PathBuf) -> Self {
        Self { path, beneath: Some((root.to_owned(), file.to_owned())) }
    }

    fn place(&self) -> io::Result<Place> {
        let Some((root, file)) = &self.beneath else {
            return Ok(Place { path: self.path.clone(), held: None });
        };
        let (held, name) = Held::of_file(root, file)?;
        Ok(Place { path: held.path(name), held: Some(held) })
    }

    /// The host in the file; `None` if there is no file yet.
    pub(super) fn read(&self) -> Result<Option<Host>> {
        let opened = self.place().and_then(|place| match place.held {
            Some(_) => open_itself(&place.path),
            None => crate::file::open(&place.path),
        });
        let file = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.system("cannot open it", &e)),
        };
        let limit = u64::try_from(LIMITS.bytes).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| self.system("cannot read it", &e))?;
        let text = String::from_utf8(bytes).map_err(|_| self.damaged("it is not UTF-8"))?;
        let root = parse(SourceId::NONE, &text, &LIMITS).map_err(|d| {
            self.damaged(&d.detail.map_or(d.summary.clone(), |why| format!("{}: {why}", d.summary)))
        })?;
        self.host(&root).map(Some)
    }

    /// Which version of the file is there; `None` without one.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let Place { path, held } = self.place().ok()?;
        let m = if held.is_some() { path.symlink_metadata() } else { path.metadata() }.ok()?;
        Some(Stamp([m.dev(), m.ino(), m.size()], [m.mtime(), m.mtime_nsec()]))
    }

    /// Waits for the right to change the host.
    pub(super) fn lock(&self) -> Result<Locked<'_>> {
        let opened = self.place().and_then(|place| {
            let file = crate::file::open_own(&place.beside(".lock"))?;
            Ok((file, place))
        });
        let (file, place) = opened.map_err(|e| self.system("cannot open its lock", &e))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Locked { state: self, place, _lock: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let message = format!(
                        "the mock host's state file {} has been locked for {} s",
                        shown_path(&self.path),
                        LOCK_WAIT.as_secs()
                    );
                    let e = Error::new(ErrorKind::Locked, message);
                    return Err(e.hint("another virt is changing this host: wait until it is done"));
                }
                Err(TryLockError::Error(e)) => return Err(self.system("cannot lock it", &e)),
            }
        }
    }

    fn host(&self, root: &Element) -> Result<Host> {
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
        let mut host = Host::default();
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
    pub(super) fn file(&self) -> &StateFile {
        self.state
    }

    /// Keeps `host`: when this returns, the file has it, whole and synced.
    pub(super) fn save(&self, host: &Host) -> Result<(), NotSaved> {
        let new = self.place.beside(".new");
        let failed = |what: &str, e: &std::io::Error| self.state.system(what, e);
        let text = write(&document(host));
        if text.len() > LIMITS.bytes {
            return Err(NotSaved::Unchanged(self.state.damaged("it would be too large")));
        }
        self.write_new(&new, text.as_bytes())
            .and_then(|()| std::fs::rename(&new, &self.place.path))
            .map_err(|e| NotSaved::Unchanged(failed("cannot write it", &e)))?;
        let parent = self.place.path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|directory| directory.sync_all())
            .map_err(|e| NotSaved::Unsure(failed("cannot sync its directory", &e)))
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        // Under the lock nobody else writes it: one that is there was left by a process that died.
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}

fn document(host: &Host) -> Element {
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
