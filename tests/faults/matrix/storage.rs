//! Rows of the disk: the program's own state file under `?state=`, whose every system call fails once,
//! and what a power failure leaves of it.

use super::strike::Column;
use crate::support::site::SAMPLES;
use crate::support::{Ran, Watching, run, virt};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Failure of a system call on the new version of the file, or on its directory.
struct Failure {
    call: &'static str,
    error: &'static str,
    on: On,
    /// Interval, in steps, between the tried ones.
    every: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    NewVersion,
    Directory,
}

const fn failure(call: &'static str, error: &'static str, on: On, every: usize) -> Failure {
    Failure { call, error, on, every }
}

/// Steps of the samples; each writes a new version.
const STEPS: usize = 13;

/// F14: no room, no right or no descriptor, before the new version is there (a), while it is written
/// or put in place (b), once it is (c), or when the outcome is to be told (d).
const F14: [&[Failure]; 3] = [
    &[
        failure("openat", "ENOSPC", On::NewVersion, 1),
        failure("openat", "EROFS", On::NewVersion, 6),
        failure("openat", "EMFILE", On::NewVersion, 6),
    ],
    &[
        failure("write", "ENOSPC", On::NewVersion, 1),
        failure("write", "EDQUOT", On::NewVersion, 6),
        failure("rename", "EROFS", On::NewVersion, 6),
        failure("rename", "ENOSPC", On::NewVersion, 6),
    ],
    &[failure("openat", "EMFILE", On::Directory, 6), failure("openat", "ENFILE", On::Directory, 6)],
];

/// F15: the disk has an error, at the same places.
const F15: [&[Failure]; 3] = [
    &[failure("openat", "EIO", On::NewVersion, 6)],
    &[
        failure("fsync", "EIO", On::NewVersion, 1),
        failure("write", "EIO", On::NewVersion, 6),
        failure("rename", "EIO", On::NewVersion, 6),
    ],
    &[failure("fsync", "EIO", On::Directory, 1)],
];

/// A directory for a state file of the samples.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("state")).unwrap();
        Self { directory }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state/host.xml")
    }

    fn virt(&self, command: &str, arguments: &[&str]) -> Command {
        let mut virt = virt(&[command]);
        let uri = format!("test:///default?state={}", self.state().display());
        virt.arg(SAMPLES).args(["--connect", &uri]).args(arguments);
        virt
    }

    /// Returns strace's arguments that make this fail at that step.
    fn injection(&self, failure: &Failure, step: usize) -> [String; 6] {
        let on = match failure.on {
            On::NewVersion => self.directory.path().join("state/host.xml.new"),
            On::Directory => self.directory.path().join("state"),
        };
        let Failure { call, error, .. } = failure;
        let inject = format!("inject={call}:error={error}:when={step}");
        let e = "-e".to_owned();
        ["-P".to_owned(), on.display().to_string(), e.clone(), format!("trace={call}"), e, inject]
    }

    /// Runs the command under strace with these arguments, and returns strace's log.
    fn traced(&self, strace: &Path, words: &[impl AsRef<OsStr>], apply: &Command) -> (Ran, String) {
        let log = self.directory.path().join("strace");
        let mut traced = Command::new(strace);
        traced.args(["-f", "-qq", "-o"]).arg(&log).args(words);
        traced.arg(apply.get_program()).args(apply.get_args()).env_clear();
        let ran = run(&mut traced);
        (ran, fs::read_to_string(log).unwrap())
    }

    /// The next apply does it all, and one more writes nothing.
    #[track_caller]
    fn converges(&self) {
        run(&mut self.virt("apply", &[])).expect(0);
        let state = fs::read(self.state()).unwrap();
        run(&mut self.virt("apply", &["--detailed-exitcode"])).expect(0);
        assert!(fs::read(self.state()).unwrap() == state, "the second apply wrote the state");
        let state = String::from_utf8(state).unwrap();
        assert_eq!(state.matches("<object ").count(), 2 + 5, "{state}");
    }
}

/// F14: no room.
pub(super) fn no_room(column: Column, strace: &Path) -> usize {
    fails(column, strace, &F14)
}

/// F15: the disk has an error.
pub(super) fn disk_error(column: Column, strace: &Path) -> usize {
    fails(column, strace, &F15)
}

fn fails(column: Column, strace: &Path, row: &[&[Failure]; 3]) -> usize {
    let [a, b, c] = row;
    let failures = match column {
        Column::A => a,
        Column::B => b,
        Column::C => c,
        Column::D => return outcome_cannot_be_told(),
    };
    let mut runs = 0;
    for failure in *failures {
        for step in (1..=STEPS).step_by(failure.every) {
            fails_at(strace, failure, step);
            runs += 1;
        }
    }
    runs
}

fn fails_at(strace: &Path, failure: &Failure, step: usize) {
    let place = Place::new();
    let words = format!("{} on {:?}: {} at step {step}", failure.call, failure.on, failure.error);
    let apply = place.virt("apply", &["--parallel", "1"]);
    let (ran, log) = place.traced(strace, &place.injection(failure, step), &apply);
    assert!(log.contains("(INJECTED)"), "{words}: did not happen\n{log}\n{ran}");
    match failure.on {
        // refused; what there was is whole
        On::NewVersion => assert_eq!(ran.code(), 1, "{words}\n{ran}"),
        // it is in place, and found to be
        On::Directory => assert_eq!(ran.code(), 0, "{words}\n{ran}"),
    }
    place.converges();
}

/// Checks that a lost report does no harm: the next apply finds the host's real state.
fn outcome_cannot_be_told() -> usize {
    let formats = ["human", "json"];
    for format in formats {
        let place = Place::new();
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut apply = place.virt("apply", &["--output", format]);
        apply.stdin(Stdio::null()).stdout(full).stderr(Stdio::null());
        let status = apply.status().unwrap();
        assert!(status.code().is_some(), "{format}: {status}");
        place.converges();
    }
    formats.len()
}

/// F14 under a watch: it tries again, and gets there by itself.
pub(super) fn watch_without_room(strace: &Path) -> usize {
    watched(strace, &F14)
}

/// F15 under a watch.
pub(super) fn watch_with_disk_error(strace: &Path) -> usize {
    watched(strace, &F15)
}

fn watched(strace: &Path, row: &[&[Failure]; 3]) -> usize {
    let failures: Vec<&Failure> = row.iter().copied().flatten().collect();
    // most of the time they wait to try again
    std::thread::scope(|scope| {
        for failure in &failures {
            scope.spawn(|| watch_fails(strace, failure, STEPS / 2));
        }
    });
    failures.len()
}

fn watch_fails(strace: &Path, failure: &Failure, step: usize) {
    let place = Place::new();
    let words = format!("{} on {:?}: {}", failure.call, failure.on, failure.error);
    let watch = place.virt("watch", &["--parallel", "1", "--interval", "1h", "--output", "json"]);
    let mut traced = Command::new(strace);
    let log = place.directory.path().join("strace");
    // gone with it: the watch is the process that is started, and strace its child
    traced.args(["-D", "-f", "-qq", "-o"]).arg(&log).args(place.injection(failure, step));
    traced.arg(watch.get_program()).args(watch.get_args()).env_clear();
    let watching = Watching::run(traced);
    let deadline = Instant::now() + Duration::from_secs(60);
    let plan = || run(&mut place.virt("plan", &["--detailed-exitcode"])).code();
    while plan() != 0 {
        assert!(Instant::now() < deadline, "{words}: never ends");
        std::thread::sleep(Duration::from_millis(200));
    }
    watching.end();
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("(INJECTED)"), "{words}: did not happen\n{log}");
    place.converges();
}

/// F3: at no moment of an apply does a power failure leave half a version, whatever part of the writes
/// that nobody synced it takes away; and what was told to be done is never taken away.
pub(super) fn power_lost(strace: &Path) -> usize {
    let place = Place::new();
    let apply = place.virt("apply", &["--parallel", "1", "--output", "json"]);
    let calls = "trace=openat,write,fsync,fdatasync,rename,renameat,renameat2,close";
    let (ran, log) = place.traced(strace, &["-s", "4096", "-e", calls], &apply);
    ran.expect(0);
    let mut disk = Disk::default();
    for line in log.lines() {
        disk.happens(line);
    }
    assert_eq!((disk.durable, disk.told), (STEPS, STEPS), "{log}");
    disk.moments
}

/// Guaranteed content of a disk for the state file.
#[derive(Default)]
struct Disk {
    /// Open files: whether it is the new version or the directory.
    open: BTreeMap<u32, On>,
    /// Whether all of the new version was synced.
    synced: bool,
    /// Whether the new version was put in place and that is not synced.
    renamed: bool,
    /// Number of versions that no power failure takes away, and number of steps reported as done.
    durable: usize,
    told: usize,
    moments: usize,
}

impl Disk {
    fn happens(&mut self, line: &str) {
        // PID CALL(FD or first argument, …) = RESULT
        let Some((call, rest)) = line.split_once(' ').and_then(|(_, l)| l.trim().split_once('('))
        else {
            return;
        };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return };
        let file = arguments.split([',', ')']).next().and_then(|word| word.trim().parse().ok());
        let known = file.and_then(|file: u32| self.open.get(&file).copied());
        self.moments += 1;
        match (call, known) {
            ("openat", _) => {
                let on = if arguments.contains("host.xml.new\"") {
                    assert!(
                        !self.renamed,
                        "a version is begun before the last one is safe: {line}"
                    );
                    self.synced = false;
                    On::NewVersion
                } else if arguments.contains("/state\"") {
                    On::Directory
                } else {
                    return;
                };
                self.open.extend(result.trim().parse().ok().map(|file| (file, on)));
            }
            ("close", Some(_)) => {
                self.open.remove(&file.unwrap_or_default());
            }
            ("write", Some(On::NewVersion)) => self.synced = false,
            ("write", None) if file == Some(1) => {
                self.told += arguments.matches(r#"\"status\":\"done\""#).count();
                assert!(self.told <= self.durable, "told before it is safe: {line}");
            }
            ("fsync" | "fdatasync", Some(On::NewVersion)) => self.synced = true,
            ("fsync" | "fdatasync", Some(On::Directory)) => {
                self.durable += usize::from(std::mem::take(&mut self.renamed));
            }
            ("rename" | "renameat" | "renameat2", _) if arguments.contains("host.xml.new\"") => {
                assert!(self.synced, "a version that may be half is put in place: {line}");
                self.renamed = true;
            }
            _ => {}
        }
    }
}
