//! Work queue: objects to look at, with times and causes, backoff of failures, damping of flapping ones. A
//! value; time is a parameter.

use crate::model::ResourceId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

/// Time for which events are collected before a look: one action of a user gives several.
const GATHER: Duration = Duration::from_millis(50);

/// The first pause after a failure; each one after it is twice as long.
const BACKOFF: Duration = Duration::from_secs(1);

/// The longest.
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// Most repairs of one object in [`WINDOW`]; with more it counts as flapping.
const REPAIRS: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// Time without a repair after which an object no longer counts as flapping.
const FLAP_RESET: Duration = Duration::from_secs(600);

/// Cause of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The watch begins.
    Start,
    /// The manifests changed.
    Manifests,
    /// Event of the host, by name.
    Event(String),
    /// Return of the host, or an overflow of its events.
    Resync,
    /// End of the interval.
    Interval,
    /// Request by somebody.
    Asked,
    /// Retry after a failure.
    Retry,
}

impl Cause {
    /// Whether the cause is a change of the host by somebody else.
    fn is_drift(&self) -> bool {
        match self {
            Self::Event(_) | Self::Resync | Self::Interval => true,
            Self::Start | Self::Manifests | Self::Asked | Self::Retry => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Manifests => "manifests changed",
            Self::Event(word) => return write!(f, "event: {}", diagnostics::escape(word)),
            Self::Resync => "host is back",
            Self::Interval => "interval",
            Self::Asked => "asked for",
            Self::Retry => "retry",
        })
    }
}

/// Cause and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) cause: Cause,
    pub(super) since: Instant,
}

/// Work that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// Whether all of the host is, and why.
    pub(super) all: Option<Reason>,
    /// Single objects, each with its reason.
    pub(super) objects: BTreeMap<ResourceId, Reason>,
}

/// Objects to look at, with their times.
#[derive(Debug)]
pub(super) struct WorkQueue {
    interval: Duration,
    all: Option<Reason>,
    /// Time of the next look at the whole host.
    next_all: Instant,
    objects: BTreeMap<ResourceId, Reason>,
    /// Objects that are left alone for a while.
    troubles: BTreeMap<ResourceId, Trouble>,
    /// Number of failures of the host itself in a row.
    host_failures: u32,
    /// End of the pause after a failure of the host.
    host_until: Option<Instant>,
}

/// Failures of an object.
#[derive(Debug, Default)]
struct Trouble {
    /// Failures in a row.
    failures: u32,
    /// Repairs in the last while.
    repairs: VecDeque<Instant>,
    /// Number of times that it was flapping.
    flaps: u32,
    /// End of its pause, and whether the try after it was made.
    until: Option<Instant>,
}

impl WorkQueue {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            all: Some(Reason { cause: Cause::Start, since: now }),
            next_all: now + interval,
            objects: BTreeMap::new(),
            troubles: BTreeMap::new(),
            host_failures: 0,
            host_until: None,
        }
    }

    /// Schedules a look at all of the host.
    pub(super) fn enqueue_all(&mut self, cause: Cause, since: Instant) {
        // it says so itself
        if cause == Cause::Resync {
            self.host_until = None;
        }
        if self.all.as_ref().is_none_or(|reason| reason.since > since) {
            self.all = Some(Reason { cause, since });
        }
    }

    /// Schedules a look at an object. The first cause of several is reported.
    pub(super) fn enqueue(&mut self, id: ResourceId, cause: Cause, since: Instant) {
        self.objects.entry(id).or_insert(Reason { cause, since });
    }

    /// Resets the failures of an object whose manifest has changed.
    pub(super) fn renew(&mut self, id: &ResourceId, since: Instant) {
        self.troubles.remove(id);
        self.objects.remove(id);
        self.enqueue(id.clone(), Cause::Manifests, since);
    }

    /// Ends all waits.
    pub(super) fn hurry(&mut self, now: Instant) {
        for trouble in self.troubles.values_mut() {
            trouble.until = None;
        }
        self.host_until = None;
        self.all = Some(Reason { cause: Cause::Asked, since: now });
    }

    /// Returns the time of the next work, if nothing happens before.
    pub(super) fn next_due(&self) -> Instant {
        let gathered = |reason: &Reason| match reason.cause {
            Cause::Event(_) => reason.since + GATHER,
            _ => reason.since,
        };
        let all = self.all.as_ref().map(|reason| reason.since);
        let objects = self.objects.values().map(gathered);
        let again = self.troubles.values().filter_map(|trouble| trouble.until);
        let next_due =
            all.into_iter().chain(objects).chain(again).fold(self.next_all, Instant::min);
        self.host_until.map_or(next_due, |until| until.max(next_due))
    }

    /// Takes the work that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Work> {
        if self.next_due() > now {
            return None;
        }
        self.host_until = None;
        if now >= self.next_all {
            self.enqueue_all(Cause::Interval, now);
        }
        for (id, trouble) in &mut self.troubles {
            if trouble.until.is_some_and(|until| until <= now) {
                trouble.until = None;
                let reason = Reason { cause: Cause::Retry, since: now };
                self.objects.entry(id.clone()).or_insert(reason);
            }
        }
        let all = self.all.take_if(|reason| reason.since <= now);
        if all.is_some() {
            self.next_all = now + self.interval;
        }
        Some(Work { all, objects: std::mem::take(&mut self.objects) })
    }

    /// Objects that are left alone now.
    pub(super) fn left_alone(&self, now: Instant) -> BTreeSet<ResourceId> {
        let waiting = |t: &Trouble| t.until.is_some_and(|until| until > now);
        self.troubles.iter().filter(|(_, t)| waiting(t)).map(|(id, _)| id.clone()).collect()
    }

    /// The failures of an object in a row, and when it is tried again.
    pub(super) fn trouble(&self, id: &ResourceId) -> (u32, Option<Instant>) {
        self.troubles.get(id).map_or((0, None), |t| (t.failures, t.until))
    }

    /// An object could not be made as it should be; says when it is tried again.
    pub(super) fn failed(&mut self, id: &ResourceId, now: Instant) -> Instant {
        let trouble = self.troubles.entry(id.clone()).or_default();
        trouble.failures = trouble.failures.saturating_add(1);
        let until = now + backoff(trouble.failures);
        *trouble.until.insert(until)
    }

    /// An object is as it should be. If somebody else had changed it once too often, gives until when
    /// it is left to them.
    pub(super) fn succeeded(
        &mut self,
        id: &ResourceId,
        cause: &Cause,
        now: Instant,
    ) -> Option<Instant> {
        if cause.is_drift() {
            self.troubles.entry(id.clone()).or_default();
        }
        let trouble = self.troubles.get_mut(id)?;
        trouble.failures = 0;
        trouble.until = None;
        let after_flap = trouble.flaps > 0 && *cause == Cause::Retry;
        if !cause.is_drift() && !after_flap {
            return None;
        }
        if trouble.repairs.back().is_some_and(|last| now.duration_since(*last) > FLAP_RESET) {
            trouble.flaps = 0;
        }
        trouble.repairs.retain(|at| now.duration_since(*at) < WINDOW);
        trouble.repairs.push_back(now);
        if trouble.repairs.len() <= REPAIRS && trouble.flaps == 0 {
            return None;
        }
        trouble.flaps = trouble.flaps.saturating_add(1);
        let until = now + backoff(trouble.flaps);
        trouble.until = Some(until);
        Some(until)
    }

    /// The host could not be asked: all of it is looked at again after a pause.
    pub(super) fn host_failed(&mut self, cause: Cause, now: Instant) {
        self.host_failures = self.host_failures.saturating_add(1);
        let until = now + backoff(self.host_failures).min(self.interval);
        self.host_until = Some(until);
        self.all = Some(Reason { cause, since: until });
    }

    /// The host answers.
    pub(super) fn host_answered(&mut self) {
        self.host_failures = 0;
        self.host_until = None;
    }

    /// Forgets the failures of unwanted objects.
    pub(super) fn keep(&mut self, wanted: impl Fn(&ResourceId) -> bool) {
        self.troubles.retain(|id, _| wanted(id));
    }
}

/// The pause after that many failures in a row.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    BACKOFF.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;
    use crate::model::Kind;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn web() -> ResourceId {
        ResourceId::new(Kind::Domain, "web")
    }

    fn event() -> Cause {
        Cause::Event("stopped".to_owned())
    }

    /// An agenda whose first look is over.
    fn queue() -> (WorkQueue, Instant) {
        let now = Instant::now();
        let mut queue = WorkQueue::new(INTERVAL, now);
        let work = queue.take(now).unwrap();
        assert_eq!(work.all.unwrap().cause, Cause::Start);
        (queue, now)
    }

    #[test]
    fn events_of_one_deed_are_one_look_at_once() {
        let (mut queue, now) = queue();
        assert_eq!(queue.next_due(), now + INTERVAL);
        queue.enqueue(web(), event(), now);
        queue.enqueue(web(), Cause::Event("undefined".to_owned()), now + GATHER / 2);
        assert_eq!(queue.next_due(), now + GATHER);
        assert_eq!(queue.take(now), None);
        let work = queue.take(now + GATHER).unwrap();
        assert_eq!((work.all, work.objects.len()), (None, 1));
        assert_eq!(work.objects[&web()].cause, event());
        // nothing is left, so an event that changed nothing leads to nothing
        assert_eq!(queue.next_due(), now + INTERVAL);
    }

    #[test]
    fn failures_wait_twice_as_long_each_time_until_something_is_new() {
        let (mut queue, mut now) = queue();
        let mut pauses = Vec::new();
        for _ in 0..11 {
            let until = queue.failed(&web(), now);
            pauses.push(until.duration_since(now).as_secs());
            assert!(queue.left_alone(now).contains(&web()));
            now = until;
            let work = queue.take(now).unwrap();
            assert_eq!(work.objects[&web()].cause, Cause::Retry);
            assert!(queue.left_alone(now).is_empty());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        queue.failed(&web(), now);
        queue.renew(&web(), now);
        assert!(queue.left_alone(now).is_empty());
        assert_eq!(queue.take(now).unwrap().objects[&web()].cause, Cause::Manifests);
        assert_eq!(queue.failed(&web(), now), now + BACKOFF);
        // and so when it worked
        queue.succeeded(&web(), &Cause::Retry, now);
        assert_eq!(queue.failed(&web(), now), now + BACKOFF);
    }

    #[test]
    fn somebody_who_undoes_every_repair_is_answered_ever_more_slowly() {
        let (mut queue, mut now) = queue();
        for _ in 0..REPAIRS {
            assert_eq!(queue.succeeded(&web(), &event(), now), None);
            now += Duration::from_secs(1);
        }
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let until = queue.succeeded(&web(), &event(), now).unwrap();
            pauses.push(until.duration_since(now).as_secs());
            queue.enqueue(web(), event(), now);
            assert!(queue.left_alone(now).contains(&web()), "though there is an event");
            now = until;
            assert!(queue.take(now).unwrap().objects.contains_key(&web()));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        now += FLAP_RESET + Duration::from_secs(1);
        assert_eq!(queue.succeeded(&web(), &event(), now), None);
    }

    #[test]
    fn many_changes_of_a_manifest_are_no_quarrel() {
        let (mut queue, now) = queue();
        for _ in 0..50 {
            assert_eq!(queue.succeeded(&web(), &Cause::Manifests, now), None);
        }
    }

    #[test]
    fn a_host_that_does_not_answer_is_asked_again_with_pauses_up_to_the_interval() {
        let (mut queue, mut now) = queue();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            queue.host_failed(Cause::Interval, now);
            pauses.push(queue.next_due().duration_since(now).as_secs());
            now = queue.next_due();
            assert!(queue.take(now).unwrap().all.is_some());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        queue.host_answered();
        queue.host_failed(Cause::Resync, now);
        assert_eq!(queue.next_due(), now + BACKOFF);
    }

    #[test]
    fn while_a_host_is_lost_nothing_of_it_is_due() {
        let (mut queue, now) = queue();
        queue.failed(&web(), now);
        queue.enqueue(web(), event(), now);
        (0..3).for_each(|_| queue.host_failed(Cause::Interval, now));
        let until = now + BACKOFF * 4;
        queue.renew(&web(), now);
        assert_eq!(queue.next_due(), until);
        assert_eq!(queue.take(until - BACKOFF), None);
        let work = queue.take(until).unwrap();
        assert!(work.all.is_some() && work.objects.contains_key(&web()));
        // the host says by itself that it is back
        queue.host_failed(Cause::Interval, until);
        queue.enqueue_all(Cause::Resync, until);
        assert_eq!(queue.take(until).unwrap().all.unwrap().cause, Cause::Resync);
        // or somebody knows better
        queue.host_failed(Cause::Interval, until);
        queue.hurry(until);
        assert_eq!(queue.take(until).unwrap().all.unwrap().cause, Cause::Asked);
    }

    #[test]
    fn who_asks_does_not_wait_for_a_pause() {
        let (mut queue, now) = queue();
        queue.failed(&web(), now);
        queue.hurry(now);
        let work = queue.take(now).unwrap();
        assert_eq!(work.all.unwrap().cause, Cause::Asked);
        assert!(queue.left_alone(now).is_empty());
    }
}
