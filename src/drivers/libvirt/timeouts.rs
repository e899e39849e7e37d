//! Time limits of a server's answers, by kind of call. After one the outcome is unknown, so these are well
//! above the times of a healthy host.

use libvirt_rpc::{Class, Procedure};
use std::time::Duration;

/// A call that only looks at or writes definitions; those take milliseconds, but 128 of them may
/// wait behind each other on a busy disk.
pub(super) const QUICK: Duration = Duration::from_secs(30);

/// Longest time that objects may delay an inventory without any reply, together and once per run: definitions
/// take milliseconds, unless a guest's QEMU is stopped while libvirt waits for it. It is also the time that a
/// guest has to answer before it is changed.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// Longest time that guests' agents may delay a query without any reply. libvirt itself gives an agent 5 s to
/// say that it is there, and none to answer.
pub(super) const AGENT: Duration = Duration::from_secs(10);

/// Time that a silent object has to answer in the background.
pub(super) const PATIENT: Duration = Duration::from_secs(3600);

/// Defining parses, probes the emulator's capabilities the first time, and syncs to disk.
const DEFINE: Duration = Duration::from_secs(60);

/// A call that waits for a guest or a hypervisor. Destroying a hung guest took 12 s; starting one
/// with much memory, or behind a slow hook, takes minutes.
const LONG: Duration = Duration::from_secs(180);

/// The first answer: a daemon that takes this long is not there, and a dead one is to be noticed
/// within 30 s.
pub(super) const ANSWER: Duration = Duration::from_secs(20);

/// Opening may start a hypervisor's driver.
pub(super) const OPEN: Duration = Duration::from_secs(30);

/// The first answer by way of a program that has nobody to ask: whatever it waits for does not come.
pub(super) const PROGRAM: Duration = Duration::from_secs(30);

/// A person may be asked for a password.
pub(super) const AUTHENTICATE: Duration = Duration::from_secs(120);

/// The time of a call of `procedure`.
pub(super) fn of(procedure: Procedure) -> Duration {
    match (procedure, procedure.class()) {
        (Procedure::DOMAIN_DEFINE_XML_FLAGS | Procedure::NETWORK_DEFINE_XML, _) => DEFINE,
        (_, Class::Quick) => QUICK,
        (_, Class::Long) => LONG,
    }
}
