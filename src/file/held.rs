//! Directory that was found beneath another one, and is kept open: its entries are reached without names on
//! the way that somebody may have exchanged since.

use super::beneath::Root;
use super::regular::{regular, without_waiting};
use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A directory that is kept open.
#[derive(Debug)]
pub struct Held(OwnedFd);

impl Held {
    /// Opens the directory `below` of `root`, which is a real path. Where links lead is found out first;
    /// what is opened is beneath `root`, with no link followed.
    ///
    /// # Errors
    /// It is not there, or elsewhere.
    pub fn open(root: &Path, below: &Path) -> io::Result<Self> {
        let opened = Root::open(root)?;
        if opened.real() != root {
            return Err(io::Error::other("its directory was replaced"));
        }
        let real = std::fs::canonicalize(root.join(below))?;
        Ok(Self(opened.directory(&real)?.into_directory()))
    }

    /// The directory of the file `below` of `root`, and the file's name in it.
    ///
    /// # Errors
    /// As above.
    pub fn of_file<'p>(root: &Path, below: &'p Path) -> io::Result<(Self, &'p OsStr)> {
        let none = || io::Error::from(io::ErrorKind::InvalidInput);
        let name = below.file_name().ok_or_else(none)?;
        Ok((Self::open(root, below.parent().unwrap_or(Path::new("")))?, name))
    }

    /// A path to a name in it, for as long as it is kept.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        Path::new("/proc/self/fd").join(self.0.as_raw_fd().to_string()).join(name)
    }
}

/// Opens a regular file to read it, and none that a symbolic link in its place leads to.
///
/// # Errors
/// It cannot be opened, or is none.
pub fn open_itself(path: &Path) -> io::Result<File> {
    regular(&std::fs::symlink_metadata(path)?)?;
    let flags = without_waiting() | nix::fcntl::OFlag::O_NOFOLLOW.bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let found: Metadata = file.metadata()?;
    regular(&found)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_exchanged_later_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        fs::create_dir(root.join("other")).unwrap();
        fs::write(root.join("a/file"), "one").unwrap();
        fs::write(root.join("other/file"), "two").unwrap();
        let held = Held::open(&root, Path::new("./a")).unwrap();
        fs::rename(root.join("a"), root.join("b")).unwrap();
        symlink("other", root.join("a")).unwrap();
        let path = held.path(OsStr::new("file"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        let other = Held::open(&root, Path::new("a")).unwrap();
        assert_eq!(fs::read_to_string(other.path(OsStr::new("file"))).unwrap(), "two");
        symlink("/", root.join("away")).unwrap();
        assert!(Held::open(&root, Path::new("away")).is_err());
        assert!(Held::open(&root, Path::new("..")).is_err());
        assert!(open_itself(&path).is_ok());
        fs::remove_file(root.join("b/file")).unwrap();
        symlink("../other/file", root.join("b/file")).unwrap();
        assert!(open_itself(&path).is_err());
    }
}
