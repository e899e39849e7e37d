//! One lock per host, so that no two runs change it at once. The lock ends with its holder, however
//! that ends. Without a lock nothing is changed.
//!
//! - `between_users.rs`: the part of a lock that all users of a machine share: an abstract socket

mod between_users;

use crate::drivers::Place;
use crate::error::{Error, ErrorKind, Result};
use diagnostics::escape;
use nix::unistd::{Uid, geteuid};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Time to wait for another run, for a command that is not repeated.
pub(crate) const WAIT: Duration = Duration::from_secs(10);

/// Interval between attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Limit on the description of a holder, in bytes.
const HOLDER_MAX: u64 = 512;

/// The right to change a host; given up when dropped.
#[derive(Debug)]
pub(crate) struct HostLock {
    /// One share per lock name of the host.
    _shares: Vec<Share>,
}

/// A lock of this process. Hosts of a fleet that are hypervisors of one machine share it.
#[derive(Debug)]
struct Taken {
    /// Hypervisors that are being changed.
    hypervisors: Mutex<BTreeSet<String>>,
    _name: between_users::Name,
    /// One file in each directory that others may look into.
    _files: Vec<Held>,
}

/// A share of a lock of this process.
#[derive(Debug)]
struct Share {
    taken: Arc<Taken>,
    hypervisor: String,
}

impl Taken {
    fn hypervisors(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.hypervisors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A share for a hypervisor, unless it is being changed, or may be one of those that are.
    fn share(self: Arc<Self>, hypervisor: &str) -> Option<Share> {
        let mut known = self.hypervisors();
        let unknown = hypervisor.is_empty() || known.contains("");
        if unknown && !known.is_empty() || !known.insert(hypervisor.to_owned()) {
            return None;
        }
        drop(known);
        Some(Share { taken: self, hypervisor: hypervisor.to_owned() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.taken.hypervisors().remove(&self.hypervisor);
    }
}

/// Result of an attempt to take a lock.
enum Attempt<T> {
    Got(T),
    /// Taken by somebody else, described for people.
    Busy(String),
}

/// A file that is locked.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // still held: whoever opened it meanwhile sees that its name is gone, and begins anew
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Lock directories, and the command that takes the locks.
#[derive(Debug)]
pub(crate) struct Locks {
    /// Directories in the order in which they are tried.
    directories: Vec<PathBuf>,
    /// Whether a lock is taken in every usable directory, and not only in the first.
    in_each: bool,
    /// The command that takes the locks.
    command: &'static str,
    wait: Duration,
    /// Locks of this process.
    taken: Mutex<BTreeMap<String, Weak<Taken>>>,
}

impl Locks {
    /// Locks in the system's directory for root, else in the user's own. Nothing in the environment
    /// counts: a login and a job of cron have two, and keep each other out. The directory of a user
    /// who is logged in comes and goes with that, so there the other one is locked as well.
    pub(crate) fn new(command: &'static str, wait: Duration) -> Self {
        let user = geteuid();
        let first = match user.is_root() {
            true => Some(PathBuf::from("/run")),
            false => runtime(Path::new("/run/user"), user),
        };
        let last = PathBuf::from(format!("/tmp/virt-{user}"));
        let directories = first.map(|d| d.join("virt")).into_iter().chain([last]).collect();
        Self { directories, in_each: !user.is_root(), command, wait, taken: Mutex::default() }
    }

    /// Takes the lock of a host.
    ///
    /// # Errors
    /// Somebody else has it, or there is no place for it: both are [`ErrorKind::Locked`].
    pub(crate) fn take(&self, place: &Place) -> Result<HostLock> {
        let deadline = Instant::now() + self.wait;
        let mut shares = Vec::new();
        for mark in place.marks() {
            loop {
                match self.attempt(mark, place.hypervisor())? {
                    Attempt::Got(share) => break shares.push(share),
                    Attempt::Busy(_) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                    Attempt::Busy(holder) => return Err(held(&holder)),
                }
            }
        }
        Ok(HostLock { _shares: shares })
    }

    /// Tries once to take the lock of a name, or a share in it if this process has it.
    fn attempt(&self, mark: &str, hypervisor: &str) -> Result<Attempt<Share>> {
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = match all.get(mark).and_then(Weak::upgrade) {
            Some(taken) => taken,
            None => match self.take_mark(mark)? {
                Attempt::Got(taken) => Arc::new(taken),
                Attempt::Busy(holder) => return Ok(Attempt::Busy(holder)),
            },
        };
        all.insert(mark.to_owned(), Arc::downgrade(&taken));
        let busy = || Attempt::Busy("this run, which knows the host by another name".to_owned());
        Ok(taken.share(hypervisor).map_or_else(busy, Attempt::Got))
    }

    fn take_mark(&self, mark: &str) -> Result<Attempt<Taken>> {
        let digest = Sha256::digest(mark.as_bytes());
        let name: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        let (mut files, mut unusable) = (Vec::new(), Vec::new());
        for directory in &self.directories {
            let path = directory.join(format!("{name}.lock"));
            let taken = private(directory)
                .map_err(|e| Error::system(&directory.display().to_string(), &e))
                .and_then(|()| self.take_file(&path));
            match taken {
                Ok(Attempt::Got(lock)) => files.push(lock),
                Ok(Attempt::Busy(holder)) => return Ok(Attempt::Busy(holder)),
                Err(e) => unusable.push(e),
            }
            if !self.in_each && !files.is_empty() {
                break;
            }
        }
        if files.is_empty() {
            return Err(no_place(unusable));
        }
        match between_users::take(&name) {
            Ok(Some(taken)) => Ok(Attempt::Got(Taken {
                hypervisors: Mutex::default(),
                _name: taken,
                _files: files,
            })),
            Ok(None) => {
                let holder = between_users::holder(&name);
                Ok(Attempt::Busy(holder.unwrap_or_else(|| "another process".to_owned())))
            }
            Err(e) => Err(no_place(vec![Error::system("a name among the abstract sockets", &e)])),
        }
    }

    fn take_file(&self, path: &Path) -> Result<Attempt<Held>> {
        let failed = |e: &std::io::Error| Error::system(&path.display().to_string(), e);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let mut file = options.open(path).map_err(|e| failed(&e))?;
            match file.try_lock() {
                // the holder before took its name away after it was opened here
                Ok(()) if !is_at(&file, path) => {}
                Ok(()) => {
                    let holder = this_run(self.command);
                    // who cannot be told who holds it is still kept out
                    let _ = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
                    return Ok(Attempt::Got(Held { path: path.to_owned(), file }));
                }
                Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy(written_holder(&file))),
                Err(TryLockError::Error(e)) => return Err(failed(&e)),
            }
        }
    }
}

/// The directory that the system keeps for a user who is logged in, or lingers.
fn runtime(below: &Path, user: Uid) -> Option<PathBuf> {
    let directory = below.join(user.to_string());
    let found = fs::symlink_metadata(&directory).ok()?;
    (found.is_dir() && found.uid() == user.as_raw()).then_some(directory)
}

/// Makes a directory that only this user can write to, and checks that it is.
fn private(directory: &Path) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(std::io::Error::other("it is not a directory of this user alone"));
    }
    Ok(())
}

fn is_at(file: &File, path: &Path) -> bool {
    let inode = |m: fs::Metadata| (m.dev(), m.ino());
    let there = fs::symlink_metadata(path).map(inode).ok();
    there.is_some() && there == file.metadata().map(inode).ok()
}

fn this_run(command: &str) -> String {
    let since = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("pid {} (virt {command}) since {since}", std::process::id())
}

/// Error for a host that cannot be locked. Its causes distinguish it from a lock that another run
/// holds.
fn no_place(why: Vec<Error>) -> Error {
    let said: Vec<&str> = why.iter().map(|e| e.message.as_str()).collect();
    let text = format!("the host cannot be locked: {}", said.join("; "));
    let error = Error::new(ErrorKind::Locked, text).hint(
        "nothing was changed, since other runs could not be excluded; make one of these a \
         directory that only this user can write to",
    );
    match why.into_iter().next() {
        Some(cause) => error.caused_by(cause),
        None => error,
    }
}

/// Description that the holder wrote into a file.
fn written_holder(file: &File) -> String {
    let mut holder = String::new();
    // without it the message says less
    let _ = file.take(HOLDER_MAX).read_to_string(&mut holder);
    match holder.trim() {
        "" => "another run".to_owned(),
        holder => holder.to_owned(),
    }
}

fn held(holder: &str) -> Error {
    let text = format!("the host is being changed: its lock is held by {}", escape(holder));
    Error::new(ErrorKind::Locked, text).hint(
        "nothing was changed; wait until that run is done, or end it, which releases the lock",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::drivers::Environment;
    use crate::model::Uri;

    fn place(uri: &str) -> Place {
        Place::of(&Uri::parse(uri).unwrap(), &Environment::new(None, None)).unwrap()
    }

    fn each(directories: Vec<PathBuf>) -> Locks {
        let taken = Mutex::default();
        Locks { directories, in_each: true, command: "apply", wait: PAUSE, taken }
    }

    #[test]
    fn hypervisors_of_one_machine_share_the_lock_of_their_run() {
        let directory = tempfile::tempdir().unwrap();
        let locks = each(vec![directory.path().join("locks")]);
        let take = |uri: &str| locks.take(&place(uri));
        let (qemu, lxc) = (take("qemu+tcp://c.invalid/system"), take("lxc+tcp://c.invalid/"));
        let qemu = qemu.unwrap();
        lxc.unwrap();
        for same in ["qemu+tcp://C.invalid/system?a=b", "remote+tcp://c.invalid/"] {
            let error = take(same).unwrap_err();
            assert!(error.message.contains("held by this run"), "{same}: {error}");
        }
        drop(qemu);
        let any = take("remote+tcp://c.invalid/").unwrap();
        assert!(take("lxc+tcp://c.invalid/").is_err());
        drop(any);
        assert!(take("lxc+tcp://c.invalid/").is_ok());
    }

    #[test]
    fn one_run_a_host_and_who_comes_second_is_told_by_whom() {
        let directory = tempfile::tempdir().unwrap();
        let locks = |wait| Locks {
            directories: vec![
                directory.path().join("missing/locks"),
                directory.path().join("locks"),
            ],
            in_each: false,
            command: "apply",
            wait,
            taken: Mutex::default(),
        };
        let take = |uri: &str| locks(PAUSE * 3).take(&place(uri));
        let first = take("qemu+tcp://one.invalid/system").unwrap();
        assert!(take("qemu+tcp://two.invalid/system").is_ok(), "another host");
        let begun = Instant::now();
        let error = take("lxc+tcp://one.invalid/").unwrap_err();
        assert!(begun.elapsed() >= PAUSE * 3);
        assert_eq!(error.kind, ErrorKind::Locked);
        let holder = format!("held by pid {} (virt apply) since 20", std::process::id());
        assert!(error.message.contains(&holder), "{error}");
        // who waits gets it as soon as it is free, though its name goes meanwhile
        let patient = locks(WAIT);
        let waits =
            std::thread::spawn(move || patient.take(&place("qemu+tcp://one.invalid/system")));
        std::thread::sleep(PAUSE);
        drop(first);
        let second = waits.join().unwrap().unwrap();
        assert_eq!(fs::read_dir(directory.path().join("locks")).unwrap().count(), 1);
        drop(second);
        assert_eq!(fs::read_dir(directory.path().join("locks")).unwrap().count(), 0);
    }

    #[test]
    fn a_foreign_directory_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let directories = vec![directory.path().join("link")];
        std::os::unix::fs::symlink(directory.path(), directory.path().join("link")).unwrap();
        let error = each(directories).take(&place("qemu+tcp://a.invalid/system")).unwrap_err();
        assert!(error.message.contains("of this user alone"), "{error}");
        assert_eq!(error.kind, ErrorKind::Locked);
    }

    #[test]
    fn a_login_that_comes_or_goes_between_two_runs_keeps_them_apart() {
        let directory = tempfile::tempdir().unwrap();
        let [login, always] = ["login", "always"].map(|name| directory.path().join(name));
        let run = |directories: &[&PathBuf]| {
            let directories = directories.iter().map(|d| d.to_path_buf()).collect();
            each(directories).take(&place("qemu+tcp://b.invalid/session"))
        };
        for (first, second) in
            [(vec![&always], vec![&login, &always]), (vec![&login, &always], vec![&always])]
        {
            let lock = run(&first).unwrap();
            assert_eq!(run(&second).unwrap_err().kind, ErrorKind::Locked);
            drop(lock);
            assert!(run(&second).is_ok());
        }
    }

    #[test]
    fn the_users_directory_is_taken_if_it_is_there_and_theirs() {
        let directory = tempfile::tempdir().unwrap();
        let (below, user) = (directory.path(), geteuid());
        let other = Uid::from_raw(user.as_raw() + 1);
        assert_eq!(runtime(below, user), None);
        let path = |of: Uid| below.join(of.to_string());
        fs::create_dir(path(user)).unwrap();
        std::os::unix::fs::symlink(path(user), path(other)).unwrap();
        assert_eq!(runtime(below, user), Some(path(user)));
        assert_eq!(runtime(below, other), None);
    }
}
