//! The loops of the hosts: started, told what is wanted, and ended; never two on one host.

use crate::controller::{Heartbeat, Mailbox};
use crate::drivers::{CancelToken, Connection};
use crate::error::Result;
use crate::model::Desired;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a loop that was told to end keeps another one from its host: no call to a host takes
/// longer. After that there is still the host's lock.
const STEP_MAX: Duration = Duration::from_secs(300);

/// How often it is looked at whether loops have ended.
const TICK: Duration = Duration::from_millis(20);

/// A host and what it is to have.
pub(super) struct Wanted {
    pub(super) name: String,
    /// Its name in `virt.toml`, if it has one.
    pub(super) label: Option<String>,
    /// How it is reached, unless `virt.toml` may not choose that.
    pub(super) connection: Result<Connection>,
    /// The connection, for people.
    pub(super) uri: String,
    pub(super) desired: Arc<Desired>,
}

/// The loop of a host, as it is seen from outside.
pub(super) struct Running {
    uri: String,
    mailbox: Mailbox,
    heartbeat: Heartbeat,
    stop: CancelToken,
}

impl Running {
    pub(super) fn new(
        uri: String,
        mailbox: Mailbox,
        heartbeat: Heartbeat,
        stop: CancelToken,
    ) -> Self {
        Self { uri, mailbox, heartbeat, stop }
    }

    /// Has it end after the step in hand.
    fn end(&self) {
        self.stop.stop();
        self.mailbox.wake();
    }
}

/// A loop that was told to end, and may have a step in hand.
struct Ending {
    name: String,
    uri: String,
    thread: JoinHandle<()>,
    /// Until when it is waited for.
    until: Instant,
}

/// All loops.
#[derive(Default)]
pub(super) struct Hosts {
    running: BTreeMap<String, (Running, JoinHandle<()>)>,
    ending: Vec<Ending>,
    /// Hosts that have no loop yet.
    waiting: Vec<Wanted>,
}

impl Hosts {
    /// Tells the loops what is wanted, noticed at that time, and has those end of which nothing is.
    /// Gives the names of the latter; hosts that are new come by [`Self::free`].
    pub(super) fn want(&mut self, wanted: Vec<Wanted>, since: Instant) -> Vec<String> {
        let same = |name: &String, running: &Running| {
            wanted.iter().any(|w| w.name == *name && w.uri == running.uri)
        };
        let gone = self.running.iter().filter(|(name, (running, _))| !same(name, running));
        let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        for name in &gone {
            if let Some((running, thread)) = self.running.remove(name) {
                running.end();
                let (name, until) = (name.clone(), Instant::now() + STEP_MAX);
                self.ending.push(Ending { name, uri: running.uri, thread, until });
            }
        }
        self.waiting.clear();
        for wanted in wanted {
            match self.running.get(&wanted.name) {
                Some((running, _)) => running.mailbox.desired(wanted.desired, since),
                None => self.waiting.push(wanted),
            }
        }
        gone
    }

    /// Takes the hosts whose loop can start: no other one is at work on them.
    pub(super) fn free(&mut self, now: Instant) -> Vec<Wanted> {
        self.ending.retain(|ending| !ending.thread.is_finished());
        let ending = &self.ending;
        let is_free = |wanted: &Wanted| {
            let mut of_it = ending.iter().filter(|e| e.name == wanted.name || e.uri == wanted.uri);
            of_it.all(|ending| now >= ending.until)
        };
        let (free, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(is_free);
        self.waiting = waiting;
        free
    }

    /// Whether hosts wait until they are free.
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Starts a loop.
    pub(super) fn start(
        &mut self,
        name: String,
        running: Running,
        work: impl FnOnce() + Send + 'static,
    ) {
        self.running.insert(name, (running, std::thread::spawn(work)));
    }

    /// Asks all for a run at once.
    pub(super) fn now(&self) {
        self.running.values().for_each(|(running, _)| running.mailbox.now());
    }

    /// A host whose loop ended though nobody told it to.
    pub(super) fn panicked(&self) -> Option<&str> {
        let mut running = self.running.iter();
        running.find(|(_, (_, thread))| thread.is_finished()).map(|(name, _)| name.as_str())
    }

    /// Whether each host was looked at once.
    pub(super) fn are_ready(&self) -> bool {
        self.waiting.is_empty() && self.running.values().all(|(r, _)| r.heartbeat.is_ready())
    }

    /// The hosts whose loops have been at one thing for longer than `most`.
    pub(super) fn hung(&self, most: Duration) -> Vec<&str> {
        let hung = self.running.iter().filter(|(_, (running, _))| !running.heartbeat.beats(most));
        hung.map(|(name, _)| name.as_str()).collect()
    }

    /// Has all finish the steps in hand, and waits for that, but no longer than `most`.
    pub(super) fn end(&mut self, most: Duration) {
        self.waiting.clear();
        let running = std::mem::take(&mut self.running);
        running.values().for_each(|(running, _)| running.end());
        let before = self.ending.drain(..).map(|ending| ending.thread);
        let threads: Vec<JoinHandle<()>> =
            running.into_values().map(|(_, thread)| thread).chain(before).collect();
        let deadline = Instant::now() + most;
        while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(TICK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, uri: &str) -> Wanted {
        let connection = Connection::of_operator("");
        let (name, uri) = (name.to_owned(), uri.to_owned());
        Wanted { name, label: None, connection, uri, desired: Arc::default() }
    }

    fn names(wanted: &[Wanted]) -> Vec<&str> {
        wanted.iter().map(|w| w.name.as_str()).collect()
    }

    /// Starts the loops that can be; each has a step in hand until `done`.
    fn start(hosts: &mut Hosts, done: &CancelToken) -> Vec<String> {
        let mut started = Vec::new();
        for wanted in hosts.free(Instant::now()) {
            let (stop, done) = (CancelToken::default(), done.clone());
            started.push(wanted.name.clone());
            let (mailbox, heartbeat) = (Mailbox::default(), Heartbeat::default());
            hosts.start(
                wanted.name,
                Running::new(wanted.uri, mailbox, heartbeat, stop.clone()),
                move || {
                    while !stop.wait(Duration::from_secs(1)) {}
                    while !done.wait(Duration::from_secs(1)) {}
                },
            );
        }
        started
    }

    #[test]
    fn a_loop_starts_once_the_one_before_it_on_the_host_has_ended() {
        let (mut hosts, done, now) = (Hosts::default(), CancelToken::default(), Instant::now());
        assert_eq!(hosts.want(vec![wanted("a", "one"), wanted("b", "two")], now), [""; 0]);
        assert_eq!(start(&mut hosts, &done), ["a", "b"]);
        // another URI for one, another name for the other
        let new = || vec![wanted("a", "three"), wanted("c", "two"), wanted("d", "four")];
        assert_eq!(hosts.want(new(), now), ["a", "b"]);
        assert_eq!(start(&mut hosts, &done), ["d"]);
        assert!(hosts.are_waiting() && !hosts.are_ready());
        // manifests change meanwhile
        assert_eq!(hosts.want(new(), now), [""; 0]);
        assert_eq!(names(&hosts.waiting), ["a", "c"]);
        assert_eq!(start(&mut hosts, &done), [""; 0]);
        done.stop();
        while hosts.ending.iter().any(|ending| !ending.thread.is_finished()) {
            std::thread::sleep(TICK);
        }
        assert_eq!(start(&mut hosts, &done), ["a", "c"]);
        hosts.end(Duration::from_secs(10));
    }

    #[test]
    fn a_loop_that_does_not_end_is_not_waited_for_for_ever() {
        let (mut hosts, done, now) = (Hosts::default(), CancelToken::default(), Instant::now());
        hosts.want(vec![wanted("a", "one")], now);
        start(&mut hosts, &done);
        hosts.want(vec![wanted("a", "two")], now);
        assert!(hosts.free(Instant::now()).is_empty());
        assert_eq!(names(&hosts.free(Instant::now() + STEP_MAX)), ["a"]);
        let begun = Instant::now();
        hosts.end(TICK);
        assert!(begun.elapsed() < Duration::from_secs(5));
        done.stop();
    }
}
