//! A matcher without an automaton, for messages: it knows how far a text went well.

use super::parse::Node;
use super::print;
use super::set::Set;

/// Result of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// Whether the whole text is in the language.
    pub(super) matched: bool,
    /// The number of characters at its start that a match may begin with.
    pub(super) furthest: usize,
}

/// The places in the text that can be reached: one for each character, and the end.
type Places = Vec<bool>;

/// Matches `text` by sets of places; time is places times nodes, repetitions written out.
pub(super) fn walk(node: &Node, text: &str) -> Walked {
    let chars: Vec<char> = text.chars().collect();
    let mut start = vec![false; chars.len() + 1];
    if let Some(first) = start.first_mut() {
        *first = true;
    }
    let mut furthest = 0;
    let ends = step(node, &start, &chars, &mut furthest);
    Walked { matched: ends.last() == Some(&true), furthest }
}

/// The places behind `node` when it starts at `places`.
fn step(node: &Node, places: &Places, chars: &[char], furthest: &mut usize) -> Places {
    match node {
        Node::Set(set) => {
            let ends = advance(set, places, chars);
            *furthest = (*furthest).max(ends.iter().rposition(|at| *at).unwrap_or(0));
            ends
        }
        Node::Sequence(nodes) => {
            nodes.iter().fold(places.clone(), |places, node| step(node, &places, chars, furthest))
        }
        Node::Choice(nodes) => {
            let mut all = vec![false; places.len()];
            for node in nodes {
                join(&mut all, &step(node, places, chars, furthest));
            }
            all
        }
        Node::Repeat { node, min, max } => {
            let mut now = places.clone();
            for _ in 0..*min {
                let next = step(node, &now, chars, furthest);
                // the walk only stops: either nothing is left, or only empty rounds are
                if next == now {
                    break;
                }
                now = next;
            }
            let mut all = now.clone();
            for _ in *min..max.unwrap_or(usize::MAX) {
                now = step(node, &now, chars, furthest);
                if !join(&mut all, &now) {
                    break;
                }
            }
            all
        }
    }
}

/// Adds places; whether there was a new one.
fn join(all: &mut Places, more: &Places) -> bool {
    let mut grown = false;
    for (at, new) in all.iter_mut().zip(more) {
        grown |= *new && !*at;
        *at |= *new;
    }
    grown
}

fn advance(set: &Set, places: &Places, chars: &[char]) -> Places {
    let ascii = set.ascii();
    // some of Unicode: the regex crate has the tables
    let regex = match ascii {
        Some(_) => None,
        None => ::regex::Regex::new(&print::rust_set(set)).ok(),
    };
    let has = |c: char| match (ascii, &regex) {
        (Some(ascii), _) => ascii.contains(c),
        (None, Some(regex)) => regex.is_match(c.encode_utf8(&mut [0; 4])),
        (None, None) => false,
    };
    let ends = places.iter().zip(chars).map(|(at, c)| *at && has(*c));
    std::iter::once(false).chain(ends).collect()
}
