//! Sources and targets of the guests that a plan moves, as a finished plan records them.

use crate::model::ResourceId;
use crate::reconcile::plan::types::{Action, Move, Options, Plan};

/// Returns the source or target of each guest that a plan moves.
pub(crate) fn ways(options: &Options, plan: &Plan) -> Vec<(ResourceId, Move)> {
    let here = options.host.clone().unwrap_or_default();
    let way = |id: &ResourceId, action: Action| match action {
        Action::MoveIn => {
            let from = options.crossing.arriving.get(id)?.from.clone();
            Some(Move { from, to: here.clone() })
        }
        Action::MoveOut => {
            let to = options.crossing.leaving.get(id)?.to.clone();
            Some(Move { from: here.clone(), to })
        }
        _ => None,
    };
    plan.changes.iter().filter_map(|c| Some((c.id.clone(), way(&c.id, c.action)?))).collect()
}
