//! Environment of the process that opens a driver.

use super::CredentialPrompt;
use std::path::PathBuf;

/// User who connects, with the places of that user's sockets and keys. The command line fills it in: nothing
/// else reads the environment.
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
    /// `XDG_CONFIG_HOME`; without it the directory is `.config` in [`home`](Self::home).
    pub config_dir: Option<PathBuf>,
    /// `LIBVIRT_AUTH_FILE`: the file with names and passwords.
    pub auth_file: Option<PathBuf>,
    /// Prompt for credentials that no file has; `None` where nobody can be asked.
    pub ask: Option<CredentialPrompt>,
    /// Most memory that the inventory of one host takes, in bytes.
    pub max_inventory: usize,
}

/// Memory limit for an inventory, in bytes: enough for some thousand guests, and far less than a hostile host
/// can make up.
const MAX_INVENTORY: usize = 256 << 20;

impl Environment {
    /// The environment of this process's user, given the two variables that matter to all. There is
    /// nobody to ask.
    pub fn new(runtime_dir: Option<PathBuf>, home: Option<PathBuf>) -> Self {
        Self {
            uid: nix::unistd::geteuid().as_raw(),
            runtime_dir,
            home,
            read_only: false,
            config_dir: None,
            auth_file: None,
            ask: None,
            max_inventory: MAX_INVENTORY,
        }
    }

    /// The user's directory of settings.
    pub(crate) fn config(&self) -> Option<PathBuf> {
        self.config_dir.clone().or_else(|| self.home.as_ref().map(|home| home.join(".config")))
    }
}
