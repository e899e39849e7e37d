//! The words of a plan: changes for people, steps for the machine.

use super::afterwards::Afterwards;
use crate::model::{Doubt, Effect, Op, Outage, ResourceId, Target};
use crate::reconcile::diff::difference::{ChangeCause, IgnoredDifference};
use crate::reconcile::moves::Crossing;
use diagnostics::{Diagnostics, Span};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use xmltree::{Element, Path};

/// What a plan may do, as the command line has it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of the host in a fleet: what is derived there differs from host to host.
    pub host: Option<String>,
    /// Whether objects of the set that no manifest names are deleted.
    pub prune: bool,
    /// How many may be pruned; `None` for a fifth of the set, at least one.
    pub max_prune: Option<usize>,
    /// How many were pruned lately by whoever plans again and again: they count as well.
    pub pruned_lately: usize,
    /// Whether objects that nobody owns are taken over.
    pub adopt: bool,
    /// Sets whose objects are taken over where manifests name them.
    pub adopt_from: BTreeSet<String>,
    /// Disruptive effects that were asked for, each by its word: allowing one allows no other.
    pub allow: BTreeSet<Effect>,
    /// Only these resources; empty for all.
    pub only: BTreeSet<ResourceId>,
    /// Resources to delete, whatever the manifests say.
    pub delete: BTreeSet<ResourceId>,
    /// Whether NVRAM and TPM state go with what is deleted.
    pub remove_firmware: bool,
    /// Whether what is deleted and does not shut down in time is destroyed, even if its manifest did
    /// not say so.
    pub force: bool,
    /// How long what is deleted has to shut down, in place of what its manifest said.
    pub stop_timeout: Option<Duration>,
    /// Resources that stay, and whose record is taken off.
    pub release: BTreeSet<ResourceId>,
    /// Resources that their manifests forbid to remove.
    pub protected: BTreeSet<ResourceId>,
    /// What the other hosts of a fleet have to do with this one.
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
    /// Nothing is pruned or adopted, and no guest goes down.
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

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is defined, and started if its manifest says so.
    Create,
    /// Its definition, its power state or its autostart changes.
    Update,
    /// It is removed and made anew.
    Replace,
    /// It is removed.
    Delete,
    /// It comes from another host: it is defined here, and started once it is gone from there.
    MoveIn,
    /// It goes to another host: once it is defined there it is stopped and removed here.
    MoveOut,
    /// It is there and nobody owns it: it is taken over, and changed where it differs.
    Adopt,
    /// Nothing.
    NoOp,
}

impl Action {
    /// All of them.
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

/// One field that changes, for people; secrets are blotted out.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Which field of the definition, or `power`, `autostart`, `owner`.
    pub path: Path,
    /// What is there.
    pub before: Option<String>,
    /// What is asked for.
    pub after: Option<String>,
    /// When and how the guest sees it.
    pub effect: Effect,
    /// Where the manifest asks for it.
    pub span: Span,
    /// Who moved: the manifest, or somebody on the host.
    pub origin: ChangeCause,
    /// Why it waits for the next boot, if it does. For people only: nothing is decided by it.
    pub why: Option<String>,
}

/// What happens to one resource, for people.
#[derive(Clone, Debug)]
pub struct ResourceChange {
    /// Which.
    pub id: ResourceId,
    /// What is done.
    pub action: Action,
    /// The most disruptive effect of its steps.
    pub effect: Effect,
    /// Why, in words. For people only: nothing is decided by it.
    pub reason: String,
    /// The fields that change.
    pub fields: Vec<FieldChange>,
    /// Fields that are defined and wait for the next boot or start; no step concerns them.
    pub pending: Vec<FieldChange>,
    /// Fields that are held back for as long as something on the host is in their way, each with the
    /// reason; no step concerns them.
    pub held: Vec<FieldChange>,
    /// What else there is to know before the first step, for people.
    pub notes: Vec<String>,
    /// Why it does not work though it is up, if nothing of the plan ends that.
    pub outage: Option<Outage>,
    /// Whether it is started from a saved image: what changed in its definition since waits.
    pub resumes: bool,
    /// Differences that are not counted, and not touched. Listed if [`Options::explain`] asks.
    pub ignored: Vec<IgnoredDifference>,
    /// The definition before, without our mark; `None` if there is none or nothing is done.
    pub before: Option<Element>,
    /// The definition after, without our mark; `None` if there will be none or nothing is done.
    pub after: Option<Element>,
    /// Where its manifest stands.
    pub span: Span,
}

impl ResourceChange {
    /// All that is said in words.
    pub(crate) fn words(&mut self) -> impl Iterator<Item = &mut String> {
        let fields = self.fields.iter_mut().chain(&mut self.pending).chain(&mut self.held);
        let whys = fields.filter_map(|field| field.why.as_mut());
        std::iter::once(&mut self.reason).chain(whys).chain(&mut self.notes)
    }

    /// Nothing that happens to a resource.
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

    /// Whether it is as its manifest says, though something of it may wait for the next boot.
    pub fn is_as_asked(&self) -> bool {
        self.action == Action::NoOp && self.held.is_empty() && self.outage.is_none()
    }

    /// Whether there is something to be said of it: it changes, waits, is held back, or is down.
    pub fn says_something(&self) -> bool {
        self.action != Action::NoOp
            || !self.pending.is_empty()
            || !self.held.is_empty()
            || !self.notes.is_empty()
            || self.outage.is_some()
    }
}

/// What a wait is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Until {
    /// The resource is not active any more.
    Inactive,
    /// It is active.
    Active,
    /// The running domain has let a device go.
    Detached {
        /// The device, in the running definition.
        device: Path,
        /// Its alias, where it has one.
        alias: Option<String>,
    },
    /// The running guest has this much memory.
    Memory {
        /// KiB.
        kib: u64,
    },
    /// The running guest has this many processors.
    Vcpus {
        /// How many.
        count: u32,
    },
    /// The plan of another host, which is walked beside this one, has come so far with the resource.
    Elsewhere {
        /// The host's name in `virt.toml`.
        host: String,
        /// How far.
        milestone: Milestone,
    },
}

/// How far a host has come with a guest that moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Milestone {
    /// It is defined there.
    Defined,
    /// It is not defined there any more, and does not run.
    Gone,
}

impl Milestone {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Defined => "defined",
            Self::Gone => "gone",
        }
    }
}

/// What is said of a balloon that is where it was.
pub(crate) const NOT_MOVED: &str = "the guest's balloon has not moved yet";

/// What follows when the time of a wait is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Otherwise {
    /// The step fails.
    Fail,
    /// This is called.
    Call(Op),
    /// Report the step as pending; the guest may still follow.
    Leave,
}

/// What one step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StepAction {
    /// It calls the driver.
    Call(Op),
    /// It waits for the host.
    Wait {
        /// For what.
        until: Until,
        /// How long at the most.
        timeout: Duration,
        /// What follows when the time is over.
        otherwise: Otherwise,
    },
}

impl StepAction {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Call(op) => op.kind().as_str(),
            Self::Wait { .. } => "wait",
        }
    }

    /// What it calls, at once or once the time of its wait is over.
    pub fn op(&self) -> Option<&Op> {
        match self {
            Self::Call(op) | Self::Wait { otherwise: Otherwise::Call(op), .. } => Some(op),
            Self::Wait { otherwise: Otherwise::Fail | Otherwise::Leave, .. } => None,
        }
    }
}

/// What makes a step a live change: one that the running instance may refuse without any harm to
/// the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LiveStep {
    /// Which of its object's live changes it is a part of.
    pub piece: usize,
    /// Whether an earlier run asked for it, and the guest has still to follow.
    pub again: bool,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number, counted from 0 in an order that may be run as it is.
    pub id: usize,
    /// What it concerns.
    pub target: Target,
    /// What it does.
    pub action: StepAction,
    /// What the guest notices.
    pub effect: Effect,
    /// The steps that must be done before.
    pub after: Vec<usize>,
    /// The steps that must have come to their end before, whatever that is.
    pub behind: Vec<usize>,
    /// What it is a part of, if it is a live change.
    pub live: Option<LiveStep>,
}

impl Step {
    /// Whether an earlier run asked for it, and the guest has still to follow.
    pub fn asks_again(&self) -> bool {
        self.live.is_some_and(|live| live.again)
    }
}

/// Why a plan may not be applied: a gate, a lock or a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which resource, if it is one.
    pub id: Option<ResourceId>,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// A resource whose change is more disruptive than a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above<'a> {
    /// Which.
    pub id: &'a ResourceId,
    /// The most disruptive effect of its steps.
    pub effect: Effect,
    /// Its fields above the limit; none if the object as a whole goes or is made anew.
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

/// All that would be done, decided; applying it decides nothing.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The set whose manifests it is from.
    pub set: String,
    /// What happens, resource by resource, no-ops included.
    pub changes: Vec<ResourceChange>,
    /// How, in an order that may be run as it is.
    pub steps: Vec<Step>,
    /// What follows if a running instance does not take a live change.
    pub afterwards: Vec<Afterwards>,
    /// Why it may not be applied; empty if it may.
    pub refusals: Vec<Refusal>,
    /// Problems found in comparing the manifests with the host.
    pub diagnostics: Diagnostics,
    /// Resources that are left alone because of a problem, with the reason.
    pub blocked: BTreeMap<ResourceId, String>,
    /// What the host has and could not be read, each with the reason. What of it is to be made as a
    /// manifest says is held back, too.
    pub silent: BTreeMap<ResourceId, String>,
    /// What has a record that is not believed: nothing of the set that it names, and not counted with it.
    pub doubted: BTreeMap<ResourceId, Doubt>,
    /// Objects of the set that no manifest names and that are not pruned.
    pub orphans: Vec<ResourceId>,
    /// The ways of the guests that it moves, here or away.
    pub moves: BTreeMap<ResourceId, Move>,
    /// What the host had of the resources with steps; a plan is stale if it has changed.
    pub fingerprint: String,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether it does nothing but ask guests again for what they have still to do.
    pub fn only_asks_again(&self) -> bool {
        self.steps.iter().all(Step::asks_again)
    }

    /// Resources of which the plan takes something away that their manifests had.
    pub fn takes_away(&self) -> BTreeSet<ResourceId> {
        let gone = |f: &FieldChange| f.after.is_none() && f.origin == ChangeCause::Manifest;
        let those = self.changes.iter().filter(|c| c.fields.iter().any(gone));
        those.map(|c| c.id.clone()).collect()
    }

    /// Whether something that is defined waits for a boot or a restart, or a field is held back.
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

    /// What is more disruptive than `limit`, resource by resource.
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
