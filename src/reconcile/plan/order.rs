//! The order of steps: which resource comes before which, and a graph that may be run as it is.

use super::consequences::link;
use super::decide::{Decision, DraftStep, Link};
use super::step::{Consequences, Step};
use super::types::Action;
use crate::model::ResourceId;
use petgraph::Direction;
use petgraph::algo::{has_path_connecting, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef as _;
use std::collections::{BTreeMap, BTreeSet};

/// Numbers the steps of `decisions` in an executable order. The steps of one resource follow one another; a
/// live change waits for the one before it, and does not need it. What a resource depends on is in place
/// before it; what is removed goes in the reverse order: dependants before what they depend on, networks
/// after everything else.
///
/// `depends_on` gives, for each resource, those that must be in place before it. Among them are no
/// cycles: the manifests' check refuses those.
///
/// `handed_on` are pairs of resources of which the first gives up what the second takes after that,
/// where that order is possible.
pub(crate) fn order(
    decisions: &[Decision],
    depends_on: &BTreeMap<ResourceId, Vec<ResourceId>>,
    handed_on: &[(ResourceId, ResourceId)],
) -> Vec<Step> {
    let mut graph = Graph::default();
    let rooms: Vec<Room> = decisions.iter().map(|d| room(&mut graph, d)).collect();
    let by_id: BTreeMap<&ResourceId, (&Decision, Room)> =
        decisions.iter().zip(&rooms).map(|(d, r)| (&d.change.id, (d, *r))).collect();
    for (decision, room) in decisions.iter().zip(&rooms) {
        let needed = depends_on.get(&decision.change.id).into_iter().flatten();
        for (other, there) in needed.filter_map(|id| by_id.get(id)) {
            match (is_delete(decision), is_delete(other)) {
                (false, false) => graph.add_edge(there.end, room.begin, Edge::Done),
                (true, true) => graph.add_edge(room.end, there.begin, Edge::Done),
                _ => continue,
            };
        }
    }
    for (giver, taker) in handed_on {
        if let (Some((_, giver)), Some((_, taker))) = (by_id.get(giver), by_id.get(taker))
            && !has_path_connecting(&graph, taker.begin, giver.end, None)
        {
            graph.add_edge(giver.end, taker.begin, Edge::Done);
        }
    }
    for (decision, room) in decisions.iter().zip(&rooms) {
        // a network goes once nothing that stays uses it any more
        if is_delete(decision) && decision.change.id.kind.connects_guests() {
            for (other, there) in decisions.iter().zip(&rooms).filter(|(d, _)| !is_delete(d)) {
                let goes_first = !handed_on.is_empty()
                    && has_path_connecting(&graph, room.end, there.begin, None);
                if !other.steps.is_empty() && !goes_first {
                    graph.add_edge(there.end, room.begin, Edge::Done);
                }
            }
        }
    }
    number(&graph)
}

/// Steps, and between them the places where a resource begins and ends.
type Graph<'a> = DiGraph<Option<&'a DraftStep>, Edge>;

/// Dependency of a step on an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    /// The earlier step must be done.
    Done,
    /// The earlier step must be over, with any outcome.
    Over,
}

#[derive(Clone, Copy)]
struct Room {
    begin: NodeIndex,
    end: NodeIndex,
}

fn room<'a>(graph: &mut Graph<'a>, decision: &'a Decision) -> Room {
    let begin = graph.add_node(None);
    let end = graph.add_node(None);
    let mut nodes: Vec<NodeIndex> = Vec::new();
    for step in &decision.steps {
        let node = graph.add_node(Some(step));
        let last = nodes.last().copied().unwrap_or(begin);
        match step.link {
            Link::Chain => {
                graph.add_edge(last, node, Edge::Done);
            }
            // a live change that is refused keeps no other from being tried
            Link::Live { needs } => {
                let needs = needs.and_then(|n| nodes.get(n).copied()).unwrap_or(begin);
                graph.add_edge(needs, node, Edge::Done);
                if last != needs {
                    graph.add_edge(last, node, Edge::Over);
                }
                graph.add_edge(node, end, Edge::Done);
            }
        }
        nodes.push(node);
    }
    let last = nodes.last().copied().unwrap_or(begin);
    graph.update_edge(last, end, Edge::Done);
    Room { begin, end }
}

fn is_delete(decision: &Decision) -> bool {
    matches!(decision.change.action, Action::Delete | Action::MoveOut)
}

fn number(graph: &Graph<'_>) -> Vec<Step> {
    let sorted = toposort(graph, None).unwrap_or_else(|_| graph.node_indices().collect());
    let mut steps: Vec<Step> = Vec::new();
    // for each node the steps that it stands for
    let mut done: BTreeMap<NodeIndex, BTreeSet<usize>> = BTreeMap::new();
    for node in sorted {
        let before = |edge: Edge| -> BTreeSet<usize> {
            let all = graph.edges_directed(node, Direction::Incoming);
            let sources = all.filter(|e| *e.weight() == edge).map(|e| e.source());
            sources.filter_map(|n| done.get(&n)).flatten().copied().collect()
        };
        let after = before(Edge::Done);
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
                    behind: before(Edge::Over).into_iter().collect(),
                    live: step.live,
                    consequences: Consequences::default(),
                });
                BTreeSet::from([id])
            }
        };
        done.insert(node, reached);
    }
    link(&mut steps);
    steps
}
