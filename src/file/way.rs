//! Walk to a file, name by name, with the users who can redirect it.

use super::Users;
use super::regular::on_a_line;
use super::step::{Step, push};
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use rustix::fs::fstatfs;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Most symbolic links on the way to one file, as in the system.
const LINKS_MAX: usize = 40;

/// File systems whose files are made by the kernel, or by any process: by their numbers. A file there may
/// pass for root's and hold a user's text.
const UNREAL: [(u64, &str); 17] = [
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x0027_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0xf97c_ff8c, "selinuxfs"),
    (0xcafe_4a11, "bpf"),
    (0x6265_6570, "configfs"),
    (0x1cd1, "devpts"),
    (0x1980_0202, "mqueue"),
    (0x6165_676c, "pstore"),
    (0xde5e_81e4, "efivarfs"),
    (0x6c6f_6f70, "binderfs"),
    (0x5049_5045, "pipefs"),
    (0x6e73_6673, "nsfs"),
];

/// End of a path, open without a right to read it, with the others who control it.
#[derive(Debug)]
pub(super) struct End {
    pub(super) opened: OwnedFd,
    pub(super) found: Metadata,
    /// Path without links.
    pub(super) real: PathBuf,
    /// Reason for which somebody else than these users can redirect the path.
    pub(super) doubt: Option<String>,
}

/// Follows `path` through symbolic links, and checks each of them and each directory: all belong to these
/// users, and nobody else can write them. In a directory in which everybody keeps their own, as in `/tmp`,
/// only the next name has to.
///
/// # Errors
/// It is not there, cannot be reached, or is on a file system without files.
pub(super) fn follow(path: &Path, users: &Users) -> io::Result<End> {
    let whole = std::path::absolute(path)?;
    let top = nix::fcntl::open("/", FLAGS | OFlag::O_DIRECTORY, Mode::empty())?;
    let mut at = Stand { opened: vec![(top, OsString::new())], doubt: None };
    let mut left: Vec<Step> = Vec::new();
    push(&mut left, &whole);
    let mut links = 0;
    while let Some(step) = left.pop() {
        let name = match step {
            Step::Top => {
                at.opened.truncate(1);
                continue;
            }
            Step::Up => {
                if at.opened.len() > 1 {
                    at.opened.pop();
                }
                continue;
            }
            Step::Down(name) => name,
        };
        at.judge_directory(users)?;
        let next = openat(at.last()?, name.as_os_str(), FLAGS | OFlag::O_NOFOLLOW, Mode::empty())?;
        let found = metadata(&next)?;
        if found.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(io::Error::other("too many symbolic links in the path"));
            }
            if let Some(owner) = users.owner(&found) {
                let link = at.path().join(&name);
                at.doubt(format!("{owner} can turn the link {} elsewhere", on_a_line(&link)));
            }
            push(&mut left, Path::new(&readlinkat(at.last()?, name.as_os_str())?));
        } else {
            at.opened.push((next, name));
        }
    }
    let (real, doubt) = (at.path(), at.doubt.take());
    let (opened, _) = at.opened.pop().ok_or_else(|| io::Error::other("it has no end"))?;
    is_real(&opened)?;
    Ok(End { found: metadata(&opened)?, opened, real, doubt })
}

const FLAGS: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

/// Position of the walk: all directories from the top on, each with its name.
struct Stand {
    opened: Vec<(OwnedFd, OsString)>,
    doubt: Option<String>,
}

impl Stand {
    fn last(&self) -> io::Result<&OwnedFd> {
        self.opened.last().map(|(opened, _)| opened).ok_or_else(|| io::Error::other("no way"))
    }

    fn path(&self) -> PathBuf {
        Path::new("/").join(self.opened.iter().skip(1).map(|(_, name)| name).collect::<PathBuf>())
    }

    /// The first one counts.
    fn doubt(&mut self, why: String) {
        self.doubt.get_or_insert(why);
    }

    /// Looks at the directory that one is in.
    fn judge_directory(&mut self, users: &Users) -> io::Result<()> {
        let opened = self.last()?;
        is_real(opened)?;
        if self.doubt.is_some() {
            return Ok(());
        }
        let found = metadata(opened)?;
        let keeps_apart = found.mode() & 0o1000 != 0;
        let writers = || users.writers(&through(opened), &found);
        let who = users.owner(&found).or_else(|| if keeps_apart { None } else { writers() });
        if let Some(who) = who {
            self.doubt(format!("{who} can write {}", on_a_line(&self.path())));
        }
        Ok(())
    }
}

/// Returns a path by which an open file's attributes can be read.
pub(super) fn through(opened: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()))
}

fn is_real(opened: &OwnedFd) -> io::Result<()> {
    let sort = u64::try_from(fstatfs(opened)?.f_type).unwrap_or(u64::MAX) & 0xffff_ffff;
    match UNREAL.iter().find(|(number, _)| *number == sort) {
        Some((_, name)) => {
            Err(io::Error::other(format!("it is on the file system {name}, which has no files")))
        }
        None => Ok(()),
    }
}

fn metadata(opened: &OwnedFd) -> io::Result<Metadata> {
    File::from(opened.as_fd().try_clone_to_owned()?).metadata()
}
