//! Datatypes: RELAX NG's own two and XML Schema's, with their params, by text and by value.
//!
//! What a `<data>` is, is a [`Datatype`]; what a `<value>` is, a [`Constant`]. Both are checked when
//! a grammar is loaded, and then ask nothing but a text, and for QName what its prefix stands for.
//!
//! - `facet.rs`: params of a datatype: checks beyond its type
//! - `kind.rs`: the table of types
//! - `lexical.rs`: syntax of names, languages, URIs and bytes
//! - `moment.rs`: dates and times: which fields a type has, whether the day exists, and which is earlier
//! - `number.rs`: decimal numbers of any length, as digits: no number is too large to be compared
//! - `param.rs`: params of datatypes, and why a datatype with them cannot be
//! - `space.rs`: whitespace handling of datatypes
//! - `value.rs`: values of a type, compared, ordered and measured
//! - `words.rs`: expected values and mistakes, in words

mod facet;
mod kind;
mod lexical;
mod moment;
mod number;
mod param;
mod regex;
mod space;
mod value;
mod words;

pub use param::{Param, TypeError};
pub use space::collapse;
pub(super) use space::words;
pub use value::Context;
pub use words::{Description, Limit, Sort};

use diagnostics::excerpt;
use facet::Facets;
use kind::{Kind, Shape};
use space::Space;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use value::Value;

/// The datatype of a `<data>`, with its params. Cheap to clone; two are equal if type and params
/// are, wherever they stand.
#[derive(Clone, Debug)]
pub struct Datatype(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: &'static Kind,
    facets: Facets,
    /// Names and values of the params, in order, which identify it.
    params: Vec<(String, String)>,
}

impl Datatype {
    /// The type called `name` in the library with this URI, which is empty for RELAX NG's own.
    ///
    /// # Errors
    /// If there is no such library or type, or a param is unknown, not one of the type's, or wrong.
    pub fn new(library: &str, name: &str, params: &[Param]) -> Result<Self, TypeError> {
        let kind = Kind::find(library, name)?;
        let facets = Facets::new(kind, params, words::of)?;
        let params = params.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
        Ok(Self(Arc::new(Inner { kind, facets, params })))
    }

    /// Whether `text` is of the type.
    pub fn allows(&self, text: &str, cx: &dyn Context) -> bool {
        let Inner { kind, facets, .. } = &*self.0;
        let seen = kind.space.apply(text);
        Value::parse(kind, &seen, cx).is_some_and(|value| facets.allow(kind, &seen, &value))
    }

    /// Returns the arguments of [`Self::new`]: library, name and params.
    pub(super) fn written(&self) -> (&'static str, &'static str, &[(String, String)]) {
        (self.0.kind.library(), self.0.kind.name, &self.0.params)
    }

    /// Whether [`Self::allows`] depends on the namespaces of prefixes.
    pub fn is_context_dependent(&self) -> bool {
        matches!(self.0.kind.shape, Shape::Name)
    }

    /// Whether the empty text is of the type.
    pub fn accepts_empty(&self) -> bool {
        self.allows("", &())
    }

    /// Describes the allowed texts.
    pub fn describe(&self) -> Description {
        words::describe(self.0.kind, &self.0.facets)
    }

    /// Returns the specific fault of a text that is not of the type: a clause such as "its 13th character,
    /// "g", does not fit". `None` where [`Self::describe`] says as much.
    pub fn why_not(&self, text: &str) -> Option<String> {
        let Inner { kind, facets, .. } = &*self.0;
        if self.is_context_dependent() || self.allows(text, &()) {
            return None;
        }
        let collapsed = collapse(text);
        if kind.space != Space::Collapse && collapsed != text && self.allows(&collapsed, &()) {
            return Some("it has whitespace around it".to_owned());
        }
        words::why_not(kind, facets, &kind.space.apply(text))
    }
}

impl PartialEq for Datatype {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.kind, other.0.kind) && self.0.params == other.0.params
    }
}

impl Eq for Datatype {}

impl Hash for Datatype {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0.kind).hash(state);
        self.0.params.hash(state);
    }
}

/// The value of a `<value>`. Two are equal if their types are the same and their values equal.
#[derive(Clone, Debug)]
pub struct Constant {
    kind: &'static Kind,
    /// One text for one value.
    key: String,
    /// The text as the type sees it.
    text: String,
}

impl Constant {
    /// Parses the value of `text` by the type called `name`; `cx` has the namespaces of prefixes in the
    /// grammar.
    ///
    /// # Errors
    /// If there is no such library or type, or the text is not of the type.
    pub fn new(library: &str, name: &str, text: &str, cx: &dyn Context) -> Result<Self, TypeError> {
        let kind = Kind::find(library, name)?;
        let seen = kind.space.apply(text);
        let Some(value) = Value::parse(kind, &seen, cx) else {
            return Err(TypeError {
                summary: format!("\"{}\" is no value of {name}", excerpt(text)),
                hint: Some(format!("{name} needs {}", words::of(kind))),
                span: None,
            });
        };
        let key = value.key().into_owned();
        Ok(Self { kind, key, text: seen.into_owned() })
    }

    /// Whether `text` has the same value.
    pub fn matches(&self, text: &str, cx: &dyn Context) -> bool {
        let seen = self.kind.space.apply(text);
        Value::parse(self.kind, &seen, cx).is_some_and(|value| value.key() == self.key)
    }

    /// The collapsed text that all texts with this value have, and no others; `None` where equality
    /// is more than that.
    pub fn as_token(&self) -> Option<&str> {
        let plain = matches!(self.kind.shape, Shape::Text(_) | Shape::List(_));
        (plain && self.kind.space == Space::Collapse).then_some(&self.text)
    }

    /// Returns the arguments of [`Self::new`]: library, name and text.
    pub(super) fn written(&self) -> (&'static str, &'static str, &str) {
        (self.kind.library(), self.kind.name, &self.text)
    }

    /// Whether [`Self::matches`] depends on the namespaces of prefixes.
    pub fn is_context_dependent(&self) -> bool {
        matches!(self.kind.shape, Shape::Name)
    }

    /// The value as the grammar has it, for messages.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.kind, other.kind) && self.key == other.key
    }
}

impl Eq for Constant {}

impl Hash for Constant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.kind).hash(state);
        self.key.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::{SourceId, Span};
    use proptest::prelude::*;
    use proptest::sample::select;

    const XSD: &str = "http://www.w3.org/2001/XMLSchema-datatypes";

    fn data(name: &str, params: &[(&str, &str)]) -> Result<Datatype, TypeError> {
        let param = |(at, (name, value)): (usize, &(&str, &str))| Param {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            span: Span::new(SourceId::NONE, at, at),
        };
        Datatype::new(XSD, name, &params.iter().enumerate().map(param).collect::<Vec<_>>())
    }

    #[test]
    fn describes_in_words() {
        for (name, params, words) in [
            ("unsignedLong", &[][..], "a whole number from 0 to 18446744073709551615"),
            (
                "int",
                &[("minInclusive", "-1"), ("maxExclusive", "5")],
                "a whole number from -1 to below 5",
            ),
            ("int", &[("maxInclusive", "5")], "a whole number from -2147483648 to 5"),
            ("integer", &[], "a whole number"),
            ("positiveInteger", &[], "a whole number from 1"),
            (
                "string",
                &[("maxLength", "32"), ("pattern", "[0-9]+")],
                "a string of at most 32 characters matching [0-9]+",
            ),
            ("string", &[("length", "1")], "a string of 1 character"),
            (
                "hexBinary",
                &[("minLength", "1"), ("maxLength", "8")],
                "bytes in hexadecimal of 1 to 8 bytes",
            ),
            (
                "decimal",
                &[("totalDigits", "5"), ("fractionDigits", "0")],
                "a decimal number with at most 5 digits and no decimal places",
            ),
            ("double", &[("minExclusive", "0")], "a number above 0"),
            ("dateTime", &[], "a date and time, such as 2031-05-17T08:30:00Z"),
        ] {
            assert_eq!(data(name, params).expect(name).describe().words, words);
        }
    }

    #[test]
    fn says_why_not() {
        let mac = [("pattern", "([0-9a-f]{2}:){5}[0-9a-f]{2}")];
        for (name, params, text, why) in [
            (
                "unsignedLong",
                &[][..],
                "18446744073709551616",
                Some("18446744073709551616 is more than 18446744073709551615"),
            ),
            ("int", &[], " 1.5 ", Some("1.5 is not whole")),
            ("int", &[], "2GiB", None),
            ("int", &[], " ", Some("it is empty")),
            ("int", &[], "7", None),
            ("int", &[("maxInclusive", "5")], "6", Some("6 is more than 5")),
            ("int", &[("maxExclusive", "5")], "5", Some("5 is not less than 5")),
            (
                "date",
                &[("minInclusive", "2030-01-01")],
                "2029-12-31",
                Some("2029-12-31 is earlier than 2030-01-01"),
            ),
            ("string", &mac, "52:54:00:12:34:5g", Some("its 17th character, \"g\", does not fit")),
            ("string", &mac, "52:54:00:12:34:5", Some("something is missing at its end")),
            ("string", &mac, " 52:54:00:12:34:56", Some("it has whitespace around it")),
            ("string", &mac, "52 54", Some("its 3rd character is whitespace")),
            ("string", &[("maxLength", "3")], "abcd", Some("it has 4 characters")),
            (
                "string",
                &[("pattern", "[0-9]{1,3}")],
                "0123",
                Some("its 4th character, \"3\", does not fit"),
            ),
        ] {
            let found = data(name, params).expect(name).why_not(text);
            assert_eq!(found.as_deref(), why, "{name} {text}");
        }
    }

    #[test]
    fn says_why_there_is_no_such_type() {
        let new = |library, name| Datatype::new(library, name, &[]).expect_err(name);
        assert_eq!(new(XSD, "unsigndInt").hint.as_deref(), Some("did you mean unsignedInt?"));
        assert!(new("", "int").hint.is_some_and(|hint| hint.contains(XSD)));
        assert!(
            new("http://www.w3.org/2001/XMLSchema-datatype", "int").summary.contains("library")
        );
        for (name, params, summary) in [
            ("int", ("maxIncl", "5"), "there is no param maxIncl"),
            ("int", ("length", "5"), "int has no param length"),
            ("int", ("maxInclusive", "x"), "\"x\" of maxInclusive is not of the type"),
            ("string", ("maxLength", "-1"), "\"-1\" of maxLength is no number"),
            ("string", ("enumeration", "a"), "RELAX NG has no param enumeration"),
            (
                "string",
                ("pattern", "a**"),
                "\"a**\" is no regular expression: \"*\" follows a quantifier",
            ),
        ] {
            let error = data(name, &[params]).expect_err(name);
            assert_eq!(error.summary, summary);
            assert!(error.span.is_some());
        }
        let error = Constant::new(XSD, "int", "x", &()).expect_err("int");
        assert_eq!(
            error.hint.as_deref(),
            Some("int needs a whole number from -2147483648 to 2147483647")
        );
    }

    #[test]
    fn the_built_in_types_take_no_params() {
        let param = Param { name: "pattern".into(), value: "a".into(), span: Span::NONE };
        assert!(Datatype::new("", "string", &[param]).is_err());
        let token = Constant::new("", "token", " a  b ", &()).expect("token");
        assert_eq!((token.as_token(), token.text()), (Some("a b"), "a b"));
        assert!(token.matches("a\n b", &()) && !token.matches("ab", &()));
        let string = Constant::new("", "string", " a", &()).expect("string");
        assert!(
            string.as_token().is_none() && string.matches(" a", &()) && !string.matches("a", &())
        );
    }

    #[test]
    fn equal_values_are_one() {
        let new = |name, text| Constant::new(XSD, name, text, &()).expect("a value");
        assert_eq!(new("int", "01"), new("int", " +1 "));
        assert_ne!(new("int", "1"), new("long", "1"));
        assert_eq!(data("int", &[("minInclusive", "1")]), data("int", &[("minInclusive", "1")]));
        assert_ne!(data("int", &[("minInclusive", "1")]), data("int", &[("minInclusive", "2")]));
    }

    proptest! {
        #[test]
        fn nothing_panics(
            kind in select(&kind::SCHEMA[..]),
            name in select(&facet::KNOWN[..]),
            value in "[-+PTYMDHS:.eE0-9a Z]{0,12}",
            text in "[-+PTYMDHS:.eE0-9a Zé]{0,16}",
        ) {
            let kind = kind.name;
            for params in [&[][..], &[(name, value.as_str())]] {
                let Ok(datatype) = data(kind, params) else { continue };
                let allowed = datatype.allows(&text, &());
                prop_assert!(!allowed || datatype.why_not(&text).is_none());
                datatype.describe();
                if allowed {
                    let constant = Constant::new(XSD, kind, &text, &()).expect("a value");
                    prop_assert!(constant.matches(&text, &()));
                }
            }
        }
    }
}
