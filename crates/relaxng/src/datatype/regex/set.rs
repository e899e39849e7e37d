//! Sets of characters: one, a range, a class escape, a class in brackets.

/// A set of characters, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// The character itself.
    Char(char),
    /// `.`: all but line feed and carriage return.
    Dot,
    /// `\d`, `\p{Lu}` and their kin.
    Escape(Escape),
    /// `[…]`
    Class(Class),
}

/// An escape that stands for a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Escape {
    /// `\D` for `\d`.
    pub(super) negated: bool,
    /// Kind of the escape.
    pub(super) kind: EscapeKind,
}

/// Kind of an escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EscapeKind {
    /// `\s`: XML's four white space characters, not Unicode's.
    Space,
    /// `\d`: the decimal digits of all scripts.
    Digit,
    /// `\w`: all but punctuation, separators and the rest.
    Word,
    /// First characters of a name: `\i`.
    NameStart,
    /// Characters of a name: `\c`.
    NameChar,
    /// `\p{…}` with a general category.
    Category(&'static str),
    /// `\p{Is…}`: a block.
    Block(&'static [(char, char)]),
}

/// A class in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// `[^…]`
    pub(super) negated: bool,
    /// Members of the set.
    pub(super) items: Vec<Item>,
    /// Subtracted set: `-[…]`.
    pub(super) minus: Option<Box<Self>>,
}

/// A member of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Range from one character to another; a single one is a range too.
    Range(char, char),
    /// An escape.
    Escape(Escape),
}

/// Members of a set within ASCII, and whether it has all other characters or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ascii {
    bits: u128,
    rest: bool,
}

impl Ascii {
    /// Whether the set has the character.
    pub(super) fn contains(self, c: char) -> bool {
        match u32::from(c) {
            code @ 0..128 => self.bits >> code & 1 == 1,
            _ => self.rest,
        }
    }

    /// Whether no character is in both.
    pub(super) fn is_disjoint(self, other: Self) -> bool {
        self.bits & other.bits == 0 && !(self.rest && other.rest)
    }

    fn negated(self) -> Self {
        Self { bits: !self.bits, rest: !self.rest }
    }

    fn of(chars: impl IntoIterator<Item = char>) -> Self {
        let bits = chars.into_iter().fold(0, |bits, c| bits | 1_u128 << (u32::from(c) & 127));
        Self { bits, rest: false }
    }
}

impl Set {
    /// The set as [`Ascii`]; `None` if some but not all of the characters beyond ASCII are in it.
    pub(super) fn ascii(&self) -> Option<Ascii> {
        match self {
            Self::Char(c) => c.is_ascii().then(|| Ascii::of([*c])),
            Self::Dot => Some(Ascii::of(['\n', '\r']).negated()),
            Self::Escape(escape) => escape.ascii(),
            Self::Class(class) => class.ascii(),
        }
    }
}

impl Escape {
    fn ascii(self) -> Option<Ascii> {
        let set = match self.kind {
            EscapeKind::Space => Ascii::of([' ', '\t', '\n', '\r']),
            EscapeKind::Block(&[(from, to)]) if to.is_ascii() => Ascii::of(from..=to),
            _ => return None,
        };
        Some(if self.negated { set.negated() } else { set })
    }
}

impl Class {
    fn ascii(&self) -> Option<Ascii> {
        let mut all = Ascii { bits: 0, rest: false };
        for item in &self.items {
            let set = match item {
                Item::Range(from, to) if to.is_ascii() => Ascii::of(*from..=*to),
                Item::Range(..) => return None,
                Item::Escape(escape) => escape.ascii()?,
            };
            all = Ascii { bits: all.bits | set.bits, rest: all.rest || set.rest };
        }
        if self.negated {
            all = all.negated();
        }
        if let Some(minus) = &self.minus {
            let minus = minus.ascii()?;
            all = Ascii { bits: all.bits & !minus.bits, rest: all.rest && !minus.rest };
        }
        Some(all)
    }
}
