//! Messages about a document's mistakes: the found and the expected content.
//!
//! `walk.rs` goes through a refused document once more and asks [`Explainer`] for the words at each mistake.
//! What is missing is in `missing.rs`, what was probably meant in `suggest.rs`, what would stand there
//! beside other things in `alternatives.rs`.
//!
//! **These files recurse.** They are methods of one value, cut by what they find: the words for a mistake
//! hold what was meant, which is tried on the grammar and told in the same words, and the walk goes on
//! with what they found. So they import each other, which no other files do but an automaton and its
//! tests of values; `tests/tidy` knows of both.
//!
//! - `alternatives.rs`: other values of attributes that would make an entry possible
//! - `expected.rs`: alternatives that a grammar takes at a place
//! - `missing.rs`: messages about missing attributes, elements and texts
//! - `suggest.rs`: suggestions for invalid names and values
//! - `walk.rs`: the second walk over a refused document: every independent mistake

mod alternatives;
mod expected;
mod missing;
mod suggest;
mod walk;

pub(super) use expected::Expected;
pub(super) use walk::{Scopes, diagnose};

use crate::automaton::{Automaton, StateId};
use crate::derivative::Step;
use crate::names::{NameClass, Symbol};
use crate::pattern::{ElementId, PatternId};
use crate::vocabulary::Vocabulary;
use alternatives::Goal;
use diagnostics::{Diagnostic, Span, closest, excerpt};
use expected::Values;
use std::collections::BTreeSet;
use walk::Place;
use xmltree::{Attribute, Element};

/// Context of the explanation of a mistake.
struct Explainer<'a, 'd> {
    automaton: &'a mut Automaton,
    vocabulary: &'a dyn Vocabulary,
    /// Whether a present part may stand for a missing one, in another form.
    excuses: bool,
    scopes: &'a Scopes<'d>,
    /// The elements around the mistake, outermost first.
    parents: &'a [Place<'d>],
}

/// Probable meaning of a part that is not allowed: the walk goes on accordingly, so that one mistake is
/// reported once.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meant {
    /// Same part under this name.
    Name(Symbol),
    /// A child of this name, which was written as an attribute.
    Child(String),
    /// Part that the hint explains; apparently missing parts are not reported.
    Explained,
    /// Unknown.
    Nothing,
}

/// A name that a grammar has, as messages write it; those without a namespace come first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    /// 0 for a plain name, 1 for one of a namespace, 2 for names of a sort.
    rank: u8,
    shown: String,
    /// `None` stands for any name of a sort.
    symbol: Option<Symbol>,
}

impl Explainer<'_, '_> {
    fn expected(&self) -> Expected<'_> {
        Expected { grammar: self.automaton.grammar(), patterns: self.automaton.patterns() }
    }

    /// An element of the document as it is written there.
    fn around(&self, e: &Element) -> String {
        self.vocabulary.element(&excerpt(self.vocabulary.unprefixed(&e.name.written())))
    }

    /// A symbol as a message names it: with the prefix of the document, or the usual one.
    fn known(&self, symbol: Symbol) -> Option<Known> {
        let (uri, local) = self.automaton.grammar().names.name(symbol)?;
        let prefix =
            self.scopes.prefix(uri).or_else(|| self.vocabulary.usual_prefix(uri).map(Some));
        let shown = match prefix {
            _ if uri.is_empty() => local.to_owned(),
            Some(Some(prefix)) => {
                self.vocabulary.unprefixed(&format!("{prefix}:{local}")).to_owned()
            }
            Some(None) => local.to_owned(),
            None => format!("{local} of {uri}"),
        };
        Some(Known { rank: u8::from(!uri.is_empty()), shown, symbol: Some(symbol) })
    }

    /// A known name of an element as the notation writes it.
    fn written_name(&self, known: &Known) -> String {
        match known.symbol {
            Some(_) => self.vocabulary.element(&known.shown),
            None => known.shown.clone(),
        }
    }

    fn class_names(&self, class: &NameClass) -> Vec<Known> {
        let mut names: Vec<Known> =
            class.listed().into_iter().filter_map(|s| self.known(s)).collect();
        let any = |shown: String| Known { rank: 2, shown, symbol: None };
        match class {
            NameClass::AnyName(None) => names.push(any("any name".to_owned())),
            NameClass::AnyName(Some(_)) => names.push(any("any other name".to_owned())),
            NameClass::NsName(id, _) => {
                let uri = self.automaton.grammar().names.uri(*id);
                names.push(any(format!("any name of {uri}")));
            }
            NameClass::Name(_) | NameClass::Choice(_) => {}
        }
        names
    }

    fn element_names(&self, ids: impl IntoIterator<Item = ElementId>) -> BTreeSet<Known> {
        let grammar = self.automaton.grammar();
        let classes = ids.into_iter().filter_map(|e| grammar.element(e)).map(|e| &e.class);
        let all: BTreeSet<Known> = classes.flat_map(|class| self.class_names(class)).collect();
        // where a namespace may be left out, the short name says it
        let local =
            |k: &Known| k.symbol.and_then(|s| grammar.names.name(s)).map(|(_, local)| local);
        let plain: BTreeSet<&str> = all.iter().filter(|k| k.rank == 0).filter_map(local).collect();
        let kept =
            all.iter().filter(|k| k.rank == 0 || local(k).is_none_or(|l| !plain.contains(l)));
        kept.cloned().collect()
    }

    /// The elements that may come next.
    fn next_elements(&self, state: StateId) -> BTreeSet<Known> {
        self.element_names(self.expected().elements(&self.automaton.parts(state)))
    }

    /// The attributes that may come next.
    fn next_attributes(&self, state: StateId) -> BTreeSet<Known> {
        let ids = self.expected().attributes(&self.automaton.parts(state));
        let grammar = self.automaton.grammar();
        let classes = ids.into_iter().filter_map(|a| grammar.attributes.get(a)).map(|a| &a.class);
        classes.flat_map(|class| self.class_names(class)).collect()
    }

    fn written_names(&self, names: &BTreeSet<Known>) -> Vec<String> {
        names.iter().map(|n| self.written_name(n)).collect()
    }

    /// An element that may not stand where it stands, among its elder siblings `before`.
    fn unexpected_element(
        &mut self,
        e: &Element,
        name: Symbol,
        state: StateId,
        before: &[&Element],
    ) -> (Diagnostic, Meant) {
        let next = self.next_elements(state);
        let Some(parent) = self.parents.last().copied() else {
            return (self.unexpected_root(e, &next), Meant::Nothing);
        };
        let (written, around) = (self.around(e), self.around(parent.element.as_element()));
        let keys = self.keys(parent, &next);
        let expected = self.written_names(&keys);
        let initially = self.automaton.transition(parent.content, Step::Element(name));
        if self.automaton.inside(initially).is_some() {
            let preceding = before.iter().find(|s| s.name == e.name);
            let problem = match preceding {
                Some(preceding) if !self.may_repeat(parent, name) => Diagnostic::error(
                    "repeated-element",
                    format!("{written} may appear only once in {around}"),
                )
                .related(preceding.span, "the first one")
                .hint("remove one of them"),
                _ => self.misplaced(e, name, parent, before).expected(expected),
            };
            return (problem.at(e.span), Meant::Explained);
        }
        let summary = format!("{around} has no {} {written}", self.vocabulary.element_word());
        let mut problem =
            Diagnostic::error("unexpected-element", summary).at(e.span).expected(expected);
        if keys.is_empty() {
            problem.detail =
                Some(format!("no {} is possible here", self.vocabulary.element_word()));
        }
        let (hint, meant) = self.element_meant(e, name, parent, state, &next);
        problem.hint = hint;
        if let (Some(uri), None) = (&e.name.namespace, &problem.hint) {
            problem.detail = Some(format!("it is in the namespace {}", excerpt(uri)));
        }
        (problem, meant)
    }

    /// The children that an element may have, and its attributes where both are called keys.
    fn keys(&self, place: Place<'_>, children: &BTreeSet<Known>) -> BTreeSet<Known> {
        let mut keys = match self.vocabulary.has_keys() {
            false => BTreeSet::new(),
            true => self.next_attributes(place.before),
        };
        keys.retain(|k| place.element.attribute(&k.shown).is_none());
        keys.extend(children.iter().cloned());
        keys
    }

    /// Reports an element that its parent may hold, but not at this position.
    fn misplaced(
        &mut self,
        e: &Element,
        name: Symbol,
        parent: Place<'_>,
        before: &[&Element],
    ) -> Diagnostic {
        let (written, around) = (self.around(e), self.around(parent.element.as_element()));
        match self.excluder(name, parent, before) {
            Some((other, order)) => {
                let beside = self.around(other);
                let summary = if order {
                    format!("{written} has to stand before {beside} in {around}")
                } else {
                    format!("{written} cannot stand beside {beside} in {around}")
                };
                let problem = Diagnostic::error("misplaced-element", summary);
                let problem = problem.related(other.span, format!("{beside} is here"));
                if order { problem } else { problem.hint("keep one of them") }
            }
            None => Diagnostic::error(
                "misplaced-element",
                format!("{written} is not allowed here in {around}"),
            )
            .detail("a preceding sibling excludes it, or has to follow it"),
        }
    }

    fn unexpected_root(&self, e: &Element, roots: &BTreeSet<Known>) -> Diagnostic {
        let summary = format!("the document cannot be a {}", self.around(e));
        let problem = Diagnostic::error("unexpected-element", summary)
            .at(e.span)
            .expected(self.written_names(roots));
        match &e.name.namespace {
            Some(uri) if roots.iter().any(|r| r.shown == e.name.local) => problem
                .detail(format!("it is in the namespace {}", excerpt(uri)))
                .hint(self.vocabulary.no_namespace()),
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

    /// An attribute that may not stand on its element.
    fn unexpected_attribute(
        &mut self,
        e: &Element,
        a: &Attribute,
        inside: StateId,
        state: StateId,
    ) -> (Diagnostic, Meant) {
        let around = self.around(e);
        let written = excerpt(&a.name.written());
        let present = |k: &Known| e.attributes.iter().any(|o| o.name.written() == k.shown);
        let next: BTreeSet<Known> =
            self.next_attributes(state).into_iter().filter(|k| !present(k)).collect();
        let variant = self.variant(Some((e, inside)), Goal::Attribute(a));
        if let (None, Some(other)) = (&variant, self.excluding_attribute(e, a, inside)) {
            let beside = excerpt(&other.name.written());
            let summary = format!("{around} takes {beside} or {written}, not both");
            let problem = Diagnostic::error("unexpected-attribute", summary)
                .at(a.name_span)
                .related(other.span, format!("{beside} is here"))
                .hint("keep one of them");
            return (problem, Meant::Explained);
        }
        let mut keys = next.clone();
        if self.vocabulary.has_keys() {
            keys.extend(self.absent_children(e, state));
        }
        let mut problem = Diagnostic::error(
            "unexpected-attribute",
            format!("{around} has no {} {written}", self.vocabulary.attribute_word()),
        )
        .at(a.name_span)
        .expected(keys.iter().map(|k| k.shown.clone()).collect());
        if keys.is_empty() {
            problem.detail =
                Some(format!("no {} is possible here", self.vocabulary.attribute_word()));
        }
        if let Some(uri) = &a.name.namespace {
            problem.detail = Some(format!("it is in the namespace {}", excerpt(uri)));
        }
        let (hint, meant) = self.attribute_meant(e, a, variant, (inside, state), &next);
        problem.hint = hint;
        (problem, meant)
    }

    /// The children that an element may have and has not.
    fn absent_children(&self, e: &Element, state: StateId) -> BTreeSet<Known> {
        let parts = self.automaton.parts(state);
        let inside = parts.iter().flat_map(|p| self.expected().all_elements(*p));
        let mut children = self.element_names(inside.map(|(element, _)| element));
        children.retain(|k| e.child(&k.shown).is_none());
        children
    }

    /// A value that an attribute cannot have.
    fn bad_attribute(
        &mut self,
        e: &Element,
        a: &Attribute,
        parts: &[PatternId],
        inside: StateId,
    ) -> Diagnostic {
        let local = excerpt(&a.name.local);
        let what = format!("{local} of {}", self.around(e));
        let values = self.expected().values(parts);
        let mut problem = self
            .bad_value(
                "bad-value",
                &what,
                (&a.value, self.vocabulary.is_secret(e, Some(&local))),
                &values,
            )
            .at(a.span);
        if problem.hint.is_none() {
            problem.hint = self.variant(Some((e, inside)), Goal::Value(a));
        }
        problem
    }

    /// A text that is none of the values. `text` comes with whether it is a secret.
    fn bad_value(
        &self,
        code: &'static str,
        what: &str,
        (text, secret): (&str, bool),
        values: &Values,
    ) -> Diagnostic {
        let shown = if secret { "this".to_owned() } else { format!("\"{}\"", excerpt(text)) };
        let mut problem = Diagnostic::error(code, format!("{shown} is no value for {what}"))
            .expected(values.expected());
        let trimmed = text.trim();
        let datatypes = values.data.iter().filter_map(|d| self.automaton.grammar().data.get(*d));
        let fits = values.words.iter().any(|w| w == trimmed)
            || datatypes.into_iter().any(|d| d.datatype.allows(trimmed, self.scopes));
        if trimmed.len() < text.len() && fits {
            problem.hint = Some("remove the whitespace around it".to_owned());
        } else if !secret {
            let typo = closest(trimmed, values.words.iter().map(String::as_str));
            let typo = typo.map(|s| format!("did you mean \"{s}\"?"));
            problem.hint = typo.or_else(|| {
                let switch = switch(trimmed, &values.words)?;
                Some(format!("write \"{switch}\""))
            });
        }
        if let ([data], true, false) = (values.data.as_slice(), values.words.is_empty(), secret) {
            let decl = self.automaton.grammar().data.get(*data);
            problem.detail = decl.and_then(|d| d.datatype.why_not(text));
        }
        problem
    }

    /// Text where only elements may stand.
    fn text_among(&mut self, e: &Element, state: StateId, text: &(String, Span)) -> Diagnostic {
        let around = self.around(e);
        let shown = match self.vocabulary.is_secret(e, None) {
            true => String::new(),
            false => format!(": \"{}\"", excerpt(text.0.trim())),
        };
        let mut next = self.next_elements(state);
        let plain = e.attributes.is_empty() && e.elements().next().is_none();
        let summary = match (self.vocabulary.has_keys(), plain, self.parents.last()) {
            (true, true, Some(place)) => {
                next.extend(self.next_attributes(place.before));
                format!("{around} takes no single value")
            }
            _ => format!("text is not allowed in {around}{shown}"),
        };
        let mut problem = Diagnostic::error("unexpected-text", summary)
            .at(text.1)
            .expected(self.written_names(&next));
        problem.hint = self.text_meant(e, state, text.0.trim());
        problem
    }
}

/// Returns the word of a switch that means the same as `text`: "on" for "true".
fn switch<'w>(text: &str, words: &'w [String]) -> Option<&'w str> {
    const SWITCHES: [&[&str]; 2] =
        [&["on", "yes", "true", "1", "enable", "enabled"], &["off", "no", "false", "0", "none"]];
    let lower = text.to_ascii_lowercase();
    let meant = SWITCHES.into_iter().find(|s| s.contains(&lower.as_str()))?;
    let mut fitting = words.iter().map(String::as_str).filter(|w| meant.contains(w));
    fitting.next().filter(|_| fitting.next().is_none())
}

/// `a, b or c`.
fn or_list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}
