//! The words for what is wrong with a document: what was found, what was expected, and what was
//! probably meant.

use super::automaton::{Automaton, StateId};
use super::diagnose::{Notation, Place, Scopes, symbol, with_attributes};
use super::expected::{Expected, Values};
use super::names::{NameClass, Symbol};
use super::pattern::{ElementId, PatternId};
use super::residue::Step;
use super::value::is_blank;
use crate::diag::{Diagnostic, Span, closest, excerpt};
use crate::xml::{Attribute, Element};
use std::collections::BTreeSet;

/// Most places that a hint lists; more would not help.
const PLACES_MAX: usize = 4;

/// What is needed to explain a mistake.
pub(super) struct Blame<'a, 'd> {
    pub(super) automaton: &'a mut Automaton,
    pub(super) notation: Notation,
    pub(super) scopes: &'a Scopes<'d>,
    /// The elements around the mistake, outermost first.
    pub(super) parents: &'a [Place<'d>],
}

impl Blame<'_, '_> {
    fn expected(&self) -> Expected<'_> {
        Expected { grammar: self.automaton.grammar(), patterns: self.automaton.patterns() }
    }

    /// An element as the notation writes it.
    fn written(&self, name: &str) -> String {
        match self.notation {
            Notation::Xml => format!("<{name}>"),
            Notation::Toml => name.to_owned(),
        }
    }

    fn element_word(&self) -> &'static str {
        match self.notation {
            Notation::Xml => "element",
            Notation::Toml => "key",
        }
    }

    fn attribute_word(&self) -> &'static str {
        match self.notation {
            Notation::Xml => "attribute",
            Notation::Toml => "key",
        }
    }

    /// A symbol as a message names it.
    fn named(&self, symbol: Symbol) -> Option<String> {
        let (uri, local) = self.automaton.grammar().names.name(symbol)?;
        Some(if uri.is_empty() { local.to_owned() } else { format!("{local} of {uri}") })
    }

    fn class_names(&self, class: &NameClass) -> Vec<String> {
        let mut names: Vec<String> =
            class.listed().into_iter().filter_map(|s| self.named(s)).collect();
        match class {
            NameClass::AnyName(_) => names.push("any name".to_owned()),
            NameClass::NsName(id, _) => {
                let uri = self.automaton.grammar().names.uri(*id);
                names.push(format!("any name of {uri}"));
            }
            NameClass::Name(_) | NameClass::Choice(_) => {}
        }
        names
    }

    fn element_names(&self, ids: impl IntoIterator<Item = ElementId>) -> BTreeSet<String> {
        let grammar = self.automaton.grammar();
        let classes = ids.into_iter().filter_map(|e| grammar.element(e)).map(|e| &e.class);
        classes.flat_map(|class| self.class_names(class)).collect()
    }

    /// The elements that may come next, as names.
    fn next_elements(&self, state: StateId) -> BTreeSet<String> {
        self.element_names(self.expected().elements(&self.automaton.parts(state)))
    }

    fn next_attributes(&self, state: StateId) -> BTreeSet<String> {
        let ids = self.expected().attributes(&self.automaton.parts(state));
        let grammar = self.automaton.grammar();
        let classes = ids.into_iter().filter_map(|a| grammar.attributes.get(a)).map(|a| &a.class);
        classes.flat_map(|class| self.class_names(class)).collect()
    }

    /// An element that may not stand where it stands, among its elder siblings `before`.
    pub(super) fn unexpected_element(
        &mut self,
        e: &Element,
        name: Symbol,
        state: StateId,
        before: &[&Element],
    ) -> Diagnostic {
        let local = excerpt(&e.name.local);
        let written = self.written(&local);
        let next = self.next_elements(state);
        let Some(parent) = self.parents.last().copied() else {
            return self.unexpected_root(e, &next);
        };
        let around = self.written(&excerpt(&parent.element.name.local));
        let expected = next.iter().map(|n| self.written(n)).collect();
        let problem = |code, summary: String| Diagnostic::error(code, summary).at(e.span);
        let initially = self.automaton.fork(parent.content, Step::Element(name));
        if self.automaton.inside(initially).is_some() {
            let elder = before.iter().find(|s| s.name == e.name);
            return match elder {
                Some(elder) if !self.may_repeat(parent, name) => problem(
                    "repeated-element",
                    format!("{written} may appear only once in {around}"),
                )
                .related(elder.span, "the first one")
                .hint("remove one of them"),
                _ => problem(
                    "misplaced-element",
                    format!("{written} is not allowed here in {around}"),
                )
                .detail(
                    "what stands before it in the same element excludes it, or has to follow it",
                )
                .expected(expected),
            };
        }
        let mut problem = problem(
            "unexpected-element",
            format!("{around} has no {} {}", self.element_word(), self.bare(&local)),
        )
        .expected(expected);
        if let Some(uri) = &e.name.namespace {
            problem.detail = Some(format!("it is in the namespace {}", excerpt(uri)));
        }
        problem.hint = self.hint_for_element(e, name, parent, &next);
        problem
    }

    fn bare(&self, name: &str) -> String {
        self.written(name)
    }

    fn hint_for_element(
        &mut self,
        e: &Element,
        name: Symbol,
        parent: Place<'_>,
        next: &BTreeSet<String>,
    ) -> Option<String> {
        let local = &e.name.local;
        if let Some(values) = self.values_that_allow(parent, Step::Element(name)) {
            return Some(values);
        }
        let attributes = self.next_attributes(parent.before);
        if e.name.namespace.is_none() && attributes.contains(local.as_str()) {
            let around = excerpt(&parent.element.name.local);
            return Some(match self.notation {
                Notation::Xml => format!("it is an attribute here: <{around} {local}='…'>"),
                Notation::Toml => format!("it takes one value: {local} = \"…\""),
            });
        }
        let places = self.homes(name);
        if (1..=PLACES_MAX).contains(&places.len()) {
            return Some(format!("{} belongs in {}", self.written(local), or_list(&places)));
        }
        let of = e.name.namespace.as_ref().map(|uri| format!(" of {uri}"));
        let near = next.iter().filter_map(|n| match &of {
            Some(of) => n.strip_suffix(of.as_str()),
            None => Some(n),
        });
        let found = closest(local, near);
        let found = found.map(|c| format!("did you mean {}?", self.written(c)));
        found.or_else(|| {
            (!places.is_empty()).then(|| {
                format!("{} belongs in others, such as {}", self.written(local), places.join(", "))
            })
        })
    }

    fn unexpected_root(&self, e: &Element, roots: &BTreeSet<String>) -> Diagnostic {
        let local = excerpt(&e.name.local);
        let expected: Vec<String> = roots.iter().map(|n| self.written(n)).collect();
        let problem = Diagnostic::error(
            "unexpected-element",
            format!("the document cannot be a {}", self.written(&local)),
        )
        .at(e.span)
        .expected(expected);
        match &e.name.namespace {
            Some(uri) if roots.contains(&e.name.local) => problem
                .detail(format!("it is in the namespace {}", excerpt(uri)))
                .hint("remove the xmlns attribute: libvirt's own elements are in no namespace"),
            _ => problem,
        }
    }

    /// Whether the parent may hold several elements of this name.
    fn may_repeat(&self, parent: Place<'_>, name: Symbol) -> bool {
        let grammar = self.automaton.grammar();
        let parts = self.automaton.parts(parent.content);
        let all = parts.iter().flat_map(|p| self.expected().all_elements(*p));
        let mut matching = all.filter(|(e, _)| grammar.element_matches(*e, name));
        matching.any(|(_, repeated)| repeated)
    }

    /// Names of the elements whose content has an element of this name.
    fn homes(&self, name: Symbol) -> Vec<String> {
        let grammar = self.automaton.grammar();
        let mut homes = BTreeSet::new();
        for (i, decl) in grammar.elements.iter().enumerate() {
            let inside = self.expected().all_elements(decl.content);
            let listed =
                |e: ElementId| grammar.element(e).is_some_and(|d| d.class.listed().contains(&name));
            if inside.into_iter().any(|(e, _)| listed(e)) {
                homes.extend(self.element_names([super::pattern::Number::new(i)]));
            }
        }
        homes.into_iter().map(|h| self.written(&h)).collect()
    }

    /// A hint, if another value of one of the element's attributes would allow the step.
    fn values_that_allow(&mut self, place: Place<'_>, step: Step) -> Option<String> {
        for changed in &place.element.attributes {
            let name = symbol(self.automaton, &changed.name);
            let fork = self.automaton.fork(place.before, Step::Attribute(name));
            let parts = self.automaton.fork_parts(fork);
            let words = self.expected().values(&parts).words;
            let mut fitting = Vec::new();
            for word in words.into_iter().filter(|w| *w != changed.value) {
                let others = place.element.attributes.iter();
                let values = others.map(|a| {
                    (a, if std::ptr::eq(a, changed) { word.as_str() } else { a.value.as_str() })
                });
                let values: Vec<_> = values.collect();
                let Some(mut state) =
                    with_attributes(self.automaton, place.before, values, self.scopes)
                else {
                    continue;
                };
                if matches!(step, Step::Element(_)) {
                    state = self.automaton.close_tag(state);
                }
                let fork = self.automaton.fork(state, step);
                if !self.automaton.fork_parts(fork).is_empty() {
                    fitting.push(format!("\"{word}\""));
                }
            }
            if !fitting.is_empty() && fitting.len() <= 2 * PLACES_MAX {
                let (around, key) = (&place.element.name.local, &changed.name.local);
                return Some(format!(
                    "it goes with {key} {} of {}; here {key} is \"{}\"",
                    or_list(&fitting),
                    self.written(around),
                    excerpt(&changed.value),
                ));
            }
        }
        None
    }

    /// An attribute that may not stand on its element. Gives also the name that was probably meant.
    pub(super) fn unexpected_attribute(
        &mut self,
        e: &Element,
        a: &Attribute,
        name: Symbol,
        inside: StateId,
        state: StateId,
    ) -> (Diagnostic, Option<String>) {
        let (local, around) = (excerpt(&a.name.local), self.written(&excerpt(&e.name.local)));
        let present = |n: &String| e.attribute(n).is_some();
        let next: Vec<String> =
            self.next_attributes(state).into_iter().filter(|n| !present(n)).collect();
        let written = excerpt(&a.name.written());
        let mut problem = Diagnostic::error(
            "unexpected-attribute",
            format!("{around} has no {} {written}", self.attribute_word()),
        )
        .at(a.name_span)
        .expected(next.clone());
        if next.is_empty() {
            problem.detail = Some(format!("no {} is possible here", self.attribute_word()));
        }
        if let Some(uri) = &a.name.namespace {
            problem.detail = Some(format!("it is in the namespace {}", excerpt(uri)));
        }
        let place = Place { element: e, before: inside, content: self.automaton.close_tag(state) };
        let children = self.next_elements(place.content);
        let slip = closest(&local, next.iter().map(String::as_str)).map(str::to_owned);
        let others: Vec<Attribute> =
            e.attributes.iter().filter(|o| o.name != a.name).cloned().collect();
        let mut without = Element::named(e.name.clone());
        without.attributes = others;
        let variants = Place { element: &without, ..place };
        problem.hint = self.values_that_allow(variants, Step::Attribute(name)).or_else(|| {
            if a.name.namespace.is_none() && children.contains(&local) {
                return Some(match self.notation {
                    Notation::Xml => format!("it is an element here: <{local}>…</{local}>"),
                    Notation::Toml => format!("it is a table here: {local} = {{ … }}"),
                });
            }
            if let Some(slip) = &slip {
                return Some(format!("did you mean {slip}?"));
            }
            let homes = self.children_with(place, name);
            (1..=PLACES_MAX)
                .contains(&homes.len())
                .then(|| format!("{local} belongs on {} in it", or_list(&homes)))
        });
        (problem, slip)
    }

    /// Names of the possible children that have an attribute of this name.
    fn children_with(&self, place: Place<'_>, name: Symbol) -> Vec<String> {
        let grammar = self.automaton.grammar();
        let children = self.expected().elements(&self.automaton.parts(place.content));
        let with = children.into_iter().filter(|e| {
            let content = grammar.element(*e).map(|d| d.content);
            let attributes = self.expected().attributes(content.as_slice());
            attributes.into_iter().any(|a| {
                grammar.attributes.get(a).is_some_and(|d| d.class.listed().contains(&name))
            })
        });
        self.element_names(with).into_iter().map(|n| self.written(&n)).collect()
    }

    /// A value that an attribute cannot have.
    pub(super) fn bad_attribute(
        &mut self,
        e: &Element,
        a: &Attribute,
        parts: &[PatternId],
        inside: StateId,
    ) -> Diagnostic {
        let local = excerpt(&a.name.local);
        let around = self.written(&excerpt(&e.name.local));
        let values = self.expected().values(parts);
        let mut problem = self
            .bad_value("bad-value", &format!("{local} of {around}"), &a.value, &values)
            .at(a.span);
        if problem.hint.is_none() {
            let mut without = Element::named(e.name.clone());
            without.attributes =
                e.attributes.iter().filter(|o| o.name != a.name).cloned().collect();
            let place = Place { element: &without, before: inside, content: inside };
            problem.hint = self.value_elsewhere(place, a);
        }
        problem
    }

    /// A hint, if the value would fit with another value of one of the other attributes.
    fn value_elsewhere(&mut self, place: Place<'_>, a: &Attribute) -> Option<String> {
        for changed in &place.element.attributes {
            let name = symbol(self.automaton, &changed.name);
            let fork = self.automaton.fork(place.before, Step::Attribute(name));
            let parts = self.automaton.fork_parts(fork);
            let mut fitting = Vec::new();
            for word in self.expected().values(&parts).words {
                let others = place.element.attributes.iter().map(|o| {
                    (o, if std::ptr::eq(o, changed) { word.as_str() } else { o.value.as_str() })
                });
                let all: Vec<_> = others.chain([(a, a.value.as_str())]).collect();
                if with_attributes(self.automaton, place.before, all, self.scopes).is_some() {
                    fitting.push(format!("\"{word}\""));
                }
            }
            if !fitting.is_empty() && fitting.len() <= 2 * PLACES_MAX {
                let key = &changed.name.local;
                return Some(format!(
                    "that value goes with {key} {}; here {key} is \"{}\"",
                    or_list(&fitting),
                    excerpt(&changed.value)
                ));
            }
        }
        None
    }

    fn bad_value(&self, code: &'static str, what: &str, text: &str, values: &Values) -> Diagnostic {
        let secret = what.contains("passw");
        let shown = if secret { "the value".to_owned() } else { format!("\"{}\"", excerpt(text)) };
        let mut problem = Diagnostic::error(code, format!("{shown} is no value for {what}"))
            .expected(values.expected());
        let trimmed = text.trim();
        if trimmed.len() < text.len() && values.words.iter().any(|w| w == trimmed) {
            problem.hint = Some("remove the blanks around it".to_owned());
        } else if !secret {
            let slip = closest(trimmed, values.words.iter().map(String::as_str));
            problem.hint = slip.map(|s| format!("did you mean \"{s}\"?"));
        }
        if let ([data], true, false) = (values.data.as_slice(), values.words.is_empty(), secret) {
            let decl = self.automaton.grammar().data.get(*data);
            problem.detail = decl.and_then(|d| d.datatype.why_not(text));
        }
        problem
    }

    /// Attributes without which the element cannot be. `meant` are those that another one was
    /// probably meant to be, and which are not said twice.
    pub(super) fn missing_attributes(
        &mut self,
        e: &Element,
        state: StateId,
        meant: &[String],
    ) -> Vec<Diagnostic> {
        let around = self.written(&excerpt(&e.name.local));
        let parts = self.automaton.parts(state);
        let required = self.expected().required(&parts, true);
        let mut out = Vec::new();
        for symbol in &required {
            let Some(name) = self.named(*symbol).filter(|n| !meant.contains(n)) else { continue };
            let fork = self.automaton.fork(state, Step::Attribute(*symbol));
            let values = self.expected().values(&self.automaton.fork_parts(fork));
            let mut problem = Diagnostic::error(
                "missing-attribute",
                format!("{around} lacks the {} {name}", self.attribute_word()),
            )
            .at(e.span)
            .expected(values.expected());
            problem.hint = Some(match self.notation {
                Notation::Xml => format!("add {name}='…'"),
                Notation::Toml => format!("add {name} = \"…\""),
            });
            out.push(problem);
        }
        if required.is_empty() {
            let names = parts.iter().flat_map(|p| self.expected().one_of(*p, true));
            let names: BTreeSet<String> = names.filter_map(|s| self.named(s)).collect();
            let names = names.into_iter().filter(|n| e.attribute(n).is_none()).collect();
            out.push(
                Diagnostic::error(
                    "missing-attribute",
                    format!("{around} lacks one {} or more", self.attribute_word()),
                )
                .at(e.span)
                .expected(names),
            );
        }
        out
    }

    /// Text where only elements may stand.
    pub(super) fn text_among(
        &mut self,
        e: &Element,
        state: StateId,
        text: &(String, Span),
    ) -> Diagnostic {
        let around = self.written(&excerpt(&e.name.local));
        let next = self.next_elements(state);
        Diagnostic::error(
            "unexpected-text",
            format!("text is not allowed in {around}: \"{}\"", excerpt(text.0.trim())),
        )
        .at(text.1)
        .expected(next.iter().map(|n| self.written(n)).collect())
    }

    /// An element that ends too early, or whose only text is wrong. `said` are places that have a
    /// message already.
    pub(super) fn unfinished(
        &mut self,
        e: &Element,
        state: StateId,
        has_children: bool,
        text: &(String, Span),
        said: &[Span],
    ) -> Vec<Diagnostic> {
        let around = self.written(&excerpt(&e.name.local));
        let parts = self.automaton.parts(state);
        let fork = self.automaton.fork(state, Step::Text);
        let texts = self.automaton.fork_parts(fork);
        if !has_children && !is_blank(&text.0) {
            if texts.is_empty() {
                return vec![self.text_among(e, state, text)];
            }
            let values = self.expected().values(&texts);
            return vec![self.bad_value("bad-text", &around, &text.0, &values).at(text.1)];
        }
        let required = self.expected().required(&parts, false);
        if required.is_empty() && !has_children && !texts.is_empty() {
            let values = self.expected().values(&texts);
            return vec![
                Diagnostic::error("bad-text", format!("{around} is empty"))
                    .at(e.span)
                    .expected(values.expected()),
            ];
        }
        let mut names: Vec<String> = required.iter().filter_map(|s| self.named(*s)).collect();
        if names.is_empty() {
            let any = parts.iter().flat_map(|p| self.expected().one_of(*p, false));
            let any: BTreeSet<String> = any.filter_map(|s| self.named(s)).collect();
            return vec![
                Diagnostic::error("missing-element", format!("{around} is not complete"))
                    .at(e.span)
                    .expected(any.iter().map(|n| self.written(n)).collect()),
            ];
        }
        // a misspelt child that was said already is the missing one
        let slips: Vec<&str> = e
            .elements()
            .filter(|c| said.contains(&c.span))
            .filter_map(|c| closest(&c.name.local, names.iter().map(String::as_str)))
            .collect();
        let slips: Vec<String> = slips.into_iter().map(str::to_owned).collect();
        names.retain(|n| !slips.contains(n));
        names
            .iter()
            .map(|n| {
                let what = self.written(n);
                let summary = match self.notation {
                    Notation::Xml => format!("{around} lacks {what}"),
                    Notation::Toml => format!("{around} lacks the key {what}"),
                };
                Diagnostic::error("missing-element", summary).at(e.span)
            })
            .collect()
    }
}

/// `a, b or c`.
fn or_list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}
