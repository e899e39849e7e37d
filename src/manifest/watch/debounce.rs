//! Debouncing of changes: a file counts once nobody has touched it for a while. Time is a parameter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time without changes after which a file is accepted: editors and copies write in several steps.
const STABLE: Duration = Duration::from_millis(250);

/// Time for which a file that was opened to be written, and not closed yet, is left alone: its writer may be
/// slow. One who never closes it is not waited for any longer.
const OPEN: Duration = Duration::from_secs(5);

/// Time after which stable files are accepted though others go on changing.
const HURRY: Duration = Duration::from_millis(500);

/// Time after which stable files are accepted where it is unknown which ones change.
const BULK: Duration = Duration::from_secs(10);

/// Most files that are followed one by one; beyond that all of them are looked at, once.
const FILES: usize = 4096;

/// Event on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// Created, and open for writing.
    Made,
    /// Written to, and still open.
    Written,
    /// Closed by its writer.
    Closed,
    /// Replaced as a whole by another file, or removed.
    Replaced,
    /// Changed in mode, or being renamed.
    Moved,
}

/// Changes that do not count yet.
#[derive(Debug, Default)]
pub(super) struct Debounce {
    files: BTreeMap<PathBuf, Change>,
    /// Files that somebody was seen to write to and not to close, whether they count yet or not.
    writing: BTreeSet<PathBuf>,
    /// Time of the first pending change, or of the last acceptance.
    first: Option<Instant>,
    last: Option<Instant>,
    /// Whether the changed files are unknown.
    bulk: bool,
    /// Time at which all files are compared with the last look, and the time of the change that caused it.
    look: Option<(Instant, Option<Instant>)>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    at: Instant,
    open: bool,
}

impl Change {
    fn stable_at(self) -> Instant {
        self.at + if self.open { OPEN } else { STABLE }
    }
}

/// Changes that count now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// Files that are stable by now.
    pub(super) stable: BTreeSet<PathBuf>,
    /// Files that still change.
    pub(super) unstable: BTreeSet<PathBuf>,
    /// Files that somebody writes to, whether that is waited for or not.
    pub(super) writing: BTreeSet<PathBuf>,
    /// Whether everything was looked at a moment ago, to be compared.
    pub(super) looked: bool,
    /// Time of the last change that counts.
    pub(super) since: Option<Instant>,
}

impl Debounce {
    /// Takes note of a change.
    pub(super) fn touch(&mut self, path: &Path, touch: Touch, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
        if self.bulk {
            return;
        }
        if self.files.len().max(self.writing.len()) >= FILES && !self.files.contains_key(path) {
            return self.rescan(now);
        }
        let open = match touch {
            Touch::Written => {
                self.writing.insert(path.to_owned());
                true
            }
            Touch::Made => {
                self.writing.remove(path);
                true
            }
            Touch::Closed | Touch::Replaced => {
                self.writing.remove(path);
                false
            }
            Touch::Moved => {
                let made = self.files.get(path).is_some_and(|change| change.open);
                made || self.writing.contains(path)
            }
        };
        self.files.insert(path.to_owned(), Change { at: now, open });
    }

    /// Moves the pending changes of a renamed file; its writer may go on.
    pub(super) fn rename(&mut self, from: &Path, to: &Path, now: Instant) {
        let open = self.files.get(from).is_some_and(|change| change.open);
        let written = self.writing.remove(from);
        self.touch(from, Touch::Replaced, now);
        let touch = if written {
            Touch::Written
        } else if open {
            Touch::Made
        } else {
            Touch::Replaced
        };
        self.touch(to, touch, now);
    }

    /// Records that any file may have changed.
    pub(super) fn rescan(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.bulk = true;
        // the files that were closed are unknown, too
        self.files.clear();
        self.writing.clear();
        self.look = None;
    }

    /// Takes a pending comparison of all files, if it is due since the changed ones are unknown; returns the
    /// time of the change.
    pub(super) fn take_bulk(&mut self, now: Instant) -> Option<Instant> {
        let last =
            self.last.filter(|_| self.bulk && self.changes_due().is_some_and(|d| d <= now))?;
        (self.bulk, self.first, self.last) = (false, None, None);
        Some(last)
    }

    /// Schedules a second look at all files, which are looked at now, once they had time to settle. Returns
    /// `false` if one is scheduled already.
    pub(super) fn look(&mut self, now: Instant, since: Option<Instant>) -> bool {
        let is_new = !self.bulk && self.look.is_none();
        if is_new {
            self.look = Some((now + STABLE, since));
        }
        is_new
    }

    /// Returns the time at which something will count, if no further change occurs.
    pub(super) fn due(&self) -> Option<Instant> {
        self.changes_due().into_iter().chain(self.look.map(|(due, _)| due)).min()
    }

    fn changes_due(&self) -> Option<Instant> {
        let (first, last) = (self.first?, self.last?);
        if self.bulk {
            return Some((last + STABLE).min(first + BULK));
        }
        let stable = || self.files.values().map(|change| change.stable_at());
        let all = stable().max()?;
        let some = stable().min()?.max(first + HURRY);
        Some(all.min(some))
    }

    /// Takes the changes that count at this time, and keeps the others.
    pub(super) fn take(&mut self, now: Instant) -> Settled {
        let (stable, unstable): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.files).into_iter().partition(|(_, c)| c.stable_at() <= now);
        let looked = self.look.take_if(|(due, _)| *due <= now);
        let since = stable.values().map(|c| c.at).chain(looked.and_then(|(_, since)| since)).max();
        let settled = Settled {
            since,
            looked: looked.is_some(),
            stable: stable.into_keys().collect(),
            writing: self.writing.clone(),
            unstable: unstable.keys().cloned().collect(),
        };
        self.first = (!unstable.is_empty()).then_some(now);
        self.files = unstable;
        settled
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn set(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    /// Time from the start of a test, in milliseconds.
    struct Start(Instant);

    impl Start {
        fn at(&self, millis: u64) -> Instant {
            self.0 + Duration::from_millis(millis)
        }

        fn millis(&self, at: Option<Instant>) -> Option<u128> {
            at.map(|at| at.duration_since(self.0).as_millis())
        }
    }

    #[test]
    fn a_save_in_several_goes_counts_once_and_after_the_last() {
        let (start, mut settle) = (Start(Instant::now()), Debounce::default());
        assert_eq!(settle.due(), None);
        for (at, touch) in [(0, Touch::Moved), (1, Touch::Written), (40, Touch::Closed)] {
            settle.touch(Path::new("/a.toml"), touch, start.at(at));
        }
        assert_eq!(start.millis(settle.due()), Some(290));
        let settled = settle.take(start.at(290));
        assert_eq!((settled.stable, settled.unstable), (set(&["/a.toml"]), set(&[])));
        assert_eq!(settle.due(), None);
    }

    #[test]
    fn a_file_that_is_open_is_waited_for_and_not_for_ever() {
        let (start, mut settle) = (Start(Instant::now()), Debounce::default());
        settle.touch(Path::new("/a.toml"), Touch::Written, start.at(0));
        assert_eq!(start.millis(settle.due()), Some(5_000));
        settle.touch(Path::new("/b.toml"), Touch::Closed, start.at(100));
        // the other one does not wait for it
        assert_eq!(start.millis(settle.due()), Some(500));
        let settled = settle.take(start.at(500));
        assert_eq!((settled.stable, settled.unstable), (set(&["/b.toml"]), set(&["/a.toml"])));
        assert_eq!(start.millis(settle.due()), Some(5_000));
        settle.touch(Path::new("/a.toml"), Touch::Closed, start.at(600));
        assert_eq!(start.millis(settle.due()), Some(850));
    }

    #[test]
    fn with_no_pause_at_all_each_change_counts_within_a_second() {
        let (start, mut settle) = (Start(Instant::now()), Debounce::default());
        let mut waits: BTreeMap<PathBuf, u64> = BTreeMap::new();
        let mut longest = 0;
        for at in (0..60_000).step_by(20) {
            while let Some(due) = settle.due().filter(|due| *due <= start.at(at)) {
                let millis = u64::try_from(start.millis(Some(due)).unwrap()).unwrap();
                for path in settle.take(due).stable {
                    longest = longest.max(millis - waits.remove(&path).unwrap());
                }
            }
            let path = PathBuf::from(format!("/{}.toml", at / 20 % 1_000));
            settle.touch(&path, Touch::Closed, start.at(at));
            waits.insert(path, at);
        }
        assert!((250..1_000).contains(&longest), "{longest}");
        assert!(waits.len() < 50, "{}", waits.len());
    }

    #[test]
    fn a_look_at_everything_holds_up_no_change() {
        let (start, mut settle) = (Start(Instant::now()), Debounce::default());
        settle.look(start.at(0), None);
        settle.touch(Path::new("/a.toml"), Touch::Closed, start.at(100));
        assert_eq!(start.millis(settle.due()), Some(250));
        let settled = settle.take(start.at(250));
        assert_eq!((settled.stable, settled.unstable), (set(&[]), set(&["/a.toml"])));
        assert_eq!(start.millis(settle.due()), Some(350));
    }

    #[test]
    fn a_flood_is_one_look_at_everything_once_it_is_over() {
        let (start, mut settle) = (Start(Instant::now()), Debounce::default());
        for i in 0..24_000 {
            settle.touch(Path::new(&format!("/{i}.toml")), Touch::Written, start.at(i / 10));
            let due = start.millis(settle.due()).unwrap();
            assert!(i < 5_000 || due == u128::from(i / 10 + 250), "{i}: {due}");
        }
        assert_eq!(start.millis(settle.due()), Some(2_399 + 250));
        assert_eq!(settle.take_bulk(start.at(2_648)), None);
        let since = settle.take_bulk(start.at(2_649));
        assert_eq!(start.millis(since), Some(2_399));
        assert_eq!(settle.due(), None);
        // all files are looked at twice
        settle.look(start.at(2_649), since);
        assert_eq!(start.millis(settle.due()), Some(2_899));
        let settled = settle.take(start.at(2_899));
        assert_eq!((settled.stable, settled.unstable), (set(&[]), set(&[])));
        assert_eq!(start.millis(settled.since), Some(2_399));
        assert_eq!(settle.due(), None);
    }

    #[test]
    fn who_makes_a_file_is_waited_for_until_it_is_closed() {
        let (start, mut settle) = (Start(Instant::now()), Debounce::default());
        let path = Path::new("/a.toml");
        settle.touch(path, Touch::Made, start.at(0));
        assert_eq!(start.millis(settle.due()), Some(5_000));
        // a mode that is set meanwhile closes nothing
        settle.touch(path, Touch::Moved, start.at(10));
        assert_eq!(start.millis(settle.due()), Some(5_010));
        settle.touch(path, Touch::Closed, start.at(20));
        assert_eq!(start.millis(settle.due()), Some(270));
    }

    #[test]
    fn who_is_not_waited_for_any_longer_still_writes() {
        let (start, mut settle) = (Start(Instant::now()), Debounce::default());
        let (path, other) = (Path::new("/a.toml"), Path::new("/b.toml"));
        settle.touch(path, Touch::Written, start.at(0));
        assert_eq!(settle.take(start.at(5_000)).writing, set(&["/a.toml"]));
        // under another name as well
        settle.touch(path, Touch::Moved, start.at(6_000));
        settle.touch(other, Touch::Replaced, start.at(6_000));
        settle.rename(path, other, start.at(6_000));
        let settled = settle.take(start.at(6_250));
        assert_eq!((settled.stable, settled.writing), (set(&["/a.toml"]), set(&["/b.toml"])));
        let settled = settle.take(start.at(11_000));
        assert_eq!((settled.stable, settled.writing), (set(&["/b.toml"]), set(&["/b.toml"])));
        settle.touch(other, Touch::Closed, start.at(12_000));
        let settled = settle.take(start.at(12_250));
        assert_eq!((settled.stable, settled.writing), (set(&["/b.toml"]), set(&[])));
    }
}
