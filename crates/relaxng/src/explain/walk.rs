//! A second, thorough walk over a document that was refused: every independent mistake, each said
//! in place, and the walk goes on behind it as if the mistake had not been made.

use super::{Explainer, Meant};
use crate::automaton::{Automaton, StateId, TransitionId};
use crate::datatype::Context;
use crate::derivative::Step;
use crate::matcher::mark_end;
use crate::names::Symbol;
use crate::vocabulary::Vocabulary;
use diagnostics::{Diagnostic, Diagnostics, Span, excerpt};
use std::collections::HashSet;
use xmltree::{Element, NamespaceDecl, Node, NodeRef, is_whitespace};

/// Most problems of one document that are said one by one.
const PROBLEMS_MAX: usize = 100;

/// An element that the walk is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) element: NodeRef<'a>,
    /// The state in it before its attributes.
    pub(super) before: StateId,
    /// The state in it behind its attributes, before its children.
    pub(super) content: StateId,
}

/// Says all that is wrong with a document that was refused. On one without a mistake it says
/// nothing but that there is one.
pub(crate) fn diagnose(
    automaton: &mut Automaton,
    root: &Element,
    vocabulary: &dyn Vocabulary,
) -> Diagnostics {
    // mistakes that one message seems to explain are first left out of others; if that leaves nothing, a
    // guess was wrong
    for excuses in [true, false] {
        let out = Walk::through(automaton, root, vocabulary, excuses);
        if !out.is_empty() {
            return out;
        }
    }
    let mut out = Diagnostics::default();
    let summary = format!("{} does not fit the grammar", excerpt(&root.name.written()));
    out.push(Diagnostic::error("unexpected-element", summary).at(root.span));
    out
}

struct Walk<'a, 'd> {
    automaton: &'a mut Automaton,
    vocabulary: &'a dyn Vocabulary,
    /// Whether parts that one message explains are left out of others.
    excuses: bool,
    scopes: Scopes<'d>,
    out: Diagnostics,
    parents: Vec<Place<'d>>,
    /// Namespaces that were said to be wrong.
    foreign: HashSet<&'d str>,
    /// Number of problems that were found and not reported.
    unsaid: usize,
}

impl<'a, 'd> Walk<'a, 'd> {
    fn through(
        automaton: &'a mut Automaton,
        root: &'d Element,
        vocabulary: &'a dyn Vocabulary,
        excuses: bool,
    ) -> Diagnostics {
        let mut walk = Walk {
            automaton,
            vocabulary,
            excuses,
            scopes: Scopes::default(),
            out: Diagnostics::default(),
            parents: Vec::new(),
            foreign: HashSet::new(),
            unsaid: 0,
        };
        let start = walk.automaton.start();
        walk.element(root, start, &[], &mut Excuse::default());
        walk.out
    }

    /// Walks through an element that follows `before` among its siblings; gives the state after it.
    fn element(
        &mut self,
        e: &'d Element,
        state: StateId,
        before: &[&'d Element],
        excuse: &mut Excuse,
    ) -> StateId {
        if self.is_full() {
            return state;
        }
        self.scopes.push(&e.namespaces);
        let mut name = symbol(self.automaton, &e.name);
        let mut transition = self.automaton.transition(state, Step::Element(name));
        let mut inside = self.automaton.inside(transition);
        if inside.is_none() {
            let (problem, meant) = self.blame().unexpected_element(e, name, state, before);
            if self.is_same_namespace_again(e, &meant) {
                self.unsaid += 1;
            } else {
                self.say(problem);
            }
            self.excuse(excuse, &meant);
            if let Meant::Name(meant) = meant {
                name = meant;
                transition = self.automaton.transition(state, Step::Element(name));
                inside = self.automaton.inside(transition);
            }
        }
        let Some(inside) = inside else {
            self.scopes.pop();
            return state;
        };
        // a misspelt key may be one that stands for an empty element
        let switch = name != symbol(self.automaton, &e.name);
        let switch = switch && self.excuses && self.vocabulary.has_keys();
        let mut own = Excuse { switch, ..Excuse::default() };
        let content = self.attributes(e, inside, &mut own);
        self.parents.push(Place { element: e.node(), before: inside, content });
        let (last, has_children, text) = self.children(e, content, &mut own);
        let whole = self.finish(e, last, (has_children, text), &own);
        self.parents.pop();
        self.scopes.pop();
        // whether it matched in full or not, the walk goes on behind it
        if !whole {
            self.automaton.mark_all(transition);
        }
        self.after(transition)
    }

    /// Whether only the namespace of the element is wrong, and was in an element before.
    fn is_same_namespace_again(&mut self, e: &'d Element, meant: &Meant) -> bool {
        let (Meant::Name(name), Some(uri)) = (meant, e.name.namespace.as_deref()) else {
            return false;
        };
        let names = &self.automaton.grammar().names;
        let typo = names.name(*name).is_some_and(|(u, local)| u != uri && local == e.name.local);
        typo && !self.foreign.insert(uri)
    }

    /// Whether so much was found that no more is looked for.
    fn is_full(&self) -> bool {
        self.out.len() + self.unsaid >= PROBLEMS_MAX
    }

    fn after(&mut self, transition: TransitionId) -> StateId {
        let state = self.automaton.join(transition);
        if !self.automaton.is_dead(state) {
            return state;
        }
        self.automaton.mark_all(transition);
        self.automaton.join(transition)
    }

    fn attributes(&mut self, e: &'d Element, inside: StateId, excuse: &mut Excuse) -> StateId {
        let mut state = inside;
        for a in &e.attributes {
            if self.is_full() {
                break;
            }
            let name = symbol(self.automaton, &a.name);
            let mut transition = self.automaton.transition(state, Step::Attribute(name));
            if self.automaton.transition_parts(transition).is_empty() {
                let (problem, meant) = self.blame().unexpected_attribute(e, a, inside, state);
                self.say(problem);
                self.excuse(excuse, &meant);
                let Meant::Name(name) = meant else { continue };
                transition = self.automaton.transition(state, Step::Attribute(name));
            }
            if !self.automaton.mark_value(transition, &a.value, &self.scopes) {
                let parts = self.automaton.transition_parts(transition);
                let problem = self.blame().bad_attribute(e, a, &parts, inside);
                self.say(problem);
                self.automaton.mark_all(transition);
            }
            state = self.after(transition);
        }
        let closed = self.automaton.close_tag(state);
        if !self.automaton.is_dead(closed) {
            return closed;
        }
        if !excuse.explained && !self.is_full() {
            for problem in self.blame().missing_attributes(e, (inside, state)) {
                self.say(problem);
            }
        }
        self.automaton.close_tag_anyway(state)
    }

    /// Walks through the children; gives the state after the last one, whether there were any, and
    /// the text behind it.
    fn children(
        &mut self,
        e: &'d Element,
        content: StateId,
        excuse: &mut Excuse,
    ) -> (StateId, bool, (String, Span)) {
        let mut state = content;
        let mut before = Vec::new();
        let mut text = (String::new(), e.span);
        for node in &e.children {
            match node {
                Node::Text(t) => {
                    if is_whitespace(&text.0) && !is_whitespace(&t.value) {
                        text.1 = t.span;
                    }
                    text.0.push_str(&t.value);
                }
                Node::Element(child) => {
                    if !is_whitespace(&text.0) {
                        state = self.text_among(e, state, &text);
                    }
                    text.0.clear();
                    state = self.element(child, state, &before, excuse);
                    before.push(child);
                }
            }
        }
        (state, !before.is_empty(), text)
    }

    fn text_among(&mut self, e: &'d Element, state: StateId, text: &(String, Span)) -> StateId {
        let transition = self.automaton.transition(state, Step::Text);
        if self.automaton.mark_value(transition, &text.0, &self.scopes) {
            return self.after(transition);
        }
        if !self.is_full() {
            let problem = self.blame().text_among(e, state, text);
            self.say(problem);
        }
        state
    }

    /// The end of an element: marks the parts that matched, or says why none does and gives false.
    fn finish(
        &mut self,
        e: &'d Element,
        state: StateId,
        (has_children, text): (bool, (String, Span)),
        excuse: &Excuse,
    ) -> bool {
        if mark_end(self.automaton, state, has_children, &text.0, &self.scopes) {
            return true;
        }
        let state = if has_children && !is_whitespace(&text.0) {
            self.text_among(e, state, &text)
        } else {
            state
        };
        let is_space =
            is_whitespace(&text.0) || (excuse.switch && !has_children && text.0 == "true");
        if excuse.switch && is_space && self.automaton.has_no_text(state) {
            return false;
        }
        if (has_children && self.automaton.is_final(state)) || (excuse.explained && is_space) {
            return false;
        }
        if self.is_full() {
            return false;
        }
        let meant = &excuse.children;
        for problem in self.blame().unfinished(e, state, has_children, &text, meant) {
            self.say(problem);
        }
        false
    }

    fn excuse(&self, excuse: &mut Excuse, meant: &Meant) {
        if self.excuses {
            excuse.add(meant);
        }
    }

    fn blame(&mut self) -> Explainer<'_, 'd> {
        Explainer {
            automaton: self.automaton,
            vocabulary: self.vocabulary,
            excuses: self.excuses,
            scopes: &self.scopes,
            parents: &self.parents,
        }
    }

    fn say(&mut self, problem: Diagnostic) {
        let problem = if self.out.len() + 1 == PROBLEMS_MAX {
            problem.hint("there may be more problems in this document: they are not shown")
        } else {
            problem
        };
        if self.out.len() < PROBLEMS_MAX {
            self.out.push(problem);
        }
    }
}

/// Mistakes that the messages of one element have explained already, so that no missing part is reported for
/// them.
#[derive(Debug, Default)]
struct Excuse {
    /// A part is present in a form that another variant of the element has.
    explained: bool,
    /// A key of TOML is misspelt, whose `true` may only stand for its presence.
    switch: bool,
    /// Children that are there in another form.
    children: Vec<String>,
}

impl Excuse {
    fn add(&mut self, meant: &Meant) {
        match meant {
            Meant::Child(name) => self.children.push(name.clone()),
            Meant::Explained => self.explained = true,
            Meant::Name(_) | Meant::Nothing => {}
        }
    }
}

/// The symbol that a name has to the grammar.
pub(super) fn symbol(automaton: &Automaton, name: &xmltree::Name) -> Symbol {
    automaton.grammar().names.symbol(name.uri(), &name.local)
}

/// The namespaces in scope, from the tree.
#[derive(Debug, Default)]
pub(crate) struct Scopes<'d>(Vec<&'d [NamespaceDecl]>);

impl<'d> Scopes<'d> {
    pub(crate) fn push(&mut self, declared: &'d [NamespaceDecl]) {
        self.0.push(declared);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// A prefix that stands for a namespace here: `Some(None)` if it is the one without any.
    pub(super) fn prefix(&self, uri: &str) -> Option<Option<&'d str>> {
        let declared = self.0.iter().rev().flat_map(|d| d.iter().rev());
        declared.into_iter().find(|d| &*d.uri == uri).map(|d| d.prefix.as_deref())
    }
}

impl Context for Scopes<'_> {
    fn namespace(&self, prefix: Option<&str>) -> Option<&str> {
        let declared = self.0.iter().rev().flat_map(|d| d.iter().rev());
        declared.into_iter().find(|d| d.prefix.as_deref() == prefix).map(|d| &*d.uri)
    }
}
