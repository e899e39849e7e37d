//! RELAX NG's own elements: what each is called, which attributes it has, where it may stand.

use crate::xml::{Element, Node};

/// The namespace of RELAX NG.
pub(super) const RELAX_NG: &str = "http://relaxng.org/ns/structure/1.0";

/// The namespace of its annotations, of which `documentation` is read.
const ANNOTATIONS: &str = "http://relaxng.org/ns/compatibility/annotations/1.0";

/// What an element of RELAX NG is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Element,
    Attribute,
    Group,
    Interleave,
    Choice,
    Optional,
    ZeroOrMore,
    OneOrMore,
    List,
    Mixed,
    Ref,
    ParentRef,
    Empty,
    Value,
    Data,
    NotAllowed,
    Text,
    ExternalRef,
    Grammar,
    Param,
    Except,
    Start,
    Define,
    Div,
    Include,
    Name,
    AnyName,
    NsName,
}

/// All kinds with their names; patterns first, then what makes a grammar, then name classes.
const KINDS: [(&str, Kind); 28] = [
    ("element", Kind::Element),
    ("attribute", Kind::Attribute),
    ("group", Kind::Group),
    ("interleave", Kind::Interleave),
    ("choice", Kind::Choice),
    ("optional", Kind::Optional),
    ("zeroOrMore", Kind::ZeroOrMore),
    ("oneOrMore", Kind::OneOrMore),
    ("list", Kind::List),
    ("mixed", Kind::Mixed),
    ("ref", Kind::Ref),
    ("parentRef", Kind::ParentRef),
    ("empty", Kind::Empty),
    ("value", Kind::Value),
    ("data", Kind::Data),
    ("notAllowed", Kind::NotAllowed),
    ("text", Kind::Text),
    ("externalRef", Kind::ExternalRef),
    ("grammar", Kind::Grammar),
    ("param", Kind::Param),
    ("except", Kind::Except),
    ("start", Kind::Start),
    ("define", Kind::Define),
    ("div", Kind::Div),
    ("include", Kind::Include),
    ("name", Kind::Name),
    ("anyName", Kind::AnyName),
    ("nsName", Kind::NsName),
];

/// What may stand at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A pattern.
    Pattern,
    /// A name class.
    NameClass,
    /// In a grammar.
    Grammar,
    /// In an include, where what the other file has is overridden.
    Include,
    /// In a data: its params and its exception.
    Data,
    /// In an anyName or nsName: its exception.
    Open,
    /// Nothing.
    Nowhere,
}

impl Kind {
    /// What the element is, if it is RELAX NG's.
    pub(super) fn of(element: &Element) -> Option<Self> {
        let local = element.name.local.as_str();
        KINDS.iter().find(|(name, _)| *name == local).map(|(_, kind)| *kind)
    }

    /// The names of all elements that may stand at a place.
    pub(super) fn names_at(place: Place) -> impl Iterator<Item = &'static str> {
        KINDS.iter().filter(move |(_, kind)| kind.may_stand(place)).map(|(name, _)| *name)
    }

    /// Whether this may stand at a place.
    pub(super) fn may_stand(self, place: Place) -> bool {
        match self {
            Self::Choice => matches!(place, Place::Pattern | Place::NameClass),
            Self::Name | Self::AnyName | Self::NsName => place == Place::NameClass,
            Self::Param => place == Place::Data,
            Self::Except => matches!(place, Place::Data | Place::Open),
            Self::Start | Self::Define | Self::Div => {
                matches!(place, Place::Grammar | Place::Include)
            }
            Self::Include => place == Place::Grammar,
            _ => place == Place::Pattern,
        }
    }

    /// Its attributes beside `ns` and `datatypeLibrary`, and whether it must have them.
    pub(super) fn attributes(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Element | Self::Attribute => &[("name", false)],
            Self::Ref | Self::ParentRef | Self::Param => &[("name", true)],
            Self::Define => &[("name", true), ("combine", false)],
            Self::Start => &[("combine", false)],
            Self::Data => &[("type", true)],
            Self::Value => &[("type", false)],
            Self::ExternalRef | Self::Include => &[("href", true)],
            _ => &[],
        }
    }
}

/// Whether the element is RELAX NG's; all others are annotations.
pub(super) fn is_rng(element: &Element) -> bool {
    element.name.namespace.as_deref() == Some(RELAX_NG)
}

/// The children that are RELAX NG's.
pub(super) fn rng(element: &Element) -> impl Iterator<Item = &Element> {
    element.elements().filter(|e| is_rng(e))
}

/// The value of an attribute of RELAX NG's whose surrounding white space is dropped (4.2).
pub(super) fn trimmed<'a>(element: &'a Element, name: &str) -> Option<&'a str> {
    element.attr(name).map(trim)
}

/// The text without the white space around it; only that of XML counts.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// The character data directly in an element, as it stands.
pub(super) fn characters(element: &Element) -> String {
    let texts = element.children.iter().filter_map(|node| match node {
        Node::Text(text) => Some(text.value.as_str()),
        Node::Element(_) => None,
    });
    texts.collect()
}

/// What the annotations in an element say about it.
pub(super) fn documentation(element: &Element) -> Option<String> {
    let notes = element.elements().filter(|e| {
        e.name.local == "documentation" && e.name.namespace.as_deref() == Some(ANNOTATIONS)
    });
    let notes: Vec<String> = notes
        .map(|e| characters(e).split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|note| !note.is_empty())
        .collect();
    (!notes.is_empty()).then(|| notes.join("\n"))
}
