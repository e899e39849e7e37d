//! Port to the operating system, for drivers that keep their objects themselves: a driver says what it needs of
//! its host by these traits, and a test gives it a host that fails where the test says.
//!
//! Files are all that a driver needs as yet; programs and network interfaces come with the drivers that do.
//!
//! - `fake.rs`: a file in memory, for tests: it fails, or loses what was not synced
//! - `file.rs`: a file that one program at a time replaces as a whole
//! - `os_file.rs`: such a file of the operating system

#[cfg(test)]
pub(crate) mod fake;
mod file;
mod os_file;

pub(super) use file::{HostFile, LockedFile, NotReplaced, Stamp, replace};
pub(super) use os_file::OsFile;
