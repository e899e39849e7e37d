//! Expected content at a place: taken from the live patterns, so that only possible parts are named.

use crate::names::{NameClass, Symbol};
use crate::pattern::{AttributeId, ElementId, Grammar, Pattern, PatternId, Patterns};
use std::collections::BTreeSet;

/// Expectation where any text is accepted.
const ANY_TEXT: &str = "any text";

/// Reads expectations off the patterns of one state.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) grammar: &'a Grammar,
    pub(crate) patterns: &'a Patterns,
}

impl<'a> Expected<'a> {
    /// The elements that may come next. One that can never be satisfied is not among them.
    pub(crate) fn elements(self, parts: &[PatternId]) -> Vec<ElementId> {
        let mut out = BTreeSet::new();
        for part in parts {
            self.first_elements(*part, &mut out);
        }
        out.into_iter().collect()
    }

    fn first_elements(self, id: PatternId, out: &mut BTreeSet<ElementId>) {
        let pattern = self.patterns.get(id);
        if let Pattern::Element(e) = pattern {
            let content = self.grammar.element(*e).map(|e| e.content);
            if content != Some(Patterns::NOT_ALLOWED) {
                out.insert(*e);
            }
        }
        for part in pattern.parts() {
            self.first_elements(*part, out);
            if matches!(pattern, Pattern::Group(_)) && !self.patterns.is_nullable(*part) {
                break;
            }
        }
    }

    /// The elements anywhere in the content, whatever comes before them, each with whether it may
    /// stand there several times.
    pub(crate) fn all_elements(self, id: PatternId) -> Vec<(ElementId, bool)> {
        let mut out = Vec::new();
        self.visit(id, false, &mut |pattern, repeated| {
            if let Pattern::Element(e) = pattern {
                out.push((*e, repeated));
            }
        });
        out
    }

    /// Whether the content has an element, or an attribute, that is called so by its name.
    pub(crate) fn names(self, content: PatternId, name: Symbol, attribute: bool) -> bool {
        let mut found = false;
        self.visit(content, false, &mut |pattern, _| {
            let class = self.class(pattern, attribute);
            found |= class.is_some_and(|class| class.listed().contains(&name));
        });
        found
    }

    /// The attributes that may stand on the element.
    pub(crate) fn attributes(self, parts: &[PatternId]) -> BTreeSet<AttributeId> {
        let mut out = BTreeSet::new();
        for part in parts {
            self.visit(*part, false, &mut |pattern, _| {
                if let Pattern::Attribute(a) = pattern {
                    out.insert(*a);
                }
            });
        }
        out
    }

    fn visit(self, id: PatternId, repeated: bool, f: &mut dyn FnMut(&Pattern, bool)) {
        let pattern = self.patterns.get(id);
        f(pattern, repeated);
        let repeated = repeated || matches!(pattern, Pattern::OneOrMore(_));
        pattern.parts().iter().for_each(|p| self.visit(*p, repeated, f));
    }

    /// The names that a pattern may have, if it is one of an attribute, or of an element.
    fn class(self, pattern: &Pattern, attribute: bool) -> Option<&'a NameClass> {
        match pattern {
            Pattern::Attribute(a) if attribute => self.grammar.attributes.get(*a).map(|a| &a.class),
            Pattern::Element(e) if !attribute => self.grammar.element(*e).map(|e| &e.class),
            _ => None,
        }
    }

    /// The names of attributes (or of elements) without which no way leads on: those that all of
    /// the live patterns need.
    pub(crate) fn required(self, parts: &[PatternId], attributes: bool) -> BTreeSet<Symbol> {
        let live = parts.iter().filter(|p| **p != Patterns::NOT_ALLOWED);
        common(live.map(|p| self.required_in(*p, attributes)))
    }

    fn required_in(self, id: PatternId, attributes: bool) -> BTreeSet<Symbol> {
        let pattern = self.patterns.get(id);
        if let Some(class) = self.class(pattern, attributes) {
            return match class.listed().as_slice() {
                [name] if !class.is_infinite() => BTreeSet::from([*name]),
                _ => BTreeSet::new(),
            };
        }
        let sets = pattern.parts().iter().map(|p| self.required_in(*p, attributes));
        match pattern {
            Pattern::Choice(_) => common(sets),
            _ => sets.flatten().collect(),
        }
    }

    /// The things of which one at least is missing where nothing single is required: attributes or
    /// elements of the parts that cannot be left out.
    pub(crate) fn one_of(self, id: PatternId, attributes: bool) -> BTreeSet<Symbol> {
        if self.patterns.is_nullable(id) {
            return BTreeSet::new();
        }
        let pattern = self.patterns.get(id);
        match self.class(pattern, attributes) {
            Some(class) => class.listed().into_iter().collect(),
            None => pattern.parts().iter().flat_map(|p| self.one_of(*p, attributes)).collect(),
        }
    }

    /// The texts that the patterns take.
    pub(crate) fn values(self, parts: &[PatternId]) -> Values {
        let mut values = Values::default();
        for part in parts {
            self.visit(*part, false, &mut |pattern, _| self.add_value(pattern, &mut values));
        }
        values.words.sort();
        values.words.dedup();
        values.kinds.dedup();
        values
    }

    fn add_value(self, pattern: &Pattern, values: &mut Values) {
        match pattern {
            Pattern::Value(v) => {
                values.words.extend(self.grammar.values.get(*v).map(|v| v.text().to_owned()));
            }
            Pattern::Data(d) => {
                let Some(decl) = self.grammar.data.get(*d) else { return };
                let words = decl.datatype.describe().words;
                values.kinds.push(match (&decl.documentation, &decl.define) {
                    (Some(documentation), _) => documentation.to_string(),
                    (None, Some(define)) => format!("{words} ({define})"),
                    (None, None) => words,
                });
                values.data.push(*d);
            }
            Pattern::List(part) => {
                let inner = self.values(&[*part]);
                values
                    .kinds
                    .push(format!("a list of words, each {}", inner.expected().join(" or ")));
            }
            Pattern::Text => values.kinds.push(ANY_TEXT.to_owned()),
            Pattern::NotAllowed
            | Pattern::Empty
            | Pattern::Choice(_)
            | Pattern::Interleave(_)
            | Pattern::Group(_)
            | Pattern::OneOrMore(_)
            | Pattern::Attribute(_)
            | Pattern::Element(_) => {}
        }
    }
}

/// Returns the intersection of the sets.
fn common(sets: impl Iterator<Item = BTreeSet<Symbol>>) -> BTreeSet<Symbol> {
    sets.reduce(|a, b| a.intersection(&b).copied().collect()).unwrap_or_default()
}

/// The texts that a place takes.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// Enumerated words.
    pub(crate) words: Vec<String>,
    /// Datatypes as people call them.
    pub(crate) kinds: Vec<String>,
    /// The `data` patterns among them.
    pub(crate) data: Vec<crate::pattern::DataId>,
}

impl Values {
    /// Returns the expected texts, or nothing where any text would do.
    pub(crate) fn telling(&self) -> Vec<String> {
        self.expected().into_iter().filter(|e| e != ANY_TEXT).collect()
    }

    /// Returns all expected content as a list for a message.
    pub(crate) fn expected(&self) -> Vec<String> {
        self.words.iter().chain(&self.kinds).cloned().collect()
    }
}
