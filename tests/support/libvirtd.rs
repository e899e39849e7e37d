//! A libvirtd of the tests' own, ended with all that it started.

use super::{Needs, tool};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/libvirtd.sh");
const START: Duration = Duration::from_secs(90);
const END: Duration = Duration::from_secs(60);

/// A running libvirtd with namespaces of its own; it ends when this is dropped.
pub(crate) struct Libvirtd {
    daemon: Child,
    directory: TempDir,
}

impl Libvirtd {
    /// Checks that a daemon can be started here; the error is the reason why not.
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

    /// Starts a daemon that admits everybody who can open its socket.
    pub(crate) fn start() -> Self {
        Self::start_with("", "", |_| {})
    }

    /// Starts a daemon with more of libvirtd.conf, and with commands that run in its namespaces first.
    /// `prepare` may put files into its directory; in both texts `$dir` stands for that. A `sasl2` there
    /// becomes its /etc/sasl2. Of a repeated setting the first counts.
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
        let libvirtd = Self { daemon, directory };
        libvirtd.wait_until_it_answers();
        libvirtd
    }

    /// Waits until it takes callers, after its start or when it was killed.
    pub(crate) fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + START;
        while !(self.path("pid").exists() && UnixStream::connect(self.socket()).is_ok()) {
            let is_there = network_of(self.daemon.id()).is_some();
            assert!(is_there && Instant::now() < deadline, "no libvirtd\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the daemon accepts connections.
    pub(crate) fn answers(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    /// Kills the daemon. It is started again at once; its guests go on.
    pub(crate) fn kill_daemon(&self) {
        kill_daemon(&UnixStream::connect(self.socket()).unwrap());
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

    /// Returns its socket.
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

    /// A file in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the output of the daemon and its script.
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
        // a process that is gone may count as in its group for a moment
        while !remove_groups(self.first()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The cgroups that a daemon's script has made for its guests.
pub(crate) fn groups(first: u32) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let places = directories(root).into_iter().chain([root.to_owned()]);
    let own = places.map(|place| place.join(format!("virt-test-{first}")));
    own.filter(|own| own.is_dir()).collect()
}

/// Removes them, and says whether none is left.
fn remove_groups(first: u32) -> bool {
    groups(first).iter().for_each(|own| remove_group(own));
    groups(first).is_empty()
}

fn remove_group(group: &Path) {
    directories(group).iter().for_each(|inner| remove_group(inner));
    // a group in use stays for now
    let _ = fs::remove_dir(group);
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    let is_directory = |e: &fs::DirEntry| e.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_directory).map(|e| e.path()).collect()
}

/// Kills the daemon at the other end of a connection, and waits until it is gone.
pub(super) fn kill_daemon(connection: &UnixStream) {
    let daemon = getsockopt(connection, PeerCredentials).unwrap().pid().to_string();
    let kill = Command::new("kill").args(["-KILL", &daemon]).status();
    assert!(kill.unwrap().success(), "libvirtd is not there any more");
    let deadline = Instant::now() + END;
    while Path::new("/proc").join(&daemon).exists() {
        assert!(Instant::now() < deadline, "libvirtd does not die");
        std::thread::sleep(Duration::from_millis(5));
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
