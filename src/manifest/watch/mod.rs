//! Manifests that are read again whenever their files change, and only once they are written.
//!
//! What is read is either old or new: a file that changes under our eyes is taken as it was, a
//! directory that is gone leaves what was read last, and what symbolic links lead to is taken whole.
//!
//! - `debounce.rs`: the time at which a change counts; time is a parameter
//! - `inotify.rs`: the directories that the system watches for us

mod debounce;
mod inotify;

use super::assemble::{Loaded, RefusedAre};
use super::files::{self, Found, Stamp};
use super::grammars::Grammars;
use super::loader::{Loader, Unsettled};
use super::project::FILE;
use debounce::{Debounce, Settled};
use diagnostics::Diagnostics;
use inotify::{Inotify, Noticed, Places};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Interval between looks at all files, whatever the system reports: it does not report the mounting of a
/// file system, changes by another machine, nor anything when it has run out of watches.
const LOOK: Duration = Duration::from_secs(30);

/// Delay before files that could not be read for lack of a resource are looked at again.
const RETRY: Duration = Duration::from_secs(5);

/// Most passes over the directories to watch in one search, as new ones may appear meanwhile.
const ARM_MAX: usize = 4;

/// Manifests whose files are followed.
#[derive(Debug)]
pub struct Changes {
    paths: Vec<PathBuf>,
    loader: Loader,
    noticed: Noticed,
    inotify: Inotify,
    /// Files that are stable and were not read, since a `virt.toml` was not.
    held: BTreeSet<PathBuf>,
    /// Numbers of the paths that had manifests then, counted from 1.
    had: BTreeSet<usize>,
    /// Manifests that were loaded last.
    good: Option<Arc<Loaded>>,
    /// Reason for which that is kept though the files differ now.
    stale: Option<String>,
    /// Time of the next look at all files.
    look: Instant,
    /// Versions at the last look at all files: one without notifications is stable if it is the same twice.
    seen: Option<HashMap<PathBuf, Stamp>>,
}

/// Result of following manifests.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Loaded manifests.
    pub loaded: Arc<Loaded>,
    /// Reason for which they are older than the files.
    pub stale: Option<String>,
    /// Time of the last change that led to it.
    pub since: Instant,
}

impl Changes {
    /// Follows the manifests of `paths`, for a set that the caller may name; `check` is the caller's own
    /// check. `wake` is called from another thread whenever [`Self::due`] may have changed.
    pub fn follow(
        paths: Vec<PathBuf>,
        (grammars, set): (Grammars, Option<String>),
        wake: impl Fn() + Send + 'static,
    ) -> Self {
        let noticed = Noticed::default();
        let inotify = Inotify::new(noticed.clone(), wake);
        let now = Instant::now();
        let loader = Loader::new(grammars, RefusedAre::ForHosts, set);
        let (held, had) = (BTreeSet::new(), BTreeSet::new());
        let (good, stale, seen, look) = (None, None, None, now + LOOK);
        Self { paths, loader, noticed, inotify, held, had, good, stale, look, seen }
    }

    /// Returns the reason for which the system cannot report changes, so that files are polled.
    pub fn is_deaf(&self) -> Option<String> {
        self.noticed.lock().deaf.clone()
    }

    /// Returns the time of the next read, if nothing happens before.
    pub fn due(&self) -> Instant {
        self.noticed.lock().settle.due().map_or(self.look, |due| due.min(self.look))
    }

    /// Looks at everything at once, whatever was noticed.
    pub fn look_now(&mut self) {
        self.look = Instant::now();
    }

    /// Reads the manifests at the start, without waiting for anything.
    pub fn first(&mut self) -> Reading {
        for _ in 0..ARM_MAX {
            let now = Instant::now();
            self.noticed.lock().settle = Debounce::default();
            if let Some(reading) = self.read(None, now) {
                return reading;
            }
        }
        Reading { loaded: Arc::default(), stale: self.stale.clone(), since: Instant::now() }
    }

    /// Reads the files that have changed and are stable by now. `None` if the manifests are unchanged.
    pub fn read_settled(&mut self, now: Instant) -> Option<Reading> {
        let bulk = self.noticed.lock().settle.take_bulk(now);
        if bulk.is_some() || now >= self.look {
            self.look_twice(now, bulk);
        }
        let settled = {
            let mut noted = self.noticed.lock();
            noted.settle.due().filter(|due| *due <= now)?;
            noted.settle.take(now)
        };
        self.read(Some(settled), now)
    }

    fn read(&mut self, mut settled: Option<Settled>, now: Instant) -> Option<Reading> {
        let held = std::mem::take(&mut self.held);
        if let Some(settled) = settled.as_mut().filter(|settled| !settled.looked) {
            settled.stable.extend(held.into_iter().filter(|p| !settled.unstable.contains(p)));
        }
        let (found, said) = self.find();
        let since = settled.as_ref().and_then(|settled| settled.since).unwrap_or(now);
        let looked = settled.as_ref().is_some_and(|settled| settled.looked);
        if let Some(reason) = self.missing(&found) {
            // gone since the look: it may be back in a moment, and nobody may tell
            let there: HashSet<&PathBuf> = found.manifests.iter().map(|m| &m.path).collect();
            let seen = self.seen.take_if(|_| looked);
            if seen.is_some_and(|seen| seen.keys().any(|p| !there.contains(p) && !is_virt_toml(p)))
            {
                self.look_twice(now, None);
            }
            if self.stale.as_ref() == Some(&reason) {
                return None;
            }
            self.stale = Some(reason);
            return self.reading(since);
        }
        if let Some(settled) = &settled {
            let read_state = self.read_state(&found, settled);
            if read_state != ReadState::Settled {
                self.held.clone_from(&settled.stable);
            }
            match read_state {
                ReadState::Settled => {}
                ReadState::Written => return None,
                ReadState::Open(reason) if self.stale.as_ref() == Some(&reason) => return None,
                ReadState::Open(reason) => {
                    self.stale = Some(reason);
                    return self.reading(since);
                }
                ReadState::Changing => {
                    self.look_twice(now, Some(since));
                    return None;
                }
            }
        }
        let unsettled = settled.map(|settled| self.unsettled(&found, settled)).unwrap_or_default();
        let is_changing = unsettled.changing;
        let read = self.loader.load_found(&self.paths, &found, said, &unsettled);
        if links_moved(&found) {
            // some may be of the old and some of the new
            self.loader.owe();
            self.noticed.lock().settle.rescan(now);
            return None;
        }
        if is_changing || !read.moving.is_empty() {
            self.look_twice(now, Some(since));
        }
        if let (Some(reason), Some(_)) = (read.unread, &self.good) {
            // the others' present content may not fit its former one
            self.loader.owe();
            self.look = now + RETRY;
            if self.stale.as_ref() == Some(&reason) {
                return None;
            }
            self.stale = Some(reason);
            return self.reading(since);
        }
        self.had.extend(found.manifests.iter().map(|m| m.root));
        let was_stale = self.stale.take().is_some();
        match read.loaded {
            Some(loaded) => self.good = Some(Arc::new(loaded)),
            None if !was_stale => return None,
            None => {}
        }
        self.reading(since)
    }

    fn reading(&self, since: Instant) -> Option<Reading> {
        Some(Reading { loaded: self.good.clone()?, stale: self.stale.clone(), since })
    }

    /// Finds the manifests, with every directory watched before it is read.
    fn find(&mut self) -> (Found, Diagnostics) {
        let mut tries = 0;
        loop {
            let mut said = Diagnostics::default();
            let found = files::find(&self.paths, &mut said);
            tries += 1;
            if !self.inotify.watch(places(&self.paths, &found)) || tries >= ARM_MAX {
                return (found, said);
            }
        }
    }

    /// Returns the reason for which an empty result does not count: nobody means to have nothing, and a path
    /// by itself may be a disk that is not mounted.
    fn missing(&self, found: &Found) -> Option<String> {
        self.good.as_ref()?;
        let has: BTreeSet<usize> = found.manifests.iter().map(|m| m.root).collect();
        let emptied =
            (1..).zip(&self.paths).find(|(n, _)| self.had.contains(n) && !has.contains(n));
        let text = |path: &Path| format!("{}: there are no manifests any more", path.display());
        let unseen = found.unseen.clone().or_else(|| found.over.clone());
        unseen.or_else(|| emptied.map(|(_, path)| text(path)))
    }

    /// Looks at all files, to accept in a moment those that stay the same.
    fn look_twice(&mut self, now: Instant, since: Option<Instant>) {
        self.look = now + LOOK;
        if self.noticed.lock().settle.look(now, since) {
            self.seen = Some(self.versions());
        }
    }

    fn versions(&self) -> HashMap<PathBuf, Stamp> {
        let found = files::find(&self.paths, &mut Diagnostics::default());
        let virt_tomls = found.virt_tomls.into_iter().filter_map(|v| Some((v.path, v.stamp?)));
        found.manifests.into_iter().map(|m| (m.path, m.stamp)).chain(virt_tomls).collect()
    }

    /// Returns whether the `virt.toml`s can be relied on. While one is being written nothing is accepted:
    /// half of one may name another set, another host or none.
    fn read_state(&self, found: &Found, settled: &Settled) -> ReadState {
        let there: HashMap<&PathBuf, Option<Stamp>> =
            found.virt_tomls.iter().map(|v| (&v.path, v.stamp)).collect();
        let known: HashMap<&PathBuf, Option<Stamp>> = self.loader.virt_tomls().collect();
        let seen = self.seen.as_ref().filter(|_| settled.looked);
        let paths: BTreeSet<&PathBuf> = there.keys().chain(known.keys()).copied().collect();
        let mut read_state = ReadState::Settled;
        for path in paths {
            let real = there.get(path).map_or_else(|| real_name(path), |_| files::real(path));
            let before = match seen {
                Some(seen) => seen.get(path).copied(),
                None => known.get(path).copied().flatten(),
            };
            if settled.unstable.contains(&real) {
                return ReadState::Written;
            } else if settled.writing.contains(&real) {
                let text = format!("{}: its writer does not close it", path.display());
                read_state = ReadState::Open(text);
            } else if !real.ancestors().any(|path| settled.stable.contains(path))
                && before != there.get(path).copied().flatten()
                && read_state == ReadState::Settled
            {
                read_state = ReadState::Changing;
            }
        }
        read_state
    }

    /// Returns the files whose last version is used. While anything changes, a missing file may be about to
    /// come back; and while something that is no manifest changes, the targets of links may be exchanged.
    fn unsettled(&mut self, found: &Found, settled: Settled) -> Unsettled {
        let Settled { stable, unstable, writing, looked, .. } = settled;
        let reals: BTreeSet<&PathBuf> = found.manifests.iter().map(|m| &m.real).collect();
        let links = unstable.iter().any(|path| !reals.contains(path));
        let (mut files, mut gone, mut changing) = (unstable, false, false);
        gone |= !files.is_empty();
        // other files had no event: they are as they were read, or as they were a moment ago
        let seen = self.seen.take_if(|_| looked);
        let before = |path: &PathBuf| match &seen {
            Some(seen) => seen.get(path).copied(),
            None => self.loader.stamp(path),
        };
        for manifest in &found.manifests {
            let told = stable.contains(&manifest.real) || files.contains(&manifest.real);
            if !told && before(&manifest.path) != Some(manifest.stamp) {
                files.insert(manifest.real.clone());
                changing = true;
            }
        }
        let there: HashSet<&PathBuf> = found.manifests.iter().map(|m| &m.path).collect();
        let vanished = |path: &PathBuf| {
            !there.contains(path) && !real_name(path).ancestors().any(|p| stable.contains(p))
        };
        let any_vanished = match &seen {
            // files that are no manifests were handled by now
            Some(seen) => seen.keys().filter(|path| !is_virt_toml(path)).any(vanished),
            None => self.loader.paths().any(vanished),
        };
        gone |= any_vanished;
        changing |= any_vanished;
        Unsettled { files, links, gone, touched: stable, writing, looked, changing }
    }
}

/// Reliability of the `virt.toml`s, which decide about the manifests' set and hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ReadState {
    Settled,
    /// One is being written, and its end is waited for.
    Written,
    /// The end of one was waited for too long.
    Open(String),
    /// Changing: a file differs from its earlier version without a notification.
    Changing,
}

fn is_virt_toml(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == FILE)
}

/// Returns the former path of a file that is gone, as events have it.
fn real_name(path: &Path) -> PathBuf {
    let parent = path.parent().map(files::real).unwrap_or_default();
    path.file_name().map_or_else(|| parent.clone(), |name| parent.join(name))
}

/// Whether symbolic links lead elsewhere by now.
fn links_moved(found: &Found) -> bool {
    let mut linked = found.manifests.iter().filter(|m| m.linked);
    linked.any(|m| files::real(&m.path) != m.real)
}

/// Returns the places where changes matter: all searched directories, those that links lead to, and the names
/// of the paths themselves.
fn places(paths: &[PathBuf], found: &Found) -> Places {
    let mut directories = found.directories.clone();
    let linked = found.manifests.iter().filter(|m| m.linked);
    directories.extend(linked.filter_map(|m| m.real.parent()).map(|parent| parent.to_owned()));
    let mut names = BTreeSet::new();
    for path in paths {
        let mut path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        // the nearest directory that is there, should the one above it be gone, too
        while let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
            if parent.is_dir() {
                names.insert(files::real(parent).join(name));
                break;
            }
            path = parent.to_owned();
        }
    }
    Places { directories, names, kept: found.kept.clone() }
}
