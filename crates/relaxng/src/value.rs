//! Tests of texts: the value of an attribute, or the text of an element.

use super::automaton::Automaton;
use super::datatype::{Context, collapse, words};
use super::derivative::Step;
use super::pattern::{Grammar, Pattern, PatternId, Patterns};
use rustc_hash::FxHashSet;
use std::sync::Arc;
use xmltree::is_whitespace;

/// A pattern made ready to be tested on texts.
#[derive(Debug, Default)]
pub(super) struct ValueTest {
    /// Any text matches.
    any: bool,
    /// A text of nothing but blanks matches.
    is_space: bool,
    /// Enumerated words; the text is collapsed first.
    tokens: FxHashSet<Box<str>>,
    /// Patterns that have to be tried one by one.
    others: Vec<PatternId>,
}

impl ValueTest {
    pub(super) fn new(grammar: &Grammar, patterns: &Patterns, pattern: PatternId) -> Self {
        let mut test = Self { is_space: patterns.is_nullable(pattern), ..Self::default() };
        test.add(grammar, patterns, pattern);
        test
    }

    fn add(&mut self, grammar: &Grammar, patterns: &Patterns, id: PatternId) {
        match patterns.get(id) {
            Pattern::Text => self.any = true,
            Pattern::Choice(parts) => {
                for part in &**parts {
                    self.add(grammar, patterns, *part);
                }
            }
            Pattern::Value(value) => match grammar.values.get(*value).and_then(|v| v.as_token()) {
                Some(token) => {
                    self.tokens.insert(token.into());
                }
                None => self.others.push(id),
            },
            // neither holds a text
            Pattern::NotAllowed | Pattern::Empty | Pattern::Attribute(_) | Pattern::Element(_) => {}
            Pattern::Data(_)
            | Pattern::List(_)
            | Pattern::Group(_)
            | Pattern::Interleave(_)
            | Pattern::OneOrMore(_) => self.others.push(id),
        }
    }

    /// Whether the text matches.
    pub(super) fn matches(&self, automaton: &mut Automaton, text: &str, cx: &dyn Context) -> bool {
        self.any
            || (!self.tokens.is_empty() && self.tokens.contains(&*collapse(text)))
            || (self.is_space && is_whitespace(text))
            || self.others.iter().any(|p| text_matches(automaton, *p, text, cx))
    }
}

fn text_matches(automaton: &mut Automaton, id: PatternId, text: &str, cx: &dyn Context) -> bool {
    match automaton.patterns().get(id).clone() {
        Pattern::Data(data) => {
            let grammar = automaton.grammar().clone();
            let Some(decl) = grammar.data.get(data) else { return false };
            decl.datatype.allows(text, cx)
                && !decl.except.is_some_and(|p| whole_text_matches(automaton, p, text, cx))
        }
        Pattern::Value(value) => {
            automaton.grammar().values.get(value).is_some_and(|v| v.matches(text, cx))
        }
        Pattern::List(part) => list_matches(automaton, part, text, cx),
        _ => {
            let state = automaton.state(Arc::from([id]));
            let after = text_step(automaton, state, text, cx);
            automaton.is_final(after)
        }
    }
}

fn whole_text_matches(
    automaton: &mut Automaton,
    id: PatternId,
    text: &str,
    cx: &dyn Context,
) -> bool {
    let test = ValueTest::new(&automaton.grammar().clone(), automaton.patterns(), id);
    test.matches(automaton, text, cx)
}

/// The state after a text that stands among other things.
pub(super) fn text_step(
    automaton: &mut Automaton,
    state: super::automaton::StateId,
    text: &str,
    cx: &dyn Context,
) -> super::automaton::StateId {
    let transition = automaton.transition(state, Step::Text);
    automaton.mark_value(transition, text, cx);
    automaton.join(transition)
}

fn list_matches(automaton: &mut Automaton, part: PatternId, text: &str, cx: &dyn Context) -> bool {
    let mut state = automaton.state(Arc::from([part]));
    for word in words(text) {
        state = text_step(automaton, state, word, cx);
        if automaton.is_dead(state) {
            return false;
        }
    }
    automaton.is_final(state)
}
