//! A file that one program at a time replaces as a whole, and that survives a power failure.

use std::{fmt, io};

/// Identity of a version of a file: device, inode, size, and time of writing in seconds and nanoseconds.
/// Each version is a new file, but its inode may be one that was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(super) [u64; 3], pub(super) [i64; 2]);

/// A file of a host.
pub(crate) trait HostFile: fmt::Debug + Send + Sync {
    /// Reads the whole file, but no more than `limit` bytes; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, is larger, or is no file of its directory.
    fn read(&self, limit: u64) -> io::Result<Option<Vec<u8>>>;

    /// Returns the identity of the present version; `None` without one.
    fn stamp(&self) -> Option<Stamp>;

    /// Takes the right to replace the file; `None` while another program has it.
    ///
    /// # Errors
    /// The lock cannot be opened or taken.
    fn try_lock(&self) -> io::Result<Option<Box<dyn LockedFile + '_>>>;
}

/// The right to replace a file, given up when dropped: the steps of a replacement.
pub(crate) trait LockedFile: fmt::Debug {
    /// Removes a new version beside the file, if a program that died has left one.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove_new(&self) -> io::Result<()>;

    /// Writes a new version beside the file, and syncs it.
    ///
    /// # Errors
    /// There is one, or it cannot be written whole.
    fn write_new(&self, bytes: &[u8]) -> io::Result<()>;

    /// Renames the new version over the file.
    ///
    /// # Errors
    /// The file is as it was.
    fn rename_new(&self) -> io::Result<()>;

    /// Syncs the directory of the file, so that the new name survives a power failure.
    ///
    /// # Errors
    /// Whether it survives is unknown.
    fn sync_directory(&self) -> io::Result<()>;
}

/// Reason for which a file was not replaced.
#[derive(Debug)]
pub(crate) enum NotReplaced {
    /// The file is as it was.
    Unchanged(io::Error),
    /// The new version is in place, but may not survive a power failure.
    Unsure(io::Error),
}

/// Replaces a file: at each moment it is one whole version, and once this returns it is the new one, whatever
/// happens to the machine.
pub(crate) fn replace(file: &dyn LockedFile, bytes: &[u8]) -> Result<(), NotReplaced> {
    file.remove_new()
        .and_then(|()| file.write_new(bytes))
        .and_then(|()| file.rename_new())
        .map_err(NotReplaced::Unchanged)?;
    file.sync_directory().map_err(NotReplaced::Unsure)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::fake::FakeFile;
    use super::*;

    /// Steps of a replacement.
    const STEPS: usize = 4;

    #[test]
    fn an_error_before_the_rename_leaves_the_file_as_it_was() {
        for step in 0..STEPS {
            let file = FakeFile::with("old");
            file.fail_at(step);
            let replaced = replace(&*file.try_lock().unwrap().unwrap(), b"new");
            match replaced.unwrap_err() {
                NotReplaced::Unchanged(_) => assert!(step < 3, "{step}"),
                NotReplaced::Unsure(_) => assert_eq!(step, 3),
            }
            let now = if step < 3 { "old" } else { "new" };
            assert_eq!(file.text().as_deref(), Some(now), "{step}");
            // what is left of it is no obstacle
            replace(&*file.try_lock().unwrap().unwrap(), b"newer").unwrap();
            assert_eq!(file.text().as_deref(), Some("newer"), "{step}");
        }
    }

    #[test]
    fn a_power_failure_at_any_step_leaves_one_whole_version() {
        for step in 0..=STEPS {
            let file = FakeFile::with("old");
            file.fail_at(step);
            let is_replaced = replace(&*file.try_lock().unwrap().unwrap(), b"new").is_ok();
            for kept in file.after_power_failure() {
                let old_or_new = kept.as_deref() == Some("old") || kept.as_deref() == Some("new");
                assert!(old_or_new, "{step}: {kept:?}");
                assert!(!is_replaced || kept.as_deref() == Some("new"), "{step}: {kept:?}");
            }
        }
    }

    #[test]
    fn one_program_at_a_time_has_the_right() {
        let file = FakeFile::with("old");
        let lock = file.try_lock().unwrap();
        assert!(lock.is_some() && file.try_lock().unwrap().is_none());
        drop(lock);
        assert!(file.try_lock().unwrap().is_some());
    }
}
