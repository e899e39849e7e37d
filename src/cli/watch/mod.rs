//! `virt watch`: hosts are kept as the manifests say, on changed files, on drift, on a timer.
//!
//! - `env.rs`: the environment of control loops: opens drivers, takes locks, prints events
//! - `hosts.rs`: starting and ending control loops; never two for one host
//! - `once.rs`: `virt watch --once`: each host is gone through once, as for cron
//! - `reader.rs`: manifests, read on a thread of their own

mod env;
mod hosts;
mod once;
mod reader;

use super::context::{Context, Keys};
use super::exit::{Exit, Failure, Run};
use super::fleet;
use super::lock;
use super::options::{PlanOptions, interval};
use super::output::Paint;
use super::project;
use super::session::{check_prune, check_set, grammars, options};
use super::signals::stop_or_run_on_signal;
use super::systemd::Systemd;
use super::view::watch as view;
use super::written;
use crate::controller::{
    Condition, ControllerStatus, Environment, HostLoop, HostStatus, Listening, Neighbour,
    Neighbours, Settings, Sources,
};
use crate::drivers::CancelToken;
use crate::error::{Error, ErrorKind};
use crate::manifest::{Loaded, Reading};
use crate::model::Desired;
use crate::status_server;
use clap::Args;
use diagnostics::{Diagnostics, escape};
use env::{HostAddress, WatchEnvironment};
use hosts::{Hosts, Running, Wanted};
use nix::unistd::geteuid;
use reader::{Heard, Reader};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Time after which one step of a host's loop counts as hung: every call to a host has a shorter
/// deadline.
const HUNG: Duration = Duration::from_secs(300);

/// Time for the loops to finish the steps in hand at the end.
const LAST: Duration = Duration::from_secs(5);

/// Time for a reader to take the last output.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Readings that may be queued; beyond that the reader waits.
const QUEUE: usize = 4;

/// Interval of checks of the loops, and until they are ready.
const LOOK: Duration = Duration::from_secs(5);
const LOOK_FIRST: Duration = Duration::from_millis(50);

/// Keep hosts as the manifests say: on changed files, on drift, on a timer
///
/// A line is printed for each change. SIGHUP has everything checked now; SIGTERM ends the watch
/// after the step in hand.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Manifests, or directories of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) options: PlanOptions,
    /// How often all of a host is checked, whatever happens
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Check and act once, as for cron; exit as apply does
    #[arg(long)]
    pub(crate) once: bool,
    /// Serve a status page and metrics at this address, such as 127.0.0.1:9177
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    pub(crate) listen: Option<SocketAddr>,
    /// How many calls are sent to a host at once
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: u16,
}

pub(crate) fn run(context: &Context, args: &WatchArgs) -> Run {
    if context.read_only {
        let text = "a watch changes hosts, and --read-only forbids that; virt get --watch looks";
        return Err(Failure::Usage(text.to_owned()));
    }
    // one that goes on comes again by itself
    let wait = if args.once { lock::WAIT } else { Duration::ZERO };
    let context = context.locking("watch", wait);
    if args.once {
        return watch(&context, args);
    }
    let (context, printer) = context.printing_aside();
    let exit = watch(&context, args).unwrap_or_else(|failure| context.fail(&failure));
    printer.finish(LAST_WORDS);
    Ok(exit)
}

fn watch(context: &Context, args: &WatchArgs) -> Run {
    let (sender, heard) = sync_channel(QUEUE);
    let asked = Arc::new(AtomicBool::new(false));
    let grammars = grammars(context, args.options.schema_dir.as_deref())?;
    let by = (grammars, context.set.clone());
    let reader = Reader::start(args.paths.clone(), by, sender.clone());
    let stop = {
        let asked = Arc::clone(&asked);
        stop_or_run_on_signal(move |now| {
            if now {
                asked.store(true, Ordering::SeqCst);
                reader.look_now();
            }
            // a full queue wakes, too
            let _ = sender.try_send(Heard::Signal);
        })?
    };
    let Some(first) = first(&heard, &stop)? else { return Ok(Exit::Done) };
    context.show(&first.loaded.diagnostics, &first.loaded.sources);
    check_prune(&args.paths, &args.options, &first.loaded)?;
    check_set(&args.paths, &first.loaded)?;
    warn_of_others(context, &args.paths);
    let mut watch = Watch::new(context, args, &first, stop)?;
    if args.once {
        return watch.once(&first);
    }
    watch.start(&first)?;
    watch.follow(&heard, &asked)
}

/// Warns of other users who can change the manifests of root's watch.
fn warn_of_others(context: &Context, paths: &[PathBuf]) {
    let doubts =
        if geteuid().is_root() { project::doubts(&project::users(), paths) } else { Vec::new() };
    for doubt in doubts {
        let head = context.output.paint_err(Paint::Yellow, "warning:");
        context
            .say(&format!("{head} {}: whoever does decides what root does here\n", escape(&doubt)));
    }
}

/// The first reading of the manifests; `None` if a signal comes before it.
fn first(heard: &Receiver<Heard>, stop: &CancelToken) -> Result<Option<Reading>, Failure> {
    while !stop.is_stopped() {
        match heard.recv() {
            Ok(Heard::Read(reading)) => return Ok(Some(reading)),
            Ok(Heard::Deaf(_) | Heard::Signal) => {}
            Ok(Heard::Ended) | Err(_) => return Err(ended_by_itself("the manifest reader")),
        }
    }
    Ok(None)
}

/// Error for a thread that panicked, and has printed so.
fn ended_by_itself(what: &str) -> Failure {
    let text = format!("{what} ended unexpectedly");
    Error::new(ErrorKind::Invalid, text).into()
}

/// State of the watch.
struct Watch<'a> {
    context: &'a Context,
    args: &'a WatchArgs,
    env: Arc<WatchEnvironment>,
    status: Arc<Mutex<ControllerStatus>>,
    hosts: Hosts,
    neighbours: Neighbours,
    stop: CancelToken,
    systemd: Systemd,
    /// Problems of the manifests that were last reported.
    said: Diagnostics,
    is_ready: bool,
    /// The keys of the configuration for the hosts that start first.
    keys: Option<Keys>,
}

impl<'a> Watch<'a> {
    fn new(
        context: &'a Context,
        args: &'a WatchArgs,
        first: &Reading,
        stop: CancelToken,
    ) -> Result<Self, Failure> {
        let status = ControllerStatus {
            set: first.loaded.desired.set.clone(),
            started: SystemTime::now(),
            sources: Sources {
                paths: args.paths.iter().map(|path| path.display().to_string()).collect(),
                listening: Listening::Notified,
                loaded: SystemTime::now(),
                resources: 0,
                problems: 0,
                stale: None,
                loads: 0,
            },
            hosts: BTreeMap::new(),
        };
        let env = WatchEnvironment::new(context.clone(), Arc::clone(&first.loaded));
        Ok(Self {
            context,
            args,
            env: Arc::new(env),
            status: Arc::new(Mutex::new(status)),
            hosts: Hosts::default(),
            neighbours: Neighbours::default(),
            stop,
            systemd: Systemd::from_environment(),
            said: first.loaded.diagnostics.clone(),
            is_ready: false,
            keys: Some(context.keys()),
        })
    }

    fn status(&self) -> MutexGuard<'_, ControllerStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hosts that the manifests are for.
    fn wanted(&self, loaded: &Loaded) -> Result<Vec<Wanted>, Failure> {
        let hosts = fleet::chosen(self.context, loaded)?;
        if hosts.is_empty() {
            let written = written::of_manifests(loaded);
            let connection = self.context.connection(written.as_ref())?;
            let uri = connection.text().to_owned();
            let name =
                if uri.is_empty() { "the best hypervisor here".to_owned() } else { uri.clone() };
            let desired = Arc::clone(&loaded.desired);
            let connection = Ok(connection);
            return Ok(vec![Wanted { name, label: None, connection, uri, desired }]);
        }
        let is_watched = |name: &str| hosts.iter().any(|host| host.name == name);
        let all = loaded.fleet.iter().map(|host| Neighbour {
            name: host.name.clone(),
            desired: Arc::clone(&host.desired),
            is_watched: is_watched(&host.name),
        });
        // before any loop hears of it
        self.neighbours.want(&loaded.shared, all.collect());
        let wanted = hosts.into_iter().map(|host| Wanted {
            label: Some(host.name.clone()),
            name: host.name,
            connection: host.connection,
            uri: host.shown,
            desired: host.desired,
        });
        Ok(wanted.collect())
    }

    fn host_loop(&self, wanted: &Wanted, keys: Keys, stop: CancelToken) -> HostLoop {
        let mut options = options(&self.args.options);
        options.host.clone_from(&wanted.label);
        let (connection, uri) = (wanted.connection.clone(), wanted.uri.clone());
        if let (Err(e), Some(label)) = (&connection, &wanted.label) {
            // the loop says in short that the host is lost, and this is what to do about it
            self.context.for_host(label, false).show_error(e);
        }
        let address =
            HostAddress { connection, uri, label: wanted.label.clone(), keys: Some(keys) };
        self.env.addresses().insert(wanted.name.clone(), address);
        let status = HostStatus { uri: wanted.uri.clone(), ..HostStatus::default() };
        self.status().hosts.insert(wanted.name.clone(), status);
        let settings = Settings {
            name: wanted.name.clone(),
            options,
            interval: self.args.interval,
            parallel: usize::from(self.args.parallel),
        };
        let env: Arc<dyn Environment> = Arc::<WatchEnvironment>::clone(&self.env);
        let desired = Arc::clone(&wanted.desired);
        HostLoop::new(settings, desired, env, Arc::clone(&self.status), stop)
            .beside(self.neighbours.clone())
    }

    /// Starts the loops.
    fn start(&mut self, first: &Reading) -> Result<(), Failure> {
        let wanted = self.wanted(&first.loaded)?;
        let hosts: Vec<String> = wanted.iter().map(|w| w.name.clone()).collect();
        let paths: Vec<String> = self.status().sources.paths.clone();
        view::started(self.context, &paths, &hosts, self.args.interval);
        self.taken(first);
        self.serve()?;
        self.run_hosts(wanted, Instant::now());
        Ok(())
    }

    /// Serves the status page, if that is asked for.
    fn serve(&self) -> Result<(), Failure> {
        let Some(address) = self.args.listen else { return Ok(()) };
        let status = Arc::clone(&self.status);
        let snapshot = move || status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let server = status_server::serve(address, Arc::new(snapshot), &self.stop)
            .map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
        // with port 0 the system chooses one
        view::listening(self.context, server.address());
        Ok(())
    }

    /// Records a reading of the manifests.
    fn taken(&mut self, reading: &Reading) {
        let loaded = &reading.loaded;
        let before = std::mem::replace(&mut *self.env.loaded(), Arc::clone(loaded));
        let mut status = self.status();
        let is_again = status.sources.loads > 0
            && status.sources.stale == reading.stale
            && say_the_same(&before, loaded);
        if is_again {
            return;
        }
        status.set.clone_from(&loaded.desired.set);
        let sources = &mut status.sources;
        sources.stale.clone_from(&reading.stale);
        if reading.stale.is_none() {
            sources.loaded = SystemTime::now();
            sources.loads += 1;
            sources.resources = loaded.counts.0 + loaded.counts.1;
            sources.problems = loaded.diagnostics.iter().filter(|d| d.is_error()).count();
        }
        drop(status);
        view::manifests(self.context, loaded, reading.stale.as_deref());
    }

    /// Hands each host its desired state, and ends the loops of those that have none.
    fn run_hosts(&mut self, wanted: Vec<Wanted>, since: Instant) {
        for name in self.hosts.want(wanted, since) {
            self.status().hosts.remove(&name);
            self.neighbours.forget(&name);
            self.env.forget(&name);
        }
        self.start_hosts();
    }

    /// Starts the loops that wait for no other one.
    fn start_hosts(&mut self) {
        let free = self.hosts.free(Instant::now());
        if free.is_empty() {
            return;
        }
        let keys = self.keys.take().unwrap_or_default();
        for wanted in free {
            let stop = CancelToken::default();
            let host = self.host_loop(&wanted, Arc::clone(&keys), stop.clone());
            let running = Running::new(wanted.uri, host.mailbox(), host.heartbeat(), stop);
            self.hosts.start(wanted.name, running, move || host.run());
        }
    }

    /// Runs until a signal comes, and finishes the steps in hand then.
    fn follow(mut self, heard: &Receiver<Heard>, asked: &AtomicBool) -> Run {
        let ended = self.go_on(heard, asked);
        self.systemd.stopping();
        self.hosts.end(LAST);
        ended?;
        view::stopped(self.context);
        Ok(Exit::Done)
    }

    fn go_on(&mut self, heard: &Receiver<Heard>, asked: &AtomicBool) -> Result<(), Failure> {
        let mut look = Instant::now();
        while !self.stop.is_stopped() {
            if asked.swap(false, Ordering::SeqCst) {
                self.hosts.now();
            }
            self.start_hosts();
            if Instant::now() >= look {
                look = Instant::now() + self.look()?;
            }
            // whatever it hears, or nothing, it looks around
            match heard.recv_timeout(look.saturating_duration_since(Instant::now())) {
                Ok(Heard::Read(reading)) => self.renew(&reading),
                Ok(Heard::Deaf(reason)) => self.deaf(reason.as_deref()),
                Ok(Heard::Ended) => return Err(ended_by_itself("the manifest reader")),
                Ok(Heard::Signal) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Reports that files are polled, or watched again.
    fn deaf(&self, reason: Option<&str>) {
        let listening = if reason.is_some() { Listening::Polling } else { Listening::Notified };
        self.status().sources.listening = listening;
        if let Some(reason) = reason {
            view::polling(self.context, reason);
        }
    }

    /// Takes manifests that have changed.
    fn renew(&mut self, reading: &Reading) {
        let loaded = &reading.loaded;
        if reading.stale.is_none() {
            let mut new = Diagnostics::default();
            let said = |d: &&diagnostics::Diagnostic| !self.said.iter().any(|known| known == *d);
            new.extend(loaded.diagnostics.iter().filter(said).cloned());
            self.context.show(&new, &loaded.sources);
            self.said = loaded.diagnostics.clone();
        }
        self.taken(reading);
        // that the paths are directories was settled at the start
        let named = check_prune(&[], &self.args.options, loaded)
            .and_then(|()| check_set(&self.args.paths, loaded));
        match named.and_then(|()| self.wanted(loaded)) {
            Ok(wanted) => self.run_hosts(wanted, reading.since),
            // the hosts go on with what they have
            Err(failure) => {
                self.context.fail(&failure);
            }
        }
    }

    /// Checks the loops, and reports to systemd; returns the time until the next check.
    fn look(&mut self) -> Result<Duration, Failure> {
        if let Some(name) = self.hosts.panicked() {
            return Err(ended_by_itself(&format!("the control loop of {name}")));
        }
        if !self.is_ready && self.hosts.are_ready() {
            self.is_ready = true;
            self.systemd.ready();
        }
        let hung = self.hosts.hung(HUNG);
        for (name, host) in &mut self.status().hosts {
            host.hangs = hung.contains(&name.as_str());
        }
        if hung.is_empty() {
            self.systemd.alive();
        }
        let status = status(&self.status());
        self.systemd.status(status);
        let calm = self.is_ready && !self.hosts.are_waiting();
        let pace = if calm { LOOK } else { LOOK_FIRST };
        Ok(self.systemd.pace().map_or(pace, |most| most.min(pace)))
    }
}

/// Whether two loads are equal, for example where the same file is still unreadable.
fn say_the_same(before: &Loaded, now: &Loaded) -> bool {
    let same_objects = |a: &Desired, b: &Desired| {
        let mut pairs = a.resources.values().zip(b.resources.values());
        (&a.set, &a.blocked, a.complete, a.resources.len())
            == (&b.set, &b.blocked, b.complete, b.resources.len())
            && pairs.all(|(a, b)| Arc::ptr_eq(a, b))
    };
    let mut hosts = before.fleet.iter().zip(&now.fleet);
    before.diagnostics == now.diagnostics
        && before.connect == now.connect
        && before.fleet.len() == now.fleet.len()
        && same_objects(&before.desired, &now.desired)
        && hosts.all(|(a, b)| {
            a.name == b.name && a.connect == b.connect && same_objects(&a.desired, &b.desired)
        })
}

/// Summary of all hosts in a line.
fn status(status: &ControllerStatus) -> String {
    let objects = || status.hosts.values().flat_map(|host| host.objects.values());
    let counts = Condition::ALL.iter().filter_map(|condition| {
        let n = objects().filter(|o| o.condition == *condition).count();
        (n > 0).then(|| format!("{n} {}", condition.label()))
    });
    let lost = status.hosts.values().filter(|host| host.lost.is_some()).count();
    let lost = (lost > 0).then(|| format!("{lost} of {} hosts lost", status.hosts.len()));
    let stale = status.sources.stale.as_ref().map(|_| "manifests as read last".to_owned());
    let problems = status.sources.problems;
    let problems = (problems > 0).then(|| format!("{problems} problems of manifests"));
    let parts: Vec<String> = counts.chain(lost).chain(stale).chain(problems).collect();
    if parts.is_empty() { "nothing to keep".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::super::{Cli, Command};
    use super::*;
    use crate::controller::{Heartbeat, Mailbox};
    use crate::manifest::{Changes, Grammars};
    use clap::Parser as _;

    /// Time by which all consequences of a change have happened.
    const LATER: Duration = Duration::from_secs(20);

    fn with_watch(test: impl FnOnce(Watch<'_>)) {
        let cli = Cli::try_parse_from(["virt", "watch", "--quiet", "nowhere"]).unwrap();
        let Command::Watch(args) = &cli.command else { panic!("{:?}", cli.command) };
        let context = Context::new(&cli.global);
        let first = Reading { loaded: Arc::default(), stale: None, since: Instant::now() };
        test(Watch::new(&context, args, &first, CancelToken::default()).unwrap());
    }

    fn start(watch: &mut Watch<'_>, name: &str, work: impl FnOnce(CancelToken) + Send + 'static) {
        let stop = CancelToken::default();
        let (mailbox, heartbeat) = (Mailbox::default(), Heartbeat::default());
        let running = Running::new(String::new(), mailbox, heartbeat, stop.clone());
        watch.hosts.start(name.to_owned(), running, move || work(stop));
    }

    #[test]
    fn when_one_loop_panics_the_others_finish_their_steps() {
        with_watch(|mut watch| {
            let finished = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&finished);
            start(&mut watch, "good", move |stop| {
                while !stop.wait(LATER) {}
                std::thread::sleep(Duration::from_millis(300));
                told.store(true, Ordering::SeqCst);
            });
            start(&mut watch, "bad", |_| panic!("as the test wants"));
            let (_sender, heard) = sync_channel(QUEUE);
            let ended = watch.follow(&heard, &AtomicBool::new(false));
            assert!(
                matches!(&ended, Err(Failure::Operation(e)) if e.message.contains("loop of bad"))
            );
            assert!(finished.load(Ordering::SeqCst));
        });
    }

    #[test]
    fn the_board_says_at_once_how_files_are_followed() {
        with_watch(|watch| {
            let (status, stop) = (Arc::clone(&watch.status), watch.stop.clone());
            let (sender, heard) = sync_channel(QUEUE);
            let credential_prompt = std::thread::spawn(move || {
                let until = |listening| {
                    let begun = Instant::now();
                    while status.lock().unwrap().sources.listening != listening {
                        assert!(begun.elapsed() < LATER);
                        std::thread::sleep(Duration::from_millis(1));
                    }
                };
                sender.send(Heard::Deaf(Some("no more watches".to_owned()))).unwrap();
                until(Listening::Polling);
                sender.send(Heard::Deaf(None)).unwrap();
                until(Listening::Notified);
                stop.stop();
                sender.send(Heard::Signal).unwrap();
            });
            assert!(matches!(watch.follow(&heard, &AtomicBool::new(false)), Ok(Exit::Done)));
            credential_prompt.join().unwrap();
        });
    }

    #[test]
    fn a_signal_is_heard_while_manifests_are_read() {
        let (sender, heard) = sync_channel(QUEUE);
        // as on a file system that does not answer
        let _reader = Reader::of(sender.clone(), |wake| {
            std::thread::sleep(LATER * 10);
            Changes::follow(Vec::new(), (Grammars::Embedded, None), wake)
        });
        let (stop, begun) = (CancelToken::default(), Instant::now());
        let of_thread = stop.clone();
        let signal = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            of_thread.stop();
            sender.send(Heard::Signal).unwrap();
        });
        assert!(first(&heard, &stop).unwrap().is_none());
        assert!(begun.elapsed() < LATER);
        signal.join().unwrap();
    }

    #[test]
    fn a_reader_that_panics_ends_the_watch() {
        let (sender, heard) = sync_channel(QUEUE);
        let _reader = Reader::of(sender, |_| panic!("as the test wants"));
        assert!(first(&heard, &CancelToken::default()).is_err());
    }
}
