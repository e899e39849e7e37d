//! Alternative values of attributes that would allow a refused part: the source of a disk goes with the
//! disk's type.

use super::suggest::{ATTRIBUTES_MAX, PLACES_MAX};
use super::walk::symbol;
use super::{Explainer, or_list};
use crate::automaton::StateId;
use crate::derivative::Step;
use crate::names::Symbol;
use diagnostics::excerpt;
use xmltree::{Attribute, Element};

/// Number of elements outwards in which another value is tried: `<source>` in `<disk type=…>` is one, the
/// address in a hostdev's source is two.
const OUTWARDS: usize = 3;

/// Part that another value of an attribute might allow.
#[derive(Clone, Copy)]
pub(super) enum Goal<'x> {
    /// A child of this name.
    Child(Symbol),
    /// Attribute that is refused.
    Attribute(&'x Attribute),
    /// Attribute whose value is refused.
    Value(&'x Attribute),
    /// The attributes as they are, without any more.
    Enough,
}

impl Explainer<'_, '_> {
    /// A hint, if another value of an attribute, on the innermost element or on one around it, would
    /// make the goal possible.
    pub(super) fn variant(
        &mut self,
        inner: Option<(&Element, StateId)>,
        goal: Goal<'_>,
    ) -> Option<String> {
        let parents: Vec<(&Element, StateId)> =
            self.parents.iter().map(|p| (p.element.as_element(), p.before)).collect();
        let path: Vec<_> = parents.into_iter().chain(inner).collect();
        if path.iter().any(|(e, _)| e.attributes.len() > ATTRIBUTES_MAX) {
            return None;
        }
        for from in (0..path.len()).rev().take(OUTWARDS) {
            let (path, innermost) = (path.get(from..)?, from + 1 == path.len());
            let (element, before) = path.first()?;
            for attribute in self.next_attributes(*before) {
                let Some(name) = attribute.symbol else { continue };
                let present =
                    element.attributes.iter().find(|a| symbol(self.automaton, &a.name) == name);
                // an innermost attribute that is not there would only be missing
                if goal.is(present) || (innermost && present.is_none()) {
                    continue;
                }
                let transition = self.automaton.transition(*before, Step::Attribute(name));
                let words =
                    self.expected().values(&self.automaton.transition_parts(transition)).words;
                let other = words.into_iter().filter(|w| present.is_none_or(|a| a.value != *w));
                let mut fitting: Vec<String> =
                    other.filter(|w| self.leads(path, (name, w), goal).is_some()).collect();
                if fitting.is_empty() || fitting.len() > 2 * PLACES_MAX {
                    continue;
                }
                fitting.iter_mut().for_each(|w| *w = format!("\"{w}\""));
                let (key, fitting, of) = (attribute.shown, or_list(&fitting), self.around(element));
                let with = match goal {
                    Goal::Value(_) => format!("that value goes with {key} {fitting} of {of}"),
                    Goal::Enough => format!("it is complete with {key} {fitting} of {of}"),
                    Goal::Child(_) | Goal::Attribute(_) => {
                        format!("it goes with {key} {fitting} of {of}")
                    }
                };
                return Some(match present {
                    Some(a) => format!("{with}; here {key} is \"{}\"", excerpt(&a.value)),
                    None => format!("{with}; here {of} has no {key}"),
                });
            }
        }
        None
    }

    /// Whether a path of elements with their attributes, of which one of the first has another
    /// value, leads to the goal.
    fn leads(
        &mut self,
        path: &[(&Element, StateId)],
        (changed, word): (Symbol, &str),
        goal: Goal<'_>,
    ) -> Option<()> {
        let mut state = path.first()?.1;
        state = self.with_symbol(state, changed, word)?;
        for (n, (element, _)) in path.iter().enumerate() {
            if n > 0 {
                let content = self.automaton.close_tag(state);
                let name = symbol(self.automaton, &element.name);
                let transition = self.automaton.transition(content, Step::Element(name));
                state = self.automaton.inside(transition)?;
            }
            for a in &element.attributes {
                let name = symbol(self.automaton, &a.name);
                if !(goal.is(Some(a)) || (n == 0 && name == changed)) {
                    state = self.with_symbol(state, name, &a.value)?;
                }
            }
        }
        match goal {
            Goal::Child(name) => {
                let content = self.automaton.close_tag(state);
                let transition = self.automaton.transition(content, Step::Element(name));
                self.automaton.inside(transition).map(|_| ())
            }
            Goal::Attribute(a) => {
                let name = symbol(self.automaton, &a.name);
                let transition = self.automaton.transition(state, Step::Attribute(name));
                (!self.automaton.transition_parts(transition).is_empty()).then_some(())
            }
            Goal::Value(a) => self.with(state, &a.name, &a.value).map(|_| ()),
            Goal::Enough => {
                let content = self.automaton.close_tag(state);
                (!self.automaton.is_dead(content)).then_some(())
            }
        }
    }
}

impl Goal<'_> {
    /// Whether the goal is about the attribute.
    fn is(self, attribute: Option<&Attribute>) -> bool {
        match (self, attribute) {
            (Self::Attribute(own) | Self::Value(own), Some(a)) => std::ptr::eq(own, a),
            _ => false,
        }
    }
}
