//! Regular files alone, opened without waiting for them.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Returns flags with which opening waits for nobody: neither for a pipe without an end, nor for a terminal.
pub(super) fn without_waiting() -> i32 {
    (nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY).bits()
}

/// Opens a regular file to read it. Anything else is refused unopened, since opening a device may do
/// something; what was opened is looked at again, in case it was exchanged meanwhile.
///
/// # Errors
/// It cannot be opened, or is none.
pub fn open(path: &Path) -> io::Result<File> {
    regular(&std::fs::metadata(path)?)?;
    let file = OpenOptions::new().read(true).custom_flags(without_waiting()).open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a regular file, one more than `limit` at the most.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    bytes(open(path)?, limit)
}

/// Opens, or makes, a file that this program alone writes, such as a lock beside another file: no
/// link is followed, and nothing but a regular file is taken.
///
/// # Errors
/// It cannot be opened, or something else is there.
pub fn open_own(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let flags = without_waiting() | nix::fcntl::OFlag::O_NOFOLLOW.bits();
    let file = options.custom_flags(flags).open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of an open file, one more than `limit` at the most.
pub(crate) fn bytes(file: File, limit: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses a file that is not a regular one.
pub(super) fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
}

/// A path for a message: its name may have breaks in it.
pub(super) fn on_a_line(path: &Path) -> String {
    let mut line = String::new();
    for c in path.to_string_lossy().chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// Whether two are the same file.
pub(super) fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_pipe_and_a_device_are_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&pipe, Path::new("/dev/zero"), directory.path()] {
            let error = open(path).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file", "{}", path.display());
        }
        assert!(open_own(&pipe).is_err());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("made", &link).unwrap();
        assert!(open_own(&link).is_err());
        assert!(!directory.path().join("made").exists());
    }

    #[test]
    fn one_byte_more_than_the_limit_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"1234");
        assert_eq!(read(&path, 5).unwrap(), b"12345");
    }
}
