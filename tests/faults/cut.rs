//! A connection that is cut after any byte of one apply, in either direction: nothing hangs, nothing
//! is doubled, and the next apply converges.
//!
//! By default a few hundred bytes spread over the apply are taken; `VIRT_CUTS=all` takes each.

use crate::support::site::{Site, observe, plan_for, walk};
use crate::support::{Libvirtd, trial_if, whole_of};
use libtest_mimic::Trial;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use virt::drivers::{self, Connection, Driver, Environment, ExecContext};
use virt::model::{Call, Kind, ResourceId, Target, UndefineKeep};
use virt::reconcile::Options;

/// Cuts by default, in each direction.
const CUTS: u64 = 150;

/// Longest time of a run; a healthy one takes some 30 ms.
const HANG: Duration = Duration::from_secs(10);

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name, run: fn()| {
        trial_if(Libvirtd::available(), format!("faults/cut/{name}"), move |()| run())
    };
    vec![
        trial("after_any_byte_the_next_apply_converges", after_any_byte),
        trial("what_a_late_call_makes_is_read_whole", late_calls),
    ]
}

/// Definitions only, so that there are few bytes and each run is short.
const FILES: [(&str, &str); 2] = [
    (
        "net.xml",
        "<network><name>n</name><metadata><v:reconcile xmlns:v='urn:virt:reconcile:1' power='manual' \
         autostart='yes'/></metadata><ip address='192.168.161.1' prefix='24'/></network>",
    ),
    (
        "dom.toml",
        "[[domain]]\ntype = 'qemu'\nname = 'd'\nmemory = 65536\nos.type = 'hvm'\n\
         [domain.reconcile]\npower = 'stopped'\nautostart = true\n",
    ),
];

#[expect(clippy::print_stdout, reason = "how many bytes it was is worth seeing")]
fn after_any_byte() {
    let libvirtd = Libvirtd::start();
    let direct = open(&libvirtd.socket()).unwrap();
    let loaded = Site::new(&FILES).load();
    let apply = |driver: &dyn Driver| {
        let options = Options::default();
        let plan = plan_for(driver, &loaded, &options);
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        (plan.steps.len(), walk(&plan, driver))
    };
    // number of bytes of an apply
    let cutter = Cutter::start(&libvirtd.socket());
    let (steps, report) = apply(open(&cutter.socket()).unwrap().as_ref());
    assert!(steps == 4 && report.is_done(), "{steps}");
    clear(direct.as_ref());
    let all = whole_of("VIRT_CUTS");
    let mut cuts = 0;
    for direction in [Direction::ToServer, Direction::ToClient] {
        let bytes = cutter.passed(direction);
        let stride = if all { 1 } else { (bytes / CUTS).max(1) };
        for k in (0..bytes).step_by(usize::try_from(stride).unwrap()) {
            // every other cut is permanent, the rest is a passing fault
            cutter.arm(direction, k, k % 2 == 0);
            let begun = Instant::now();
            if let Ok(driver) = open(&cutter.socket()) {
                apply_if_it_can(driver.as_ref(), &loaded);
            }
            assert!(begun.elapsed() < HANG, "{direction:?} {k}: {:?}", begun.elapsed());
            cutter.disarm();
            let (_, report) = apply(direct.as_ref());
            assert!(report.is_done(), "{direction:?} {k}: {report:?}");
            let left = plan_for(direct.as_ref(), &loaded, &Options::default());
            assert!(left.is_empty(), "{direction:?} {k}: {:?}", left.steps);
            assert_eq!(observe(direct.as_ref()).resources.len(), 2, "{direction:?} {k}");
            clear(direct.as_ref());
            cuts += 1;
        }
    }
    println!("{cuts} cuts");
}

/// How often the objects come and go while the host is read.
const TIMES: usize = 200;

/// A call whose connection is cut is carried out at any time, while the next apply reads the host, too:
/// an object is read with its definition, or not at all. Without that the apply would take it for
/// somebody else's, and leave it as it is.
fn late_calls() {
    let libvirtd = Libvirtd::start();
    let [reader, writer] = [(); 2].map(|()| open(&libvirtd.socket()).unwrap());
    let loaded = Site::new(&FILES).load();
    let plan = plan_for(writer.as_ref(), &loaded, &Options::default());
    std::thread::scope(|scope| {
        let coming_and_going = scope.spawn(|| {
            for _ in 0..TIMES {
                assert!(walk(&plan, writer.as_ref()).is_done());
                clear(writer.as_ref());
            }
        });
        while !coming_and_going.is_finished() {
            let observed = observe(reader.as_ref());
            assert!(observed.unknown.is_empty(), "{:?}", observed.unknown);
            for resource in observed.resources.values() {
                assert!(resource.persistent.is_some(), "{resource:?}");
            }
        }
    });
}

fn open(socket: &Path) -> virt::error::Result<Box<dyn Driver>> {
    let uri = format!("qemu+unix:///system?socket={}", socket.display());
    drivers::open(&Connection::of_operator(&uri).unwrap(), &Environment::new(None, None))
}

/// An apply over a connection that may be cut at any time.
fn apply_if_it_can(driver: &dyn Driver, loaded: &virt::manifest::Loaded) {
    let Ok(observed) = driver.observe(&virt::model::Scope::all()) else { return };
    let capabilities = driver.capabilities().unwrap();
    let plan =
        virt::reconcile::plan(&loaded.desired, &observed, &capabilities, &Options::default());
    walk(&plan, driver);
}

/// Removes the objects of the runs.
fn clear(driver: &dyn Driver) {
    let there = observe(driver).resources;
    let undefine = |uuid, id: ResourceId| {
        let op = crate::support::ops::undefine(id.kind, UndefineKeep::Nothing);
        Call { target: Target { id, uuid }, op }
    };
    let calls: Vec<Call> = there.into_values().map(|r| undefine(r.uuid, r.id)).collect();
    for (call, outcome) in calls.iter().zip(driver.execute(&calls, &ExecContext::default())) {
        assert_eq!(outcome, virt::model::Outcome::Done, "{call:?}");
    }
    assert!(calls.iter().filter(|c| c.target.id.kind == Kind::Network).count() <= 1);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// Relay that closes all its connections after a number of bytes in one direction.
struct Cutter {
    directory: TempDir,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Bytes that passed, and that may pass, in each direction.
    passed: [AtomicU64; 2],
    limit: [AtomicU64; 2],
    /// Number of times that it was armed; a connection of an earlier time changes nothing any more.
    times: AtomicU64,
    /// Whether connections are refused once the limit is reached.
    for_good: AtomicBool,
    closed: AtomicBool,
    open: Mutex<Vec<UnixStream>>,
}

impl Cutter {
    fn start(upstream: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("virt-cutter-").tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        let shared = Arc::new(Shared::default());
        let (upstream, of_thread) = (upstream.to_owned(), Arc::clone(&shared));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if of_thread.closed.load(Ordering::SeqCst) {
                    return;
                }
                relay(client, &upstream, &of_thread);
            }
        });
        let cutter = Self { directory, shared };
        cutter.disarm();
        cutter
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Bytes that passed since it was last armed.
    fn passed(&self, direction: Direction) -> u64 {
        self.shared.passed[direction as usize].load(Ordering::SeqCst)
    }

    fn arm(&self, direction: Direction, limit: u64, for_good: bool) {
        self.disarm();
        self.shared.passed.iter().for_each(|p| p.store(0, Ordering::SeqCst));
        self.shared.times.fetch_add(1, Ordering::SeqCst);
        self.shared.for_good.store(for_good, Ordering::SeqCst);
        self.shared.limit[direction as usize].store(limit, Ordering::SeqCst);
    }

    fn disarm(&self) {
        self.shared.limit.iter().for_each(|l| l.store(u64::MAX, Ordering::SeqCst));
        cut(&self.shared);
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        cut(&self.shared);
        // only to wake the listener
        let _ = UnixStream::connect(self.socket());
    }
}

fn cut(shared: &Shared) {
    for stream in shared.open.lock().unwrap().drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn relay(client: UnixStream, upstream: &Path, shared: &Arc<Shared>) {
    let server = UnixStream::connect(upstream).unwrap();
    {
        let mut open = shared.open.lock().unwrap();
        open.push(client.try_clone().unwrap());
        open.push(server.try_clone().unwrap());
    }
    let ways = [
        (Direction::ToServer, client.try_clone().unwrap(), server.try_clone().unwrap()),
        (Direction::ToClient, server, client),
    ];
    for (direction, from, to) in ways {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            pass(direction, &from, &to, &shared);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

/// Passes bytes until the stream ends or the limit of the direction is reached.
fn pass(direction: Direction, mut from: &UnixStream, mut to: &UnixStream, shared: &Shared) {
    let (passed, limit) = (&shared.passed[direction as usize], &shared.limit[direction as usize]);
    let armed = shared.times.load(Ordering::SeqCst);
    let mut buffer = [0; 4096];
    loop {
        let limit_now = limit.load(Ordering::SeqCst);
        if passed.load(Ordering::SeqCst) >= limit_now {
            break;
        }
        let Ok(n @ 1..) = from.read(&mut buffer) else { return };
        let left = limit.load(Ordering::SeqCst).saturating_sub(passed.load(Ordering::SeqCst));
        let n = n.min(usize::try_from(left).unwrap_or(n));
        if to.write_all(&buffer[..n]).is_err() {
            return;
        }
        passed.fetch_add(n as u64, Ordering::SeqCst);
    }
    if shared.times.load(Ordering::SeqCst) != armed {
        return;
    }
    cut(shared);
    if !shared.for_good.load(Ordering::SeqCst) {
        limit.store(u64::MAX, Ordering::SeqCst);
    }
}
