//! Derivatives of patterns in Clark's sense: the rest of a pattern after an element, an attribute or a text,
//! with the contents of elements and the values of attributes left open.
//!
//! A step does not look into the element or at the value. It gives pairs: a pattern for what is
//! inside, and what is left of the whole if that matches. So the content of an element is the same
//! pattern wherever the element stands, and a value is tested once for each pattern there is.

use super::names::Symbol;
use super::pattern::{Grammar, Pattern, PatternId, Patterns};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Next part of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// An element of this name.
    Element(Symbol),
    /// An attribute of this name.
    Attribute(Symbol),
    /// A text.
    Text,
}

/// Rest of the pattern, for each pattern that the inside may match.
pub(super) type Branches = Arc<[(PatternId, PatternId)]>;

/// The patterns of a grammar and their residues, each computed once.
#[derive(Debug)]
pub(super) struct Derivatives {
    grammar: Arc<Grammar>,
    patterns: Patterns,
    steps: FxHashMap<(PatternId, Step), Branches>,
    closed: FxHashMap<PatternId, PatternId>,
    none: Branches,
}

impl Derivatives {
    pub(super) fn new(grammar: Arc<Grammar>) -> Self {
        Self {
            patterns: grammar.patterns.clone(),
            grammar,
            steps: FxHashMap::default(),
            closed: FxHashMap::default(),
            none: Arc::from([]),
        }
    }

    pub(super) fn grammar(&self) -> &Arc<Grammar> {
        &self.grammar
    }

    pub(super) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    pub(super) fn choice(&mut self, parts: impl IntoIterator<Item = PatternId>) -> PatternId {
        self.patterns.choice(parts)
    }

    /// Forgets all residues; patterns of the grammar keep their numbers. Those in `keep` are renumbered in
    /// place.
    pub(super) fn reset(&mut self, keep: &mut [&mut PatternId]) {
        self.steps.clear();
        self.closed.clear();
        let mut fresh = self.grammar.patterns.clone();
        let mut moved = FxHashMap::default();
        for id in keep {
            **id = self.transplant(&mut fresh, **id, &mut moved);
        }
        self.patterns = fresh;
    }

    fn transplant(
        &self,
        fresh: &mut Patterns,
        id: PatternId,
        moved: &mut FxHashMap<PatternId, PatternId>,
    ) -> PatternId {
        if let Some(to) = moved.get(&id) {
            return *to;
        }
        let pattern = self.patterns.get(id);
        let parts = pattern.parts().iter().map(|p| self.transplant(fresh, *p, moved)).collect();
        // residues have no new patterns of the sorts without parts
        let to = fresh.remake(pattern, parts);
        moved.insert(id, to);
        to
    }

    /// The branches that `step` opens in the pattern.
    pub(super) fn branches(&mut self, id: PatternId, step: Step) -> Branches {
        if let Some(known) = self.steps.get(&(id, step)) {
            return known.clone();
        }
        let mut found = Vec::new();
        self.collect(id, step, &mut found);
        let branches = if found.is_empty() { self.none.clone() } else { self.merged(found) };
        self.steps.insert((id, step), branches.clone());
        branches
    }

    /// Branches whose inside is the same become one.
    fn merged(&mut self, mut found: Vec<(PatternId, PatternId)>) -> Branches {
        found.sort_unstable();
        found.dedup();
        let mut out: Vec<(PatternId, PatternId)> = Vec::with_capacity(found.len());
        for (inside, rest) in found {
            match out.last_mut() {
                Some(last) if last.0 == inside => last.1 = self.patterns.choice([last.1, rest]),
                _ => out.push((inside, rest)),
            }
        }
        out.into()
    }

    fn collect(&mut self, id: PatternId, step: Step, out: &mut Vec<(PatternId, PatternId)>) {
        match self.patterns.get(id).clone() {
            Pattern::NotAllowed | Pattern::Empty => {}
            Pattern::Text => {
                if step == Step::Text {
                    out.push((id, id));
                }
            }
            Pattern::Data(_) | Pattern::Value(_) | Pattern::List(_) => {
                if step == Step::Text {
                    out.push((id, Patterns::EMPTY));
                }
            }
            Pattern::Attribute(a) => {
                if let (Step::Attribute(name), Some(decl)) = (step, self.grammar.attributes.get(a))
                    && decl.class.contains(&self.grammar.names, name)
                {
                    out.push((decl.content, Patterns::EMPTY));
                }
            }
            Pattern::Element(e) => {
                if let (Step::Element(name), Some(decl)) = (step, self.grammar.element(e))
                    && decl.class.contains(&self.grammar.names, name)
                {
                    out.push((decl.content, Patterns::EMPTY));
                }
            }
            Pattern::Choice(parts) => {
                for part in &*parts {
                    self.collect(*part, step, out);
                }
            }
            Pattern::OneOrMore(part) => {
                let again = self.patterns.choice([id, Patterns::EMPTY]);
                for (inside, rest) in &*self.branches(part, step) {
                    out.push((*inside, self.patterns.group([*rest, again])));
                }
            }
            Pattern::Group(parts) => self.collect_group(&parts, step, out),
            Pattern::Interleave(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    for (inside, rest) in &*self.branches(*part, step) {
                        let left = replaced(&parts, i, *rest);
                        out.push((*inside, self.patterns.interleave(left)));
                    }
                }
            }
        }
    }

    fn collect_group(
        &mut self,
        parts: &[PatternId],
        step: Step,
        out: &mut Vec<(PatternId, PatternId)>,
    ) {
        let unordered = matches!(step, Step::Attribute(_));
        for (i, part) in parts.iter().enumerate() {
            for (inside, rest) in &*self.branches(*part, step) {
                let left = if unordered {
                    replaced(parts, i, *rest)
                } else {
                    let after = parts.iter().skip(i + 1).copied();
                    std::iter::once(*rest).chain(after).collect()
                };
                out.push((*inside, self.patterns.group(left)));
            }
            if !unordered && !self.patterns.is_nullable(*part) {
                break;
            }
        }
    }

    /// The pattern after the last attribute: none may follow.
    pub(super) fn without_attributes(&mut self, id: PatternId) -> PatternId {
        if let Some(known) = self.closed.get(&id) {
            return *known;
        }
        let closed = self.with_attributes(id, Patterns::NOT_ALLOWED);
        self.closed.insert(id, closed);
        closed
    }

    /// The pattern with every attribute replaced.
    pub(super) fn with_attributes(&mut self, id: PatternId, with: PatternId) -> PatternId {
        match self.patterns.get(id).clone() {
            Pattern::Attribute(_) => with,
            pattern if pattern.parts().is_empty() => id,
            pattern => {
                let parts =
                    pattern.parts().iter().map(|p| self.with_attributes(*p, with)).collect();
                self.patterns.remake(&pattern, parts)
            }
        }
    }
}

fn replaced(parts: &[PatternId], place: usize, with: PatternId) -> Vec<PatternId> {
    parts.iter().enumerate().map(|(i, p)| if i == place { with } else { *p }).collect()
}
