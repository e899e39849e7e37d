//! Desired state of a host.

use super::{Effect, ResourceId};
use diagnostics::{Diagnostic, Span};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use xmltree::{Document, Path};

/// Desired state from a directory of manifests, checked.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Set that owns this directory's resources; it is written on each object.
    pub set: String,
    /// The resources that may be applied. The hosts of a fleet share them.
    pub resources: BTreeMap<ResourceId, Arc<DesiredResource>>,
    /// Resources whose manifest is broken, or that depend on such a one, with the reason. They are
    /// neither changed nor pruned.
    pub blocked: BTreeMap<ResourceId, String>,
    /// Whether every manifest could be read and named a resource; if not, nothing is pruned.
    pub complete: bool,
}

/// One resource as its manifest has it.
#[derive(Clone, Debug)]
pub struct DesiredResource {
    /// Identity of the resource.
    pub id: ResourceId,
    /// Definition: libvirt's document without the reconciler's settings, positions kept.
    pub definition: Document,
    /// Settings for the reconciler.
    pub settings: Settings,
    /// Resources that must be in place before it: those it names in `depends_on` and the networks
    /// it uses, whether or not the manifests hold them.
    pub depends_on: Vec<ResourceId>,
    /// Place of its root element.
    pub span: Span,
    /// Content that its grammar refuses. It is applied only where the host holds the same.
    pub refused: Vec<Refused>,
}

/// Content of a manifest that its grammar refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Problem, with its place.
    pub problem: Diagnostic,
    /// Reason for which the resource is blocked where the host does not hold the same.
    pub reason: String,
}

/// The settings of the reconciler for one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Desired power state.
    pub power: Power,
    /// Desired autostart with the host; `None` leaves it as it is.
    pub autostart: Option<bool>,
    /// Resources that must be in place first.
    pub depends_on: Vec<ResourceId>,
    /// Shutdown policy.
    pub stop: ShutdownPolicy,
    /// Effects that the manifest allows for this object, beyond those that the run allows.
    pub allow: Vec<Effect>,
    /// Whether waiting changes are applied when the guest reboots by itself.
    pub apply_on_reboot: bool,
    /// Whether removing it is refused.
    pub prevent_destroy: bool,
    /// Paths left to others.
    pub ignore: Vec<Path>,
    /// Whether an object of that name that nobody owns is taken over.
    pub adopt: bool,
    /// Whether the manifest asks for the object to be made anew where an update cannot do it.
    pub replace: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            power: Power::Running,
            autostart: None,
            depends_on: Vec::new(),
            stop: ShutdownPolicy::default(),
            allow: Vec::new(),
            apply_on_reboot: false,
            prevent_destroy: false,
            ignore: Vec::new(),
            adopt: false,
            replace: false,
        }
    }
}

/// Whether a resource should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Running. A network is active.
    Running,
    /// Active with its processors stopped.
    Paused,
    /// Inactive.
    Stopped,
    /// Unmanaged: left as it is.
    Manual,
}

impl Power {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Stopped, Self::Manual];

    /// The word for it in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Manual => "manual",
        }
    }

    /// The power of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == word)
    }
}

/// Policy by which a running domain is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownPolicy {
    /// Time that the guest has to shut down by itself.
    pub timeout: Duration,
    /// Whether the guest is destroyed when that time is over; otherwise the step fails.
    pub force: bool,
}

impl ShutdownPolicy {
    /// Longest time a guest may be given to shut down: a day.
    pub const MAX: Duration = Duration::from_secs(24 * 60 * 60);
}

impl Default for ShutdownPolicy {
    /// 60 s, then give up: forcing has to be asked for.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), force: false }
    }
}
