//! `virt watch`: hosts are kept as the manifests say, on changed files, on drift, on a timer.

use super::args::WatchArgs;
use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::fleet;
use super::lock::{self, HostLock};
use super::pool;
use super::session::{check_prune, options};
use super::signals::stop_or_run_on_signal;
use super::systemd::Systemd;
use super::view::watch as view;
use crate::daemon;
use crate::diag::{Diagnostics, Error, ErrorCode, ErrorDomain, Result};
use crate::drivers::{self, Driver, Stop, Uri};
use crate::manifest::{Changes, Loaded, Reading};
use crate::model::{Desired, HostPattern};
use crate::reconcile::watch::{
    Board, Condition, Ended, HostBoard, HostLoop, Inbox, Listening, News, Pulse, Settings, Sources,
    Surroundings,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How long a host's loop may be at one step before it counts as hung: every call to a host has a
/// shorter deadline.
const HUNG: Duration = Duration::from_secs(300);

/// How long the loops have to finish the steps in hand when all is to end.
const LAST: Duration = Duration::from_secs(5);

/// How long somebody has to read what was printed last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often it is looked at whether they have.
const TICK: Duration = Duration::from_millis(20);

/// How often it is looked at how the loops are, and until they are ready.
const LOOK: Duration = Duration::from_secs(5);
const LOOK_FIRST: Duration = Duration::from_millis(50);

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
    let (wake, woken) = sync_channel(1);
    let nudge = move || {
        // one that waits already says as much
        let _ = wake.try_send(());
    };
    let asked = Arc::new(AtomicBool::new(false));
    let stop = {
        let (asked, nudge) = (Arc::clone(&asked), nudge.clone());
        stop_or_run_on_signal(move |now| {
            asked.fetch_or(now, Ordering::SeqCst);
            nudge();
        })?
    };
    let mut changes = Changes::follow(args.paths.clone(), fleet::check_uris, nudge);
    let first = changes.first();
    context.show(&first.loaded.diagnostics, &first.loaded.sources);
    check_prune(&args.paths, &args.options, &first.loaded)?;
    let mut watch = Watch::new(context, args, &first, stop)?;
    if args.once {
        return watch.once(&first);
    }
    watch.start(&first, changes.is_deaf())?;
    watch.follow(&mut changes, &woken, &asked)
}

/// All that is watched.
struct Watch<'a> {
    context: &'a Context,
    args: &'a WatchArgs,
    around: Arc<Around>,
    board: Arc<Mutex<Board>>,
    hosts: BTreeMap<String, Running>,
    stop: Stop,
    systemd: Systemd,
    /// What was said of the manifests last.
    said: Diagnostics,
    is_ready: bool,
}

/// The loop of a host.
struct Running {
    uri: String,
    inbox: Inbox,
    pulse: Pulse,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// A host and what it is to have.
struct Wanted {
    name: String,
    /// Its name in `virt.toml`, if it has one.
    label: Option<String>,
    uri: String,
    desired: Arc<Desired>,
}

impl<'a> Watch<'a> {
    fn new(
        context: &'a Context,
        args: &'a WatchArgs,
        first: &Reading,
        stop: Stop,
    ) -> Result<Self, Failure> {
        let board = Board {
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
        let around = Around {
            context: context.clone(),
            loaded: Mutex::new(Arc::clone(&first.loaded)),
            ways: Mutex::default(),
        };
        Ok(Self {
            context,
            args,
            around: Arc::new(around),
            board: Arc::new(Mutex::new(board)),
            hosts: BTreeMap::new(),
            stop,
            systemd: Systemd::from_environment(),
            said: first.loaded.diagnostics.clone(),
            is_ready: false,
        })
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hosts that the manifests are for.
    fn wanted(&self, loaded: &Loaded) -> Result<Vec<Wanted>, Failure> {
        let patterns: &[HostPattern] = &self.args.options.host.host;
        let hosts = fleet::chosen(self.context, loaded, patterns)?;
        if hosts.is_empty() {
            let uri = self.context.uri(loaded.connect.as_deref());
            let name =
                if uri.is_empty() { "the best hypervisor here".to_owned() } else { uri.clone() };
            let desired = Arc::clone(&loaded.desired);
            return Ok(vec![Wanted { name, label: None, uri, desired }]);
        }
        let wanted = hosts.into_iter().map(|host| Wanted {
            label: Some(host.name.clone()),
            name: host.name,
            uri: host.connect,
            desired: host.desired,
        });
        Ok(wanted.collect())
    }

    fn host_loop(&self, wanted: &Wanted, stop: Stop) -> HostLoop {
        let mut options = options(&self.args.options);
        options.host.clone_from(&wanted.label);
        let way = Way { uri: wanted.uri.clone(), label: wanted.label.clone() };
        self.around.ways().insert(wanted.name.clone(), way);
        let board = HostBoard { uri: wanted.uri.clone(), ..HostBoard::default() };
        self.board().hosts.insert(wanted.name.clone(), board);
        let settings = Settings {
            name: wanted.name.clone(),
            options,
            interval: self.args.interval,
            parallel: usize::from(self.args.parallel),
        };
        let around: Arc<dyn Surroundings> = Arc::<Around>::clone(&self.around);
        let desired = Arc::clone(&wanted.desired);
        HostLoop::new(settings, desired, around, Arc::clone(&self.board), stop)
    }

    /// Goes through all of it once.
    fn once(&mut self, first: &Reading) -> Run {
        let loaded = &first.loaded;
        let has_errors = loaded.diagnostics.has_errors();
        // no host is asked for what nobody can want
        if loaded.desired.resources.is_empty() && has_errors {
            return Err(Failure::Shown);
        }
        self.taken(first, None);
        let wanted = self.wanted(loaded)?;
        let by_process = |at: usize| wanted.get(at).is_some_and(|w| fleet::by_process(&w.uri));
        let lanes = pool::lanes(wanted.len(), by_process);
        let mut exit = if has_errors { Exit::Error } else { Exit::Done };
        let work = |at: usize| {
            let host = wanted.get(at).filter(|_| !self.stop.is_stopped());
            host.map(|w| self.host_loop(w, self.stop.clone()).run_once())
        };
        pool::each(
            &lanes,
            work,
            |_| {},
            |_, ended| {
                let detailed = self.args.options.detailed_exitcode;
                exit = exit.worse(ended.map_or(Exit::Error, |ended| exit_of(ended, detailed)));
                true
            },
        );
        Ok(exit)
    }

    /// Starts the loops.
    fn start(&mut self, first: &Reading, deaf: Option<String>) -> Result<(), Failure> {
        let wanted = self.wanted(&first.loaded)?;
        let hosts: Vec<String> = wanted.iter().map(|w| w.name.clone()).collect();
        let paths: Vec<String> = self.board().sources.paths.clone();
        view::started(self.context, &paths, &hosts, self.args.interval);
        self.taken(first, deaf.as_deref());
        if let Some(reason) = deaf {
            view::polling(self.context, &reason);
        }
        self.serve()?;
        self.run_hosts(wanted, Instant::now());
        Ok(())
    }

    /// Serves what is known to those who ask, if that is asked for.
    fn serve(&self) -> Result<(), Failure> {
        let Some(address) = self.args.listen else { return Ok(()) };
        let board = Arc::clone(&self.board);
        let snapshot = move || board.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let server = daemon::serve(address, Arc::new(snapshot), &self.stop)
            .map_err(|e| Error::new(ErrorCode::SYSTEM_ERROR, ErrorDomain::NONE, e.to_string()))?;
        // with port 0 the system chooses one
        view::listening(self.context, server.address());
        Ok(())
    }

    /// Takes note of manifests that were read.
    fn taken(&mut self, reading: &Reading, deaf: Option<&str>) {
        let loaded = &reading.loaded;
        *self.around.loaded() = Arc::clone(loaded);
        let mut board = self.board();
        board.set.clone_from(&loaded.desired.set);
        let sources = &mut board.sources;
        sources.listening = if deaf.is_some() { Listening::Polling } else { Listening::Notified };
        sources.stale.clone_from(&reading.stale);
        if reading.stale.is_none() {
            sources.loaded = SystemTime::now();
            sources.loads += 1;
            sources.resources = loaded.counts.0 + loaded.counts.1;
            sources.problems = loaded.diagnostics.iter().filter(|d| d.is_error()).count();
        }
        drop(board);
        view::manifests(self.context, loaded, reading.stale.as_deref());
    }

    /// Has each host made what is wanted, and lets go of those of which nothing is.
    fn run_hosts(&mut self, wanted: Vec<Wanted>, since: Instant) {
        let same = |name: &String, running: &Running| {
            wanted.iter().any(|w| w.name == *name && w.uri == running.uri)
        };
        let gone: Vec<String> =
            self.hosts.iter().filter(|(n, r)| !same(n, r)).map(|(n, _)| n.clone()).collect();
        for name in gone {
            if let Some(running) = self.hosts.remove(&name) {
                running.end();
                self.board().hosts.remove(&name);
            }
        }
        for wanted in wanted {
            if let Some(running) = self.hosts.get(&wanted.name) {
                running.inbox.desired(wanted.desired, since);
                continue;
            }
            let stop = Stop::default();
            let host = self.host_loop(&wanted, stop.clone());
            let (inbox, pulse) = (host.inbox(), host.pulse());
            let thread = std::thread::spawn(move || host.run());
            let running = Running { uri: wanted.uri, inbox, pulse, stop, thread };
            self.hosts.insert(wanted.name, running);
        }
    }

    /// Goes on until a signal comes.
    fn follow(mut self, changes: &mut Changes, woken: &Receiver<()>, asked: &AtomicBool) -> Run {
        let mut look = Instant::now();
        while !self.stop.is_stopped() {
            if asked.swap(false, Ordering::SeqCst) {
                changes.look_now();
                self.hosts.values().for_each(|host| host.inbox.now());
            }
            if let Some(reading) = changes.read_settled(Instant::now()) {
                self.renew(&reading, changes.is_deaf().as_deref());
            }
            if Instant::now() >= look {
                look = Instant::now() + self.look()?;
            }
            let until = changes.due().min(look);
            // woken or not, it looks around
            let _ = woken.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
        self.systemd.stopping();
        self.end();
        view::stopped(self.context);
        Ok(Exit::Done)
    }

    /// The manifests say something else.
    fn renew(&mut self, reading: &Reading, deaf: Option<&str>) {
        let loaded = &reading.loaded;
        if reading.stale.is_none() {
            let mut new = Diagnostics::default();
            let said = |d: &&crate::diag::Diagnostic| !self.said.iter().any(|known| known == *d);
            new.extend(loaded.diagnostics.iter().filter(said).cloned());
            self.context.show(&new, &loaded.sources);
            self.said = loaded.diagnostics.clone();
        }
        self.taken(reading, deaf);
        // that the paths are directories was settled at the start
        let named = check_prune(&[], &self.args.options, loaded);
        match named.and_then(|()| self.wanted(loaded)) {
            Ok(wanted) => self.run_hosts(wanted, reading.since),
            // the hosts go on with what they have
            Err(failure) => {
                self.context.fail(&failure);
            }
        }
    }

    /// Looks at how the loops are, and tells systemd; gives the time until the next look.
    fn look(&mut self) -> Result<Duration, Failure> {
        if let Some((name, _)) = self.hosts.iter().find(|(_, host)| host.thread.is_finished()) {
            // it panicked, and has said so
            let text = format!("the loop of {name} ended by itself");
            return Err(Error::new(ErrorCode::INTERNAL_ERROR, ErrorDomain::NONE, text).into());
        }
        if !self.is_ready && self.hosts.values().all(|host| host.pulse.is_ready()) {
            self.is_ready = true;
            self.systemd.ready();
        }
        if self.hosts.values().all(|host| host.pulse.beats(HUNG)) {
            self.systemd.alive();
        }
        let status = status(&self.board());
        self.systemd.status(status);
        let pace = if self.is_ready { LOOK } else { LOOK_FIRST };
        Ok(self.systemd.pace().map_or(pace, |most| most.min(pace)))
    }

    /// Lets the loops finish the steps in hand.
    fn end(&mut self) {
        let hosts = std::mem::take(&mut self.hosts);
        for host in hosts.values() {
            host.stop.stop();
            host.inbox.wake();
        }
        let deadline = Instant::now() + LAST;
        let running = || hosts.values().any(|host| !host.thread.is_finished());
        while running() && Instant::now() < deadline {
            std::thread::sleep(TICK);
        }
    }
}

impl Running {
    /// Ends it without waiting for the step in hand.
    fn end(self) {
        self.stop.stop();
        self.inbox.wake();
    }
}

fn exit_of(ended: Ended, detailed: bool) -> Exit {
    match ended {
        Ended { unresolved: true, .. } => Exit::Unresolved,
        Ended { failed: true, .. } => Exit::Error,
        Ended { refused: true, .. } => Exit::Refused,
        Ended { pending: true, .. } if detailed => Exit::Pending,
        Ended { .. } => Exit::Done,
    }
}

/// How all of it is, in a line.
fn status(board: &Board) -> String {
    let objects = || board.hosts.values().flat_map(|host| host.objects.values());
    let counts = Condition::ALL.iter().filter_map(|condition| {
        let n = objects().filter(|o| o.condition == *condition).count();
        (n > 0).then(|| format!("{n} {}", condition.word()))
    });
    let lost = board.hosts.values().filter(|host| host.lost.is_some()).count();
    let lost = (lost > 0).then(|| format!("{lost} of {} hosts lost", board.hosts.len()));
    let stale = board.sources.stale.as_ref().map(|_| "manifests as read last".to_owned());
    let parts: Vec<String> = counts.chain(lost).chain(stale).collect();
    if parts.is_empty() { "nothing to keep".to_owned() } else { parts.join(", ") }
}

/// How a host is reached.
#[derive(Clone, Debug)]
struct Way {
    uri: String,
    label: Option<String>,
}

/// What the loops need of the command line.
#[derive(Debug)]
struct Around {
    context: Context,
    /// The manifests, for the places in them.
    loaded: Mutex<Arc<Loaded>>,
    ways: Mutex<BTreeMap<String, Way>>,
}

impl Around {
    fn loaded(&self) -> MutexGuard<'_, Arc<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ways(&self) -> MutexGuard<'_, BTreeMap<String, Way>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uri(&self, host: &str) -> Result<Uri> {
        let uri = self.ways().get(host).map(|way| way.uri.clone());
        Uri::parse(&uri.unwrap_or_default())
    }
}

impl Surroundings for Around {
    fn open(&self, host: &str) -> Result<Arc<dyn Driver>> {
        let driver = drivers::open(&self.uri(host)?, &self.context.environment())?;
        // an empty URI came to that
        if let (Some(way), Some(chosen)) = (self.ways().get_mut(host), driver.uri())
            && way.uri.is_empty()
        {
            chosen.clone_into(&mut way.uri);
        }
        Ok(Arc::from(driver))
    }

    fn lock(&self, host: &str) -> Result<Box<dyn Debug>> {
        let lock: Option<HostLock> = self.context.lock(&self.uri(host)?)?;
        Ok(Box::new(lock))
    }

    fn hear(&self, host: &str, news: &News<'_>) {
        let label = self.ways().get(host).and_then(|way| way.label.clone());
        let loaded = Arc::clone(&self.loaded());
        match label {
            Some(label) => view::news(&self.context.for_host(&label, false), news, &loaded),
            None => view::news(&self.context, news, &loaded),
        }
    }
}
