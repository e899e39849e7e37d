//! Elements of RELAX NG: their names, attributes and places.

/// The namespace of RELAX NG.
pub(super) const RELAX_NG: &str = "http://relaxng.org/ns/structure/1.0";

/// Kind of an element of RELAX NG.
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

/// All kinds with their names; patterns first, then the parts of a grammar, then name classes.
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

/// An attribute of RELAX NG's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attr {
    Name,
    Type,
    Combine,
    Href,
    Ns,
    DatatypeLibrary,
}

/// All attributes with their names.
const ATTRIBUTES: [(&str, Attr); 6] = [
    ("name", Attr::Name),
    ("type", Attr::Type),
    ("combine", Attr::Combine),
    ("href", Attr::Href),
    ("ns", Attr::Ns),
    ("datatypeLibrary", Attr::DatatypeLibrary),
];

impl Attr {
    /// The attribute of this name.
    pub(super) fn named(local: &str) -> Option<Self> {
        ATTRIBUTES.iter().find(|(name, _)| *name == local).map(|(_, attr)| *attr)
    }

    /// Returns the name of the element.
    pub(super) fn as_str(self) -> &'static str {
        ATTRIBUTES.iter().find(|(_, attr)| *attr == self).map_or("", |(name, _)| name)
    }
}

/// Place by the elements that it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A pattern.
    Pattern,
    /// A name class.
    NameClass,
    /// Inside a grammar.
    Grammar,
    /// Inside an include, where definitions of the other file are overridden.
    Include,
    /// Inside a data: its params and its exception.
    Data,
    /// Inside an anyName or nsName: its exception.
    Open,
    /// Place without elements.
    Nowhere,
}

impl Kind {
    /// Returns the kind of the element with this name.
    pub(super) fn named(local: &str) -> Option<Self> {
        KINDS.iter().find(|(name, _)| *name == local).map(|(_, kind)| *kind)
    }

    /// The name of the element.
    pub(super) fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether the element has text, and nothing else.
    pub(super) fn has_text(self) -> bool {
        matches!(self, Self::Name | Self::Value | Self::Param)
    }

    /// The names of all elements that may stand at a place.
    pub(super) fn names_at(place: Place) -> impl Iterator<Item = &'static str> {
        KINDS.iter().filter(move |(_, kind)| kind.may_stand(place)).map(|(name, _)| *name)
    }

    /// Whether the element may stand at a place.
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

    /// Returns the attributes beside `ns` and `datatypeLibrary`, and whether each is required.
    pub(super) fn attributes(self) -> &'static [(Attr, bool)] {
        match self {
            Self::Element | Self::Attribute => &[(Attr::Name, false)],
            Self::Ref | Self::ParentRef | Self::Param => &[(Attr::Name, true)],
            Self::Define => &[(Attr::Name, true), (Attr::Combine, false)],
            Self::Start => &[(Attr::Combine, false)],
            Self::Data => &[(Attr::Type, true)],
            Self::Value => &[(Attr::Type, false)],
            Self::ExternalRef | Self::Include => &[(Attr::Href, true)],
            _ => &[],
        }
    }
}

/// The text without the white space around it; only that of XML counts.
pub(super) fn trim(text: &str) -> &str {
    let inside = |b: u8| !matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let first = text.bytes().position(inside).unwrap_or(text.len());
    let last = text.bytes().rposition(inside).map_or(first, |last| last + 1);
    text.get(first..last).unwrap_or(text)
}
