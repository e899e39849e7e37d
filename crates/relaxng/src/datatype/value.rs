//! Values of texts by their types, to be compared, ordered and measured.

use super::kind::{Kind, Shape};
use super::lexical;
use super::moment::{Duration, Moment};
use super::number::{Number, parse_real};
use super::space::words;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write;

/// Namespaces of prefixes at the place of a value: QName and NOTATION need them.
pub trait Context {
    /// The namespace of a prefix, or with `None` the default one. `None` for an undeclared prefix,
    /// and where there is no default.
    fn namespace(&self, prefix: Option<&str>) -> Option<&str>;
}

/// Context without declarations.
impl Context for () {
    fn namespace(&self, _: Option<&str>) -> Option<&str> {
        None
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// The text itself.
    Text(&'a str),
    /// Words, one blank between them.
    List(&'a str),
    Boolean(bool),
    Number(Number<'a>),
    Real(f64),
    Moment(Moment),
    Duration(Duration),
    Bytes(Vec<u8>),
    /// A namespace and a local name.
    Name(String, &'a str),
}

impl<'a> Value<'a> {
    /// Parses the value of `text`, whose white space was treated for the type; `None` if it is not of the
    /// type.
    pub(super) fn parse(kind: &Kind, text: &'a str, cx: &dyn Context) -> Option<Self> {
        match kind.shape {
            Shape::Text(allowed) => allowed(text).then_some(Self::Text(text)),
            Shape::List(allowed) => {
                (!text.is_empty() && words(text).all(allowed)).then_some(Self::List(text))
            }
            Shape::Boolean => match text {
                "true" | "1" => Some(Self::Boolean(true)),
                "false" | "0" => Some(Self::Boolean(false)),
                _ => None,
            },
            Shape::Decimal => Number::parse(text).map(Self::Number),
            Shape::Integer(min, max) => {
                let value = Number::parse_whole(text)?;
                let beyond = |bound: Option<&str>, order| {
                    bound.and_then(Number::parse).is_some_and(|b| value.compare(b) == order)
                };
                let inside = !beyond(min, Ordering::Less) && !beyond(max, Ordering::Greater);
                inside.then_some(Self::Number(value))
            }
            Shape::Real { single } => parse_real(text, single).map(Self::Real),
            Shape::Moment(fields) => Moment::parse(fields, text).map(Self::Moment),
            Shape::Duration => Duration::parse(text).map(Self::Duration),
            Shape::Hex => lexical::hex(text).map(Self::Bytes),
            Shape::Base64 => lexical::base64(text).map(Self::Bytes),
            Shape::Name => name(text, cx),
        }
    }

    /// The order of two values of one type, where it has one for them.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.compare(*b)),
            // NaN is as large as itself, and beside all others
            (Self::Real(a), Self::Real(b)) if a.is_nan() && b.is_nan() => Some(Ordering::Equal),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b),
            (Self::Moment(a), Self::Moment(b)) => a.compare(b),
            (Self::Duration(a), Self::Duration(b)) => a.compare(b),
            _ => None,
        }
    }

    /// Returns the length that `length` restricts, in characters, bytes or words.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.chars().count()),
            Self::List(text) => Some(words(text).count()),
            Self::Bytes(bytes) => Some(bytes.len()),
            _ => None,
        }
    }

    /// One text for one value of a type: equal values have equal keys.
    pub(super) fn key(&self) -> Cow<'a, str> {
        Cow::Owned(match self {
            Self::Text(text) | Self::List(text) => return Cow::Borrowed(text),
            Self::Boolean(value) => value.to_string(),
            Self::Number(number) => number.canonical(),
            Self::Real(value) => format!("{value:?}"),
            Self::Moment(moment) => moment.canonical(),
            Self::Duration(duration) => duration.canonical(),
            Self::Bytes(bytes) => bytes.iter().fold(String::new(), |mut out, byte| {
                // writing to a string does not fail
                let _ = write!(out, "{byte:02x}");
                out
            }),
            Self::Name(namespace, local) => format!("{{{namespace}}}{local}"),
        })
    }
}

fn name<'a>(text: &'a str, cx: &dyn Context) -> Option<Value<'a>> {
    let (prefix, local) = match text.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, text),
    };
    if !prefix.is_none_or(lexical::ncname) || !lexical::ncname(local) {
        return None;
    }
    let namespace = match prefix {
        Some("xml") => "http://www.w3.org/XML/1998/namespace",
        Some("xmlns") => return None,
        Some(prefix) => cx.namespace(Some(prefix))?,
        None => cx.namespace(None).unwrap_or(""),
    };
    Some(Value::Name(namespace.to_owned(), local))
}
