//! The ownership record on an object, as a value: who owns it, and what its manifest said.

use super::{Effect, Power, ResourceId, ShutdownPolicy};
use jiff::Timestamp;
use xmltree::Path;

/// Ownership record: a version of the object's manifest, with the set that applied it.
#[derive(Clone, Debug)]
pub(crate) struct OwnerRecord {
    /// The set that owns it.
    pub set: String,
    /// A digest of the last applied manifest and of the settings beside it.
    pub digest: String,
    /// Time at which it was planned to be applied; missing in old records.
    pub at: Option<Timestamp>,
    /// The last applied manifest, packed.
    pub packed: String,
    /// Desired power state at the last apply.
    pub power: Option<Power>,
    /// Desired autostart at the last apply.
    pub autostart: Option<bool>,
    /// Paths that it left to others.
    pub ignore: Vec<Path>,
    /// Dependencies at the last apply.
    pub depends_on: Vec<ResourceId>,
    /// Whether removing the object is refused.
    pub prevent_destroy: bool,
    /// Shutdown policy for when its manifest is gone.
    pub stop: ShutdownPolicy,
    /// State on the host that the object comes from, as long as it is not known to have left there.
    pub moving: Option<Moving>,
    /// Effects that its manifest allowed, for exports. They grant nothing.
    pub allow: Vec<Effect>,
    /// Whether waiting changes were to be applied when the guest reboots; kept for an export, too.
    pub apply_on_reboot: bool,
    /// Entries of lists that others had put there when nothing was known of a manifest, by
    /// `reconcile::diff::others`: they stay, though the manifest governs the list.
    pub others: Vec<String>,
    /// Digests of earlier versions from which a guest boots as from this one: fields that only a boot changes
    /// are not compared with theirs.
    pub boots_as: Vec<String>,
    /// Whether the running instance refused a part of the manifest, which was put back.
    pub put_back: bool,
    /// Record that this one replaced, without its own predecessor.
    pub previous: Option<Box<Self>>,
}

/// State of a moving guest on its old host. It stands on the new definition until the old one is gone, so
/// that a run can go on where an earlier one was cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moving {
    /// The host that it comes from, by its name in `virt.toml`.
    pub from: String,
    /// Autostart on that host.
    pub autostart: bool,
    /// Whether the guest ran there.
    pub active: bool,
}
