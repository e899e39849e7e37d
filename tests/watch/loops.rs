//! The loop of a host by itself, on a host that comes and goes as the test says.

use super::{Place, domain};
use crate::support::trial;
use libtest_mimic::Trial;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use virt::controller::{
    ControllerEvent, ControllerStatus, Environment, Heartbeat, HostLoop, Listening, Mailbox,
    Settings, Sources,
};
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext, MockDriver, MockHost};
use virt::error::{Error, ErrorKind, Result};
use virt::manifest::load;
use virt::model::{
    Answer, Call, Capabilities, Desired, Kind, Observed, OpKind, Outcome, Query, Scope,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("watch/loops/a_lost_host_is_called_at_its_own_pace", pace),
        trial("watch/loops/a_host_that_was_lost_is_asked_again_what_it_can_do", upgraded),
        trial("watch/loops/it_is_ready_before_the_first_change_is_done", ready),
        trial("watch/loops/without_a_lock_it_says_so_and_tries_ever_more_seldom", no_lock),
    ]
}

/// Host with a record of its calls.
struct Fake {
    driver: Arc<MockDriver>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether the host does not answer.
    lost: bool,
    /// Operation that it lacks once it is connected to.
    lacks: Option<(Kind, OpKind)>,
    /// Whether no lock of it is to be had, and how often one was asked for.
    no_lock: bool,
    locks: usize,
    /// Whether the host keeps callers that want a change waiting; `held`: whether one waits.
    holds: bool,
    held: bool,
    /// Number of connections, failed ones included.
    opens: usize,
    /// Names of the events so far.
    told: Vec<String>,
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn hold(&self) -> bool {
        let mut state = self.state();
        state.held = state.holds;
        state.held
    }

    fn answers(&self) -> Result<()> {
        match self.state().lost {
            true => Err(Error::new(ErrorKind::Protocol, "the host is away")),
            false => Ok(()),
        }
    }
}

/// A connection to it; as libvirt's, it knows the host as it was when it was made.
struct Connection(Arc<Fake>, Capabilities);

impl Driver for Connection {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.1.clone())
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.0.answers()?;
        self.0.driver.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.0.driver.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        while self.0.hold() {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.0.driver.execute(batch, context)
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.0.driver.watch(events, stop)
    }
}

/// Environment of the loop.
struct Around(Arc<Fake>);

impl Environment for Around {
    fn open(&self, _: &str) -> Result<Arc<dyn Driver>> {
        self.0.state().opens += 1;
        self.0.answers()?;
        let mut capabilities = self.0.driver.capabilities()?;
        if let Some((kind, op)) = self.0.state().lacks {
            capabilities = capabilities.without(kind, op);
        }
        Ok(Arc::new(Connection(Arc::clone(&self.0), capabilities)))
    }

    fn lock(&self, _: &str) -> Result<Box<dyn Debug>> {
        let mut state = self.0.state();
        state.locks += 1;
        match state.no_lock {
            true => Err(Error::new(ErrorKind::Io, "no place for locks")),
            false => Ok(Box::new(())),
        }
    }

    fn emit(&self, _: &str, event: &ControllerEvent<'_>) {
        let word = match event {
            ControllerEvent::Reconciled { change, outcome, .. } => {
                format!("{} {}", change.id, outcome.as_str())
            }
            ControllerEvent::NoLock(_) => "no lock".to_owned(),
            ControllerEvent::Lost(_) => "lost".to_owned(),
            ControllerEvent::Back => "back".to_owned(),
            other => format!("{other:?}"),
        };
        self.0.state().told.push(word);
    }
}

/// A loop that runs, until the test ends.
struct Running {
    fake: Arc<Fake>,
    place: Place,
    mailbox: Mailbox,
    heartbeat: Heartbeat,
    stop: CancelToken,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// A loop for domains with these names.
    fn start(names: &[&str], prepare: impl FnOnce(&mut State)) -> Self {
        let place = Place::new(names);
        let driver = MockDriver::open(MockHost::Default, None).unwrap();
        let mut state = State::default();
        prepare(&mut state);
        let fake = Arc::new(Fake { driver: Arc::new(driver), state: Mutex::new(state) });
        let settings = Settings {
            name: "host".to_owned(),
            options: virt::reconcile::Options::default(),
            interval: Duration::from_secs(3600),
            parallel: 4,
        };
        let stop = CancelToken::default();
        let around = Arc::new(Around(Arc::clone(&fake)));
        let desired = desired(&place);
        let host =
            HostLoop::new(settings, desired, around, Arc::new(Mutex::new(status())), stop.clone());
        let (mailbox, heartbeat) = (host.mailbox(), host.heartbeat());
        let thread = Some(std::thread::spawn(move || host.run()));
        Self { fake, place, mailbox, heartbeat, stop, thread }
    }

    /// Waits for this event.
    #[track_caller]
    fn told(&self, word: &str) {
        self.until(word, |state| state.told.iter().any(|told| told == word));
    }

    #[track_caller]
    fn until(&self, what: &str, is: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is(&self.fake.state()) {
            assert!(Instant::now() < deadline, "no {what} after {:?}", self.fake.state().told);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.fake.state().holds = false;
        self.stop.stop();
        self.mailbox.wake();
        // the panic's message was printed
        let _ = self.thread.take().unwrap().join();
    }
}

fn desired(place: &Place) -> Arc<Desired> {
    load(&[place.manifests()]).desired
}

fn status() -> ControllerStatus {
    let now = std::time::SystemTime::now();
    let sources = Sources {
        paths: Vec::new(),
        listening: Listening::Notified,
        loaded: now,
        resources: 0,
        problems: 0,
        stale: None,
        loads: 0,
    };
    ControllerStatus { set: "watched".to_owned(), started: now, sources, hosts: [].into() }
}

/// Objects that are due must not have it called again and again.
fn pace() {
    let running = Running::start(&["web", "db"], |state| state.lost = true);
    running.told("lost");
    // something new to do for a host that is away
    running.place.write("web.toml", &domain("web", 131_072));
    running.mailbox.desired(desired(&running.place), Instant::now());
    std::thread::sleep(Duration::from_millis(2_500));
    let opens = running.fake.state().opens;
    assert!((2..=3).contains(&opens), "at once, after 1 s, 2 s later: {opens}");
    assert!(running.heartbeat.is_ready(), "though the host is lost");
    // a request does not wait
    running.fake.state().lost = false;
    running.mailbox.now();
    running.until("second look", |state| state.opens > opens);
    running.told("domain/web done");
    running.told("domain/db done");
}

/// A daemon is taken down, and another version of it comes back.
fn upgraded() {
    let running = Running::start(&["web"], |state| {
        state.lacks = Some((Kind::Domain, OpKind::Define));
    });
    running.until("refusal", |state| state.told.iter().any(|told| told.starts_with("Blocked")));
    let opens = running.fake.state().opens;
    assert_eq!(opens, 1);
    {
        let mut state = running.fake.state();
        state.lost = true;
        state.lacks = None;
    }
    running.place.write("db.toml", &domain("db", 65_536));
    running.mailbox.desired(desired(&running.place), Instant::now());
    running.told("lost");
    running.fake.state().lost = false;
    running.told("domain/db done");
    running.told("domain/web done");
}

/// Checks that a watch is ready early: a guest may take minutes to shut down, and the watch's starter waits
/// for it.
fn ready() {
    let running = Running::start(&["web"], |state| state.holds = true);
    running.until("change", |state| state.held);
    assert!(running.heartbeat.is_ready());
    running.fake.state().holds = false;
    running.told("domain/web done");
}

fn no_lock() {
    let running = Running::start(&["web"], |state| state.no_lock = true);
    running.told("no lock");
    std::thread::sleep(Duration::from_millis(3_500));
    let locks = running.fake.state().locks;
    assert!((2..=3).contains(&locks), "at once, after 1 s, 2 s later: {locks}");
    assert_eq!(running.fake.state().told, ["no lock"], "once is enough");
    running.fake.state().no_lock = false;
    running.mailbox.now();
    running.told("domain/web done");
}
