//! Running `virt watch`, with its events.

use super::virt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Time after which an awaited event has happened, also on a busy machine: nothing here measures durations.
const LATER: Duration = Duration::from_secs(120);

/// A `virt watch` that runs; it ends with the test, however that ends.
pub(crate) struct Watching {
    process: Child,
    events: Receiver<Value>,
    errors: Receiver<String>,
    /// Events so far, for when a test fails.
    told: Vec<Value>,
}

impl Watching {
    /// Starts it with these arguments and waits until it has read the manifests.
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::run(virt(&[&["watch", "--output", "json"], arguments].concat()))
    }

    /// Starts a watch by a command that ends up being it.
    #[track_caller]
    pub(crate) fn run(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = lines_of(process.stdout.take().unwrap());
        let errors = lines_of(process.stderr.take().unwrap());
        let (sender, events) = channel();
        std::thread::spawn(move || {
            let mut events = lines.into_iter().map(|line| serde_json::from_str(&line).unwrap());
            events.try_for_each(|event| sender.send(event))
        });
        let mut watching = Self { process, events, errors, told: Vec::new() };
        let first = watching.event("started", |_| true);
        assert_eq!(first["format_version"], 1);
        watching.event("manifests", |_| true);
        watching
    }

    /// The next event of this sort that is as it should be. Others before it are passed over.
    #[track_caller]
    pub(crate) fn event(&mut self, event: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LATER;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(told) = self.events.recv_timeout(left) else {
                let said: Vec<String> = self.errors.try_iter().collect();
                panic!("no {event} after\n{:#?}\n{}", self.told, said.join("\n"));
            };
            self.told.push(told.clone());
            if told["event"] == event && is(&told) {
                return told;
            }
        }
    }

    /// The next event of one of these sorts.
    #[track_caller]
    pub(crate) fn event_of(&mut self, events: &[&str]) -> Value {
        let deadline = Instant::now() + LATER;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let told = self.events.recv_timeout(left).unwrap_or_else(|e| panic!("{events:?}: {e}"));
            self.told.push(told.clone());
            if events.iter().any(|event| told["event"] == *event) {
                return told;
            }
        }
    }

    /// Waits until this object was reconciled, and did become as it should be.
    #[track_caller]
    pub(crate) fn reconciled(&mut self, name: &str) -> Value {
        let told = self.event("reconciled", |told| told["name"] == name);
        assert_eq!(told["outcome"], "done", "{told:#}");
        told
    }

    /// Returns all events within this time.
    pub(crate) fn within(&mut self, time: Duration) -> Vec<Value> {
        let deadline = Instant::now() + time;
        let mut all = Vec::new();
        while let Ok(told) =
            self.events.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            all.push(told);
        }
        self.told.extend(all.iter().cloned());
        all
    }

    /// Counts the events of this sort so far.
    pub(crate) fn count(&self, event: &str) -> usize {
        self.told.iter().filter(|told| told["event"] == event).count()
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).unwrap())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Ends it, and returns the time that this took.
    #[track_caller]
    pub(crate) fn end(mut self) -> Duration {
        let begun = Instant::now();
        self.signal(Signal::SIGTERM);
        self.event("stopped", |_| true);
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < LATER, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(status.code(), Some(0));
        begun.elapsed()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // of no consequence if it has ended
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lines_of(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // the test may have seen enough
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}
