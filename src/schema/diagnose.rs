//! A second, thorough walk over a document that was refused: every independent mistake, each said
//! in place, and the walk goes on behind it as if the mistake had not been made.

use super::automaton::{Automaton, ForkId, StateId};
use super::blame::Blame;
use super::datatype::Context;
use super::names::Symbol;
use super::pattern::PatternId;
use super::residue::Step;
use super::run::mark_end;
use super::value::is_blank;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::xml::{Attribute, Element, NamespaceDecl, Node};
use std::sync::Arc;

/// Most problems of one document that are said one by one.
const PROBLEMS_MAX: usize = 100;

/// How a document is written, and so what its parts are called in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// Elements and attributes.
    Xml,
    /// Keys of tables.
    Toml,
}

/// An element that the walk is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) element: &'a Element,
    /// The state in it before its attributes.
    pub(super) before: StateId,
    /// The state in it behind its attributes, before its children.
    pub(super) content: StateId,
}

/// Says all that is wrong with a document. Without a mistake it says nothing.
pub(super) fn diagnose(
    automaton: &mut Automaton,
    root: &Element,
    notation: Notation,
) -> Diagnostics {
    let mut walk = Walk {
        automaton,
        notation,
        scopes: Scopes::default(),
        out: Diagnostics::default(),
        parents: Vec::new(),
    };
    let start = walk.automaton.start();
    walk.element(root, start, &[]);
    walk.out
}

struct Walk<'a, 'd> {
    automaton: &'a mut Automaton,
    notation: Notation,
    scopes: Scopes<'d>,
    out: Diagnostics,
    parents: Vec<Place<'d>>,
}

impl<'d> Walk<'_, 'd> {
    /// Walks through an element that follows `before` among its siblings; gives the state after it.
    fn element(&mut self, e: &'d Element, state: StateId, before: &[&'d Element]) -> StateId {
        if self.is_full() {
            return state;
        }
        let name = symbol(self.automaton, &e.name);
        let fork = self.automaton.fork(state, Step::Element(name));
        let Some(inside) = self.automaton.inside(fork) else {
            let problem = self.blame().unexpected_element(e, name, state, before);
            self.say(problem);
            return state;
        };
        self.scopes.push(&e.namespaces);
        let content = self.attributes(e, inside);
        self.parents.push(Place { element: e, before: inside, content });
        let (last, has_children, text) = self.children(e, content);
        self.finish(e, last, has_children, text);
        self.parents.pop();
        self.scopes.pop();
        // whether it matched in full or not, the walk goes on behind it
        if !self.automaton.alive.contains(&true) {
            self.automaton.mark_all(fork);
        }
        self.after(fork)
    }

    fn after(&mut self, fork: ForkId) -> StateId {
        let state = self.automaton.join(fork);
        if !self.automaton.is_dead(state) {
            return state;
        }
        self.automaton.mark_all(fork);
        self.automaton.join(fork)
    }

    fn attributes(&mut self, e: &'d Element, inside: StateId) -> StateId {
        let mut state = inside;
        let mut meant = Vec::new();
        for a in &e.attributes {
            let name = symbol(self.automaton, &a.name);
            let fork = self.automaton.fork(state, Step::Attribute(name));
            if self.automaton.fork_parts(fork).is_empty() {
                let (problem, slip) = self.blame().unexpected_attribute(e, a, name, inside, state);
                meant.extend(slip);
                self.say(problem);
                continue;
            }
            if !self.automaton.mark_value(fork, &a.value, &self.scopes) {
                let parts = self.automaton.fork_parts(fork);
                let problem = self.blame().bad_attribute(e, a, &parts, inside);
                self.say(problem);
                self.automaton.mark_all(fork);
            }
            state = self.after(fork);
        }
        let closed = self.automaton.close_tag(state);
        if !self.automaton.is_dead(closed) {
            return closed;
        }
        for problem in self.blame().missing_attributes(e, state, &meant) {
            self.say(problem);
        }
        let parts: Vec<PatternId> = self.automaton.parts(state).to_vec();
        let residues = self.automaton.residues();
        let closed = parts
            .into_iter()
            .map(|p| residues.map_attributes(p, &mut |_| super::pattern::Patterns::EMPTY));
        let closed: Arc<[PatternId]> = closed.collect();
        self.automaton.state(closed)
    }

    /// Walks through the children; gives the state after the last one, whether there were any, and
    /// the text behind it.
    fn children(&mut self, e: &'d Element, content: StateId) -> (StateId, bool, (String, Span)) {
        let mut state = content;
        let mut before = Vec::new();
        let mut text = (String::new(), e.span);
        for node in &e.children {
            // what is found now is not said, and to explain it takes longer than to find it
            if self.is_full() {
                break;
            }
            match node {
                Node::Text(t) => {
                    if is_blank(&text.0) && !is_blank(&t.value) {
                        text.1 = t.span;
                    }
                    text.0.push_str(&t.value);
                }
                Node::Element(child) => {
                    if !is_blank(&text.0) {
                        state = self.text_among(e, state, &text);
                    }
                    text.0.clear();
                    state = self.element(child, state, &before);
                    before.push(child);
                }
            }
        }
        (state, !before.is_empty(), text)
    }

    fn text_among(&mut self, e: &'d Element, state: StateId, text: &(String, Span)) -> StateId {
        let fork = self.automaton.fork(state, Step::Text);
        if self.automaton.mark_value(fork, &text.0, &self.scopes) {
            return self.after(fork);
        }
        let problem = self.blame().text_among(e, state, text);
        self.say(problem);
        state
    }

    /// The end of an element: marks the parts that matched, or says why none does.
    fn finish(&mut self, e: &'d Element, state: StateId, has_children: bool, text: (String, Span)) {
        if mark_end(self.automaton, state, has_children, &text.0, &self.scopes) {
            return;
        }
        let state = if has_children && !is_blank(&text.0) {
            self.text_among(e, state, &text)
        } else {
            state
        };
        if has_children && self.automaton.is_final(state) {
            return;
        }
        let said: Vec<Span> = self.out.iter().filter_map(|d| d.span).collect();
        for problem in self.blame().unfinished(e, state, has_children, &text, &said) {
            self.say(problem);
        }
    }

    fn blame(&mut self) -> Blame<'_, 'd> {
        Blame {
            automaton: self.automaton,
            notation: self.notation,
            scopes: &self.scopes,
            parents: &self.parents,
        }
    }

    fn is_full(&self) -> bool {
        self.out.len() >= PROBLEMS_MAX
    }

    fn say(&mut self, problem: Diagnostic) {
        let problem = if self.out.len() + 1 == PROBLEMS_MAX {
            problem.hint("there may be more problems in this document: they are not shown")
        } else {
            problem
        };
        if !self.is_full() {
            self.out.push(problem);
        }
    }
}

/// The symbol that a name has to the grammar.
pub(super) fn symbol(automaton: &Automaton, name: &crate::xml::Name) -> Symbol {
    automaton.grammar().names.symbol(name.namespace.as_deref().unwrap_or(""), &name.local)
}

/// The state in an element after the given attributes, or `None` if one of them does not fit.
pub(super) fn with_attributes<'x>(
    automaton: &mut Automaton,
    inside: StateId,
    attributes: impl IntoIterator<Item = (&'x Attribute, &'x str)>,
    cx: &dyn Context,
) -> Option<StateId> {
    let mut state = inside;
    for (attribute, value) in attributes {
        let name = symbol(automaton, &attribute.name);
        let fork = automaton.fork(state, Step::Attribute(name));
        if !automaton.mark_value(fork, value, cx) {
            return None;
        }
        state = automaton.join(fork);
    }
    Some(state)
}

/// The namespaces in scope, from the tree.
#[derive(Debug, Default)]
pub(super) struct Scopes<'d>(Vec<&'d [NamespaceDecl]>);

impl<'d> Scopes<'d> {
    pub(super) fn push(&mut self, declared: &'d [NamespaceDecl]) {
        self.0.push(declared);
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }
}

impl Context for Scopes<'_> {
    fn namespace(&self, prefix: Option<&str>) -> Option<&str> {
        let declared = self.0.iter().rev().flat_map(|d| d.iter().rev());
        declared.into_iter().find(|d| d.prefix.as_deref() == prefix).map(|d| &*d.uri)
    }
}
