//! State of an instance, or of its saved image, against the manifest.

use super::decision::{Move, call};
use super::draft::Draft;
use super::effect_policy::EffectPolicy;
use crate::model::{DomainOp, Effect, Kind, OpKind, Power};
use crate::reconcile::diff::difference::{Change, ChangeCause};
use crate::reconcile::plan::step::StepAction;
use crate::reconcile::plan::types::FieldChange;

/// Reasons for a paused domain, by libvirt's numbers, for which resuming is safe: unknown, by a user, and
/// restored from a snapshot. A migration, a save, an I/O error or a snapshot that paused it would be
/// disturbed.
pub(super) const RESUMABLE: [i32; 3] = [0, 1, 7];

/// Reasons for which libvirt pauses a domain during work of its own, by its numbers.
const PAUSED_FOR: [(i32, &str); 7] = [
    (2, "it is being migrated"),
    (3, "it is being saved"),
    (4, "its memory is being dumped"),
    (8, "it is shutting down"),
    (9, "a snapshot is being taken"),
    (11, "it is starting"),
    (12, "it is being migrated"),
];

impl Draft<'_> {
    /// Ends an instance that crashed and is kept to be looked at, and starts it anew if it is to run:
    /// what is kept is lost by that, so it is asked for.
    pub(super) fn end_crashed(&self, power: Power) -> Option<Vec<Move>> {
        let policy = EffectPolicy::of(self.context.options, self.desired);
        let paused = power == Power::Paused;
        let start = (power != Power::Stopped).then_some(DomainOp::Create { paused });
        let ops = [DomainOp::Destroy].into_iter().chain(start);
        let effect = if power == Power::Stopped { Effect::Stops } else { Effect::Restart };
        policy.asked(effect).then(|| ops.map(|op| call(op, effect)).collect())
    }

    /// Blocks the power state while libvirt has paused the guest for an operation, which resumes it.
    pub(super) fn is_busy(&mut self) {
        let why = PAUSED_FOR.iter().find(|(reason, _)| *reason == self.host.reason);
        if let Some((_, why)) = why {
            let before = Some(self.host.state.to_string());
            let word = self.desired.settings.power.as_str();
            let field = self.meta("power", before, word, Effect::None, ChangeCause::Drift);
            let why = Some(format!("{why}, and continues after that"));
            self.held.push(FieldChange { why, ..field });
        }
    }

    /// Reports that the next start resumes a saved image's machine, not the defined one, if the definition
    /// changes. The image is discarded only if that was allowed explicitly.
    pub(super) fn saved_image(&mut self, changes: &[Change]) {
        let starts = matches!(self.desired.settings.power, Power::Running | Power::Paused);
        if !self.host.managed_save || self.host.state.is_active() {
            return;
        }
        let described = ["metadata", "title", "description"];
        let is_machine = |c: &Change| {
            c.path.steps.first().is_some_and(|step| !described.contains(&step.name.as_str()))
        };
        if !changes.iter().any(is_machine) {
            let what = if starts { "it resumes" } else { "its next start resumes" };
            self.notes.push(format!("it has a saved image: {what} where it was saved"));
            return;
        }
        let policy = EffectPolicy::of(self.context.options, self.desired);
        let discards = self.context.capabilities.supports(Kind::Domain, OpKind::DiscardSaved);
        if starts && discards && policy.asked(Effect::DataLoss) {
            self.notes.push("its saved image is discarded, and it boots afresh".to_owned());
            self.steps.push(call(DomainOp::DiscardSaved, Effect::DataLoss));
            return;
        }
        self.resumes = starts;
        for field in &mut self.fields {
            if !described.iter().any(|d| field.path.pattern().starts_with(d)) {
                field.effect = Effect::NextBoot;
                field.why = Some("its saved image has the machine as it was".to_owned());
            }
        }
        let way_out = if discards && starts {
            "; --allow data-loss discards the image and boots afresh"
        } else {
            ""
        };
        self.notes.push(format!(
            "it has a saved image: its next start resumes the machine as it was saved, and what changed \
             waits for the boot after that{way_out}"
        ));
    }

    /// Whether these steps end the present instance.
    pub(super) fn ends_instance(&self) -> bool {
        let ends = |action: &StepAction| matches!(action, StepAction::Call(op) if op.ends());
        self.steps.iter().any(|(action, _)| ends(action))
    }
}
