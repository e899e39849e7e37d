//! Steps of live changes: none holds up another, and each has a follow-up for the case that the running
//! instance does not take it.

use super::decision::Context;
use super::draft_step::{DraftStep, Link};
use super::running::Running;
use crate::model::{DomainOp, ObservedResource, Op, OpKind};
use crate::reconcile::diff::difference::Change;
use crate::reconcile::live::LiveChange;
use crate::reconcile::ownership::record::is_owned;
use crate::reconcile::plan::afterwards::{
    Afterwards, Definitions, Notes, Piece, may_be_missing, undo,
};
use crate::reconcile::plan::step::{LiveStep, StepAction};
use diagnostics::SourceId;
use xmltree::{Document, Limits, parse, write, write_compact};

/// Live changes of one resource, whose steps are its last.
#[derive(Debug, Default)]
pub(super) struct LiveMoves {
    moves: Vec<LiveMove>,
    pieces: Vec<Piece>,
    /// Removals, with the step that makes each: an addition with the same covered changes is their
    /// replacement.
    gone: Vec<(Vec<usize>, usize)>,
}

/// A step that is a part of a live change.
#[derive(Clone, Copy, Debug)]
struct LiveMove {
    step: LiveStep,
    /// Index of the live step that has to be done first.
    needs: Option<usize>,
}

impl LiveMoves {
    /// Adds the steps of a change. An entry comes back only if it has gone.
    pub(super) fn add(&mut self, change: &LiveChange, piece: Piece) {
        let gone = self.gone.iter().find(|(covers, _)| *covers == change.covers);
        let mut needs = gone.map(|(_, step)| *step);
        if change.takes_away() {
            self.gone.push((change.covers.clone(), self.moves.len()));
        }
        let step = LiveStep { piece: self.pieces.len(), again: change.asked.is_some() };
        for _ in &change.actions {
            self.moves.push(LiveMove { step, needs });
            needs = self.moves.len().checked_sub(1);
        }
        self.pieces.push(piece);
    }

    /// Adds a step for which nothing is put back.
    pub(super) fn add_alone(&mut self) {
        let step = LiveStep { piece: self.pieces.len(), again: false };
        self.moves.push(LiveMove { step, needs: None });
        self.pieces.push(Piece::default());
    }

    /// Whether all of the `steps` steps only ask a guest again.
    pub(super) fn only_ask_again(&self, steps: usize) -> bool {
        self.moves.len() == steps && self.moves.iter().all(|live| live.step.again)
    }

    /// Returns the steps of the resource, with each live change depending on the definition and on its own
    /// needs.
    pub(super) fn link(&self, mut steps: Vec<DraftStep>) -> Vec<DraftStep> {
        let define = steps.first().is_some_and(|s| definition(s).is_some()).then_some(0);
        let first = steps.len().saturating_sub(self.moves.len());
        for (step, live) in steps.iter_mut().skip(first).zip(&self.moves) {
            step.link = Link::Live { needs: live.needs.map(|n| first + n).or(define) };
            step.live = Some(live.step);
        }
        steps
    }

    /// Returns the follow-up for live changes that the running instance does not take.
    pub(super) fn afterwards(
        &self,
        context: Context<'_>,
        host: &ObservedResource,
        steps: &[DraftStep],
        notes: Notes,
    ) -> Option<Afterwards> {
        let target = steps.iter().find(|s| s.live.is_some()).map(|s| s.target.clone())?;
        let defined = steps.iter().find_map(definition).map(str::to_owned);
        let definition =
            defined.or_else(|| host.persistent.as_ref().map(Document::as_element).map(write))?;
        let owner_record = host.persistent.as_ref().and_then(|d| d.as_element().child("metadata"));
        let owner_record = owner_record.and_then(|m| m.elements().find(|e| is_owned(e)));
        let can_note = context.capabilities.supports(target.id.kind, OpKind::SetMetadata);
        Some(Afterwards {
            target,
            definition,
            owner_record_before: owner_record.map(write_compact),
            pieces: self.pieces.clone(),
            notes: can_note.then_some(notes),
        })
    }
}

fn definition(step: &DraftStep) -> Option<&str> {
    match &step.action {
        StepAction::Call(op) => op.definition(),
        StepAction::Wait { .. } => None,
    }
}

/// Returns a live change with its undo in the definition. Values that the instance was started with stay.
pub(super) fn piece(change: &LiveChange, running: &Running, all: Definitions<'_>) -> Piece {
    let key = change.key.clone();
    let covers: Vec<&Change> =
        change.covers.iter().filter_map(|n| running.changes.get(*n)).collect();
    let is_defined = |c: &&Change| {
        let mut known = all.changes.iter();
        known.any(|n| n.path.covers(&c.path) || c.path.covers(&n.path))
    };
    let optional = change.actions.iter().any(|action| match action {
        StepAction::Call(Op::Domain(
            DomainOp::Attach { xml, .. } | DomainOp::Update { xml, .. },
        )) => {
            let device = parse(SourceId::NONE, xml, &Limits::default()).ok();
            device.and_then(|d| d.child("source").map(may_be_missing)).unwrap_or_default()
        }
        StepAction::Call(_) | StepAction::Wait { .. } => false,
    });

    if optional || change.takes_away() || running.is_current && !covers.iter().any(is_defined) {
        return Piece { key, optional, ..Piece::default() };
    }
    let (definition, manifest) = undo(all, &covers);
    Piece { key, definition, manifest, optional }
}
