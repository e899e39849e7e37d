//! Status of a watch at one moment: a value, for the status page, metrics and systemd.

use crate::model::{Kind, ResourceId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

/// Status of a watch: its manifests and hosts.
#[derive(Clone, Debug)]
pub struct ControllerStatus {
    /// The set whose manifests they are.
    pub set: String,
    /// Start of the watch.
    pub started: SystemTime,
    /// The manifests.
    pub sources: Sources,
    /// The hosts, by their names in `virt.toml`, or by their URI if there is one only.
    pub hosts: BTreeMap<String, HostStatus>,
}

/// Status of the manifests.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The paths that are watched.
    pub paths: Vec<String>,
    /// Way in which changes of files are noticed.
    pub listening: Listening,
    /// Time of the last accepted load.
    pub loaded: SystemTime,
    /// Number of objects that they describe.
    pub resources: usize,
    /// Number of their problems.
    pub problems: usize,
    /// Reason for which the last good manifests are kept in the place of the present ones, if they are.
    pub stale: Option<String>,
    /// Number of loads.
    pub loads: u64,
}

/// Way in which changes of files are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// The system tells.
    Notified,
    /// Polling, as the system cannot report all changes.
    Polling,
}

/// Status of one host.
#[derive(Clone, Debug, Default)]
pub struct HostStatus {
    /// URI of the host.
    pub uri: String,
    /// Reason for which it cannot be reached, and time of the loss; `None` while it can.
    pub lost: Option<(String, SystemTime)>,
    /// Whether its loop has been at one step for longer than any may take.
    pub hangs: bool,
    /// Objects that manifests describe, and orphans of the set.
    pub objects: BTreeMap<ResourceId, ResourceStatus>,
    /// Objects of any owner that do not answer, or give an invalid answer.
    pub silent: BTreeSet<ResourceId>,
    /// The last plans that had steps, the newest last; at most [`HostStatus::PLANS`].
    pub plans: VecDeque<PlanRecord>,
    /// Counters since the start.
    pub counters: Counters,
}

impl HostStatus {
    /// Counts the objects of this kind that do not answer.
    pub fn count_silent(&self, kind: Kind) -> usize {
        self.silent.iter().filter(|id| id.kind == kind).count()
    }

    /// Most plans that are kept.
    pub const PLANS: usize = 20;

    /// Counts the objects of this kind in this condition.
    pub fn count(&self, kind: Kind, condition: Condition) -> usize {
        let here = self.objects.iter();
        here.filter(|(id, object)| id.kind == kind && object.condition == condition).count()
    }
}

/// Relation of an object to its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Converged: as in its manifest.
    InSync,
    /// Defined as its manifest says; something waits for the next boot.
    Pending,
    /// Different from its manifest, and about to be reconciled.
    Drifted,
    /// Blocked: its manifest has a problem, nobody owns it, or an effect is not allowed.
    Blocked,
    /// A step for it failed; it is tried again.
    Failing,
    /// Active and out of order: a disk failed, or it crashed and is kept.
    Outage,
}

impl Condition {
    /// All conditions, from good to bad.
    pub const ALL: [Self; 6] =
        [Self::InSync, Self::Pending, Self::Drifted, Self::Blocked, Self::Failing, Self::Outage];

    /// Name of the condition in metrics and JSON, which stays as it is.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "held back",
            other => other.label(),
        }
    }

    /// Name of the condition for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::InSync => "in sync",
            Self::Pending => "pending",
            Self::Drifted => "drifted",
            Self::Blocked => "blocked",
            Self::Failing => "failing",
            Self::Outage => "outage",
        }
    }
}

/// Status of one object.
#[derive(Clone, Debug)]
pub struct ResourceStatus {
    /// State as one word; `absent` if the host does not have it.
    pub state: String,
    /// Relation to its manifest.
    pub condition: Condition,
    /// Time since which it is in that condition.
    pub since: SystemTime,
    /// Waiting or differing fields, or the problem; may be empty.
    pub detail: String,
    /// Number of failures in a row.
    pub failures: u32,
    /// Time of the next try, if one is scheduled.
    pub next_try: Option<SystemTime>,
    /// The objects that it uses or depends on: the lines of the picture.
    pub uses: Vec<ResourceId>,
}

/// A plan that was carried out, or refused.
#[derive(Clone, Debug)]
pub struct PlanRecord {
    /// Time of the plan.
    pub at: SystemTime,
    /// Cause: a changed file, an event of the host, the interval.
    pub cause: String,
    /// Actions in words, a line for each object: `update domain/web: memory 1 GiB → 2 GiB`.
    pub lines: Vec<String>,
    /// Outcome: `done`, `refused: …`, `failed: …`.
    pub outcome: String,
    /// Duration.
    pub took: Duration,
}

/// Counters since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Times that the host was compared with the manifests.
    pub reconciles: u64,
    /// Events received from the host.
    pub events: u64,
    /// Times that all of it was read.
    pub resyncs: u64,
    /// Steps that were done.
    pub steps_done: u64,
    /// Steps that failed, or whose outcome is not known.
    pub steps_failed: u64,
    /// Times that the host was lost.
    pub losses: u64,
    /// Latency from a cause to the end of its apply: the number of applies that took at most
    /// [`Counters::BUCKETS`] seconds each, cumulative, with the total last.
    pub latency: [u64; Self::BUCKETS.len() + 1],
    /// The sum of those times.
    pub latency_sum: Duration,
}

impl Counters {
    /// Upper bounds of the buckets of [`latency`](Self::latency), in seconds.
    pub const BUCKETS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

    /// Counts one time from a cause to the end of its apply.
    pub fn took(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        for (bound, count) in Self::BUCKETS.iter().chain([&f64::INFINITY]).zip(&mut self.latency) {
            *count += u64::from(seconds <= *bound);
        }
        self.latency_sum += time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_those_before_them() {
        let mut counters = Counters::default();
        for millis in [10, 60, 60, 90_000] {
            counters.took(Duration::from_millis(millis));
        }
        assert_eq!(counters.latency, [1, 3, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!(counters.latency_sum, Duration::from_millis(90_130));
    }
}
