//! Summary of a pattern for section 7, without the patterns in it.

use super::pattern::{AttributeId, ElementId};
use std::sync::Arc;

/// Sorts of patterns, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holds(u16);

impl Holds {
    pub(super) const ATTRIBUTE: Self = Self(1);
    pub(super) const ELEMENT: Self = Self(1 << 1);
    pub(super) const TEXT: Self = Self(1 << 2);
    pub(super) const LIST: Self = Self(1 << 3);
    pub(super) const GROUP: Self = Self(1 << 4);
    pub(super) const INTERLEAVE: Self = Self(1 << 5);
    pub(super) const MORE: Self = Self(1 << 6);
    /// `data` or `value`.
    pub(super) const STRING: Self = Self(1 << 7);
    pub(super) const EMPTY: Self = Self(1 << 8);

    /// Whether all of `other` is in it.
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Content type of an element or attribute (7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ContentType {
    /// Empty: attributes at most.
    Empty,
    /// Elements and text.
    Complex,
    /// A text with a type.
    Data,
}

impl ContentType {
    fn beside(self, other: Self) -> Option<Self> {
        let can = self == Self::Empty
            || other == Self::Empty
            || self == Self::Complex && other == Self::Complex;
        can.then_some(self.max(other))
    }
}

/// A pattern as section 7 sees it.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    /// Patterns in it, without the content of elements, attributes, lists and exceptions.
    pub(super) holds: Holds,
    /// Content type, if it has one.
    pub(super) content: Option<ContentType>,
    /// Whether an attribute stands in a group or interleave of it.
    pub(super) grouped: bool,
    /// Whether an attribute of any name stands in it, but in no `oneOrMore` of it.
    pub(super) bare: bool,
    /// Attributes, sorted.
    pub(super) attributes: Set<AttributeId>,
    /// Elements, sorted.
    pub(super) elements: Set<ElementId>,
}

/// A sorted list that patterns share; `None` is the empty one.
#[derive(Clone, Debug)]
pub(super) struct Set<T>(Option<Arc<[T]>>);

impl<T> std::ops::Deref for Set<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or(&[])
    }
}

impl<T: Copy + Ord> Set<T> {
    fn one(thing: T) -> Self {
        Self(Some(Arc::new([thing])))
    }

    fn union<'s>(sets: impl Iterator<Item = &'s Self>) -> Self
    where
        T: 's,
    {
        let mut sets = sets.filter(|set| !set.is_empty());
        let Some(first) = sets.next() else { return Self(None) };
        let Some(second) = sets.next() else { return first.clone() };
        let mut all = [&**first, &**second].concat();
        for set in sets {
            all.extend_from_slice(set);
        }
        all.sort_unstable();
        all.dedup();
        Self(Some(all.into()))
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self::NONE
    }
}

impl Summary {
    /// Summary of `notAllowed`.
    pub(super) const NONE: Self = Self {
        holds: Holds(0),
        content: Some(ContentType::Empty),
        grouped: false,
        bare: false,
        attributes: Set(None),
        elements: Set(None),
    };

    /// Returns the summary of a pattern that holds no other.
    pub(super) fn leaf(holds: Holds, content: ContentType) -> Self {
        Self { holds, content: Some(content), ..Self::NONE }
    }

    /// Returns the summary of an element.
    pub(super) fn of_element(id: ElementId) -> Self {
        Self { elements: Set::one(id), ..Self::leaf(Holds::ELEMENT, ContentType::Complex) }
    }

    /// Returns the summary of an attribute.
    pub(super) fn of_attribute(id: AttributeId, infinite: bool) -> Self {
        let attribute = Self::leaf(Holds::ATTRIBUTE, ContentType::Empty);
        Self { attributes: Set::one(id), bare: infinite, ..attribute }
    }

    /// Returns the summary of `oneOrMore` of this.
    pub(super) fn one_or_more(&self) -> Self {
        Self {
            holds: self.holds.and(Holds::MORE),
            content: self.content.and_then(|content| content.beside(content)),
            bare: false,
            ..self.clone()
        }
    }

    /// Returns the summary of a choice.
    pub(super) fn choice<'s>(parts: impl Iterator<Item = &'s Self> + Clone) -> Self {
        let content = parts.clone().map(|part| part.content).reduce(|a, b| Some(a?.max(b?)));
        Self { content: content.flatten(), ..Self::all(parts) }
    }

    /// Returns the summary of a group or an interleave.
    pub(super) fn group<'s>(sort: Holds, parts: impl Iterator<Item = &'s Self> + Clone) -> Self {
        let content = parts.clone().map(|part| part.content).reduce(|a, b| a?.beside(b?));
        let all = Self::all(parts);
        Self {
            content: content.flatten(),
            grouped: all.holds.has(Holds::ATTRIBUTE),
            holds: all.holds.and(sort),
            ..all
        }
    }

    fn all<'s>(parts: impl Iterator<Item = &'s Self> + Clone) -> Self {
        Self {
            holds: parts.clone().fold(Holds(0), |holds, part| holds.and(part.holds)),
            content: None,
            grouped: parts.clone().any(|part| part.grouped),
            bare: parts.clone().any(|part| part.bare),
            attributes: Set::union(parts.clone().map(|part| &part.attributes)),
            elements: Set::union(parts.map(|part| &part.elements)),
        }
    }
}
