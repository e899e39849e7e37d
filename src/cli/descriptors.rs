//! Open files: how many this process may have, and which hosts they are for.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Transport, Uri};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Descriptors reserved for manifests, locks of hosts and the status page with its 96 connections,
/// but no more than a quarter of all.
const RESERVE: usize = 256;

/// Raises the limit of open files as far as this user may: the soft limit is for programs that
/// cannot count beyond 1,024.
pub(crate) fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // with the lower one fewer hosts are held, and those are named
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Descriptors that hosts may open, and the hosts that have a share.
#[derive(Debug)]
pub(crate) struct Descriptors {
    limit: usize,
    held: Mutex<BTreeMap<String, usize>>,
}

impl Descriptors {
    /// All descriptors that this process may have.
    pub(crate) fn of_process() -> Self {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        Self::new(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    fn new(limit: usize) -> Self {
        Self { limit, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the descriptors of a host, unless that was done before.
    ///
    /// # Errors
    /// The others have all there is.
    pub(crate) fn take(&self, host: &str, uri: &Uri) -> Result<()> {
        let mut held = self.held();
        if held.contains_key(host) {
            return Ok(());
        }
        let (needed, taken) = (needed(uri), held.values().sum::<usize>());
        let most = self.limit - RESERVE.min(self.limit / 4);
        if taken.saturating_add(needed) > most {
            return Err(exhausted(self.limit, held.len()));
        }
        held.insert(host.to_owned(), needed);
        Ok(())
    }

    /// Returns a host's share.
    pub(crate) fn give_back(&self, host: &str) {
        self.held().remove(host);
    }
}

/// Descriptors that one host keeps open: two connections for calls and one for events, each with a
/// pipe for the output of its program, if there is one. The built-in host opens its state file and
/// the lock of that.
fn needed(uri: &Uri) -> usize {
    match uri.transport() {
        Some(Transport::Ssh | Transport::Ext) => 6,
        None if uri.driver() == "test" => 2,
        Some(Transport::Unix | Transport::Tls | Transport::Tcp) | None => 3,
    }
}

fn exhausted(limit: usize, hosts: usize) -> Error {
    let hosts = if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
    let text = format!(
        "this host is not watched: {hosts} have all {limit} files that this process may have open"
    );
    Error::new(ErrorKind::Io, text)
        .hint("raise the hard limit (LimitNOFILE= of a unit, ulimit -Hn), or watch part by --host")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn who_comes_too_late_is_told_and_gets_what_another_gives_back() {
        let descriptors = Descriptors::new(12);
        let uri = |text: &str| Uri::parse(text).unwrap();
        let unix = uri("qemu:///system");
        // 3 of 12 are kept
        for host in ["a", "b", "c", "c"] {
            descriptors.take(host, &unix).unwrap();
        }
        let error = descriptors.take("d", &unix).unwrap_err();
        assert!(error.message.contains("3 hosts have all 12 files"), "{error}");
        descriptors.give_back("b");
        descriptors.take("e", &uri("test:///default")).unwrap();
        assert!(descriptors.take("d", &uri("qemu+ssh://x/system")).is_err());
        assert!(Descriptors::new(usize::MAX).take("d", &unix).is_ok());
    }
}
