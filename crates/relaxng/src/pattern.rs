//! Patterns in the simple form of section 4 of the specification, each kept once and known by its
//! number: the loader makes them, the automaton makes the residues of them.

use super::datatype::{Constant, Datatype};
use super::names::{NameClass, Symbol};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::hash::Hash;
use std::sync::Arc;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub struct $name(u32);

        impl Number for $name {
            fn new(i: usize) -> Self {
                Self(u32::try_from(i).unwrap_or(u32::MAX))
            }
            fn index(self) -> usize {
                usize::try_from(self.0).unwrap_or(usize::MAX)
            }
        }
    };
}

/// A number that stands for a thing in a table.
pub trait Number: Copy {
    /// The number of the thing at place `i`.
    fn new(i: usize) -> Self;
    /// The place of the thing.
    fn index(self) -> usize;
}

number! {
    /// The number of a pattern in [`Patterns`].
    PatternId
}
number! {
    /// The number of an element pattern in a grammar's list of them.
    ElementId
}
number! {
    /// The number of an attribute pattern in a grammar's list of them.
    AttributeId
}
number! {
    /// The number of a `data` pattern in a grammar's list of them.
    DataId
}
number! {
    /// The number of a `value` pattern in a grammar's list of them.
    ValueId
}

/// A pattern. Those with several parts have at least two, none of them of the same sort.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pattern {
    /// Matches nothing at all.
    NotAllowed,
    /// Matches the absence of anything.
    Empty,
    /// Any text, also none.
    Text,
    /// One of several; sorted, each once.
    Choice(Arc<[PatternId]>),
    /// All of several, interleaved; sorted.
    Interleave(Arc<[PatternId]>),
    /// All of several, one after the other.
    Group(Arc<[PatternId]>),
    /// One or more times the same.
    OneOrMore(PatternId),
    /// A text of words that match one by one.
    List(PatternId),
    /// A text of a datatype.
    Data(DataId),
    /// One text.
    Value(ValueId),
    /// An attribute.
    Attribute(AttributeId),
    /// An element.
    Element(ElementId),
}

impl Pattern {
    /// Returns the patterns that it combines in one element. The content of elements, attributes, lists and
    /// exceptions is not included.
    pub fn parts(&self) -> &[PatternId] {
        match self {
            Self::Choice(parts) | Self::Interleave(parts) | Self::Group(parts) => parts,
            Self::OneOrMore(part) => std::slice::from_ref(part),
            Self::NotAllowed
            | Self::Empty
            | Self::Text
            | Self::List(_)
            | Self::Data(_)
            | Self::Value(_)
            | Self::Attribute(_)
            | Self::Element(_) => &[],
        }
    }
}

/// Patterns by number, each kept once.
#[derive(Clone, Debug)]
pub struct Patterns {
    list: Vec<Pattern>,
    nullable: Vec<bool>,
    known: FxHashMap<Pattern, PatternId>,
}

impl Default for Patterns {
    fn default() -> Self {
        let mut patterns =
            Self { list: Vec::new(), nullable: Vec::new(), known: FxHashMap::default() };
        patterns.intern(Pattern::NotAllowed);
        patterns.intern(Pattern::Empty);
        patterns.intern(Pattern::Text);
        patterns
    }
}

impl Patterns {
    /// `notAllowed`.
    pub const NOT_ALLOWED: PatternId = PatternId(0);
    /// `empty`.
    pub const EMPTY: PatternId = PatternId(1);
    /// `text`.
    pub const TEXT: PatternId = PatternId(2);

    /// The pattern with this number.
    pub fn get(&self, id: PatternId) -> &Pattern {
        self.list.get(id.index()).unwrap_or(&Pattern::NotAllowed)
    }

    /// Whether the pattern matches the absence of children and attributes.
    pub fn is_nullable(&self, id: PatternId) -> bool {
        self.nullable.get(id.index()).copied().unwrap_or(false)
    }

    /// Returns the number of patterns.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns all patterns by number.
    pub fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.list.iter()
    }

    /// Forgets all patterns but the first `len`, which must not refer to later ones.
    pub fn truncate(&mut self, len: usize) {
        for pattern in self.list.drain(len.min(self.list.len())..) {
            self.known.remove(&pattern);
        }
        self.nullable.truncate(len);
    }

    /// One of `parts`.
    pub fn choice(&mut self, parts: impl IntoIterator<Item = PatternId>) -> PatternId {
        let mut all = Vec::new();
        for part in parts {
            match self.get(part) {
                Pattern::Choice(inner) => all.extend_from_slice(inner),
                Pattern::NotAllowed => {}
                _ => all.push(part),
            }
        }
        all.sort_unstable();
        all.dedup();
        // a nullable alternative needs no `empty` beside it
        if all.first() == Some(&Self::EMPTY) && all.iter().skip(1).any(|p| self.is_nullable(*p)) {
            all.remove(0);
        }
        self.several(all, Self::NOT_ALLOWED, Pattern::Choice)
    }

    /// All of `parts`, one after the other.
    pub fn group(&mut self, parts: impl IntoIterator<Item = PatternId>) -> PatternId {
        let mut all = Vec::new();
        for part in parts {
            match self.get(part) {
                Pattern::Group(inner) => all.extend_from_slice(inner),
                Pattern::NotAllowed => return Self::NOT_ALLOWED,
                Pattern::Empty => {}
                _ => all.push(part),
            }
        }
        self.several(all, Self::EMPTY, Pattern::Group)
    }

    /// All of `parts`, interleaved.
    pub fn interleave(&mut self, parts: impl IntoIterator<Item = PatternId>) -> PatternId {
        let mut all = Vec::new();
        for part in parts {
            match self.get(part) {
                Pattern::Interleave(inner) => all.extend_from_slice(inner),
                Pattern::NotAllowed => return Self::NOT_ALLOWED,
                Pattern::Empty => {}
                _ => all.push(part),
            }
        }
        all.sort_unstable();
        self.several(all, Self::EMPTY, Pattern::Interleave)
    }

    /// `part` one or more times.
    pub fn one_or_more(&mut self, part: PatternId) -> PatternId {
        match self.get(part) {
            Pattern::NotAllowed | Pattern::Empty | Pattern::Text | Pattern::OneOrMore(_) => part,
            _ => self.intern(Pattern::OneOrMore(part)),
        }
    }

    /// A list of words that match `part`.
    pub fn list(&mut self, part: PatternId) -> PatternId {
        match part {
            Self::NOT_ALLOWED => part,
            _ => self.intern(Pattern::List(part)),
        }
    }

    /// A pattern like `pattern`, with others in place of its [`Pattern::parts`].
    pub(super) fn remake(&mut self, pattern: &Pattern, parts: Vec<PatternId>) -> PatternId {
        match pattern {
            Pattern::Choice(_) => self.choice(parts),
            Pattern::Interleave(_) => self.interleave(parts),
            Pattern::Group(_) => self.group(parts),
            Pattern::OneOrMore(_) => {
                let part = self.group(parts);
                self.one_or_more(part)
            }
            Pattern::NotAllowed
            | Pattern::Empty
            | Pattern::Text
            | Pattern::List(_)
            | Pattern::Data(_)
            | Pattern::Value(_)
            | Pattern::Attribute(_)
            | Pattern::Element(_) => self.intern(pattern.clone()),
        }
    }

    /// A pattern without parts of its own, or one made above.
    pub fn intern(&mut self, pattern: Pattern) -> PatternId {
        if let Some(id) = self.known.get(&pattern) {
            return *id;
        }
        let id = PatternId::new(self.list.len());
        let nullable = match &pattern {
            Pattern::Empty | Pattern::Text => true,
            Pattern::Choice(parts) => parts.iter().any(|p| self.is_nullable(*p)),
            Pattern::Interleave(parts) | Pattern::Group(parts) => {
                parts.iter().all(|p| self.is_nullable(*p))
            }
            Pattern::OneOrMore(part) => self.is_nullable(*part),
            Pattern::NotAllowed
            | Pattern::List(_)
            | Pattern::Data(_)
            | Pattern::Value(_)
            | Pattern::Attribute(_)
            | Pattern::Element(_) => false,
        };
        self.nullable.push(nullable);
        self.known.insert(pattern.clone(), id);
        self.list.push(pattern);
        id
    }

    fn several(
        &mut self,
        parts: Vec<PatternId>,
        none: PatternId,
        make: fn(Arc<[PatternId]>) -> Pattern,
    ) -> PatternId {
        match parts.as_slice() {
            [] => none,
            [one] => *one,
            _ => self.intern(make(parts.into())),
        }
    }
}

/// An element pattern.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ElementDecl {
    /// Allowed names.
    pub class: NameClass,
    /// Content, attributes included.
    pub content: PatternId,
    /// Documentation from the grammar's annotation.
    pub documentation: Option<Arc<str>>,
}

/// An attribute pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AttributeDecl {
    /// Allowed names.
    pub class: NameClass,
    /// Value.
    pub content: PatternId,
    /// Documentation from the grammar's annotation.
    pub documentation: Option<Arc<str>>,
}

/// A `data` pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DataDecl {
    /// The type with its facets.
    pub datatype: Datatype,
    /// Excepted values.
    pub except: Option<PatternId>,
    /// Name of such a text for people, from the grammar's annotation ("a MAC address, such as …").
    pub documentation: Option<Arc<str>>,
    /// The name of the definition that it stands in, for grammars without annotations.
    pub define: Option<Arc<str>>,
}

/// Things of a grammar by number, each kept once.
#[derive(Clone, Debug)]
pub struct Table<T, N> {
    list: Vec<T>,
    known: FxHashMap<T, N>,
}

impl<T, N> Default for Table<T, N> {
    fn default() -> Self {
        Self { list: Vec::new(), known: FxHashMap::default() }
    }
}

impl<T: Clone + Eq + Hash, N: Number> Table<T, N> {
    /// The number of `thing`, taken in if it is new.
    pub fn intern(&mut self, thing: T) -> N {
        if let Some(id) = self.known.get(&thing) {
            return *id;
        }
        let id = N::new(self.list.len());
        self.known.insert(thing.clone(), id);
        self.list.push(thing);
        id
    }

    /// Returns the number of items.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Forgets all but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        for thing in self.list.drain(len.min(self.list.len())..) {
            self.known.remove(&thing);
        }
    }

    /// The thing with this number.
    pub fn get(&self, id: N) -> Option<&T> {
        self.list.get(id.index())
    }

    /// Returns all items with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (N, &T)> {
        self.list.iter().enumerate().map(|(i, t)| (N::new(i), t))
    }
}

/// A grammar in simple form. Only [`super::load()`] makes one, and checks section 7 before.
#[derive(Clone, Debug)]
pub struct Grammar {
    /// The alphabet.
    pub names: super::names::Names,
    /// All patterns.
    pub patterns: Patterns,
    /// Element patterns; not shared, since one may hold itself.
    pub elements: Vec<ElementDecl>,
    /// Attribute patterns.
    pub attributes: Table<AttributeDecl, AttributeId>,
    /// `data` patterns.
    pub data: Table<DataDecl, DataId>,
    /// `value` patterns.
    pub values: Table<Constant, ValueId>,
    /// Pattern of a document: a choice of elements.
    pub start: PatternId,
}

impl Grammar {
    /// The element pattern with this number.
    pub fn element(&self, id: ElementId) -> Option<&ElementDecl> {
        self.elements.get(id.index())
    }

    /// Whether the meaning of a text may depend on the namespaces in scope.
    pub fn is_context_dependent(&self) -> bool {
        self.data.iter().any(|(_, d)| d.datatype.is_context_dependent())
            || self.values.iter().any(|(_, v)| v.is_context_dependent())
    }

    /// Whether the element may be called so.
    pub fn element_matches(&self, id: ElementId, symbol: Symbol) -> bool {
        self.element(id).is_some_and(|e| e.class.contains(&self.names, symbol))
    }

    /// Whether the attribute may be called so.
    pub fn attribute_matches(&self, id: AttributeId, symbol: Symbol) -> bool {
        self.attributes.get(id).is_some_and(|a| a.class.contains(&self.names, symbol))
    }
}
