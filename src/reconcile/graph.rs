//! The order of steps: which resource comes before which, and a graph that may be run as it is.

use super::changes::{Action, Step};
use super::decide::{Decision, DraftStep};
use crate::model::{Kind, ResourceId};
use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers the steps of `decisions` in an order that may be run as it is. The steps of one resource
/// follow one another. What a resource depends on is in place before it; what is removed goes in
/// the reverse order: dependants before what they depend on, networks after everything else.
///
/// `depends_on` gives, for each resource, those that must be in place before it. Among them are no
/// cycles: the manifests' check refuses those.
pub(crate) fn order(
    decisions: &[Decision],
    depends_on: &BTreeMap<ResourceId, Vec<ResourceId>>,
) -> Vec<Step> {
    let mut graph = Graph::default();
    let rooms: Vec<Room> = decisions.iter().map(|d| room(&mut graph, d)).collect();
    let by_id: BTreeMap<&ResourceId, (&Decision, Room)> =
        decisions.iter().zip(&rooms).map(|(d, r)| (&d.change.id, (d, *r))).collect();
    for (decision, room) in decisions.iter().zip(&rooms) {
        let needed = depends_on.get(&decision.change.id).into_iter().flatten();
        for (other, there) in needed.filter_map(|id| by_id.get(id)) {
            match (is_delete(decision), is_delete(other)) {
                (false, false) => graph.add_edge(there.end, room.begin, ()),
                (true, true) => graph.add_edge(room.end, there.begin, ()),
                _ => continue,
            };
        }
        // a network goes once nothing that stays uses it any more
        if is_delete(decision) && decision.change.id.kind == Kind::Network {
            for (other, there) in decisions.iter().zip(&rooms).filter(|(d, _)| !is_delete(d)) {
                if !other.steps.is_empty() {
                    graph.add_edge(there.end, room.begin, ());
                }
            }
        }
    }
    number(&graph)
}

/// Steps, and between them the places where a resource begins and ends.
type Graph<'a> = DiGraph<Option<&'a DraftStep>, ()>;

#[derive(Clone, Copy)]
struct Room {
    begin: NodeIndex,
    end: NodeIndex,
}

fn room<'a>(graph: &mut Graph<'a>, decision: &'a Decision) -> Room {
    let begin = graph.add_node(None);
    let mut last = begin;
    for step in &decision.steps {
        let node = graph.add_node(Some(step));
        graph.add_edge(last, node, ());
        last = node;
    }
    let end = graph.add_node(None);
    graph.add_edge(last, end, ());
    Room { begin, end }
}

fn is_delete(decision: &Decision) -> bool {
    matches!(decision.change.action, Action::Delete | Action::MoveOut)
}

fn number(graph: &Graph<'_>) -> Vec<Step> {
    let sorted = toposort(graph, None).unwrap_or_else(|_| graph.node_indices().collect());
    let mut steps: Vec<Step> = Vec::new();
    // for each node the steps that must be done when it is reached
    let mut done: BTreeMap<NodeIndex, BTreeSet<usize>> = BTreeMap::new();
    for node in sorted {
        let before = graph.neighbors_directed(node, Direction::Incoming);
        let after: BTreeSet<usize> =
            before.filter_map(|n| done.get(&n)).flatten().copied().collect();
        let reached = match graph.node_weight(node).copied().flatten() {
            None => after,
            Some(step) => {
                let id = steps.len();
                steps.push(Step {
                    id,
                    target: step.target.clone(),
                    action: step.action.clone(),
                    effect: step.effect,
                    after: after.into_iter().collect(),
                });
                BTreeSet::from([id])
            }
        };
        done.insert(node, reached);
    }
    steps
}
