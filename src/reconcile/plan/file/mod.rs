//! Saved plans, written by `plan --out` and read by `apply PLANFILE`.
//!
//! A saved plan is applied as it was reviewed, or not at all: it holds the steps whole and the
//! fingerprint of what it was computed from. It never holds a secret; a plan whose definitions have
//! one cannot be saved.
//!
//! - `checks.rs`: checks of a saved plan: objects of definitions, effects of steps
//! - `recorded.rs`: the record of a saved definition, for people

mod checks;
mod recorded;

pub use recorded::recorded;

use super::afterwards;
use super::afterwards::{Afterwards, Notes, Piece};
use super::consequences::link;
use super::step::{Consequences, LiveStep, Step, StepAction};
use super::types::Plan;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Effect, Observed, ObservedResource, Op, ResourceId, ShutdownPolicy, Target, Uuid,
};
use crate::reconcile::ownership::record::{owner_record_in, remember_host};
use crate::reconcile::ownership::records::Signing;
use crate::reconcile::ownership::redact::has_secret;
use diagnostics::{SourceId, escape_json};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use xmltree::{Document, Limits, parse, write, write_compact};

/// The version of the format; another one is refused.
const FORMAT_VERSION: u32 = 4;

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
    afterwards: Vec<SavedAfterwards>,
    /// Signature: HMAC-SHA256 of all the rest, if it was saved with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// The version of a plan file, which is read before all else of it.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

/// Context of a plan file's signature, signed together with its bytes.
const SEALED: &str = "virt plan 1";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedStep {
    target: String,
    uuid: String,
    action: StepAction,
    effect: String,
    after: Vec<usize>,
    behind: Vec<usize>,
    live: Option<LiveStep>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedAfterwards {
    target: String,
    uuid: String,
    definition: String,
    owner_record_before: Option<String>,
    pieces: Vec<Piece>,
    notes: Option<Notes>,
}

/// Returns the digest of a plan file: `sha256:` and 64 hexadecimal digits, of all its bytes.
pub fn digest(text: &str) -> String {
    let hex: String = Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// The plan as text, for the connection it was made for, signed if there is a key.
///
/// # Errors
/// The plan is refused, or one of its definitions holds a secret.
pub fn save(plan: &Plan, connection: &str, signing: Option<&Signing>) -> Result<String> {
    if !plan.refusals.is_empty() {
        let text = "a plan that is refused is not saved, since it could be applied then";
        return Err(Error::new(ErrorKind::Denied, text));
    }
    let mut steps = Vec::new();
    for step in &plan.steps {
        if step_has_secret(&step.action) {
            return Err(holds_secret(&step.target));
        }
        steps.push(SavedStep {
            target: format!("{}/{}", step.target.id.kind, step.target.id.name),
            uuid: step.target.uuid.to_string(),
            action: step.action.clone(),
            effect: step.effect.as_str().to_owned(),
            after: step.after.clone(),
            behind: step.behind.clone(),
            live: step.live,
        });
    }
    let mut afterwards = Vec::new();
    for of in &plan.afterwards {
        if of.has_secret() {
            return Err(holds_secret(&of.target));
        }
        afterwards.push(SavedAfterwards {
            target: format!("{}/{}", of.target.id.kind, of.target.id.name),
            uuid: of.target.uuid.to_string(),
            definition: of.definition.clone(),
            owner_record_before: of.owner_record_before.clone(),
            pieces: of.pieces.clone(),
            notes: of.notes.clone(),
        });
    }
    let mut file = PlanFile {
        format_version: FORMAT_VERSION,
        set: plan.set.clone(),
        connection: connection.to_owned(),
        fingerprint: plan.fingerprint.clone(),
        steps,
        afterwards,
        signature: None,
    };
    let bare = file.text()?;
    if let Some(signing) = signing {
        file.signature = Some(signing.seal(SEALED, bare.as_bytes()));
        return file.text();
    }
    Ok(bare)
}

/// Whether a plan file is as somebody with the key has saved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// No signature.
    Missing,
    /// Valid signature.
    Right,
    /// Wrong signature: the file was changed, or signed with another key.
    Wrong,
}

/// Reads a saved plan.
///
/// # Errors
/// It is not a plan of this format, or not one that [`save`] could have written.
pub fn read(text: &str) -> Result<PlanFile> {
    let unreadable = |e: serde_json::Error| broken(&e.to_string());
    let Version { format_version } = serde_json::from_str(text).map_err(unreadable)?;
    if format_version != FORMAT_VERSION {
        return Err(broken(&format!(
            "it has format {format_version}; this program reads {FORMAT_VERSION}"
        )));
    }
    serde_json::from_str(text).map_err(unreadable)
}

impl PlanFile {
    fn text(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self).map_err(|e| broken(&e.to_string()))?;
        // it is looked at in editors and terminals, and read again it says the same
        Ok(escape_json(&text) + "\n")
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// It cannot be written again.
    pub fn seal(&self, signing: &Signing) -> Result<Seal> {
        let Some(signature) = &self.signature else { return Ok(Seal::Missing) };
        let bare = Self { signature: None, ..self.clone() }.text()?;
        let is_right = signing.is_sealed(SEALED, bare.as_bytes(), signature);
        Ok(if is_right { Seal::Right } else { Seal::Wrong })
    }

    /// The plan, ready to be applied.
    ///
    /// # Errors
    /// A step is damaged.
    pub fn into_plan(self) -> Result<Plan> {
        let mut steps = Vec::new();
        for (id, saved) in self.steps.into_iter().enumerate() {
            // predecessors come first, so that no step waits for itself
            if saved.after.iter().chain(&saved.behind).any(|before| *before >= id) {
                return Err(broken(&format!("step {id} comes before one that it needs")));
            }
            let damaged = || broken(&format!("step {id} cannot be read"));
            let target = target(&saved.target, &saved.uuid).ok_or_else(damaged)?;
            if let Some(why) = checks::unfit(&self.set, &target, &saved.action) {
                return Err(broken(&format!("step {id} is one for {}: {why}", target.id)));
            }
            steps.push(Step {
                id,
                target,
                action: within_limits(saved.action),
                effect: Effect::parse(&saved.effect).ok_or_else(damaged)?,
                after: saved.after,
                behind: saved.behind,
                live: saved.live,
                consequences: Consequences::default(),
            });
        }
        checks::raise_effects(&mut steps);
        link(&mut steps);
        let afterwards = self.afterwards.into_iter().map(|of| {
            let damaged = || broken("what follows its live changes cannot be read");
            let target = target(&of.target, &of.uuid).ok_or_else(damaged)?;
            let of = Afterwards {
                target,
                definition: of.definition,
                owner_record_before: of.owner_record_before,
                pieces: of.pieces,
                notes: of.notes,
            };
            if let Some(why) = checks::unfit_afterwards(&self.set, &of, &steps) {
                return Err(broken(&format!("what may be put back of {}: {why}", of.target.id)));
            }
            Ok(of)
        });
        let afterwards = afterwards.collect::<Result<Vec<_>>>()?;
        Ok(Plan {
            set: self.set,
            changes: Vec::new(),
            steps,
            afterwards,
            refusals: Vec::new(),
            diagnostics: diagnostics::Diagnostics::default(),
            blocked: BTreeMap::new(),
            silent: BTreeMap::new(),
            doubted: BTreeMap::new(),
            orphans: Vec::new(),
            moves: BTreeMap::new(),
            fingerprint: self.fingerprint,
        })
    }
}

/// Checks a plan that was read from a file against its host: every object has the identity that the plan
/// gives it. Records are made to remember the host's version, not the file's.
///
/// # Errors
/// An object that it is about is another one on the host.
pub fn hold_to(plan: &mut Plan, observed: &Observed) -> Result<()> {
    if let Some(why) = checks::misnamed(plan, observed) {
        return Err(Error::new(ErrorKind::Denied, format!("this is no plan for this host: {why}"))
            .hint("make a new one with virt plan --out FILE"));
    }
    let host = |target: &Target| {
        let is_it = |h: &&ObservedResource| h.id.kind == target.id.kind && h.uuid == target.uuid;
        observed.resources.values().find(is_it)
    };
    let rewrite = |xml: &mut String, target: &Target| {
        let there = host(target).and_then(|host| host.persistent.as_ref().or(host.live.as_ref()));
        if let Ok(mut definition) = parse(SourceId::NONE, xml, &Limits::default())
            && remember_host(&mut definition, there.map(Document::as_element)).is_some()
        {
            *xml = write(&definition);
        }
    };
    for step in &mut plan.steps {
        if let StepAction::Call(op) = &mut step.action
            && let Some(xml) = op.definition_mut()
        {
            rewrite(xml, &step.target);
        }
    }
    for of in &mut plan.afterwards {
        rewrite(&mut of.definition, &of.target);
        let host = host(&of.target);
        let before = host.and_then(|host| owner_record_in(host.persistent.as_ref()?.as_element()));
        of.owner_record_before = before.map(write_compact);
        let live = host.and_then(|host| host.live.as_ref());
        if let (Some(notes), Some(live)) = (&mut of.notes, live) {
            let kept = std::mem::take(&mut notes.kept);
            *notes = Notes { kept, ..afterwards::notes(live.as_element()) };
        }
    }
    Ok(())
}

/// Limits a wait to the longest that a plan made here would have.
fn within_limits(action: StepAction) -> StepAction {
    match action {
        StepAction::Wait { until, timeout, otherwise } => {
            StepAction::Wait { until, timeout: timeout.min(ShutdownPolicy::MAX), otherwise }
        }
        call @ StepAction::Call(_) => call,
    }
}

fn target(id: &str, uuid: &str) -> Option<Target> {
    Some(Target { id: ResourceId::parse(id)?, uuid: Uuid::try_parse(uuid).ok()? })
}

fn holds_secret(target: &Target) -> Error {
    let text = format!("the plan for {} holds a password, and plan files never do", target.id);
    Error::new(ErrorKind::Denied, text)
        .address(target.id.to_string())
        .hint("apply the manifests themselves, or leave it out with --only")
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("this is no plan file: {why}"))
        .hint("make a new one with virt plan --out FILE")
}

fn step_has_secret(action: &StepAction) -> bool {
    action.op().and_then(Op::document).is_some_and(is_secret_definition)
}

fn is_secret_definition(xml: &str) -> bool {
    parse(SourceId::NONE, xml, &Limits::default()).is_ok_and(|e| has_secret(&e))
}
