//! Power state of a resource, and actions when a guest ends by itself.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A domain's state as libvirt numbers it (virDomainState); a network is `Running` or `Shutoff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Unknown.
    NoState,
    /// Active.
    Running,
    /// Active, waiting for a resource.
    Blocked,
    /// Active, its processors stopped.
    Paused,
    /// Active, on its way down.
    Shutdown,
    /// Inactive.
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

    /// Whether the object has a running instance, whatever its processors do.
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

/// Event of a guest's own, which the hypervisor answers with a [`LifecycleAction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LifecycleEvent {
    /// Power off.
    Poweroff,
    /// Reboot.
    Reboot,
    /// Crash.
    Crash,
}

impl LifecycleEvent {
    /// Returns libvirt's number.
    pub fn number(self) -> u32 {
        match self {
            Self::Poweroff => 0,
            Self::Reboot => 1,
            Self::Crash => 2,
        }
    }

    /// Returns the element of a definition that chooses the action.
    pub fn element(self) -> &'static str {
        match self {
            Self::Poweroff => "on_poweroff",
            Self::Reboot => "on_reboot",
            Self::Crash => "on_crash",
        }
    }
}

/// Action of the hypervisor on such an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LifecycleAction {
    /// Ends it.
    Destroy,
    /// Lets it boot again.
    Restart,
    /// Lets it boot again under another name.
    RestartRename,
    /// Keeps it for inspection.
    Preserve,
    /// Dumps its core and ends it.
    CoredumpDestroy,
    /// Dumps its core and lets it boot again.
    CoredumpRestart,
}

impl LifecycleAction {
    /// All actions, in the order of libvirt's numbers.
    const ALL: [(Self, &'static str); 6] = [
        (Self::Destroy, "destroy"),
        (Self::Restart, "restart"),
        (Self::RestartRename, "rename-restart"),
        (Self::Preserve, "preserve"),
        (Self::CoredumpDestroy, "coredump-destroy"),
        (Self::CoredumpRestart, "coredump-restart"),
    ];

    /// Returns libvirt's number.
    pub fn number(self) -> u32 {
        (0..).zip(Self::ALL).find(|(_, (action, _))| *action == self).map_or(0, |(n, _)| n)
    }

    /// The word for it in a definition.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(action, _)| *action == self).map_or("", |(_, word)| word)
    }

    /// The action of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, w)| *w == word).map(|(action, _)| action)
    }
}
