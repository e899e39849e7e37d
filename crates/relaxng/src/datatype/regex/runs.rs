//! Patterns that are only a row of characters and classes, each with a number of repetitions: nearly all that
//! grammars use. They are matched in one pass, without compilation.

use super::parse::Node;
use super::set::Ascii;

/// Most runs: counted groups are written out.
const MOST: usize = 64;

/// Class with a number of repetitions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    set: Ascii,
    min: usize,
    max: usize,
}

/// The runs of a pattern, if taking as many characters as possible for each of them is right.
pub(super) fn runs(node: &Node) -> Option<Vec<Run>> {
    let mut found = Vec::new();
    flatten(node, &mut found)?;
    let mut rest: &[Run] = &found;
    while let [run, after @ ..] = rest {
        // greed is right where what may come next cannot be taken by this run
        let needed = after.iter().position(|next| next.min > 0).map_or(after.len(), |at| at + 1);
        let mut next = after.iter().take(needed);
        if run.min != run.max && !next.all(|next| next.set.is_disjoint(run.set)) {
            return None;
        }
        rest = after;
    }
    Some(found)
}

fn flatten(node: &Node, into: &mut Vec<Run>) -> Option<()> {
    match node {
        Node::Set(set) => into.push(Run { set: set.ascii()?, min: 1, max: 1 }),
        Node::Sequence(nodes) => nodes.iter().try_for_each(|node| flatten(node, into))?,
        Node::Choice(_) => return None,
        Node::Repeat { node, min, max } => match (&**node, max) {
            (Node::Set(set), max) => {
                into.push(Run { set: set.ascii()?, min: *min, max: max.unwrap_or(usize::MAX) });
            }
            (node, Some(max)) if min == max && *max <= MOST => {
                for _ in 0..*min {
                    flatten(node, into)?;
                    // before a group in a group multiplies
                    (into.len() <= MOST).then_some(())?;
                }
            }
            _ => return None,
        },
    }
    (into.len() <= MOST).then_some(())
}

/// Whether the runs make up all of the text.
pub(super) fn is_match(runs: &[Run], text: &str) -> bool {
    let mut chars = text.chars();
    for run in runs {
        let mut taken = 0;
        while taken < run.max {
            let before = chars.clone();
            match chars.next() {
                Some(c) if run.set.contains(c) => taken += 1,
                _ => {
                    chars = before;
                    break;
                }
            }
        }
        if taken < run.min {
            return false;
        }
    }
    chars.as_str().is_empty()
}
