//! Parser of XML Schema's regular expressions. The regex crate can compile all that it accepts.

use super::blocks;
use super::error::PatternError;
use super::set::{Class, Escape, EscapeKind, Item, Set};
use std::iter::Peekable;
use std::str::Chars;

/// Deepest nesting of groups and subtracted classes.
const DEEPEST: usize = 50;

/// Most states, roughly, that the repetitions of a pattern may expand to; a hostile grammar could ask for
/// billions with `((a{1000}){1000}){1000}`.
const LARGEST: usize = 20_000;

/// Cost in states of a set that reaches beyond ASCII, and of one by Unicode's tables (`COST_TABLE`).
const COST_WIDE: usize = 8;
const COST_TABLE: usize = 200;

/// The general categories; `Cs` is not one of them, for surrogates are no characters.
const CATEGORIES: [&str; 36] = [
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc",
    "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Z", "Zs", "Zl", "Zp", "S", "Sm", "Sc", "Sk", "So", "C",
    "Cc", "Cf", "Co", "Cn",
];

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// One character of a set.
    Set(Set),
    /// One after the other; of none, the empty text.
    Sequence(Vec<Self>),
    /// One of them.
    Choice(Vec<Self>),
    /// Repetition.
    Repeat {
        /// Repeated part.
        node: Box<Self>,
        /// Least number of times.
        min: usize,
        /// Largest number of times.
        max: Option<usize>,
    },
}

type Parsed<T> = Result<T, PatternError>;

/// Reads a regular expression.
pub(super) fn parse(source: &str) -> Parsed<Node> {
    let mut reader = Reader { rest: source.chars().peekable(), depth: 0 };
    let (node, _) = reader.choice()?;
    match reader.rest.next() {
        None => Ok(node),
        Some(c) => Err(error(format!("\"{c}\" closes nothing"), Some(escape_it(c)))),
    }
}

fn error(what: impl Into<String>, hint: Option<String>) -> PatternError {
    PatternError { what: what.into(), hint }
}

fn escape_it(c: char) -> String {
    format!("the character itself is written \\{c}")
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

/// Reads the part of the grammar that each method is named after, and returns it with its cost.
impl Reader<'_> {
    fn choice(&mut self) -> Parsed<(Node, usize)> {
        let (first, mut cost) = self.sequence()?;
        let mut nodes = vec![first];
        while self.rest.next_if_eq(&'|').is_some() {
            let (node, more) = self.sequence()?;
            nodes.push(node);
            cost = checked(cost.saturating_add(more))?;
        }
        Ok(match nodes.pop() {
            Some(only) if nodes.is_empty() => (only, cost),
            last => (Node::Choice(nodes.into_iter().chain(last).collect()), cost),
        })
    }

    fn sequence(&mut self) -> Parsed<(Node, usize)> {
        let mut nodes = Vec::new();
        let mut cost: usize = 1;
        while self.rest.peek().is_some_and(|c| !matches!(c, '|' | ')')) {
            let (node, more) = self.piece()?;
            nodes.push(node);
            cost = checked(cost.saturating_add(more))?;
        }
        Ok(match nodes.pop() {
            Some(only) if nodes.is_empty() => (only, cost),
            last => (Node::Sequence(nodes.into_iter().chain(last).collect()), cost),
        })
    }

    fn piece(&mut self) -> Parsed<(Node, usize)> {
        let (node, cost) = self.atom()?;
        let Some((min, max)) = self.quantifier()? else { return Ok((node, cost)) };
        if let Some(c @ ('?' | '+' | '*' | '{')) = self.rest.peek() {
            let hint = match c {
                '?' => "XML Schema has no lazy quantifiers: leave out the \"?\"".to_owned(),
                c => format!("put what is repeated into brackets, or write \\{c}"),
            };
            return Err(error(format!("\"{c}\" follows a quantifier"), Some(hint)));
        }
        let times = max.unwrap_or(min).max(min).max(1);
        let cost = checked(cost.saturating_mul(times))?;
        Ok((Node::Repeat { node: Box::new(node), min, max }, cost))
    }

    fn quantifier(&mut self) -> Parsed<Option<(usize, Option<usize>)>> {
        let Some(c) = self.rest.next_if(|c| matches!(c, '?' | '*' | '+' | '{')) else {
            return Ok(None);
        };
        Ok(Some(match c {
            '?' => (0, Some(1)),
            '*' => (0, None),
            '+' => (1, None),
            _ => {
                let min = self.number()?;
                let max = match self.rest.next_if_eq(&',') {
                    None => Some(min),
                    Some(_) if self.rest.peek() == Some(&'}') => None,
                    Some(_) => Some(self.number()?),
                };
                if self.rest.next() != Some('}') {
                    return Err(error("a quantifier in braces is not closed", None));
                }
                if max.is_some_and(|max| max < min) {
                    return Err(error("a quantifier's maximum is below its minimum", None));
                }
                (min, max)
            }
        }))
    }

    fn number(&mut self) -> Parsed<usize> {
        let mut value: Option<usize> = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            let digit = usize::try_from(digit).unwrap_or(0);
            value = Some(value.unwrap_or(0).saturating_mul(10).saturating_add(digit));
        }
        value.ok_or_else(|| error("a quantifier has no number", Some(escape_it('{'))))
    }

    fn atom(&mut self) -> Parsed<(Node, usize)> {
        let set = match self.rest.next() {
            Some('(') => return self.group(),
            Some('[') => Set::Class(self.class()?),
            Some('\\') => match self.escape()? {
                Item::Range(c, _) => Set::Char(c),
                Item::Escape(escape) => Set::Escape(escape),
            },
            Some('.') => Set::Dot,
            Some(c @ ('?' | '*' | '+' | '{')) => {
                return Err(error(format!("\"{c}\" repeats nothing"), Some(escape_it(c))));
            }
            Some(c @ (']' | '}')) => {
                return Err(error(format!("\"{c}\" closes nothing"), Some(escape_it(c))));
            }
            Some(c) => Set::Char(c),
            None => return Err(error("it ends too early", None)),
        };
        let cost = match &set {
            Set::Char(_) => 1,
            _ if set.ascii().is_some() => COST_WIDE,
            _ => COST_TABLE,
        };
        Ok((Node::Set(set), cost))
    }

    fn group(&mut self) -> Parsed<(Node, usize)> {
        if self.rest.peek() == Some(&'?') {
            let hint = "XML Schema's groups have no options: plain brackets do not capture either";
            return Err(error("\"(?\" starts no group", Some(hint.to_owned())));
        }
        self.deeper()?;
        let inner = self.choice()?;
        self.depth -= 1;
        match self.rest.next() {
            Some(')') => Ok(inner),
            _ => Err(error("\"(\" is not closed", Some(escape_it('(')))),
        }
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        match self.depth > DEEPEST {
            true => Err(error(format!("it is nested more than {DEEPEST} deep"), None)),
            false => Ok(()),
        }
    }

    /// Reads a class, from behind the opening bracket.
    fn class(&mut self) -> Parsed<Class> {
        self.deeper()?;
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut class = Class { negated, items: Vec::new(), minus: None };
        loop {
            let item = match self.rest.next() {
                Some(']') if !class.items.is_empty() => break,
                Some('-') if self.rest.peek() == Some(&'[') && !class.items.is_empty() => {
                    self.rest.next();
                    class.minus = Some(Box::new(self.class()?));
                    match self.rest.next() {
                        Some(']') => break,
                        _ => {
                            let what = "a class continues after what is subtracted from it";
                            return Err(error(what, None));
                        }
                    }
                }
                Some(c) => self.member(c, class.items.is_empty())?,
                None => return Err(error("\"[\" is not closed", Some(escape_it('[')))),
            };
            class.items.push(item);
        }
        self.depth -= 1;
        Ok(class)
    }

    /// One member of a class, of which `c` has been read.
    fn member(&mut self, c: char, first: bool) -> Parsed<Item> {
        let from = match c {
            '\\' => match self.escape()? {
                Item::Range(c, _) => c,
                escape @ Item::Escape(_) => return self.no_range(escape),
            },
            // itself at either end of a class, by the second edition of XML Schema
            '-' if first || self.rest.peek() == Some(&']') => return Ok(Item::Range('-', '-')),
            '-' | '[' | ']' => {
                let what = format!("\"{c}\" stands in the middle of a class");
                return Err(error(what, Some(escape_it(c))));
            }
            c => c,
        };
        let mut ahead = self.rest.clone();
        // a hyphen before a bracket is the end, or what is subtracted
        if ahead.next() != Some('-') || matches!(ahead.peek(), None | Some('[' | ']')) {
            return Ok(Item::Range(from, from));
        }
        self.rest = ahead;
        let to = match self.rest.next() {
            Some('\\') => match self.escape()? {
                Item::Range(c, _) => c,
                Item::Escape(_) => return Err(range_of_classes()),
            },
            Some('-') => {
                return Err(error("a range ends in \"-\"", Some(escape_it('-'))));
            }
            Some(c) => c,
            None => return Err(error("\"[\" is not closed", Some(escape_it('[')))),
        };
        if to < from {
            return Err(error(format!("the range {from}-{to} is upside down"), None));
        }
        Ok(Item::Range(from, to))
    }

    /// A class escape is no end of a range.
    fn no_range(&self, item: Item) -> Parsed<Item> {
        let mut ahead = self.rest.clone();
        let range = ahead.next() == Some('-') && !matches!(ahead.peek(), None | Some('[' | ']'));
        if range { Err(range_of_classes()) } else { Ok(item) }
    }

    /// Reads an escape, from behind the backslash.
    fn escape(&mut self) -> Parsed<Item> {
        let Some(c) = self.rest.next() else {
            return Err(error("it ends in a backslash", Some(escape_it('\\'))));
        };
        let single = match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '\\' | '|' | '.' | '?' | '*' | '+' | '(' | ')' | '{' | '}' | '-' | '[' | ']' | '^' => c,
            _ => return self.class_escape(c).map(Item::Escape),
        };
        Ok(Item::Range(single, single))
    }

    fn class_escape(&mut self, c: char) -> Parsed<Escape> {
        let negated = c.is_ascii_uppercase();
        let kind = match c.to_ascii_lowercase() {
            's' => EscapeKind::Space,
            'd' => EscapeKind::Digit,
            'w' => EscapeKind::Word,
            'i' => EscapeKind::NameStart,
            'c' => EscapeKind::NameChar,
            'p' => self.property()?,
            '0'..='9' => {
                let hint = "XML Schema has no back-references".to_owned();
                return Err(error(format!("\\{c} is no escape"), Some(hint)));
            }
            _ => {
                let itself = (!c.is_alphanumeric())
                    .then(|| format!("\"{c}\" stands for itself without a backslash"));
                return Err(error(format!("\\{c} is no escape"), itself));
            }
        };
        Ok(Escape { negated, kind })
    }

    /// Reads a property, from behind `\p`.
    fn property(&mut self) -> Parsed<EscapeKind> {
        if self.rest.next() != Some('{') {
            return Err(error("\\p is not followed by a name in braces", None));
        }
        let mut name = String::new();
        loop {
            match self.rest.next() {
                Some('}') => break,
                Some(c) => name.push(c),
                None => return Err(error("\\p{ is not closed", None)),
            }
        }
        if let Some(block) = name.strip_prefix("Is") {
            return blocks::find(block).map(EscapeKind::Block);
        }
        let known = CATEGORIES.iter().find(|known| **known == name);
        let hint = "a category is \"L\", \"Lu\", \"Nd\", …; a block starts with \"Is\"";
        known
            .map(|name| EscapeKind::Category(name))
            .ok_or_else(|| error(format!("\\p{{{name}}} is not known"), Some(hint.to_owned())))
    }
}

fn range_of_classes() -> PatternError {
    error("a range has a class at its end", Some(escape_it('-')))
}

fn checked(cost: usize) -> Parsed<usize> {
    match cost > LARGEST {
        true => Err(error("its repetitions multiply beyond the limit", None)),
        false => Ok(cost),
    }
}
