//! Files that say whom to trust: the caller's or root's, and closed to others.

use super::regular::without_waiting;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Why a file is not taken.
#[derive(Debug)]
pub enum NotOwned {
    /// It cannot be opened.
    Unreadable(io::Error),
    /// It is no regular file.
    NotRegular,
    /// It belongs to another user.
    OfUser(u32),
    /// Others have access to it, by this mode.
    Mode(u32),
}

/// Opens a regular file that belongs to the caller or root, and whose mode has none of the bits of
/// `closed`. It is looked at once it is open, and never waited for.
///
/// # Errors
/// Why it is not taken.
pub fn open_owned(path: &Path, closed: u32) -> Result<File, NotOwned> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(without_waiting()).open(path);
    let file = opened.map_err(NotOwned::Unreadable)?;
    let found = file.metadata().map_err(NotOwned::Unreadable)?;
    if !found.is_file() {
        Err(NotOwned::NotRegular)
    } else if ![0, nix::unistd::geteuid().as_raw()].contains(&found.uid()) {
        Err(NotOwned::OfUser(found.uid()))
    } else if found.mode() & closed != 0 {
        Err(NotOwned::Mode(found.mode() & 0o777))
    } else {
        Ok(file)
    }
}
