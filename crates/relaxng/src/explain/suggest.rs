//! Suggestions for parts that a grammar does not allow: the hints of messages.

use super::alternatives::Goal;
use super::walk::{Place, symbol};
use super::{Explainer, Known, Meant, or_list};
use crate::automaton::StateId;
use crate::derivative::Step;
use crate::names::Symbol;
use diagnostics::{closest, excerpt, nearest};
use std::collections::BTreeSet;
use xmltree::{Attribute, Element, Name};

/// Most places that a hint lists; more would not help.
pub(super) const PLACES_MAX: usize = 4;

/// Most attributes of an element for which others are tried; none of libvirt's has more.
pub(super) const ATTRIBUTES_MAX: usize = 64;

/// Most elder siblings of which each is left out on trial.
const SIBLINGS_MAX: usize = 64;

impl Explainer<'_, '_> {
    /// Returns the probable meaning of an element that is not allowed in `parent`, where `next` is.
    pub(super) fn element_meant(
        &mut self,
        e: &Element,
        name: Symbol,
        parent: Place<'_>,
        state: StateId,
        next: &BTreeSet<Known>,
    ) -> (Option<String>, Meant) {
        if let Some(values) = self.variant(None, Goal::Child(name)) {
            return (Some(values), Meant::Explained);
        }
        let local = &e.name.local;
        let near = self.nearest_element(e, state, next);
        let parents = self.parents(name, parent);
        let few = (1..=PLACES_MAX).contains(&parents.len());
        let belongs = format!("{} belongs in {}", self.around(e), or_list(&parents));
        let did_you_mean = |found: &Known| {
            let written = self.written_name(found);
            let mean = format!("did you mean {written}{}?", self.declaration(found));
            if few { format!("{mean} {belongs}") } else { mean }
        };
        if let Some((distance, found, symbol)) = &near
            && (*distance <= 1 || parents.is_empty())
        {
            return (Some(did_you_mean(found)), Meant::Name(*symbol));
        }
        let attributes = self.next_attributes(parent.before);
        if e.name.namespace.is_none() && attributes.iter().any(|k| k.shown == *local) {
            return (Some(self.as_attribute(e, parent.element.as_element())), Meant::Explained);
        }
        if let Some((found, symbol)) = self.sole(next, state, false) {
            return (Some(did_you_mean(&found)), Meant::Name(symbol));
        }
        if few {
            return (Some(belongs), Meant::Nothing);
        }
        let others = (!parents.is_empty()).then(|| {
            let some: Vec<String> = parents.iter().take(PLACES_MAX).cloned().collect();
            format!("{} belongs in others, such as {}", self.around(e), some.join(", "))
        });
        (others, Meant::Nothing)
    }

    /// Returns the notation of an element with one text as an attribute of its parent.
    fn as_attribute(&self, e: &Element, parent: &Element) -> String {
        let local = &e.name.local;
        let text = e.text();
        let secret = self.vocabulary.is_secret(e, None);
        let plain = e.elements().next().is_none() && !secret && !text.trim().is_empty();
        let value = if plain { excerpt(text.trim()) } else { "…".to_owned() };
        self.vocabulary.as_attribute(&parent.name.written(), local, &value)
    }

    /// Returns the name nearest to the written one: of the same namespace, else the same in another one.
    fn nearest_name(&self, name: &Name, next: &BTreeSet<Known>) -> Option<(usize, Known, Symbol)> {
        let names = &self.automaton.grammar().names;
        let known = |k: &Known| {
            let symbol = k.symbol?;
            let (uri, local) = names.name(symbol)?;
            Some((uri.to_owned(), local.to_owned(), k.clone(), symbol))
        };
        let all: Vec<_> = next.iter().filter_map(known).collect();
        let own = name.uri();
        let same = all.iter().filter(|(uri, ..)| uri == own).map(|(_, local, ..)| local.as_str());
        if let Some((distance, found)) = nearest(&name.local, same) {
            let (_, _, known, symbol) =
                all.iter().find(|(uri, local, ..)| uri == own && local == found)?;
            return Some((distance, known.clone(), *symbol));
        }
        // a child may do without its parent's namespace
        let plain = all.iter().filter(|(uri, ..)| uri.is_empty()).map(|(_, l, ..)| l.as_str());
        if let Some((distance, found)) = nearest(&name.local, plain).filter(|_| !own.is_empty()) {
            let (_, _, known, symbol) =
                all.iter().find(|(uri, local, ..)| uri.is_empty() && local == found)?;
            return Some((distance, known.clone(), *symbol));
        }
        let elsewhere: Vec<_> = all.iter().filter(|(_, local, ..)| *local == name.local).collect();
        let uri = match elsewhere.as_slice() {
            [(uri, ..)] => uri.as_str(),
            _ => closest(own, elsewhere.iter().map(|(uri, ..)| uri.as_str()))?,
        };
        let (_, _, known, symbol) = elsewhere.iter().find(|(u, ..)| u == uri)?;
        Some((0, known.clone(), *symbol))
    }

    /// Returns the nearest name of an element; of several equally near ones, one that can hold its text.
    fn nearest_element(
        &mut self,
        e: &Element,
        state: StateId,
        next: &BTreeSet<Known>,
    ) -> Option<(usize, Known, Symbol)> {
        let first = self.nearest_name(&e.name, next)?;
        let text = e.text();
        if e.elements().next().is_some() || text.trim().is_empty() {
            return Some(first);
        }
        let mut left = next.clone();
        while let Some((distance, found, symbol)) = self.nearest_name(&e.name, &left) {
            if distance > first.0 {
                break;
            }
            let transition = self.automaton.transition(state, Step::Element(symbol));
            let content = self.automaton.inside(transition).map(|s| self.automaton.close_tag(s));
            if let Some(content) = content {
                let transition = self.automaton.transition(content, Step::Text);
                if self.automaton.mark_value(transition, &text, self.scopes) {
                    return Some((distance, found, symbol));
                }
            }
            left.remove(&found);
        }
        Some(first)
    }

    /// The declaration that a name needs and the document does not have at this place.
    fn declaration(&self, known: &Known) -> String {
        let name = known.symbol.and_then(|s| self.automaton.grammar().names.name(s));
        match (name, known.shown.split_once(':')) {
            (Some((uri, _)), Some((prefix, _))) if self.scopes.prefix(uri).is_none() => {
                let declaration = self.vocabulary.declaration(prefix, uri);
                declaration.map_or(String::new(), |declaration| format!(", with {declaration}"))
            }
            _ => String::new(),
        }
    }

    /// The only thing that may come next, if it also has to.
    fn sole(
        &self,
        next: &BTreeSet<Known>,
        state: StateId,
        attributes: bool,
    ) -> Option<(Known, Symbol)> {
        let only = next.first().filter(|_| next.len() == 1)?;
        let symbol = only.symbol?;
        let required = self.expected().required(&self.automaton.parts(state), attributes);
        required.contains(&symbol).then(|| (only.clone(), symbol))
    }

    /// The elements, but `not`, whose content has an element of this name.
    fn parents(&mut self, name: Symbol, not: Place<'_>) -> Vec<String> {
        let mut parents = self.parents_of(name, false);
        parents.retain(|home| *home != self.around(not.element.as_element()));
        parents
    }

    /// The elements whose content has an element, or an attribute, of this name.
    fn parents_of(&mut self, name: Symbol, attribute: bool) -> Vec<String> {
        let parents = self.automaton.parents(name, attribute);
        self.written_names(&self.element_names(parents.iter().copied()))
    }

    /// An elder sibling without which an element of this name could stand here, and whether it could
    /// also stand before it.
    pub(super) fn excluder<'e>(
        &mut self,
        name: Symbol,
        parent: Place<'_>,
        before: &[&'e Element],
    ) -> Option<(&'e Element, bool)> {
        if before.len() > SIBLINGS_MAX {
            return None;
        }
        for (i, left_out) in before.iter().enumerate().rev() {
            let mut state = parent.content;
            for (_, sibling) in before.iter().enumerate().filter(|(n, _)| *n != i) {
                state = self.after_element(state, sibling).unwrap_or(state);
            }
            let transition = self.automaton.transition(state, Step::Element(name));
            if self.automaton.inside(transition).is_some() {
                self.automaton.mark_all(transition);
                let after = self.automaton.join(transition);
                return Some((left_out, self.after_element(after, left_out).is_some()));
            }
        }
        None
    }

    /// The state after an element, whatever is in it.
    fn after_element(&mut self, state: StateId, e: &Element) -> Option<StateId> {
        let name = symbol(self.automaton, &e.name);
        let transition = self.automaton.transition(state, Step::Element(name));
        self.automaton.inside(transition)?;
        self.automaton.mark_all(transition);
        Some(self.automaton.join(transition))
    }

    /// Returns the probable meaning of an attribute that is not allowed on its element. `states` are those
    /// before all attributes and before this one; `variant` is the hint of [`Self::variant`].
    pub(super) fn attribute_meant(
        &mut self,
        e: &Element,
        a: &Attribute,
        variant: Option<String>,
        (inside, state): (StateId, StateId),
        next: &BTreeSet<Known>,
    ) -> (Option<String>, Meant) {
        let name = symbol(self.automaton, &a.name);
        let near = self.nearest_name(&a.name, next);
        let mean = |found: &Known| format!("did you mean {}?", found.shown);
        if let Some((0, found, symbol)) = &near {
            return (Some(mean(found)), Meant::Name(*symbol));
        }
        if a.name.namespace.is_some() {
            let remove = "remove it: attributes of that namespace are not allowed here";
            return (Some(remove.to_owned()), Meant::Nothing);
        }
        if let Some(values) = variant {
            return (Some(values), Meant::Explained);
        }
        if let Some((_, found, symbol)) = &near {
            return (Some(mean(found)), Meant::Name(*symbol));
        }
        if self.vocabulary.has_keys()
            && let Some((_, found, _)) = self.nearest_name(&a.name, &self.absent_children(e, state))
        {
            return (Some(mean(&found)), Meant::Child(found.shown));
        }
        let content = self.automaton.close_tag(state);
        let (local, around) = (excerpt(&a.name.local), self.around(e));
        let children = self.next_elements(content);
        if children.iter().any(|k| k.shown == a.name.local) {
            return (Some(self.vocabulary.as_element(&local)), Meant::Child(a.name.local.clone()));
        }
        if let Some(text) = self.as_text(e, a, content) {
            return (Some(text), Meant::Explained);
        }
        let by_value = self.attribute_by_value(state, next, &a.value);
        if let Some((found, symbol)) = by_value.or_else(|| self.sole(next, state, true)) {
            return (Some(mean(&found)), Meant::Name(symbol));
        }
        let place = Place { element: e.node(), before: inside, content };
        let on = self.children_with(place, name);
        let hint = if (1..=PLACES_MAX).contains(&on.len()) {
            Some(format!("{local} belongs on {} in {around}", or_list(&on)))
        } else {
            let mut parents = self.parents_of(name, true);
            parents.retain(|home| *home != around);
            (1..=PLACES_MAX)
                .contains(&parents.len())
                .then(|| format!("{local} belongs on {}", or_list(&parents)))
        };
        (hint, Meant::Nothing)
    }

    /// Returns a hint, if the value belongs into the empty element as text.
    fn as_text(&mut self, e: &Element, a: &Attribute, content: StateId) -> Option<String> {
        if e.elements().next().is_some()
            || !e.text().trim().is_empty()
            || self.vocabulary.is_secret(e, Some(&a.name.local))
        {
            return None;
        }
        let transition = self.automaton.transition(content, Step::Text);
        let fits = self.automaton.mark_value(transition, &a.value, self.scopes);
        let (name, value) = (e.name.written(), excerpt(&a.value));
        fits.then(|| self.vocabulary.as_text(&name, &value))
    }

    /// Returns the only attribute that has this value in its enumeration.
    fn attribute_by_value(
        &mut self,
        state: StateId,
        next: &BTreeSet<Known>,
        value: &str,
    ) -> Option<(Known, Symbol)> {
        let mut found = Vec::new();
        for known in next {
            let Some(symbol) = known.symbol else { continue };
            let transition = self.automaton.transition(state, Step::Attribute(symbol));
            let values = self.expected().values(&self.automaton.transition_parts(transition));
            if values.words.iter().any(|w| w == value) {
                found.push((known.clone(), symbol));
            }
        }
        found.pop().filter(|_| found.is_empty())
    }

    /// Returns another attribute that excludes this one from the element.
    pub(super) fn excluding_attribute<'e>(
        &mut self,
        e: &'e Element,
        a: &Attribute,
        inside: StateId,
    ) -> Option<&'e Attribute> {
        if e.attributes.len() > ATTRIBUTES_MAX {
            return None;
        }
        let name = symbol(self.automaton, &a.name);
        let alone = self.automaton.transition(inside, Step::Attribute(name));
        if self.automaton.transition_parts(alone).is_empty() {
            return None;
        }
        e.attributes.iter().filter(|o| o.name != a.name).find(|left_out| {
            let others = e.attributes.iter().filter(|o| o.name != left_out.name);
            let after = others.into_iter().try_fold(inside, |s, o| self.with(s, &o.name, &o.value));
            after.is_some_and(|state| {
                let content = self.automaton.close_tag(state);
                !self.automaton.is_dead(content)
            })
        })
    }

    /// The state after an attribute, if it fits.
    pub(super) fn with(&mut self, state: StateId, name: &Name, value: &str) -> Option<StateId> {
        let name = symbol(self.automaton, name);
        self.with_symbol(state, name, value)
    }

    pub(super) fn with_symbol(
        &mut self,
        state: StateId,
        name: Symbol,
        value: &str,
    ) -> Option<StateId> {
        let transition = self.automaton.transition(state, Step::Attribute(name));
        let fits = self.automaton.mark_value(transition, value, self.scopes);
        fits.then(|| self.automaton.join(transition))
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
        self.written_names(&self.element_names(with))
    }

    /// Returns a hint for a text that its element cannot hold.
    pub(super) fn text_meant(&mut self, e: &Element, state: StateId, text: &str) -> Option<String> {
        let name = e.name.written();
        let parts = self.automaton.parts(state);
        let bare = self.expected().elements(&parts).is_empty();
        let above = self.parents.len().checked_sub(2).and_then(|n| self.parents.get(n)).copied();
        if let Some(above) = above
            && !self.vocabulary.is_secret(e, None)
        {
            let siblings = self.next_elements(above.content);
            let others = siblings.into_iter().filter(|k| k.shown != e.name.local).collect();
            if let Some((1, found, symbol)) = self.nearest_name(&e.name, &others) {
                let transition = self.automaton.transition(above.content, Step::Element(symbol));
                let inside = self.automaton.inside(transition)?;
                let content = self.automaton.close_tag(inside);
                let transition = self.automaton.transition(content, Step::Text);
                if self.automaton.mark_value(transition, text, self.scopes) {
                    let element = self.vocabulary.text(&found.shown, &excerpt(text));
                    return Some(format!("did you mean {element}?"));
                }
            }
        }
        if let Some(attribute) = self.takes_text(e, text) {
            let element = self.vocabulary.with_attribute(&name, &attribute, &excerpt(text));
            return Some(format!("write {element}"));
        }
        let place = self.parents.last().copied()?;
        let childless = e.elements().next().is_none();
        let is_empty = bare && self.next_attributes(place.before).is_empty();
        if let Some(hint) = self.vocabulary.no_text(&name).filter(|_| childless && !is_empty) {
            return Some(hint);
        }
        (bare && childless).then(|| self.vocabulary.empty(&name))
    }

    /// Returns the only attribute that the element needs, or that has such values, if it accepts the
    /// element's text.
    pub(super) fn takes_text(&mut self, e: &Element, text: &str) -> Option<String> {
        let place = self.parents.last().copied().filter(|p| p.element.is_same(e.node()))?;
        let required = self.expected().required(&self.automaton.parts(place.before), true);
        let attributes = self.next_attributes(place.before);
        let by_value = self.attribute_by_value(place.before, &attributes, text).map(|(_, s)| s);
        let name =
            by_value.or_else(|| required.first().copied().filter(|_| required.len() == 1))?;
        let known = self.known(name)?.shown;
        let absent = e.attribute(&known).is_none() && e.elements().next().is_none();
        let fits = absent && self.with_symbol(place.before, name, text).is_some();
        fits.then_some(known)
    }
}
