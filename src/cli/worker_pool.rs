//! Work on many hosts at once, with a limit per class, reported in their order.

use nix::sys::resource::{Resource, getrlimit};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// Hosts of a class, and the number that may be worked on at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WorkerClass {
    /// Places of the hosts in the list of all.
    pub(crate) members: Vec<usize>,
    pub(crate) at_once: usize,
}

/// Hosts at once that are reached through a socket: the time is spent on the network.
const SOCKETS: usize = 64;

/// Files that one host may have open: two connections, the files and names that lock it for others,
/// and the files of the built-in host. Twice as many leave room for all else.
const FILES: usize = 4;

/// Hosts at once, per processor, that are reached through a process: starting an ssh connection
/// takes 124 ms of CPU time, so that more of them at once only make all wait for all.
const PROCESSES: usize = 2;

/// Groups hosts by transport: `by_process` says whether a host takes a process of its own.
pub(crate) fn classes(hosts: usize, by_process: impl Fn(usize) -> bool) -> [WorkerClass; 2] {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let sockets = SOCKETS.min(files / (2 * FILES)).max(1);
    let (slow, quick) = (0..hosts).partition(|i| by_process(*i));
    [
        WorkerClass { members: quick, at_once: sockets },
        WorkerClass { members: slow, at_once: PROCESSES * processors },
    ]
}

impl WorkerClass {
    /// Whether there are more hosts than are worked on at once.
    pub(crate) fn is_crowded(&self) -> bool {
        self.members.len() > self.at_once
    }
}

/// Calls `work` for each member of the classes, and hands its results to `tell` in the order of the
/// members' numbers. `count` receives the number that are finished. When `tell` returns `false`, no
/// more work is started.
pub(crate) fn each<T: Send>(
    classes: &[WorkerClass],
    work: impl Fn(usize) -> T + Sync,
    mut count: impl FnMut(usize),
    mut tell: impl FnMut(usize, T) -> bool,
) {
    let stop = AtomicBool::new(false);
    let nexts: Vec<AtomicUsize> = classes.iter().map(|_| AtomicUsize::new(0)).collect();
    let mut turns: Vec<usize> = classes.iter().flat_map(|l| l.members.iter().copied()).collect();
    turns.sort_unstable();
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for (class, next) in classes.iter().zip(&nexts) {
            for _ in 0..class.at_once.min(class.members.len()) {
                let (sender, work, stop) = (sender.clone(), &work, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed)
                        && let Some(at) = class.members.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        // a defect that shows on one host must not hide what came of the others
                        let done = catch_unwind(AssertUnwindSafe(|| work(*at)));
                        // nobody hears it if telling has ended
                        let _ = sender.send((*at, done));
                    }
                });
            }
        }
        drop(sender);
        let mut turns = turns.into_iter().peekable();
        let mut early = BTreeMap::new();
        let mut panicked = None;
        for (finished, (at, done)) in (1..).zip(receiver) {
            early.insert(at, done);
            count(finished);
            while let Some(done) = turns.peek().and_then(|at| early.remove(at)) {
                let Some(at) = turns.next() else { break };
                let done = match done {
                    Ok(done) => done,
                    Err(panic) => {
                        panicked.get_or_insert(panic);
                        continue;
                    }
                };
                if !stop.load(Ordering::Relaxed) && !tell(at, done) {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    #[test]
    fn all_are_told_in_order_and_never_too_many_at_once() {
        let classes = [
            WorkerClass {
                members: (0..100).filter(|i: &usize| !i.is_multiple_of(3)).collect(),
                at_once: 7,
            },
            WorkerClass {
                members: (0..100).filter(|i: &usize| i.is_multiple_of(3)).collect(),
                at_once: 2,
            },
        ];
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (mut told, mut counted) = (Vec::new(), 0);
        let work = |i: usize| {
            if i.is_multiple_of(3) {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
                now.fetch_sub(1, Ordering::SeqCst);
            }
            i * 2
        };
        each(
            &classes,
            work,
            |n| counted = n,
            |i, twice| {
                told.push((i, twice));
                true
            },
        );
        assert_eq!(told, (0..100).map(|i| (i, i * 2)).collect::<Vec<_>>());
        assert_eq!(counted, 100);
        assert!(most.into_inner() <= 2);
    }

    #[test]
    fn nothing_more_is_begun_once_nobody_listens() {
        let classes = [WorkerClass { members: (0..1_000).collect(), at_once: 2 }];
        let begun = AtomicUsize::new(0);
        let work = |_| {
            begun.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
        };
        let mut told = 0;
        each(
            &classes,
            work,
            |_| {},
            |_, ()| {
                told += 1;
                false
            },
        );
        assert_eq!(told, 1);
        assert!(begun.into_inner() < 500);
    }
}
