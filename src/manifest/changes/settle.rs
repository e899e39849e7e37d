//! When a change counts: once nobody has touched the file for a while. Time is a parameter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a file is left alone before it is taken: editors and copies write in several goes.
const STABLE: Duration = Duration::from_millis(250);

/// How long a file is left alone that was written to and not closed yet: its writer may be slow. One
/// who never closes it is not waited for any longer.
const OPEN: Duration = Duration::from_secs(5);

/// After this the files that are stable are taken, though others go on changing.
const HURRY: Duration = Duration::from_millis(500);

/// The same where it is not known which files change.
const BULK: Duration = Duration::from_secs(10);

/// Most files that are followed one by one; beyond that all of them are looked at, once.
const FILES: usize = 4096;

/// What was done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// It was written to, and is still open.
    Written,
    /// Its writer closed it.
    Closed,
    /// It came, went, or got another name or mode.
    Moved,
}

/// Changes that do not count yet.
#[derive(Debug, Default)]
pub(super) struct Settle {
    files: BTreeMap<PathBuf, Change>,
    /// When the first of them was noticed, or when some were taken last.
    first: Option<Instant>,
    last: Option<Instant>,
    /// Whether it is not known which files they are.
    bulk: bool,
    /// When everything is looked at, beside the files that are known to change.
    look: Option<Instant>,
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

/// What counts now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// Files that are stable by now.
    pub(super) stable: BTreeSet<PathBuf>,
    /// Files that still change.
    pub(super) unstable: BTreeSet<PathBuf>,
    /// When the last of what counts was noticed.
    pub(super) since: Option<Instant>,
}

impl Settle {
    /// Takes note of a change.
    pub(super) fn touch(&mut self, path: &Path, touch: Touch, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
        if self.bulk {
            return;
        }
        if self.files.len() >= FILES && !self.files.contains_key(path) {
            return self.rescan(now);
        }
        let change = self.files.entry(path.to_owned()).or_insert(Change { at: now, open: false });
        change.at = now;
        match touch {
            Touch::Written => change.open = true,
            Touch::Closed => change.open = false,
            Touch::Moved => {}
        }
    }

    /// Any file may have changed.
    pub(super) fn rescan(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.bulk = true;
        self.files.clear();
    }

    /// Everything is to be looked at once what is there now had time to settle.
    pub(super) fn look(&mut self, now: Instant) {
        self.look = Some(now + STABLE);
    }

    /// When something will count, if nothing more happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.changes_due().into_iter().chain(self.look).min()
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

    /// Takes what counts at this time. What does not is kept.
    pub(super) fn take(&mut self, now: Instant) -> Settled {
        let (stable, unstable): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.files).into_iter().partition(|(_, c)| c.stable_at() <= now);
        let since = if self.bulk { self.last } else { stable.values().map(|c| c.at).max() };
        let settled = Settled {
            since,
            stable: stable.into_keys().collect(),
            unstable: unstable.keys().cloned().collect(),
        };
        self.first = (!unstable.is_empty()).then_some(now);
        self.files = unstable;
        self.bulk = false;
        self.look = self.look.filter(|look| *look > now);
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
        let (start, mut settle) = (Start(Instant::now()), Settle::default());
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
        let (start, mut settle) = (Start(Instant::now()), Settle::default());
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
        let (start, mut settle) = (Start(Instant::now()), Settle::default());
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
        let (start, mut settle) = (Start(Instant::now()), Settle::default());
        settle.look(start.at(0));
        settle.touch(Path::new("/a.toml"), Touch::Closed, start.at(100));
        assert_eq!(start.millis(settle.due()), Some(250));
        let settled = settle.take(start.at(250));
        assert_eq!((settled.stable, settled.unstable), (set(&[]), set(&["/a.toml"])));
        assert_eq!(start.millis(settle.due()), Some(350));
    }

    #[test]
    fn a_flood_is_one_look_at_everything_once_it_is_over() {
        let (start, mut settle) = (Start(Instant::now()), Settle::default());
        for i in 0..24_000 {
            settle.touch(Path::new(&format!("/{i}.toml")), Touch::Written, start.at(i / 10));
            let due = start.millis(settle.due()).unwrap();
            assert!(i < 5_000 || due == u128::from(i / 10 + 250), "{i}: {due}");
        }
        assert_eq!(start.millis(settle.due()), Some(2_399 + 250));
        let settled = settle.take(start.at(2_700));
        assert_eq!((settled.stable, settled.unstable), (set(&[]), set(&[])));
        assert_eq!(start.millis(settled.since), Some(2_399));
        assert_eq!(settle.due(), None);
    }
}
