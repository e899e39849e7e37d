//! A libvirtd of the tests' own, ended with all that it started.

use super::{Needs, tool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/libvirtd.sh");
const START: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_secs(10);

/// A running libvirtd with namespaces of its own; it ends when this is dropped.
pub(crate) struct Libvirtd {
    daemon: Child,
    directory: TempDir,
}

impl Libvirtd {
    /// Whether one can be started here, or why not.
    pub(crate) fn available() -> Needs {
        // the owner of a process's directory is its user
        let user = fs::metadata("/proc/self").map(|m| m.uid());
        if user.is_ok_and(|user| user != 0) {
            return Err("needs root".to_owned());
        }
        for program in ["libvirtd", "unshare", "ip", "bash"] {
            tool(program)?;
        }
        Ok(())
    }

    /// Starts one that lets everybody in who gets at its socket.
    pub(crate) fn start() -> Self {
        Self::start_with("", "", |_| {})
    }

    /// The same with more of libvirtd.conf, and with commands that run in its namespaces first.
    /// `prepare` may put files into its directory; in both texts `$dir` stands for that. A `sasl2` there
    /// becomes its /etc/sasl2. Of a setting that stands there twice the first counts.
    pub(crate) fn start_with(conf: &str, before: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::Builder::new().prefix("virt-libvirtd-").tempdir().unwrap();
        prepare(directory.path());
        let place = directory.path().display().to_string();
        fs::write(directory.path().join("libvirtd.conf"), conf.replace("$dir", &place)).unwrap();
        fs::write(directory.path().join("before.sh"), before).unwrap();
        let mut command = Command::new("bash");
        command.arg(SCRIPT).arg(directory.path()).stdin(Stdio::null());
        let log = fs::File::create(directory.path().join("output")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        // an interrupt at the terminal is for the tests, which then end the daemon
        let daemon = command.process_group(0).spawn().unwrap();
        let mut libvirtd = Self { daemon, directory };
        let deadline = Instant::now() + START;
        let answers = |l: &Self| UnixStream::connect(l.socket()).is_ok();
        while !(libvirtd.path("pid").exists() && answers(&libvirtd)) {
            let ended = libvirtd.daemon.try_wait().unwrap();
            let waited = Instant::now() > deadline;
            assert!(ended.is_none() && !waited, "no libvirtd: {ended:?}\n{}", libvirtd.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
        libvirtd
    }

    /// A command that sees the daemon's network: its ports are on that loopback interface only.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/proc/{}/ns/net", self.first())).arg("--");
        inside.arg(command.get_program()).args(command.get_args());
        let mut envs = command.get_envs().peekable();
        // the tests' own runs of virt have an environment with nothing in it
        if command.get_program().to_string_lossy().ends_with("/virt") {
            inside.env_clear();
        }
        for (name, value) in envs.by_ref() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            inside.current_dir(directory);
        }
        inside
    }

    /// The script's process, which is in the daemon's namespaces but for that of processes.
    pub(crate) fn first(&self) -> u32 {
        self.daemon.id()
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("sock/libvirt-sock")
    }

    /// The URI of its QEMU driver.
    pub(crate) fn qemu_uri(&self) -> String {
        format!("qemu+unix:///system?socket={}", self.socket().display())
    }

    /// The URI of its test driver: one host while a connection to it is open.
    pub(crate) fn test_uri(&self) -> String {
        format!("test+unix:///default?socket={}", self.socket().display())
    }

    /// The daemon and all that it started: they share a network namespace that nobody else is in.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let namespace = network_of(self.daemon.id());
        if namespace.is_none() || namespace == network_of(std::process::id()) {
            return Vec::new(); // it has not got that far
        }
        processes().filter(|pid| network_of(*pid) == namespace).collect()
    }

    /// Kills the daemon, and waits until another one has taken its place. Guests go on.
    pub(crate) fn kill_and_restart(&self) {
        fs::write(self.path("again"), "").unwrap();
        let daemons = || {
            let is_daemon = |pid: &u32| {
                let program = fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe"));
                program.is_ok_and(|program| program.ends_with("libvirtd"))
            };
            self.processes().into_iter().filter(is_daemon).collect::<Vec<_>>()
        };
        let killed = daemons();
        for pid in &killed {
            let pid = Pid::from_raw(i32::try_from(*pid).unwrap());
            kill(pid, Signal::SIGKILL).unwrap();
        }
        let deadline = Instant::now() + START;
        let is_back = || {
            let now = daemons();
            !now.is_empty() && now.iter().all(|pid| !killed.contains(pid))
        };
        while !(is_back() && UnixStream::connect(self.socket()).is_ok()) {
            assert!(Instant::now() < deadline, "it does not come back\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A file in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the daemon and its script said.
    pub(crate) fn logs(&self) -> String {
        let read = |name| fs::read_to_string(self.path(name)).unwrap_or_default();
        format!("{}\n{}", read("output"), read("log/libvirtd.log"))
    }
}

impl Drop for Libvirtd {
    fn drop(&mut self) {
        // the script's process ends its namespace, and with that all that is in it
        let started = self.processes();
        let namespace = network_of(self.daemon.id());
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        // a pid that something else has got meanwhile is in another namespace
        let left = || started.iter().any(|pid| network_of(*pid) == namespace);
        let deadline = Instant::now() + END;
        while left() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The network namespace that a process is in.
fn network_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(Path::new("/proc").join(pid.to_string()).join("ns/net")).ok()
}
