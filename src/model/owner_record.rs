//! The ownership record on an object, as a value: who owns it, and what its manifest said.

use super::{Effect, Power, ResourceId, ShutdownPolicy};
use jiff::Timestamp;
use xmltree::Path;

/// The mark on an object: a version of its manifest, with who applied it.
#[derive(Clone, Debug)]
pub(crate) struct OwnerRecord {
    /// The set that owns it.
    pub set: String,
    /// A digest of the last applied manifest and of the settings beside it.
    pub digest: String,
    /// When it was planned to be applied; marks of old do not say.
    pub at: Option<Timestamp>,
    /// The last applied manifest, packed.
    pub packed: String,
    /// Whether it was to run, when it was applied last.
    pub power: Option<Power>,
    /// Whether it was to start with the host, when it was applied last.
    pub autostart: Option<bool>,
    /// Paths that it left to others.
    pub ignore: Vec<Path>,
    /// What had to be in place before it.
    pub depends_on: Vec<ResourceId>,
    /// Whether removing the object is refused.
    pub prevent_destroy: bool,
    /// How it is to be stopped when its manifest is gone.
    pub stop: ShutdownPolicy,
    /// What it was on the host that it comes from, as long as it is not known to have left there.
    pub moving: Option<Moving>,
    /// What its manifest allowed, so that an export has it. Nobody is granted anything by it.
    pub allow: Vec<Effect>,
    /// Whether what waits was to be taken when the guest reboots; kept for an export, too.
    pub apply_on_reboot: bool,
    /// Entries of lists that others had put there when nothing was known of a manifest, by
    /// `reconcile::diff::others`: they stay, though the manifest governs the list.
    pub others: Vec<String>,
    /// Digests of versions before, from which a guest starts as it does from this one: what only a
    /// boot changes is not compared with what they said.
    pub boots_as: Vec<String>,
    /// Whether the running instance refused a part of the manifest, which was put back.
    pub put_back: bool,
    /// The mark that this one took the place of, without what that one replaced.
    pub previous: Option<Box<Self>>,
}

/// What a guest that comes from another host was there. It stands on the new definition until the old
/// one is gone: a run that was cut short in between leaves enough for the next one to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moving {
    /// The host that it comes from, by its name in `virt.toml`.
    pub from: String,
    /// Whether it started with that host.
    pub autostart: bool,
    /// Whether it ran there.
    pub active: bool,
}
