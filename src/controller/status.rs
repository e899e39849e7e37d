//! What a watch knows at one moment: a value, for the status page, metrics and systemd.

use crate::model::{Kind, ResourceId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

/// What a watch knows of its manifests and hosts.
#[derive(Clone, Debug)]
pub struct ControllerStatus {
    /// The set whose manifests they are.
    pub set: String,
    /// When the watch began.
    pub started: SystemTime,
    /// The manifests.
    pub sources: Sources,
    /// The hosts, by their names in `virt.toml`, or by their URI if there is one only.
    pub hosts: BTreeMap<String, HostStatus>,
}

/// What is known of the manifests.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The paths that are watched.
    pub paths: Vec<String>,
    /// How changes of files are noticed.
    pub listening: Listening,
    /// When they were read last, and taken.
    pub loaded: SystemTime,
    /// How many objects they describe.
    pub resources: usize,
    /// How many problems they have.
    pub problems: usize,
    /// Why the last good manifests are kept in the place of what is there now, if they are.
    pub stale: Option<String>,
    /// How often they were read.
    pub loads: u64,
}

/// How changes of files are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// The system tells.
    Notified,
    /// They are looked at from time to time, as the system cannot tell.
    Polling,
}

/// What is known of one host.
#[derive(Clone, Debug, Default)]
pub struct HostStatus {
    /// How it is reached.
    pub uri: String,
    /// Why it cannot be reached, and since when; `None` while it can.
    pub lost: Option<(String, SystemTime)>,
    /// Whether its loop has been at one step for longer than any may take.
    pub hangs: bool,
    /// Its objects that manifests describe, and those of the set that none describes any more.
    pub objects: BTreeMap<ResourceId, ResourceStatus>,
    /// Those that it has and that do not answer, or not with what they are, whoever they belong to.
    pub silent: BTreeSet<ResourceId>,
    /// The last plans that had steps, the newest last; at most [`HostStatus::PLANS`].
    pub plans: VecDeque<PlanRecord>,
    /// What was done since the start.
    pub counters: Counters,
}

impl HostStatus {
    /// How many objects of this kind do not answer.
    pub fn count_silent(&self, kind: Kind) -> usize {
        self.silent.iter().filter(|id| id.kind == kind).count()
    }

    /// How many plans are kept.
    pub const PLANS: usize = 20;

    /// How many objects of this kind are in this condition.
    pub fn count(&self, kind: Kind, condition: Condition) -> usize {
        let here = self.objects.iter();
        here.filter(|(id, object)| id.kind == kind && object.condition == condition).count()
    }
}

/// How an object stands to its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// As its manifest says.
    InSync,
    /// Defined as its manifest says; something waits for the next boot.
    Pending,
    /// Not as its manifest says, and about to be made so.
    Drifted,
    /// Left alone: its manifest has a problem, nobody owns it, or the gate is closed.
    Blocked,
    /// A step for it failed; it is tried again.
    Failing,
    /// It is up and does not work: a disk failed, it crashed and is kept.
    Outage,
}

impl Condition {
    /// All of them, from good to bad.
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

/// What is known of one object.
#[derive(Clone, Debug)]
pub struct ResourceStatus {
    /// Its state in a word; `absent` if the host does not have it.
    pub state: String,
    /// How it stands to its manifest.
    pub condition: Condition,
    /// Since when it is in that condition.
    pub since: SystemTime,
    /// The fields that wait or differ, or what is wrong; empty if nothing is to be said.
    pub detail: String,
    /// How often in a row it failed.
    pub failures: u32,
    /// When it is tried again, if it is waited for.
    pub next_try: Option<SystemTime>,
    /// The objects that it uses or depends on: the lines of the picture.
    pub uses: Vec<ResourceId>,
}

/// A plan that was carried out, or refused.
#[derive(Clone, Debug)]
pub struct PlanRecord {
    /// When.
    pub at: SystemTime,
    /// What it was for: a changed file, an event of the host, the time.
    pub cause: String,
    /// What it did in words, a line for each object: `update domain/web: memory 1 GiB → 2 GiB`.
    pub lines: Vec<String>,
    /// How it ended: `done`, `refused: …`, `failed: …`.
    pub outcome: String,
    /// How long it took.
    pub took: Duration,
}

/// What was done since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Times that the host was compared with the manifests.
    pub reconciles: u64,
    /// Events that the host told.
    pub events: u64,
    /// Times that all of it was read.
    pub resyncs: u64,
    /// Steps that were done.
    pub steps_done: u64,
    /// Steps that failed, or whose outcome is not known.
    pub steps_failed: u64,
    /// Times that the host was lost.
    pub losses: u64,
    /// From a cause to the end of its apply: how many took at most [`Counters::BUCKETS`] seconds each,
    /// each bucket with those before it, and last all of them.
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
