//! The directories that the system watches for us. Never files: an editor puts another one in the
//! place of each.

use super::debounce::{Debounce, Touch};
use crate::manifest::format::is_passed_over;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Changes noticed so far, shared between the watcher and its reader.
#[derive(Clone, Debug, Default)]
pub(super) struct Noticed(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) settle: Debounce,
    places: Places,
    /// Directories that went, or got another name, since they were watched.
    lost: BTreeSet<PathBuf>,
    /// Reason for which the system cannot report all changes.
    pub(super) deaf: Option<String>,
}

/// Places where changes matter. All are real paths, as in the system's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Directories with everything directly in them.
    pub(super) directories: BTreeSet<PathBuf>,
    /// Single names: those of the paths that were given, which may come back.
    pub(super) names: BTreeSet<PathBuf>,
    /// Files written there that are no manifests.
    pub(super) kept: BTreeSet<PathBuf>,
}

impl Places {
    /// Whether a change at a path may concern a manifest.
    fn concern(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // names such as ..data are not read, but what is read may lie behind them
        let counts = !is_passed_over(&name) || name.starts_with("..");
        let counts = counts && !self.kept.contains(path);
        let inside = path.parent().is_some_and(|parent| self.directories.contains(parent));
        (inside && counts) || self.directories.contains(path) || self.names.contains(path)
    }

    /// Whether a path is, or leads to, a directory that is watched.
    fn lead_through(&self, path: &Path) -> bool {
        // paths below another one follow it directly
        let next = |set: &BTreeSet<PathBuf>| {
            let mut from = set.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
            from.next().is_some_and(|next| next.starts_with(path))
        };
        next(&self.directories) || next(&self.names)
    }

    /// Returns the paths to watch.
    fn watched(&self) -> BTreeSet<&Path> {
        let parents = self.names.iter().filter_map(|name| name.parent());
        self.directories.iter().map(PathBuf::as_path).chain(parents).collect()
    }
}

impl Noted {
    /// Forgets paths that are gone, and the watches on them with them.
    fn lose(&mut self, paths: &[PathBuf]) {
        let lost = paths.iter().filter(|path| self.places.lead_through(path));
        self.lost.extend(lost.cloned());
    }
}

impl Noticed {
    pub(super) fn lock(&self) -> MutexGuard<'_, Noted> {
        // a note that a panic left unfinished is covered by the next rescan
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event of the system; returns whether it matters.
    fn take(&self, event: notify::Result<Event>) -> bool {
        let (now, mut noted) = (Instant::now(), self.lock());
        let event = match event {
            Ok(event) => event,
            Err(e) => {
                noted.deaf = Some(e.to_string());
                noted.lost.insert(PathBuf::from("/"));
                noted.settle.rescan(now);
                return true;
            }
        };
        if event.need_rescan() {
            // the missed events may be of removed directories
            noted.lost.insert(PathBuf::from("/"));
            noted.settle.rescan(now);
            return true;
        }
        let touch = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Touch::Closed,
            // we read them ourselves
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Data(_)) => Touch::Written,
            EventKind::Create(CreateKind::File) => match event.paths.first() {
                Some(path) if is_open(path) => Touch::Made,
                Some(_) | None => Touch::Replaced,
            },
            // it comes again with where it went, if that is known
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                noted.lose(&event.paths);
                Touch::Moved
            }
            EventKind::Remove(_) => {
                noted.lose(&event.paths);
                Touch::Replaced
            }
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)) => Touch::Replaced,
            EventKind::Modify(_) | EventKind::Any | EventKind::Other => Touch::Moved,
        };
        if let (EventKind::Modify(ModifyKind::Name(RenameMode::Both)), [from, to]) =
            (event.kind, event.paths.as_slice())
        {
            // each name had an event of its own already
            let matters = noted.places.concern(from) && noted.places.concern(to);
            if matters {
                noted.settle.rename(from, to, now);
            }
            return matters;
        }
        let mut matters = false;
        for path in &event.paths {
            if noted.places.concern(path) {
                noted.settle.touch(path, touch, now);
                matters = true;
            }
        }
        matters
    }
}

/// Whether the creator of a file still has it open to write, as far as that can be known: links and sockets
/// are complete at once, and are never closed.
fn is_open(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|m| m.is_file() && m.nlink() == 1)
}

/// The directories that are watched.
#[derive(Debug)]
pub(super) struct Inotify {
    watcher: Option<RecommendedWatcher>,
    noticed: Noticed,
    /// Watched directories, each with its device and inode, to recognise another one in its place.
    directories: BTreeMap<PathBuf, (u64, u64)>,
}

impl Inotify {
    /// Begins to listen; `wake` is called whenever something happened that matters.
    pub(super) fn new(noticed: Noticed, wake: impl Fn() + Send + 'static) -> Self {
        let told = noticed.clone();
        let handler = move |event| {
            if told.take(event) {
                wake();
            }
        };
        let watcher = match notify::recommended_watcher(handler) {
            Ok(watcher) => Some(watcher),
            Err(e) => {
                noticed.lock().deaf = Some(e.to_string());
                None
            }
        };
        Self { watcher, noticed, directories: BTreeMap::new() }
    }

    /// Watches these places and no others; says whether there is a directory that was not watched
    /// before, in which something may have been missed.
    pub(super) fn watch(&mut self, places: Places) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let mut wanted = BTreeMap::new();
        for directory in places.watched() {
            // the directory above shows when a removed one comes back
            if let Ok(m) = std::fs::metadata(directory) {
                wanted.insert(directory.to_owned(), (m.dev(), m.ino()));
            }
        }
        // before the first event from there
        let lost = {
            let mut noted = self.noticed.lock();
            noted.places = places;
            std::mem::take(&mut noted.lost)
        };
        self.directories.retain(|directory, identity| {
            // a directory that was made anew may have the number of the one before
            let went = directory.ancestors().any(|above| lost.contains(above));
            let stays = !went && wanted.get(directory) == Some(identity);
            if !stays {
                // the watch of a removed directory is gone with it
                let _ = watcher.unwatch(directory);
            }
            stays
        });
        let (mut added, mut deaf) = (false, None);
        for (directory, identity) in wanted {
            if self.directories.contains_key(&directory) {
                continue;
            }
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.directories.insert(directory, identity);
                    added = true;
                }
                // it went meanwhile
                Err(_) if !directory.exists() => {}
                Err(e) => deaf = Some(e.to_string()),
            }
        }
        self.noticed.lock().deaf = deaf;
        added
    }
}
