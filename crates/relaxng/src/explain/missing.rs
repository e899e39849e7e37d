//! Messages about missing attributes, elements and texts.

use super::alternatives::Goal;
use super::expected::Values;
use super::{Explainer, Known};
use crate::automaton::StateId;
use crate::derivative::Step;
use crate::names::Symbol;
use crate::pattern::PatternId;
use diagnostics::{Diagnostic, Span};
use std::collections::BTreeSet;
use xmltree::{Element, is_whitespace};

impl Explainer<'_, '_> {
    /// Attributes without which the element cannot be. `states` are those before all attributes and
    /// behind the last.
    pub(super) fn missing_attributes(
        &mut self,
        e: &Element,
        (inside, state): (StateId, StateId),
    ) -> Vec<Diagnostic> {
        let around = self.around(e);
        let parts = self.automaton.parts(state);
        let required = self.expected().required(&parts, true);
        let enough = if e.attributes.is_empty() {
            None
        } else {
            self.variant(Some((e, inside)), Goal::Enough)
        };
        let mut out = Vec::new();
        for symbol in &required {
            let Some(name) = self.known(*symbol).map(|k| k.shown) else { continue };
            // the child that was meant to be it has its own message
            let child = |c: &Element| c.name.written() == name && c.attributes.is_empty();
            if self.excuses && e.elements().any(child) {
                continue;
            }
            let transition = self.automaton.transition(state, Step::Attribute(*symbol));
            let parts = self.automaton.transition_parts(transition);
            // and so has the text
            let text = e.text();
            let bare = e.elements().next().is_none() && !text.trim().is_empty();
            if self.excuses
                && bare
                && !self.takes_text_at(inside)
                && self.automaton.mark_value(transition, text.trim(), self.scopes)
            {
                continue;
            }
            let values = self.expected().values(&parts);
            let summary = format!("{around} lacks the {} {name}", self.vocabulary.attribute_word());
            let mut problem = Diagnostic::error("missing-attribute", summary)
                .at(e.span)
                .expected(values.telling());
            let add = || format!("add {}", self.vocabulary.attribute_skeleton(&name));
            problem.hint = Some(enough.clone().unwrap_or_else(add));
            out.push(problem);
        }
        if required.is_empty() {
            let names = parts.iter().flat_map(|p| self.expected().one_of(*p, true));
            let names: BTreeSet<Known> = names.filter_map(|s| self.known(s)).collect();
            let names = names.into_iter().map(|k| k.shown);
            let names = names.filter(|n| e.attribute(n).is_none()).collect();
            let summary =
                format!("{around} lacks one {} or more", self.vocabulary.attribute_word());
            let mut problem =
                Diagnostic::error("missing-attribute", summary).at(e.span).expected(names);
            problem.hint = enough;
            out.push(problem);
        }
        out
    }

    /// Whether the element may have a text at all.
    fn takes_text_at(&mut self, inside: StateId) -> bool {
        let content = self.automaton.close_tag_anyway(inside);
        !self.automaton.has_no_text(content)
    }

    /// An element that ends too early, or whose only text is wrong. `meant` are children that were
    /// found in another form.
    pub(super) fn unfinished(
        &mut self,
        e: &Element,
        state: StateId,
        has_children: bool,
        text: &(String, Span),
        meant: &[String],
    ) -> Vec<Diagnostic> {
        let transition = self.automaton.transition(state, Step::Text);
        let texts = self.automaton.transition_parts(transition);
        if !has_children && !is_whitespace(&text.0) {
            if texts.is_empty() {
                return vec![self.text_among(e, state, text)];
            }
            return vec![self.bad_text(e, text, &texts)];
        }
        let parts = self.automaton.parts(state);
        let required = self.expected().required(&parts, false);
        if required.is_empty() && !has_children && !texts.is_empty() {
            return vec![self.no_text(e, &texts)];
        }
        self.missing_elements(e, state, &required, meant)
    }

    fn bad_text(&mut self, e: &Element, text: &(String, Span), texts: &[PatternId]) -> Diagnostic {
        let values = self.expected().values(texts);
        let secret = self.vocabulary.is_secret(e, None);
        let around = self.around(e);
        let mut problem =
            self.bad_value("bad-text", &around, (&text.0, secret), &values).at(text.1);
        if problem.hint.is_none() && !secret {
            problem.hint = self.with_unit(e, text.0.trim());
        }
        problem
    }

    fn no_text(&mut self, e: &Element, texts: &[PatternId]) -> Diagnostic {
        let values: Values = self.expected().values(texts);
        let (around, name) = (self.around(e), e.name.written());
        let mut problem = Diagnostic::error("bad-text", format!("{around} is empty"))
            .at(e.span)
            .expected(values.expected());
        problem.hint = self.vocabulary.missing_text(&name);
        problem
    }

    /// A hint, if a number has its unit behind it where an attribute should say it.
    fn with_unit(&mut self, e: &Element, text: &str) -> Option<String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).filter(|(n, _)| !n.is_empty())?;
        let unit = unit.trim();
        let place = self.parents.last().copied()?;
        let name = self.automaton.grammar().names.symbol("", "unit");
        let transition = self.automaton.transition(place.before, Step::Attribute(name));
        let known = !unit.is_empty() && self.automaton.mark_value(transition, unit, self.scopes);
        let element = e.name.written();
        known.then(|| format!("write {}", self.vocabulary.with_unit(&element, number, unit)))
    }

    fn missing_elements(
        &mut self,
        e: &Element,
        state: StateId,
        required: &BTreeSet<Symbol>,
        meant: &[String],
    ) -> Vec<Diagnostic> {
        let around = self.around(e);
        if required.is_empty() {
            let parts = self.automaton.parts(state);
            let any = parts.iter().flat_map(|p| self.expected().one_of(*p, false));
            let any: BTreeSet<Known> = any.filter_map(|s| self.known(s)).collect();
            if any.iter().any(|k| meant.contains(&k.shown)) {
                return Vec::new();
            }
            let summary = format!("{around} lacks one {} or more", self.vocabulary.element_word());
            let problem = Diagnostic::error("missing-element", summary).at(e.span);
            return vec![problem.expected(self.written_names(&any))];
        }
        let mut out = Vec::new();
        for symbol in required {
            let Some(known) = self.known(*symbol).filter(|k| !meant.contains(&k.shown)) else {
                continue;
            };
            let what = self.written_name(&known);
            let summary = self.vocabulary.lacks(&around, &what);
            let add = self.skeleton(&known.shown, state, *symbol);
            out.push(
                Diagnostic::error("missing-element", summary).at(e.span).hint(format!("add {add}")),
            );
        }
        out
    }

    /// An element with all that it needs, to be filled in.
    fn skeleton(&mut self, name: &str, state: StateId, symbol: Symbol) -> String {
        let transition = self.automaton.transition(state, Step::Element(symbol));
        let parts = self.automaton.transition_parts(transition);
        let required = self.expected().required(&parts, true);
        let several = required.is_empty()
            && parts.iter().any(|p| !self.expected().one_of(*p, true).is_empty());
        let keys: Vec<String> =
            required.iter().filter_map(|s| self.known(*s)).map(|k| k.shown).collect();
        let bare = self.automaton.inside(transition).is_some_and(|inside| {
            let content = self.automaton.close_tag_anyway(inside);
            self.automaton.is_final(content)
        });
        self.vocabulary.element_skeleton(name, &keys, several, bare)
    }
}
