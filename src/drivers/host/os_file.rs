//! A file of the operating system that one program at a time replaces, under a lock on a file beside it.

use super::file::{HostFile, LockedFile, Stamp};
use crate::file::{Held, open_itself, open_own};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A file by its path, or by its place beneath a directory.
#[derive(Debug)]
pub(crate) struct OsFile {
    path: PathBuf,
    /// A real directory and the file from there: no link that anybody puts there leads it elsewhere.
    beneath: Option<(PathBuf, PathBuf)>,
}

/// How the file is reached for one operation.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// The directory that the path counts from, and that nobody can exchange meanwhile.
    held: Option<Held>,
}

impl Place {
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }
}

impl OsFile {
    /// Names a file by its path.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, beneath: None }
    }

    /// Names a file beneath a real directory, which it never leaves.
    pub(crate) fn beneath(root: &Path, file: &Path) -> Self {
        Self { path: root.join(file), beneath: Some((root.to_owned(), file.to_owned())) }
    }

    fn place(&self) -> io::Result<Place> {
        let Some((root, file)) = &self.beneath else {
            return Ok(Place { path: self.path.clone(), held: None });
        };
        let (held, name) = Held::of_file(root, file)?;
        Ok(Place { path: held.path(name), held: Some(held) })
    }
}

impl HostFile for OsFile {
    fn read(&self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let opened = self.place().and_then(|place| match place.held {
            Some(_) => open_itself(&place.path),
            None => crate::file::open(&place.path),
        });
        let file = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut bytes = Vec::new();
        let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(read).is_ok_and(|read| read <= limit) {
            Ok(Some(bytes))
        } else {
            Err(io::ErrorKind::FileTooLarge.into())
        }
    }

    fn stamp(&self) -> Option<Stamp> {
        let Place { path, held } = self.place().ok()?;
        let m = if held.is_some() { path.symlink_metadata() } else { path.metadata() }.ok()?;
        Some(Stamp([m.dev(), m.ino(), m.size()], [m.mtime(), m.mtime_nsec()]))
    }

    fn try_lock(&self) -> io::Result<Option<Box<dyn LockedFile + '_>>> {
        let place = self.place()?;
        let lock = open_own(&place.beside(".lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Box::new(OsLock { place, _lock: lock }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

/// The lock on a file beside it.
#[derive(Debug)]
struct OsLock {
    place: Place,
    _lock: File,
}

impl OsLock {
    fn new_version(&self) -> PathBuf {
        self.place.beside(".new")
    }
}

impl LockedFile for OsLock {
    fn remove_new(&self) -> io::Result<()> {
        match std::fs::remove_file(self.new_version()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    fn write_new(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.new_version())?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename_new(&self) -> io::Result<()> {
        std::fs::rename(self.new_version(), &self.place.path)
    }

    fn sync_directory(&self) -> io::Result<()> {
        let parent = self.place.path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all())
    }
}
