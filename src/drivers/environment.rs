//! What a driver must know of the process that opens it.

use std::path::PathBuf;

/// Who asks, and where that user's sockets and keys are. The command line fills it in: nothing else
/// reads the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The effective user id.
    pub uid: u32,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Whether hosts are only looked at: connections are opened read-only.
    pub read_only: bool,
}

impl Environment {
    /// The environment of this process's user, given the two variables that matter.
    pub fn new(runtime_dir: Option<PathBuf>, home: Option<PathBuf>) -> Self {
        Self { uid: nix::unistd::geteuid().as_raw(), runtime_dir, home, read_only: false }
    }
}
