//! The words of a plan: changes for people, steps for the machine.

use super::afterwards::Afterwards;
use super::step::Step;
use crate::model::{Doubt, Effect, Outage, ResourceId};
use crate::reconcile::diff::difference::{ChangeCause, IgnoredDifference};
use crate::reconcile::moves::Crossing;
use diagnostics::{Diagnostics, Span};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use xmltree::{Element, Path};

/// Options of a plan, as given on the command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the host in a fleet: derived values differ from host to host.
    pub host: Option<String>,
    /// Whether objects of the set that no manifest names are deleted.
    pub prune: bool,
    /// Most objects that may be pruned; `None` for a fifth of the set, at least one.
    pub max_prune: Option<usize>,
    /// Number of objects that a repeated planner has pruned lately: they count as well.
    pub pruned_lately: usize,
    /// Whether objects that nobody owns are taken over.
    pub adopt: bool,
    /// Sets whose objects are taken over where manifests name them.
    pub adopt_from: BTreeSet<String>,
    /// Disruptive effects that were asked for, each by its word: allowing one allows no other.
    pub allow: BTreeSet<Effect>,
    /// Resources that are planned for; empty for all.
    pub only: BTreeSet<ResourceId>,
    /// Resources to delete, whatever the manifests say.
    pub delete: BTreeSet<ResourceId>,
    /// Whether NVRAM and TPM state are deleted with their guest.
    pub remove_firmware: bool,
    /// Whether a deleted guest that does not shut down in time is destroyed, even if its manifest did not say
    /// so.
    pub force: bool,
    /// Time that deleted guests have to shut down, in place of their manifests'.
    pub stop_timeout: Option<Duration>,
    /// Resources that stay, and whose record is taken off.
    pub release: BTreeSet<ResourceId>,
    /// Resources that their manifests forbid to remove.
    pub protected: BTreeSet<ResourceId>,
    /// Constraints of the other hosts of a fleet on this one.
    pub crossing: Crossing,
    /// Hosts that are taken to have nothing as long as they cannot be read.
    pub assume_absent: BTreeSet<String>,
    /// Whether the plan lists the differences that are not counted.
    pub explain: bool,
    /// Resources whose manifests have just dropped something: whether it is gone is looked for.
    pub seeks: BTreeSet<ResourceId>,
    /// The time that is written beside a manifest that is applied anew; `None` to write none.
    pub now: Option<Timestamp>,
}

impl Default for Options {
    /// Returns the strictest options: nothing is pruned or adopted, and no guest goes down.
    fn default() -> Self {
        Self {
            host: None,
            prune: false,
            max_prune: None,
            pruned_lately: 0,
            adopt: false,
            adopt_from: BTreeSet::new(),
            allow: BTreeSet::new(),
            only: BTreeSet::new(),
            delete: BTreeSet::new(),
            release: BTreeSet::new(),
            remove_firmware: false,
            force: false,
            stop_timeout: None,
            protected: BTreeSet::new(),
            crossing: Crossing::default(),
            assume_absent: BTreeSet::new(),
            explain: false,
            seeks: BTreeSet::new(),
            now: None,
        }
    }
}

impl Options {
    /// The name of the host in a fleet; empty if there is only one.
    pub fn host_name(&self) -> &str {
        self.host.as_deref().unwrap_or_default()
    }
}

/// Action on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Define it, and start it if its manifest says so.
    Create,
    /// Change its definition, its power state or its autostart.
    Update,
    /// Remove it and create it anew.
    Replace,
    /// Remove it.
    Delete,
    /// Move it here from another host: it is defined here, and started once it is gone from there.
    MoveIn,
    /// Move it to another host: once it is defined there it is stopped and removed here.
    MoveOut,
    /// Take it over, as nobody owns it, and change it where it differs.
    Adopt,
    /// Do nothing.
    NoOp,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::Update,
        Self::Replace,
        Self::Delete,
        Self::MoveIn,
        Self::MoveOut,
        Self::Adopt,
        Self::NoOp,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::MoveIn => "move-in",
            Self::MoveOut => "move-out",
            Self::Adopt => "adopt",
            Self::NoOp => "no-op",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Change of one field, for people; secrets are redacted.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Field of the definition, or `power`, `autostart`, `owner`.
    pub path: Path,
    /// Present value.
    pub before: Option<String>,
    /// Desired value.
    pub after: Option<String>,
    /// Effect on the guest, by which it is known when it takes place.
    pub effect: Effect,
    /// Place in the manifest that asks for it.
    pub span: Span,
    /// Cause: an edit of the manifest, or drift on the host.
    pub origin: ChangeCause,
    /// Reason for which it waits for the next boot, if it does. For people only: nothing is decided by it.
    pub why: Option<String>,
}

/// Changes of one resource, for people.
#[derive(Clone, Debug)]
pub struct ResourceChange {
    /// Resource that changes.
    pub id: ResourceId,
    /// Action on it.
    pub action: Action,
    /// The most disruptive effect of its steps.
    pub effect: Effect,
    /// Reason, in words. For people only: nothing is decided by it.
    pub reason: String,
    /// The fields that change.
    pub fields: Vec<FieldChange>,
    /// Fields that are defined and wait for the next boot or start; no step concerns them.
    pub pending: Vec<FieldChange>,
    /// Fields that are blocked for as long as something on the host is in their way, each with the reason; no
    /// step concerns them.
    pub held: Vec<FieldChange>,
    /// Further notes to read before the first step, for people.
    pub notes: Vec<String>,
    /// Outage of an active object, if no step of the plan ends it.
    pub outage: Option<Outage>,
    /// Whether the guest is started from a saved image: changes of its definition since then wait.
    pub resumes: bool,
    /// Differences that are not counted, and not touched. Listed if [`Options::explain`] asks.
    pub ignored: Vec<IgnoredDifference>,
    /// Definition before, without our record; `None` if there is none or nothing is done.
    pub before: Option<Element>,
    /// Definition after, without our record; `None` if there will be none or nothing is done.
    pub after: Option<Element>,
    /// Place of its manifest.
    pub span: Span,
}

impl ResourceChange {
    /// Returns all texts in words.
    pub(crate) fn words(&mut self) -> impl Iterator<Item = &mut String> {
        let fields = self.fields.iter_mut().chain(&mut self.pending).chain(&mut self.held);
        let whys = fields.filter_map(|field| field.why.as_mut());
        std::iter::once(&mut self.reason).chain(whys).chain(&mut self.notes)
    }

    /// Creates a change without any effect on a resource.
    pub(crate) fn nothing(id: ResourceId, span: Span) -> Self {
        Self {
            id,
            action: Action::NoOp,
            effect: Effect::None,
            reason: String::new(),
            fields: Vec::new(),
            pending: Vec::new(),
            held: Vec::new(),
            notes: Vec::new(),
            outage: None,
            resumes: false,
            ignored: Vec::new(),
            before: None,
            after: None,
            span,
        }
    }

    /// Whether the resource matches its manifest, though parts may wait for the next boot.
    pub fn is_as_asked(&self) -> bool {
        self.action == Action::NoOp && self.held.is_empty() && self.outage.is_none()
    }

    /// Whether anything is to be reported: a change, a wait, a block, or an outage.
    pub fn says_something(&self) -> bool {
        self.action != Action::NoOp
            || !self.pending.is_empty()
            || !self.held.is_empty()
            || !self.notes.is_empty()
            || self.outage.is_some()
    }
}

/// Refusal to apply a plan: an effect that is not allowed, a lock or a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Resource that it concerns, if it is one.
    pub id: Option<ResourceId>,
    /// Reason.
    pub reason: String,
    /// Hint for a remedy.
    pub hint: String,
}

/// A resource whose change is more disruptive than a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above<'a> {
    /// Resource that is changed.
    pub id: &'a ResourceId,
    /// The most disruptive effect of its steps.
    pub effect: Effect,
    /// Fields of the resource above the limit; none if the object as a whole is removed or created anew.
    pub fields: Vec<&'a Path>,
}

/// A guest's way from one host of a fleet to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The host that it leaves.
    pub from: String,
    /// The host that it goes to.
    pub to: String,
}

/// Plan with all decisions made; applying it decides nothing.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The set whose manifests it is from.
    pub set: String,
    /// Changes by resource, including those without an action.
    pub changes: Vec<ResourceChange>,
    /// Steps in an executable order.
    pub steps: Vec<Step>,
    /// Follow-ups for live changes that a running instance does not take.
    pub afterwards: Vec<Afterwards>,
    /// Refusals; empty if the plan may be applied.
    pub refusals: Vec<Refusal>,
    /// Problems found in comparing the manifests with the host.
    pub diagnostics: Diagnostics,
    /// Resources that are left alone because of a problem, with the reason.
    pub blocked: BTreeMap<ResourceId, String>,
    /// Objects of the host that could not be read, each with the reason. Those that manifests want are
    /// blocked as well.
    pub silent: BTreeMap<ResourceId, String>,
    /// Objects whose records are not believed: they are not counted as part of the set that the record names.
    pub doubted: BTreeMap<ResourceId, Doubt>,
    /// Objects of the set that no manifest names and that are not pruned.
    pub orphans: Vec<ResourceId>,
    /// The ways of the guests that it moves, here or away.
    pub moves: BTreeMap<ResourceId, Move>,
    /// Digest of the host's state of the resources with steps; a plan is stale if it has changed.
    pub fingerprint: String,
}

impl Plan {
    /// Whether the plan has no steps.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether the plan only requests changes again that guests still owe.
    pub fn only_asks_again(&self) -> bool {
        self.steps.iter().all(Step::asks_again)
    }

    /// Resources of which the plan takes something away that their manifests had.
    pub fn takes_away(&self) -> BTreeSet<ResourceId> {
        let gone = |f: &FieldChange| f.after.is_none() && f.origin == ChangeCause::Manifest;
        let those = self.changes.iter().filter(|c| c.fields.iter().any(gone));
        those.map(|c| c.id.clone()).collect()
    }

    /// Whether something that is defined waits for a boot or a restart, or a field is blocked.
    pub fn has_pending(&self) -> bool {
        self.changes.iter().any(|c| !c.pending.is_empty() || !c.held.is_empty())
    }

    /// The guests that do not work though they are up, and that the plan leaves so.
    pub fn outages(&self) -> impl Iterator<Item = (&ResourceId, Outage)> {
        self.changes.iter().filter_map(|c| Some((&c.id, c.outage?)))
    }

    /// Whether anything that a manifest names is up and does not work, or does not answer.
    pub fn has_outage(&self) -> bool {
        self.outages().next().is_some()
            || self.silent.keys().any(|id| self.blocked.contains_key(id))
    }

    /// Returns the changes that are more disruptive than `limit`, resource by resource.
    pub fn above(&self, limit: Effect) -> Vec<Above<'_>> {
        let worse = |c: &&ResourceChange| c.action != Action::NoOp && c.effect > limit;
        let above = self.changes.iter().filter(worse).map(|c| Above {
            id: &c.id,
            effect: c.effect,
            fields: c.fields.iter().filter(|f| f.effect > limit).map(|f| &f.path).collect(),
        });
        above.collect()
    }

    /// Whether something will wait for a boot or a restart once the plan is applied.
    pub fn leaves_pending(&self) -> bool {
        let waits = |f: &FieldChange| f.effect == Effect::NextBoot;
        self.has_pending() || self.changes.iter().any(|c| c.fields.iter().any(waits))
    }
}
