//! Random grammars: small alphabets and every kind of pattern, made so that most of them keep the
//! restrictions of RELAX NG's section 7. The loader judges which do.

use super::choices::Choices;

/// The local names that grammars mention; a set of them is a mask, one bit a name.
pub(crate) const LOCALS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// The namespaces that grammars mention; `x` and `y` are their prefixes.
pub(crate) const NAMESPACES: [&str; 3] = ["", "urn:x", "urn:y"];

const ALL_NAMES: u8 = 0b11_1111;
/// Most patterns of a grammar.
const PATTERNS_MAX: usize = 60;

/// A pattern as it is written.
#[derive(Clone, Debug)]
pub(crate) enum Rng {
    Empty,
    NotAllowed,
    Text,
    Choice(Vec<Self>),
    Group(Vec<Self>),
    Interleave(Vec<Self>),
    Mixed(Vec<Self>),
    Optional(Box<Self>),
    ZeroOrMore(Box<Self>),
    OneOrMore(Box<Self>),
    List(Box<Self>),
    /// A row of [`DATA`], and values that are excepted.
    Data(usize, Vec<Self>),
    /// A row of [`VALUES`].
    Value(usize),
    Attribute(Names, Box<Self>),
    Element(Names, Box<Self>),
    Ref(usize),
}

/// A class of names as it is written.
#[derive(Clone, Debug)]
pub(crate) enum Names {
    Any(Option<Box<Self>>),
    /// Names of a namespace, by its index in [`NAMESPACES`].
    Ns(usize, Option<Box<Self>>),
    /// One name, by its indices in [`NAMESPACES`] and [`LOCALS`].
    One(usize, usize),
    Choice(Vec<Self>),
}

impl Names {
    /// Whether the name is in the class.
    pub(crate) fn contains(&self, uri: &str, local: &str) -> bool {
        let outside =
            |except: &Option<Box<Self>>| except.as_ref().is_none_or(|e| !e.contains(uri, local));
        match self {
            Self::Any(except) => outside(except),
            Self::Ns(ns, except) => NAMESPACES[*ns] == uri && outside(except),
            Self::One(ns, name) => NAMESPACES[*ns] == uri && LOCALS[*name] == local,
            Self::Choice(all) => all.iter().any(|n| n.contains(uri, local)),
        }
    }
}

/// Names and values.
type Params = &'static [(&'static str, &'static str)];

/// `data` patterns: whether the library is XML Schema's, type, params, and texts that match or
/// nearly do.
pub(crate) const DATA: [(bool, &str, Params, &[&str]); 12] = [
    (true, "string", &[], &["a", ""]),
    (false, "token", &[], &[" a ", "b"]),
    (true, "integer", &[], &["1", "01", " -2 "]),
    (true, "string", &[("pattern", "a*b?")], &["aab", "", "b", "ba"]),
    (true, "unsignedShort", &[("maxInclusive", "7")], &["7", "8", "+3"]),
    (true, "token", &[("pattern", "[a-c]+( [a-c]+)*")], &["a b", "  a   b ", "d"]),
    (true, "NCName", &[], &["a", "x:a", "1"]),
    (true, "QName", &[], &["x:a", "a", "z:a"]),
    (true, "boolean", &[], &["true", "0", " 1 ", "yes"]),
    (true, "decimal", &[("minInclusive", "1.5")], &["1.50", "2", "1", ".7e1"]),
    (true, "string", &[("minLength", "1"), ("maxLength", "2")], &["é€", "a", "", "abc"]),
    (true, "date", &[], &["2020-02-29", "2021-02-29", "2020-02-29Z"]),
];

/// `value` patterns: the same with a text; `None` is one without a type.
pub(crate) const VALUES: [(Option<bool>, &str, &str, &[&str]); 12] = [
    (None, "token", "a", &["a", " a "]),
    (None, "token", "b", &["b"]),
    (None, "token", "a b", &["a b", " a   b", "ab"]),
    (None, "token", "", &["", "  "]),
    (Some(false), "string", " a", &[" a", "a"]),
    (Some(true), "integer", "1", &["1", "01", "+1"]),
    (Some(true), "string", "", &["", " "]),
    (Some(true), "QName", "x:a", &["x:a", "y:a", "a"]),
    (Some(true), "QName", "a", &["a", "x:a"]),
    (Some(true), "boolean", "true", &["1", "true", "false"]),
    (Some(true), "decimal", "1.0", &["1", "1.00", "10"]),
    (Some(true), "token", "1", &["1", "01", " 1"]),
];

/// A grammar as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Grammar {
    pub(crate) start: Rng,
    pub(crate) defines: Vec<Rng>,
}

/// Patterns that a place may hold.
#[derive(Clone, Copy)]
struct Place {
    /// Names of elements, and of attributes.
    elements: u8,
    attributes: u8,
    text: bool,
    /// A text of a datatype, as all there is.
    data: bool,
    /// Inside `oneOrMore`, and in a group or an interleave in there.
    repeated: bool,
    grouped: bool,
    /// Definitions from this one on may be referred to, besides elements'.
    defines: usize,
    depth: usize,
}

/// Properties of a definition that are chosen before its pattern is made.
#[derive(Clone, Copy)]
struct Promise {
    /// Whether the pattern is an element, so that it may hold itself.
    element: bool,
    elements: u8,
    attributes: u8,
}

struct Maker<'c, 'b> {
    choices: &'c mut Choices<'b>,
    promises: Vec<Promise>,
    made: usize,
}

impl Grammar {
    /// A grammar by the choices.
    pub(crate) fn new(choices: &mut Choices<'_>) -> Self {
        let count = choices.below(6);
        let mut promises: Vec<Promise> = Vec::new();
        for _ in 0..count {
            let element = choices.chance(60);
            let mut elements = 1 << choices.below(LOCALS.len());
            let mut attributes = 0;
            if !element {
                elements |= 1 << choices.below(LOCALS.len());
                if choices.chance(40) {
                    attributes = 1 << choices.below(LOCALS.len());
                }
            }
            promises.push(Promise { element, elements, attributes });
        }
        let mut maker = Maker { choices, promises, made: 0 };
        let root = maker.element(Place::inside(), 1 << 0);
        let start = if maker.choices.chance(15) {
            let other = maker.element(Place::inside(), ALL_NAMES);
            Rng::Choice(vec![root, other])
        } else {
            root
        };
        let defines = (0..count).map(|i| maker.define(i)).collect();
        Self { start, defines }
    }
}

impl Place {
    /// The inside of an element.
    fn inside() -> Self {
        Self {
            elements: ALL_NAMES,
            attributes: ALL_NAMES,
            text: true,
            data: true,
            repeated: false,
            grouped: false,
            defines: 0,
            depth: 0,
        }
    }
}

impl Maker<'_, '_> {
    fn define(&mut self, i: usize) -> Rng {
        let promise = self.promises[i];
        if promise.element {
            return self.element(Place { depth: 1, ..Place::inside() }, promise.elements);
        }
        let place = Place {
            elements: promise.elements,
            attributes: promise.attributes,
            text: false,
            data: false,
            repeated: promise.attributes == 0,
            defines: i + 1,
            depth: 1,
            ..Place::inside()
        };
        match self.choices.below(3) {
            0 => Rng::Choice(self.parts(place, false)),
            1 => Rng::Interleave(self.parts(place, true)),
            _ => self.pattern(place),
        }
    }

    fn element(&mut self, place: Place, names: u8) -> Rng {
        self.made += 1;
        let names = self.names(names);
        let inside = Place { depth: place.depth + 1, ..Place::inside() };
        Rng::Element(names, Box::new(self.content(inside)))
    }

    /// The content of an element: attributes first, as people write them.
    fn content(&mut self, place: Place) -> Rng {
        if self.choices.chance(45) {
            let one = 1 << self.choices.below(LOCALS.len());
            let attribute = self.attribute(Place { attributes: one, ..place });
            let attribute = if self.choices.chance(50) {
                Rng::Optional(Box::new(attribute))
            } else {
                attribute
            };
            let rest = Place { attributes: place.attributes & !one, ..place };
            return Rng::Group(vec![attribute, self.pattern(rest)]);
        }
        self.pattern(place)
    }

    fn pattern(&mut self, place: Place) -> Rng {
        self.made += 1;
        let spent = place.depth > 6 || self.made > PATTERNS_MAX || self.choices.is_empty();
        let inner = Place { depth: place.depth + 1, ..place };
        match self.choices.below(if spent { 5 } else { 24 }) {
            1 if place.text => Rng::Text,
            2 if place.elements != 0 => self.reference(place),
            3 if self.may_have_attribute(place) => self.attribute(place),
            4 | 5 if place.data => self.data(place.depth),
            0..=5 => Rng::Empty,
            6..=9 if place.elements != 0 => self.element(place, place.elements),
            10 | 11 if place.elements != 0 => self.reference(place),
            12 | 13 => Rng::Choice(self.parts(inner, false)),
            14 | 15 => Rng::Group(self.parts(inner, false)),
            16 | 17 => Rng::Interleave(self.parts(inner, true)),
            18 => Rng::Optional(Box::new(self.pattern(inner))),
            19 | 20 => {
                let repeated = Place { repeated: true, data: false, grouped: false, ..inner };
                let part = Box::new(self.pattern(repeated));
                if self.choices.chance(50) { Rng::OneOrMore(part) } else { Rng::ZeroOrMore(part) }
            }
            21 if place.text && !place.repeated => {
                let inner = Place { text: false, data: false, ..inner };
                Rng::Mixed(self.parts(inner, false))
            }
            22 if !place.repeated => self.wild_attributes(place),
            23 if self.choices.chance(10) => Rng::NotAllowed,
            _ => Rng::Choice(self.parts(inner, false)),
        }
    }

    fn may_have_attribute(&self, place: Place) -> bool {
        place.attributes != 0 && !(place.repeated && place.grouped)
    }

    /// Two or three patterns; `apart` where equal names of elements in them are not allowed. Equal
    /// names of attributes never are in what is not a choice, so they are kept apart always.
    fn parts(&mut self, place: Place, apart: bool) -> Vec<Rng> {
        let count = 2 + self.choices.below(2);
        let (mut elements, mut attributes) = (place.elements, place.attributes);
        let mut parts = Vec::new();
        for i in 0..count {
            let mut part = Place { grouped: true, ..place };
            if i + 1 < count {
                part.elements = elements & self.mask();
                part.attributes = attributes & self.mask();
            } else {
                (part.elements, part.attributes) = (elements, attributes);
            }
            attributes &= !part.attributes;
            if apart {
                elements &= !part.elements;
                part.text = place.text && i == 0;
            } else {
                part.elements = place.elements;
            }
            part.data = place.data && i + 1 == count && self.choices.chance(15);
            parts.push(self.pattern(part));
        }
        parts
    }

    fn mask(&mut self) -> u8 {
        u8::try_from(self.choices.below(usize::from(ALL_NAMES) + 1)).unwrap()
    }

    fn reference(&mut self, place: Place) -> Rng {
        let fits = |i: usize, p: &Promise| {
            p.elements & !place.elements == 0
                && p.attributes & !place.attributes == 0
                && (p.element || i >= place.defines)
                && !(place.repeated && p.attributes != 0)
        };
        let all: Vec<usize> =
            (0..self.promises.len()).filter(|i| fits(*i, &self.promises[*i])).collect();
        if all.is_empty() {
            return if place.depth > 6 { Rng::Empty } else { self.element(place, place.elements) };
        }
        Rng::Ref(self.choices.pick(&all))
    }

    fn attribute(&mut self, place: Place) -> Rng {
        self.made += 1;
        let names = self.names(place.attributes);
        if self.choices.chance(30) {
            return Rng::Attribute(names, Box::new(Rng::Text));
        }
        Rng::Attribute(names, Box::new(self.data(place.depth)))
    }

    /// Any number of attributes, of any names but those of the alphabet, or of a namespace.
    fn wild_attributes(&mut self, place: Place) -> Rng {
        let known = NAMESPACES
            .iter()
            .enumerate()
            .flat_map(|(ns, _)| (0..LOCALS.len()).map(move |local| Names::One(ns, local)));
        let known: Vec<Names> = known
            .filter(|n| !matches!(n, Names::One(_, l) if place.attributes & (1 << l) != 0))
            .collect();
        let except = (!known.is_empty()).then(|| Box::new(Names::Choice(known)));
        let names = match self.choices.below(3) {
            0 => Names::Any(except),
            1 => Names::Ns(self.choices.below(3), except),
            _ => Names::Any(Some(Box::new(Names::Ns(0, None)))),
        };
        Rng::ZeroOrMore(Box::new(Rng::Attribute(names, Box::new(Rng::Text))))
    }

    fn names(&mut self, mask: u8) -> Names {
        let one = |choices: &mut Choices<'_>| {
            let all: Vec<usize> = (0..LOCALS.len()).filter(|i| mask & (1 << i) != 0).collect();
            let ns = if choices.chance(25) { 1 + choices.below(2) } else { 0 };
            let local = if all.is_empty() { 0 } else { choices.pick(&all) };
            Names::One(ns, local)
        };
        if self.choices.chance(85) || mask == 0 {
            return one(self.choices);
        }
        match self.choices.below(5) {
            0 if mask == ALL_NAMES => Names::Any(None),
            1 if mask == ALL_NAMES => Names::Any(Some(Box::new(one(self.choices)))),
            2 if mask == ALL_NAMES => {
                Names::Ns(self.choices.below(3), Some(Box::new(one(self.choices))))
            }
            3 if mask == ALL_NAMES => Names::Any(Some(Box::new(Names::Ns(1, None)))),
            _ => Names::Choice(vec![one(self.choices), one(self.choices)]),
        }
    }

    /// A pattern of a text.
    fn data(&mut self, depth: usize) -> Rng {
        self.made += 1;
        if depth > 8 {
            return self.value();
        }
        match self.choices.below(10) {
            0..=2 => self.value(),
            3 => Rng::Data(self.choices.below(DATA.len()), Vec::new()),
            4 => {
                let except = (0..1 + self.choices.below(2)).map(|_| self.value()).collect();
                Rng::Data(self.choices.below(DATA.len()), except)
            }
            5..=7 => {
                let count = 2 + self.choices.below(2);
                Rng::Choice((0..count).map(|_| self.data(depth + 1)).collect())
            }
            _ => Rng::List(Box::new(self.words(depth + 1))),
        }
    }

    /// A pattern of the words of a list.
    fn words(&mut self, depth: usize) -> Rng {
        self.made += 1;
        let inner = depth + 1;
        match self.choices.below(if depth > 8 { 3 } else { 9 }) {
            0 | 1 => self.value(),
            2 | 3 => Rng::Data(self.choices.below(DATA.len()), Vec::new()),
            4 => Rng::Group(vec![self.words(inner), self.words(inner)]),
            5 => Rng::Choice(vec![self.words(inner), self.words(inner)]),
            6 => Rng::Optional(Box::new(self.words(inner))),
            7 => Rng::ZeroOrMore(Box::new(self.words(inner))),
            _ => Rng::OneOrMore(Box::new(self.words(inner))),
        }
    }

    fn value(&mut self) -> Rng {
        Rng::Value(self.choices.below(VALUES.len()))
    }
}
