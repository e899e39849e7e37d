//! Meaning of a refused live change: impossible while the instance runs, wrong, or neither.
//!
//! libvirt has no number that tells these apart, so this is a table of numbers, of who raised the
//! error, and of words of its messages and of QEMU's.

use crate::error::{Error, ErrorCode, ErrorDomain, ErrorKind};
use crate::reconcile::plan::step::Consequences;

/// Meaning of a refused live change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The change was requested, and the guest has not followed in the time that libvirt gives it.
    LeftToGuest,
    /// The change is valid, but impossible while the instance runs: it waits for the next boot.
    NotNow,
    /// The change is wrong, and the next boot would most likely fail for it.
    Wrong,
    /// The host was busy, or the instance has ended: it says nothing about the change.
    Passing,
}

/// Error codes for features that the host lacks, or lacks for running instances.
const UNSUPPORTED: &[ErrorCode] = &[
    ErrorCode::NO_SUPPORT,
    ErrorCode::CONFIG_UNSUPPORTED,
    ErrorCode::ARGUMENT_UNSUPPORTED,
    ErrorCode::OPERATION_UNSUPPORTED,
];

/// Subsystems that check a change in the same way when the guest starts: networks, storage, filters.
const ALSO_AT_START: &[ErrorDomain] =
    &[ErrorDomain::NETWORK, ErrorDomain::STORAGE, ErrorDomain::NWFILTER];

/// Numbers that say nothing about the change.
const PASSING: &[ErrorCode] = &[
    ErrorCode::OPERATION_TIMEOUT,
    ErrorCode::OPERATION_ABORTED,
    ErrorCode::RESOURCE_BUSY,
    ErrorCode::NO_MEMORY,
    ErrorCode::RPC,
    ErrorCode::NO_DOMAIN,
    ErrorCode::NO_NETWORK,
    ErrorCode::AUTH_FAILED,
    ErrorCode::ACCESS_DENIED,
    ErrorCode::OPERATION_DENIED,
    ErrorCode::AGENT_UNRESPONSIVE,
];

/// Words of messages whose number says too little, in lower case.
const WORDS: &[(&str, Meaning)] = &[
    // libvirt asked before, and QEMU does not want to be asked twice
    ("already in the process of unplug", Meaning::LeftToGuest),
    ("timed out waiting for device", Meaning::LeftToGuest),
    ("no more available pci slots", Meaning::NotNow),
    ("no slot/function available", Meaning::NotNow),
    ("does not support hotplug", Meaning::NotNow),
    ("does not support hot-plug", Meaning::NotNow),
    ("does not support unplug", Meaning::NotNow),
    ("hotplug is not supported", Meaning::NotNow),
    ("not hotpluggable", Meaning::NotNow),
    ("hot-plugged", Meaning::NotNow),
    ("hotplugged", Meaning::NotNow),
    ("hot plugged", Meaning::NotNow),
    ("hotunplug", Meaning::NotNow),
    ("hot-unplug", Meaning::NotNow),
    ("hot unplug", Meaning::NotNow),
    ("hotplug unsupported", Meaning::NotNow),
    ("doesn't support hotplug", Meaning::NotNow),
    ("hotplug is not enabled", Meaning::NotNow),
    ("missing acpi", Meaning::NotNow),
    ("no free usb port", Meaning::NotNow),
    ("no free memory device slot", Meaning::NotNow),
    ("a used memory slot", Meaning::NotNow),
    // somebody else has done the same since the host was read
    ("already exists", Meaning::Passing),
    ("already using", Meaning::Passing),
    ("already in use", Meaning::Passing),
    ("there is an existing", Meaning::Passing),
    ("unexpectedly closed the monitor", Meaning::Passing),
    ("end of file from qemu monitor", Meaning::Passing),
    ("is not running", Meaning::Passing),
    ("is not active", Meaning::Passing),
];

/// Judges a refused call of a live change.
pub(super) fn meaning(of: &Consequences, error: &Error) -> Meaning {
    let asked = of.guest_may_follow && error.is(ErrorCode::OPERATION_TIMEOUT);
    let is_gone = of.wants_it_gone && error.is(ErrorCode::DEVICE_MISSING);
    if asked || is_gone {
        return Meaning::LeftToGuest;
    }
    let Some(vir) = &error.vir else { return of_ours(error.kind) };
    let message = error.message.to_lowercase();
    if let Some((_, meaning)) = WORDS.iter().find(|(words, _)| message.contains(words)) {
        return *meaning;
    }
    if PASSING.contains(&vir.code) {
        Meaning::Passing
    } else if UNSUPPORTED.contains(&vir.code) && !ALSO_AT_START.contains(&vir.domain) {
        Meaning::NotNow
    } else {
        Meaning::Wrong
    }
}

/// Judges an error of the driver's own, with which a call was never sent.
fn of_ours(kind: ErrorKind) -> Meaning {
    match kind {
        ErrorKind::Unsupported => Meaning::NotNow,
        ErrorKind::Invalid => Meaning::Wrong,
        ErrorKind::Host
        | ErrorKind::NotSent
        | ErrorKind::Locked
        | ErrorKind::Timeout
        | ErrorKind::Protocol
        | ErrorKind::Io
        | ErrorKind::Denied
        | ErrorKind::Stale
        | ErrorKind::Cancelled => Meaning::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_meaning() {
        let attach = Consequences::default();
        let detach = Consequences { guest_may_follow: true, wants_it_gone: true, ..attach.clone() };
        let of = |op: &Consequences, code, domain, message: &str| {
            meaning(op, &Error::host(code, domain, message))
        };
        let internal = ErrorCode::INTERNAL_ERROR;
        let qemu = ErrorDomain::QEMU;
        for (op, code, domain, message, wanted) in [
            (
                &attach,
                internal,
                ErrorDomain::DOMAIN,
                "internal error: No more available PCI slots",
                Meaning::NotNow,
            ),
            (
                &detach,
                internal,
                qemu,
                "unable to execute QEMU command 'device_del': Bus 'pci.0' does not support hotplugging",
                Meaning::NotNow,
            ),
            (
                &detach,
                internal,
                qemu,
                "unable to execute QEMU command 'device_del': Device virtio-disk1 is already in the process of unplug",
                Meaning::LeftToGuest,
            ),
            (&detach, ErrorCode::OPERATION_TIMEOUT, qemu, "timed out", Meaning::LeftToGuest),
            (
                &attach,
                ErrorCode::OPERATION_TIMEOUT,
                qemu,
                "cannot acquire state change lock",
                Meaning::Passing,
            ),
            (
                &detach,
                ErrorCode::DEVICE_MISSING,
                qemu,
                "device not found: no disk",
                Meaning::LeftToGuest,
            ),
            (
                &attach,
                ErrorCode::CONFIG_UNSUPPORTED,
                qemu,
                "disk bus 'ide' cannot be hotplugged.",
                Meaning::NotNow,
            ),
            (
                &attach,
                ErrorCode::OPERATION_UNSUPPORTED,
                qemu,
                "cannot modify field 'io' of the disk",
                Meaning::NotNow,
            ),
            // a network that lacks something lacks it at the start, too
            (
                &attach,
                ErrorCode::CONFIG_UNSUPPORTED,
                ErrorDomain::NETWORK,
                "an interface connecting to network 'n' is requesting a vlan tag, but that is not supported",
                Meaning::Wrong,
            ),
            // a system call's words are not libvirt's
            (
                &attach,
                ErrorCode::SYSTEM_ERROR,
                ErrorDomain::NONE,
                "error adding vlan filter to interface vnet0: Operation not supported",
                Meaning::Wrong,
            ),
            (
                &attach,
                ErrorCode::SYSTEM_ERROR,
                qemu,
                "Cannot access storage file '/nope': No such file or directory",
                Meaning::Wrong,
            ),
            (
                &attach,
                ErrorCode::OPERATION_INVALID,
                qemu,
                "domain is not running",
                Meaning::Passing,
            ),
        ] {
            assert_eq!(of(op, code, domain, message), wanted, "{message}");
        }
    }
}
