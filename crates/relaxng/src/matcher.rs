//! One document on its way through an automaton, event by event; the answer is yes or no.

use super::automaton::{Automaton, StateId, TransitionId};
use super::datatype::Context;
use super::derivative::Step;
use super::names::Symbol;
use super::value::text_step;
use xmltree::is_whitespace;

/// A document that is being read. Its own memory is the depth of the document and its longest text.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) automaton: &'a mut Automaton,
    /// The forks by which the open elements were entered.
    open: Vec<TransitionId>,
    state: StateId,
    has_children: bool,
    text: String,
}

impl<'a> Run<'a> {
    pub(super) fn new(automaton: &'a mut Automaton) -> Self {
        let state = automaton.start();
        Self { automaton, open: Vec::new(), state, has_children: false, text: String::new() }
    }

    /// A piece of text; all up to the next tag are one.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Finishes the text before a start tag, which is not read yet.
    pub(super) fn before_tag(&mut self, cx: &dyn Context) -> bool {
        if self.automaton.is_full() {
            let mut open: Vec<&mut TransitionId> = self.open.iter_mut().collect();
            self.automaton.renew(&mut open, &mut self.state);
        }
        if !is_whitespace(&self.text) {
            self.state = text_step(self.automaton, self.state, &self.text, cx);
        }
        self.text.clear();
        !self.automaton.is_dead(self.state)
    }

    /// The state that the document is in.
    pub(super) fn state(&self) -> StateId {
        self.state
    }

    /// Enters an element by its name and its attributes with their values; names come with their
    /// namespace, which is empty for none. `None` if it does not fit.
    pub(super) fn start_tag<'n>(
        &mut self,
        (uri, local): (&str, &str),
        attributes: impl Iterator<Item = (&'n str, &'n str, &'n str)>,
        cx: &dyn Context,
    ) -> Option<TransitionId> {
        let name = self.symbol(uri, local);
        let transition = self.automaton.transition(self.state, Step::Element(name));
        let inside = self.automaton.inside(transition)?;
        self.enter(transition, inside);
        for (uri, local, value) in attributes {
            let name = self.symbol(uri, local);
            if !self.attribute(name, value, cx) {
                return None;
            }
        }
        self.close_tag().then_some(transition)
    }

    fn symbol(&self, uri: &str, local: &str) -> Symbol {
        self.automaton.grammar().names.symbol(uri, local)
    }

    /// Enters an element whose start tag is known to lead to `inside`.
    pub(super) fn enter(&mut self, transition: TransitionId, inside: StateId) {
        self.open.push(transition);
        self.state = inside;
        self.has_children = false;
    }

    fn attribute(&mut self, name: Symbol, value: &str, cx: &dyn Context) -> bool {
        let transition = self.automaton.transition(self.state, Step::Attribute(name));
        if !self.automaton.mark_value(transition, value, cx) {
            return false;
        }
        self.state = self.automaton.join(transition);
        !self.automaton.is_dead(self.state)
    }

    fn close_tag(&mut self) -> bool {
        self.state = self.automaton.close_tag(self.state);
        !self.automaton.is_dead(self.state)
    }

    /// Leaves the innermost element.
    pub(super) fn end(&mut self, cx: &dyn Context) -> bool {
        let Some(transition) = self.open.pop() else { return false };
        if !mark_end(self.automaton, self.state, self.has_children, &self.text, cx) {
            return false;
        }
        self.text.clear();
        self.state = self.automaton.join(transition);
        self.has_children = true;
        !self.automaton.is_dead(self.state)
    }

    /// Whether the document is whole.
    pub(super) fn finish(&self) -> bool {
        self.open.is_empty() && self.automaton.is_final(self.state)
    }
}

/// Marks the patterns of a state that match if the element ends now, with `text` as its last text,
/// and says whether any does.
///
/// Without children, the text is all there is: it is tried as a text, and if it is blank also as
/// nothing (section 6.2.7 of the specification and Clark's algorithm say the same).
pub(super) fn mark_end(
    automaton: &mut Automaton,
    state: StateId,
    has_children: bool,
    text: &str,
    cx: &dyn Context,
) -> bool {
    if has_children {
        let state = if is_whitespace(text) { state } else { text_step(automaton, state, text, cx) };
        automaton.mark_final(state);
        return automaton.alive.contains(&true);
    }
    if automaton.has_no_text(state) {
        automaton.mark_final(state);
        return is_whitespace(text) && automaton.alive.contains(&true);
    }
    let after = text_step(automaton, state, text, cx);
    automaton.mark_final(after);
    if is_whitespace(text) {
        let as_text = std::mem::take(&mut automaton.alive);
        automaton.mark_final(state);
        for (a, b) in automaton.alive.iter_mut().zip(as_text) {
            *a |= b;
        }
    }
    automaton.alive.contains(&true)
}
