//! Guests that are up for their host and down for their users.

use super::State;
use std::fmt;

/// Reason for which a guest with an instance does not work, though nobody stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outage {
    /// A disk failed, and the hypervisor paused the guest (`error_policy='stop'`, or a full disk).
    IoError,
    /// The watchdog expired, and the hypervisor paused the guest.
    Watchdog,
    /// The guest crashed, and its memory is kept for inspection (`on_crash` is `preserve`).
    Crashed,
    /// A migration broke off after the guest had moved in part.
    Migration,
    /// A call of libvirt's failed in the middle and left it paused.
    FailedCall,
}

impl Outage {
    /// Returns the outage by a domain's state and libvirt's number for its reason. `has_instance` means that
    /// an instance is running or kept.
    pub fn of(state: State, reason: i32, has_instance: bool) -> Option<Self> {
        // virDomainPausedReason
        match (state, reason) {
            (State::Crashed, _) => has_instance.then_some(Self::Crashed),
            (State::Paused, 5) => Some(Self::IoError),
            (State::Paused, 6) => Some(Self::Watchdog),
            (State::Paused, 10) => Some(Self::Crashed),
            (State::Paused, 13) => Some(Self::Migration),
            (State::Paused, 14) => Some(Self::FailedCall),
            _ => None,
        }
    }

    /// The word for it for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IoError => "io-error",
            Self::Watchdog => "watchdog",
            Self::Crashed => "crashed",
            Self::Migration => "migration",
            Self::FailedCall => "failed-call",
        }
    }

    /// Returns a hint for a remedy.
    pub fn hint(self) -> &'static str {
        match self {
            Self::IoError => {
                "fix the disk or make room on its file system, then virsh resume; power = \
                 \"stopped\" takes the guest down instead"
            }
            Self::Watchdog => "look at the guest's console, then virsh resume or virsh reset",
            Self::Crashed => {
                "its memory can be saved with virsh dump; --allow restart destroys the crashed \
                 guest and starts it again, --allow stops with power = \"stopped\" only destroys \
                 it"
            }
            Self::Migration => "virsh domjobinfo shows how the migration ended",
            Self::FailedCall => "the daemon's log has the call that failed; then virsh resume",
        }
    }
}

impl fmt::Display for Outage {
    /// Writes the outage as a state: `paused: I/O error`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IoError => "paused: I/O error",
            Self::Watchdog => "paused: watchdog",
            Self::Crashed => "crashed, kept for inspection",
            Self::Migration => "paused: a migration failed",
            Self::FailedCall => "paused: a call failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_asked_for_is_no_outage() {
        let of = |state, reason| Outage::of(state, reason, true).map(Outage::as_str);
        let paused: Vec<_> = (0..15).filter_map(|n| of(State::Paused, n)).collect();
        assert_eq!(paused, ["io-error", "watchdog", "crashed", "migration", "failed-call"]);
        assert_eq!(of(State::Crashed, 1), Some("crashed"));
        assert_eq!(Outage::of(State::Crashed, 1, false), None, "nothing of it is left");
        // a guest that shut off because it crashed is started again as any other
        assert_eq!((of(State::Shutoff, 3), of(State::Running, 5)), (None, None));
        assert_eq!(of(State::PmSuspended, 1), None);
    }
}
