//! A file in memory, for tests: it fails at a given step of a replacement, and knows what a power failure may
//! leave of it.

use super::file::{HostFile, LockedFile, Stamp};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file in memory; all clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeFile(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Content that programs see.
    content: Option<Vec<u8>>,
    /// Content that is there after a power failure.
    durable: Option<Vec<u8>>,
    /// New version beside the file, and whether it is synced.
    new: Option<(Vec<u8>, bool)>,
    /// Contents that a rename that was not synced may leave, beside the durable one.
    renamed: Option<Vec<u8>>,
    is_locked: bool,
    /// Number of steps so far, and the one that fails.
    steps: usize,
    fails_at: Option<usize>,
    versions: u64,
}

/// The lock of a file in memory.
#[derive(Debug)]
struct FakeLock<'a>(&'a FakeFile);

impl FakeFile {
    /// Creates a file with a content that is synced.
    pub(crate) fn with(text: &str) -> Self {
        let content = Some(text.as_bytes().to_vec());
        let state = State { durable: content.clone(), content, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Lets the step of this number fail, counted from now.
    pub(crate) fn fail_at(&self, step: usize) {
        let mut state = self.state();
        state.fails_at = Some(state.steps + step);
    }

    /// Returns the content that programs see.
    pub(crate) fn text(&self) -> Option<String> {
        self.state().content.as_deref().map(|c| String::from_utf8_lossy(c).into_owned())
    }

    /// Returns the contents that a power failure may leave now.
    pub(crate) fn after_power_failure(&self) -> Vec<Option<String>> {
        let state = self.state();
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let mut all = vec![state.durable.as_ref().map(text)];
        all.extend(state.renamed.as_ref().map(|bytes| Some(text(bytes))));
        all
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a step; says whether it fails.
    fn step(&self) -> (MutexGuard<'_, State>, bool) {
        let mut state = self.state();
        let fails = state.fails_at == Some(state.steps);
        state.steps += 1;
        (state, fails)
    }
}

fn failed() -> io::Error {
    io::Error::other("injected")
}

impl HostFile for FakeFile {
    fn read(&self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let content = self.state().content.clone();
        match content {
            Some(bytes) if bytes.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
            other => Ok(other),
        }
    }

    fn stamp(&self) -> Option<Stamp> {
        let state = self.state();
        state.content.as_ref().map(|c| Stamp([0, state.versions, c.len() as u64], [0, 0]))
    }

    fn try_lock(&self) -> io::Result<Option<Box<dyn LockedFile + '_>>> {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_locked, true) {
            return Ok(None);
        }
        Ok(Some(Box::new(FakeLock(self))))
    }
}

impl LockedFile for FakeLock<'_> {
    fn remove_new(&self) -> io::Result<()> {
        let (mut state, fails) = self.0.step();
        if fails {
            return Err(failed());
        }
        state.new = None;
        Ok(())
    }

    fn write_new(&self, bytes: &[u8]) -> io::Result<()> {
        let (mut state, fails) = self.0.step();
        if state.new.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if fails {
            // the disk is full after a half of it
            let half = bytes.iter().take(bytes.len() / 2).copied().collect();
            state.new = Some((half, false));
            return Err(failed());
        }
        state.new = Some((bytes.to_vec(), true));
        Ok(())
    }

    fn rename_new(&self) -> io::Result<()> {
        let (mut state, fails) = self.0.step();
        if fails {
            return Err(failed());
        }
        let Some((bytes, is_synced)) = state.new.take() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        // of a file that was not synced a power failure may leave a part
        let left = if is_synced { bytes.clone() } else { Vec::new() };
        state.renamed = Some(left);
        state.content = Some(bytes);
        state.versions += 1;
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let (mut state, fails) = self.0.step();
        if fails {
            return Err(failed());
        }
        if let Some(bytes) = state.renamed.take() {
            state.durable = Some(bytes);
        }
        Ok(())
    }
}

impl Drop for FakeLock<'_> {
    fn drop(&mut self) {
        self.0.state().is_locked = false;
    }
}
