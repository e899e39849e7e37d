//! A QEMU host of the tests' own behind a proxy, with a directory of manifests. Starting a daemon
//! takes a while, so a pool hands hosts from one trial to the next, emptied.

use crate::support::{Libvirtd, Needs, Proxy, Ran, ignorable_if, run, tool, trial_if, virt};
use libtest_mimic::{Completion, Trial};
use libvirt_rpc::Procedure;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Killed guests are gone by then.
const GONE: Duration = Duration::from_secs(60);

/// The manifests that come with the repository.
pub(crate) const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests");

/// The samples' domains and networks; those that run start with the host, too.
pub(crate) const SAMPLE_DOMAINS: [(&str, bool); 3] = [("db", true), ("jump", false), ("web", true)];
pub(crate) const SAMPLE_NETWORKS: [&str; 2] = ["backend", "lan"];

/// Host with manifests and helpers for commands.
pub(crate) struct Host {
    libvirtd: Libvirtd,
    pub(crate) proxy: Proxy,
    directory: TempDir,
    uri: String,
}

impl Host {
    /// Returns the needs of the host on the machine.
    pub(crate) fn needs() -> Needs {
        Libvirtd::available()?;
        for program in ["virsh", "qemu-system-x86_64", "qemu-img", "dnsmasq"] {
            tool(program)?;
        }
        Ok(())
    }

    pub(crate) fn start() -> Self {
        let libvirtd = Libvirtd::start();
        let proxy = Proxy::start(&libvirtd.socket());
        let uri = format!("qemu+unix:///system?socket={}", proxy.socket().display());
        Self { libvirtd, proxy, directory: directory(), uri }
    }

    /// Empties the host and its directory.
    fn clear(&mut self) {
        self.directory = directory();
        self.proxy.disarm();
        self.remove_all();
        self.proxy.take_changes();
    }

    /// Removes every object; a guest does not get to know.
    pub(crate) fn remove_all(&self) {
        for pid in self.guests() {
            run(Command::new("kill").args(["-KILL", &pid.to_string()]));
        }
        let deadline = Instant::now() + GONE;
        while !self.virsh(&["list", "--name"]).trim().is_empty() {
            assert!(Instant::now() < deadline, "{}", self.virsh(&["list"]));
            std::thread::sleep(Duration::from_millis(20));
        }
        // in one go, as virsh takes its time to start
        let each = |list: &[&str], command: &str| {
            let names = self.names(list).into_iter();
            names.map(|name| command.replace("NAME", &name)).collect::<String>()
        };
        let commands = [
            each(
                &["list", "--all", "--name"],
                "undefine NAME --managed-save --nvram --snapshots-metadata --checkpoints-metadata; ",
            ),
            each(&["net-list", "--name"], "net-destroy NAME; "),
            each(&["net-list", "--all", "--name"], "net-undefine NAME; "),
        ];
        let commands = commands.concat();
        if !commands.is_empty() {
            self.virsh(&[&commands]);
        }
    }

    /// The processes of its guests.
    pub(crate) fn guests(&self) -> BTreeSet<u32> {
        let is_guest = |pid: &u32| {
            let program = fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe"));
            program.is_ok_and(|p| p.to_string_lossy().contains("qemu-system"))
        };
        self.libvirtd.processes().into_iter().filter(is_guest).collect()
    }

    /// Runs a command in its network.
    pub(crate) fn inside(&self, command: &Command) -> Ran {
        run(&mut self.libvirtd.inside(command))
    }

    /// Waits until its daemon, which was killed, is back.
    pub(crate) fn wait_until_it_answers(&self) {
        self.libvirtd.wait_until_it_answers();
    }

    /// Runs virsh, not through the proxy, and returns its output.
    #[track_caller]
    pub(crate) fn virsh(&self, arguments: &[&str]) -> String {
        virsh(&self.libvirtd.qemu_uri(), arguments)
    }

    /// The URI of the host, not through the proxy.
    pub(crate) fn qemu(&self) -> String {
        self.libvirtd.qemu_uri()
    }

    pub(crate) fn names(&self, arguments: &[&str]) -> Vec<String> {
        self.virsh(arguments).split_whitespace().map(str::to_owned).collect()
    }

    /// `virt COMMAND` with the host and the options, to be run.
    pub(crate) fn virt(&self, arguments: &[&str]) -> Command {
        let mut command = virt(arguments);
        command.args(["--connect", &self.uri]).current_dir(self.directory.path());
        command
    }

    /// Applies the manifests, and gives the calls that changed the host.
    #[track_caller]
    pub(crate) fn apply(&self, options: &[&str], code: i32) -> Vec<Procedure> {
        let arguments = [&["apply", "."], options].concat();
        self.run(&arguments, code);
        self.proxy.take_changes()
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> Ran {
        run(&mut self.virt(arguments)).expect(code)
    }

    /// The plan for the manifests, as `plan --output json` has it.
    #[track_caller]
    pub(crate) fn plan(&self, options: &[&str], code: i32) -> Value {
        let ran = self.run(&[&["plan", ".", "--output", "json"], options].concat(), code);
        serde_json::from_str(&ran.stdout()).unwrap()
    }

    /// Holds the host to its manifests: nothing to do, and doing it calls nothing.
    #[track_caller]
    pub(crate) fn is_in_sync(&self) {
        self.run(&["plan", ".", "--detailed-exitcode"], 0);
        assert_eq!(self.apply(&[], 0), [], "an apply in sync changed something");
    }

    /// Returns the place of a file in the host's own `/var/lib/libvirt`.
    pub(crate) fn kept(&self, name: &str) -> PathBuf {
        let name = name.strip_prefix("/var/lib/libvirt/").unwrap_or_else(|| panic!("{name}"));
        self.libvirtd.path("lib").join(name)
    }

    /// Returns a path in the directory of the manifests and a test's other files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn directory(&self) -> &str {
        self.directory.path().to_str().unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Puts the samples among the manifests.
    pub(crate) fn take_samples(&self) {
        copy_samples(self.directory.path(), str::to_owned);
    }

    /// The definition of a domain for its next boot.
    #[track_caller]
    pub(crate) fn inactive(&self, name: &str) -> String {
        self.virsh(&["dumpxml", "--inactive", name])
    }
}

/// Runs virsh and returns its output.
#[track_caller]
pub(crate) fn virsh(uri: &str, arguments: &[&str]) -> String {
    let ran = run(Command::new("virsh").args(["--quiet", "--connect", uri]).args(arguments));
    ran.expect(0).stdout()
}

/// Copies the samples, each changed by `edit`.
pub(crate) fn copy_samples(to: &Path, edit: impl Fn(&str) -> String) {
    for entry in fs::read_dir(SAMPLES).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(to.join(path.file_name().unwrap()), edit(&text)).unwrap();
    }
}

/// A directory for manifests of the set `here`, unless a test writes another one's name.
fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("virt-manifests-").tempdir().unwrap();
    fs::write(directory.path().join("virt.toml"), "set = \"here\"\n").unwrap();
    directory
}

/// Hosts that no trial is using.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Host>>);

impl Pool {
    /// A trial on an empty host. One that fails takes its host with it.
    pub(crate) fn trial(
        self: &Arc<Self>,
        name: &str,
        body: impl Fn(&Host) + Send + 'static,
    ) -> Trial {
        self.ignorable(name, move |host| {
            body(host);
            Completion::Completed
        })
    }

    /// Creates a trial that needs more than the host.
    pub(crate) fn trial_if<T: Send + 'static>(
        self: &Arc<Self>,
        needs: Needs<T>,
        name: &str,
        body: impl Fn(&Host, &T) + Send + 'static,
    ) -> Trial {
        let pool = Arc::clone(self);
        trial_if(Host::needs().and(needs), name, move |needed| {
            let mut host = pool.take();
            body(&host, &needed);
            host.clear();
            pool.0.lock().unwrap().push(host);
        })
    }

    /// Creates a trial that may find out on the host that it does not apply.
    pub(crate) fn ignorable(
        self: &Arc<Self>,
        name: &str,
        body: impl Fn(&Host) -> Completion + Send + 'static,
    ) -> Trial {
        let pool = Arc::clone(self);
        ignorable_if(Host::needs(), name, move |()| {
            let mut host = pool.take();
            let completion = body(&host);
            host.clear();
            pool.0.lock().unwrap().push(host);
            completion
        })
    }

    /// Creates a trial on two hosts.
    pub(crate) fn trial_of_two(
        self: &Arc<Self>,
        name: &str,
        body: impl Fn(&Host, &Host) + Send + 'static,
    ) -> Trial {
        let pool = Arc::clone(self);
        trial_if(Host::needs(), name, move |()| {
            let mut hosts = [pool.take(), pool.take()];
            body(&hosts[0], &hosts[1]);
            hosts.iter_mut().for_each(Host::clear);
            pool.0.lock().unwrap().extend(hosts);
        })
    }

    fn take(&self) -> Host {
        let idle = self.0.lock().unwrap().pop();
        idle.unwrap_or_else(Host::start)
    }
}
