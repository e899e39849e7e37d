//! Steps of a plan: calls of a driver, waits between them, and what follows from the whole plan for each.

use crate::model::{Effect, Op, OpKind, Target};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use xmltree::Path;

/// Condition of a wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Until {
    /// The resource is not active any more.
    Inactive,
    /// The resource is active.
    Active,
    /// The running domain has released a device.
    Detached {
        /// The device, in the running definition.
        device: Path,
        /// Alias of the device, where it has one.
        alias: Option<String>,
    },
    /// The running guest has this much memory.
    Memory {
        /// KiB.
        kib: u64,
    },
    /// The running guest has this many processors.
    Vcpus {
        /// Number of processors.
        count: u32,
    },
    /// The plan of another host, which is walked beside this one, has come so far with the resource.
    Elsewhere {
        /// The host's name in `virt.toml`.
        host: String,
        /// Milestone to reach.
        milestone: Milestone,
    },
}

/// Milestone of a host with a guest that moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Milestone {
    /// The guest is defined there.
    Defined,
    /// The guest is neither defined nor running there any more.
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

/// Message for a balloon that has not moved.
pub(crate) const NOT_MOVED: &str = "the guest's balloon has not moved yet";

/// Outcome of a wait that times out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Otherwise {
    /// The step fails.
    Fail,
    /// Make this call.
    Call(Op),
    /// Report the step as pending; the guest may still follow.
    Leave,
}

/// Action of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StepAction {
    /// Call to the driver.
    Call(Op),
    /// Wait for the host.
    Wait {
        /// Condition.
        until: Until,
        /// Longest wait.
        timeout: Duration,
        /// Outcome of a timeout.
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

    /// Whether it is a call of this operation, made at once.
    pub fn calls(&self, kind: OpKind) -> bool {
        match self {
            Self::Call(op) => op.is(kind),
            Self::Wait { .. } => false,
        }
    }

    /// Returns the call, made at once or when its wait times out.
    pub fn op(&self) -> Option<&Op> {
        match self {
            Self::Call(op) | Self::Wait { otherwise: Otherwise::Call(op), .. } => Some(op),
            Self::Wait { otherwise: Otherwise::Fail | Otherwise::Leave, .. } => None,
        }
    }
}

/// Membership of a step in a live change, which the running instance may refuse without harm to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LiveStep {
    /// Index of the live change among those of its object.
    pub piece: usize,
    /// Whether an earlier run asked for it, and the guest has still to follow.
    pub again: bool,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Number of the step, counted from 0 in an executable order.
    pub id: usize,
    /// Object of the step.
    pub target: Target,
    /// Action of the step.
    pub action: StepAction,
    /// Effect on the guest.
    pub effect: Effect,
    /// The steps that must be done before.
    pub after: Vec<usize>,
    /// Steps that must be over before, with any outcome.
    pub behind: Vec<usize>,
    /// Live change that it is a part of, if any.
    pub live: Option<LiveStep>,
    /// Consequences of the whole plan for it.
    pub consequences: Consequences,
}

/// Consequences of a whole plan for one of its steps. A plan file has none: they follow from its steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consequences {
    /// Groups of steps: once all of one group are done, this step is done even in a run that is stopped.
    pub compensates: Vec<Vec<usize>>,
    /// Milestone that its object has reached with it, if that is a guest that moves.
    pub reaches: Option<Milestone>,
    /// Whether the guest has been asked, and may still follow, where the call times out on the host.
    pub guest_may_follow: bool,
    /// Whether it is done, too, where the host has no such device.
    pub wants_it_gone: bool,
}

impl Step {
    /// Whether an earlier run asked for it, and the guest has still to follow.
    pub fn asks_again(&self) -> bool {
        self.live.is_some_and(|live| live.again)
    }
}
