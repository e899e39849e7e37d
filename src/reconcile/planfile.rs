//! Saved plans: what `plan --out` writes and `apply PLANFILE` reads.
//!
//! A saved plan is applied as it was reviewed, or not at all: it holds the steps whole and the
//! fingerprint of what it was computed from. It never holds a secret; a plan whose definitions have
//! one cannot be saved.

use super::changes::{Plan, Step, StepAction, Until};
use super::secret::has_secret;
use crate::diag::{Error, ErrorCode, ErrorDomain, Result, SourceId};
use crate::model::{
    Affect, Effect, MetadataKind, NetworkCommand, NetworkSection, Op, ResourceId, Stop, Target,
    UndefineKeep, Uuid,
};
use crate::xml::{Limits, parse};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of the format; another one is refused.
const FORMAT_VERSION: u32 = 1;

/// Largest plan file that is read, in bytes.
pub const SIZE_MAX: u64 = 256 << 20;

/// A plan as it is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    format_version: u32,
    set: String,
    /// The URI the plan was made for.
    pub connection: String,
    fingerprint: String,
    steps: Vec<SavedStep>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedStep {
    target: String,
    uuid: String,
    op: SavedOp,
    effect: String,
    after: Vec<usize>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum SavedOp {
    Define {
        xml: String,
    },
    Undefine {
        keep: String,
    },
    Create {
        paused: bool,
    },
    Shutdown,
    Destroy,
    Suspend,
    Resume,
    Autostart {
        on: bool,
    },
    Attach {
        xml: String,
        affect: u32,
    },
    Detach {
        xml: String,
        affect: u32,
    },
    Update {
        xml: String,
        affect: u32,
    },
    SetMemory {
        kib: u64,
        affect: u32,
    },
    SetVcpus {
        count: u32,
        affect: u32,
    },
    SetMetadata {
        kind: String,
        key: Option<String>,
        uri: Option<String>,
        value: Option<String>,
        affect: u32,
    },
    NetworkUpdate {
        command: u32,
        section: u32,
        parent: i32,
        xml: String,
        affect: u32,
    },
    Wait {
        millis: u64,
        force: bool,
    },
}

/// The plan as text, for the connection it was made for.
///
/// # Errors
/// The plan is refused, or one of its definitions holds a secret.
pub fn save(plan: &Plan, connection: &str) -> Result<String> {
    if !plan.refusals.is_empty() {
        let text = "a plan that is refused is not saved, since it could be applied then";
        return Err(Error::new(ErrorCode::OPERATION_DENIED, ErrorDomain::NONE, text));
    }
    let mut steps = Vec::new();
    for step in &plan.steps {
        if step_has_secret(&step.action) {
            let text = format!(
                "the plan for {} holds a password, and plan files never do",
                step.target.id
            );
            return Err(Error::new(ErrorCode::OPERATION_DENIED, ErrorDomain::NONE, text)
                .address(step.target.id.to_string())
                .hint("apply the manifests themselves, or leave it out with --only"));
        }
        steps.push(SavedStep {
            target: format!("{}/{}", step.target.id.kind, step.target.id.name),
            uuid: step.target.uuid.to_string(),
            op: save_action(&step.action),
            effect: step.effect.word().to_owned(),
            after: step.after.clone(),
        });
    }
    let file = PlanFile {
        format_version: FORMAT_VERSION,
        set: plan.set.clone(),
        connection: connection.to_owned(),
        fingerprint: plan.fingerprint.clone(),
        steps,
    };
    serde_json::to_string_pretty(&file).map(|text| text + "\n").map_err(|e| broken(&e.to_string()))
}

/// Reads a saved plan.
///
/// # Errors
/// It is not a plan of this format, or not one that [`save`] could have written.
pub fn read(text: &str) -> Result<PlanFile> {
    let file: PlanFile = serde_json::from_str(text).map_err(|e| broken(&e.to_string()))?;
    if file.format_version != FORMAT_VERSION {
        return Err(broken(&format!(
            "it has format {}; this program reads {FORMAT_VERSION}",
            file.format_version
        )));
    }
    Ok(file)
}

impl PlanFile {
    /// The plan, ready to be applied.
    ///
    /// # Errors
    /// A step is damaged.
    pub fn into_plan(self) -> Result<Plan> {
        let mut steps = Vec::new();
        for (id, saved) in self.steps.into_iter().enumerate() {
            // predecessors come first, so that no step waits for itself
            if saved.after.iter().any(|before| *before >= id) {
                return Err(broken(&format!("step {id} comes before one that it needs")));
            }
            let damaged = || broken(&format!("step {id} cannot be read"));
            let target = Target {
                id: ResourceId::parse(&saved.target).ok_or_else(damaged)?,
                uuid: Uuid::try_parse(&saved.uuid).map_err(|_| damaged())?,
            };
            steps.push(Step {
                id,
                target,
                action: read_action(saved.op).ok_or_else(damaged)?,
                effect: Effect::parse(&saved.effect).ok_or_else(damaged)?,
                after: saved.after,
            });
        }
        Ok(Plan {
            set: self.set,
            changes: Vec::new(),
            steps,
            refusals: Vec::new(),
            diagnostics: crate::diag::Diagnostics::default(),
            held_back: BTreeMap::new(),
            orphans: Vec::new(),
            fingerprint: self.fingerprint,
        })
    }
}

fn broken(why: &str) -> Error {
    Error::new(ErrorCode::INVALID_ARG, ErrorDomain::NONE, format!("this is no plan file: {why}"))
        .hint("make it anew with virt plan --out FILE")
}

fn step_has_secret(action: &StepAction) -> bool {
    let StepAction::Call(
        Op::Define { xml }
        | Op::Attach { xml, .. }
        | Op::Detach { xml, .. }
        | Op::Update { xml, .. },
    ) = action
    else {
        return false;
    };
    parse(SourceId::NONE, xml, &Limits::default()).is_ok_and(|e| has_secret(&e))
}

fn save_action(action: &StepAction) -> SavedOp {
    let op = match action {
        StepAction::Call(op) => op.clone(),
        StepAction::Wait { until: Until::Inactive, timeout, otherwise } => {
            let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            return SavedOp::Wait { millis, force: otherwise.is_some() };
        }
    };
    match op {
        Op::Define { xml } => SavedOp::Define { xml },
        Op::Undefine { keep } => SavedOp::Undefine { keep: keep_word(keep).to_owned() },
        Op::Create { paused } => SavedOp::Create { paused },
        Op::Shutdown => SavedOp::Shutdown,
        Op::Destroy => SavedOp::Destroy,
        Op::Suspend => SavedOp::Suspend,
        Op::Resume => SavedOp::Resume,
        Op::SetAutostart { on } => SavedOp::Autostart { on },
        Op::Attach { xml, affect } => SavedOp::Attach { xml, affect: affect.flags() },
        Op::Detach { xml, affect } => SavedOp::Detach { xml, affect: affect.flags() },
        Op::Update { xml, affect } => SavedOp::Update { xml, affect: affect.flags() },
        Op::SetMemory { kib, affect } => SavedOp::SetMemory { kib, affect: affect.flags() },
        Op::SetVcpus { count, affect } => SavedOp::SetVcpus { count, affect: affect.flags() },
        Op::SetMetadata { kind, value, affect } => {
            let (kind, key, uri) = match kind {
                MetadataKind::Description => ("description", None, None),
                MetadataKind::Title => ("title", None, None),
                MetadataKind::Element { key, uri } => ("element", Some(key), Some(uri)),
            };
            SavedOp::SetMetadata { kind: kind.to_owned(), key, uri, value, affect: affect.flags() }
        }
        Op::NetworkUpdate { command, section, parent, xml, affect } => SavedOp::NetworkUpdate {
            command: command.number(),
            section: section.number(),
            parent,
            xml,
            affect: affect.flags(),
        },
    }
}

fn read_action(saved: SavedOp) -> Option<StepAction> {
    Some(StepAction::Call(match saved {
        SavedOp::Define { xml } => Op::Define { xml },
        SavedOp::Undefine { keep } => Op::Undefine {
            keep: [UndefineKeep::Nothing, UndefineKeep::State, UndefineKeep::Remove]
                .into_iter()
                .find(|k| keep_word(*k) == keep)?,
        },
        SavedOp::Create { paused } => Op::Create { paused },
        SavedOp::Shutdown => Op::Shutdown,
        SavedOp::Destroy => Op::Destroy,
        SavedOp::Suspend => Op::Suspend,
        SavedOp::Resume => Op::Resume,
        SavedOp::Autostart { on } => Op::SetAutostart { on },
        SavedOp::Attach { xml, affect } => Op::Attach { xml, affect: Affect::from_flags(affect)? },
        SavedOp::Detach { xml, affect } => Op::Detach { xml, affect: Affect::from_flags(affect)? },
        SavedOp::Update { xml, affect } => Op::Update { xml, affect: Affect::from_flags(affect)? },
        SavedOp::SetMemory { kib, affect } => {
            Op::SetMemory { kib, affect: Affect::from_flags(affect)? }
        }
        SavedOp::SetVcpus { count, affect } => {
            Op::SetVcpus { count, affect: Affect::from_flags(affect)? }
        }
        SavedOp::SetMetadata { kind, key, uri, value, affect } => {
            let kind = match (kind.as_str(), key, uri) {
                ("description", None, None) => MetadataKind::Description,
                ("title", None, None) => MetadataKind::Title,
                ("element", Some(key), Some(uri)) => MetadataKind::Element { key, uri },
                _ => return None,
            };
            Op::SetMetadata { kind, value, affect: Affect::from_flags(affect)? }
        }
        SavedOp::NetworkUpdate { command, section, parent, xml, affect } => Op::NetworkUpdate {
            command: NetworkCommand::from_number(command)?,
            section: NetworkSection::from_number(section)?,
            parent,
            xml,
            affect: Affect::from_flags(affect)?,
        },
        SavedOp::Wait { millis, force } => {
            return Some(StepAction::Wait {
                until: Until::Inactive,
                timeout: Duration::from_millis(millis).min(Stop::MAX),
                otherwise: force.then_some(Op::Destroy),
            });
        }
    }))
}

fn keep_word(keep: UndefineKeep) -> &'static str {
    match keep {
        UndefineKeep::Nothing => "nothing",
        UndefineKeep::State => "state",
        UndefineKeep::Remove => "remove",
    }
}
