//! A directory beneath which files are opened, and never elsewhere, whatever happens meanwhile.

use super::regular::{bytes, on_a_line, regular, same};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Most retries after the system could not decide, since something was renamed meanwhile.
const TRIES: usize = 16;

/// Error of a path that leads out of the given directories; its target was not looked at.
#[derive(Debug)]
pub struct Outside(pub PathBuf);

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it leads to {}, outside of what was given to be read", on_a_line(&self.0))
    }
}

impl std::error::Error for Outside {}

impl From<Outside> for io::Error {
    fn from(outside: Outside) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, outside)
    }
}

impl Outside {
    /// Whether an error is of this sort.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|e| e.is::<Self>())
    }
}

/// A directory that is open, with its real path.
#[derive(Debug)]
pub struct Root {
    real: PathBuf,
    directory: OwnedFd,
}

impl Root {
    /// Opens a directory; symbolic links on the way to it are followed.
    ///
    /// # Errors
    /// It is not there, or none.
    pub fn open(path: &Path) -> io::Result<Self> {
        // the parent of a name by itself is the empty path
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = nix::fcntl::open(path, flags, Mode::empty())?;
        let real = std::fs::canonicalize(path)?;
        if !same(&std::fs::metadata(&real)?, &metadata(&directory)?) {
            return Err(io::Error::other("it is being replaced at this moment"));
        }
        Ok(Self { real, directory })
    }

    /// Returns the real path of the root.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// A directory beneath it, by its real path.
    ///
    /// # Errors
    /// It is not there, or a symbolic link by now.
    pub fn directory(&self, real: &Path) -> io::Result<Self> {
        let directory = self.at(real, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        Ok(Self { real: real.to_owned(), directory })
    }

    /// Returns the open directory, for a caller that keeps it.
    pub(super) fn into_directory(self) -> OwnedFd {
        self.directory
    }

    /// The names in a directory beneath it, given by its real path: `most` of them, and one more if
    /// there are.
    ///
    /// # Errors
    /// It cannot be read, or is none by now.
    pub fn names(&self, real: &Path, most: usize) -> io::Result<Vec<OsString>> {
        let directory = self.at(real, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(directory)?.iter() {
            let name = entry?.file_name().to_bytes().to_owned();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(&name).to_owned());
            }
            if names.len() > most {
                break;
            }
        }
        Ok(names)
    }

    /// The bytes of a regular file beneath it, given by its real path, one more than `limit` at the
    /// most, and what was known of the very file that they come from.
    ///
    /// # Errors
    /// It cannot be read, or is none by now.
    pub fn read(&self, real: &Path, limit: usize) -> io::Result<(Vec<u8>, Metadata)> {
        // a device is not even opened
        let before = metadata(&self.at(real, OFlag::O_PATH)?)?;
        regular(&before)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = File::from(self.at(real, flags)?);
        let now = file.metadata()?;
        regular(&now)?;
        Ok((bytes(file, limit)?, now))
    }

    /// Opens the file with this real path.
    fn at(&self, real: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        /// Whether the system lacks the call, or keeps it from us.
        static LACKS: AtomicBool = AtomicBool::new(false);
        let relative = real.strip_prefix(&self.real).map_err(|_| Outside(real.into()))?;
        let flags = flags | OFlag::O_CLOEXEC;
        if !LACKS.load(Ordering::Relaxed) {
            match self.at_once(relative, flags) {
                // a filter of system calls that does not know it says that it is not permitted
                Err(Errno::ENOSYS | Errno::EPERM) => LACKS.store(true, Ordering::Relaxed),
                done => return Ok(done?),
            }
        }
        Ok(self.step_by_step(relative, flags)?)
    }

    fn at_once(&self, relative: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let path = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let resolve = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags).resolve(resolve);
        let mut tries = 0;
        loop {
            match openat2(&self.directory, path, how) {
                Err(Errno::EAGAIN | Errno::EINTR) if tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }

    /// Opens a file by a call for each name, none of which may be a symbolic link.
    fn step_by_step(&self, relative: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let mut names = Vec::new();
        for component in relative.components() {
            let Component::Normal(name) = component else { return Err(Errno::EXDEV) };
            names.push(name);
        }
        let last = names.pop().unwrap_or(OsStr::new("."));
        let between = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut at = self.directory.try_clone().map_err(|_| Errno::last())?;
        for name in names {
            at = openat(&at, name, between, Mode::empty())?;
        }
        let opened = openat(&at, last, flags | OFlag::O_NOFOLLOW, Mode::empty())?;
        // with O_PATH a link itself is opened
        match metadata(&opened) {
            Ok(found) if found.is_symlink() => Err(Errno::ELOOP),
            _ => Ok(opened),
        }
    }
}

fn metadata(opened: &OwnedFd) -> io::Result<Metadata> {
    File::from(opened.as_fd().try_clone_to_owned()?).metadata()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_becomes_a_link_after_it_was_looked_at_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("a"), "secret").unwrap();
        let root = Root::open(directory.path()).unwrap();
        let file = root.real().join("d/a");
        fs::create_dir(root.real().join("d")).unwrap();
        fs::write(&file, "ours").unwrap();
        let open = |root: &Root| {
            let relative = file.strip_prefix(root.real()).unwrap();
            let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
            [root.at_once(relative, flags), root.step_by_step(relative, flags)]
        };
        for opened in open(&root) {
            assert_eq!(bytes(File::from(opened.unwrap()), 9).unwrap(), b"ours");
        }
        assert_eq!(root.read(&file, 9).unwrap().0, b"ours");
        // the file, and then the directory that it is in
        fs::remove_file(&file).unwrap();
        symlink(outside.path().join("a"), &file).unwrap();
        assert!(open(&root).iter().all(Result::is_err));
        assert!(root.read(&file, 9).is_err());
        fs::remove_dir_all(root.real().join("d")).unwrap();
        symlink(outside.path(), root.real().join("d")).unwrap();
        assert!(open(&root).iter().all(Result::is_err));
        assert!(root.read(&file, 9).is_err());
        assert!(root.names(&root.real().join("d"), 9).is_err());
        assert!(root.read(&outside.path().join("a"), 9).is_err());
        assert!(root.step_by_step(Path::new("../a"), OFlag::O_RDONLY).is_err());
    }

    #[test]
    fn a_link_by_itself_is_not_opened_step_by_step_either() {
        let directory = tempfile::tempdir().unwrap();
        symlink("/etc/passwd", directory.path().join("link")).unwrap();
        let root = Root::open(directory.path()).unwrap();
        for flags in [OFlag::O_PATH, OFlag::O_RDONLY] {
            assert!(root.step_by_step(Path::new("link"), flags | OFlag::O_CLOEXEC).is_err());
        }
        assert!(root.step_by_step(Path::new(""), OFlag::O_PATH).is_ok());
    }
}
