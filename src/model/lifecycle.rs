//! What a resource is doing right now.

use std::fmt;

/// A domain's state as libvirt numbers it (virDomainState); a network is `Running` or `Shutoff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not known.
    NoState,
    /// Active.
    Running,
    /// Active, waiting for a resource.
    Blocked,
    /// Active, its processors stopped.
    Paused,
    /// Active, on its way down.
    Shutdown,
    /// Not active.
    Shutoff,
    /// Crashed; not active, or kept for inspection.
    Crashed,
    /// Active, suspended by the guest itself.
    PmSuspended,
}

impl State {
    /// The state with libvirt's number; a number this build does not know is `NoState`.
    pub fn from_number(n: i32) -> Self {
        match n {
            1 => Self::Running,
            2 => Self::Blocked,
            3 => Self::Paused,
            4 => Self::Shutdown,
            5 => Self::Shutoff,
            6 => Self::Crashed,
            7 => Self::PmSuspended,
            _ => Self::NoState,
        }
    }

    /// Whether there is a running instance, whatever its processors do.
    pub fn is_active(self) -> bool {
        match self {
            Self::Running | Self::Blocked | Self::Paused | Self::Shutdown | Self::PmSuspended => {
                true
            }
            Self::NoState | Self::Shutoff | Self::Crashed => false,
        }
    }
}

impl fmt::Display for State {
    /// The words `virsh domstate` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoState => "no state",
            Self::Running => "running",
            Self::Blocked => "idle",
            Self::Paused => "paused",
            Self::Shutdown => "in shutdown",
            Self::Shutoff => "shut off",
            Self::Crashed => "crashed",
            Self::PmSuspended => "pmsuspended",
        })
    }
}
