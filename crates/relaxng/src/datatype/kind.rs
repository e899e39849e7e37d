//! Table of types: both libraries, the form of their texts, and names for people.

use super::lexical;
use super::moment::Fields;
use super::param::TypeError;
use super::space::Space;
use diagnostics::{closest, excerpt};

/// The URI of the library of XML Schema's types.
const XSD: &str = "http://www.w3.org/2001/XMLSchema-datatypes";

/// A type of a library.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    /// Name of the type.
    pub(super) name: &'static str,
    /// Treatment of white space.
    pub(super) space: Space,
    /// Form of its texts.
    pub(super) shape: Shape,
    /// Name for people, with its article.
    pub(super) words: &'static str,
}

/// Form of a type's texts and values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// The text is the value, where the function allows it.
    Text(fn(&str) -> bool),
    /// Words; each of them as the function says.
    List(fn(&str) -> bool),
    /// Truth values: true, false, 1, 0.
    Boolean,
    /// Any decimal number.
    Decimal,
    /// A whole number between these.
    Integer(Option<&'static str>, Option<&'static str>),
    /// A floating point number; of 32 bits if so said, else of 64.
    Real {
        /// Whether the type is `float`.
        single: bool,
    },
    /// A date, a time, or parts of them.
    Moment(Fields),
    /// A length of time.
    Duration,
    /// Bytes in hexadecimal.
    Hex,
    /// Bytes in base 64.
    Base64,
    /// A name with a prefix, whose namespace is the value.
    Name,
}

impl Kind {
    /// The type with this name in the library with this URI.
    pub(super) fn find(library: &str, name: &str) -> Result<&'static Self, TypeError> {
        let types: &[Self] = match library {
            "" => &BUILT_IN,
            XSD => &SCHEMA,
            _ => return Err(unknown_library(library)),
        };
        if let Some(found) = types.iter().find(|kind| kind.name == name) {
            return Ok(found);
        }
        let summary = match library {
            "" => format!("RELAX NG itself has no datatype {}", excerpt(name)),
            _ => format!("XML Schema has no datatype {}", excerpt(name)),
        };
        let elsewhere = library.is_empty() && SCHEMA.iter().any(|kind| kind.name == name);
        let hint = match closest(name, types.iter().map(|kind| kind.name)) {
            _ if elsewhere => Some(format!("it is one of XML Schema's: datatypeLibrary=\"{XSD}\"")),
            Some(near) => Some(format!("did you mean {near}?")),
            None if library.is_empty() => Some("there are only string and token".to_owned()),
            None => None,
        };
        Err(TypeError { summary, hint, span: None })
    }

    /// The URI of its library.
    pub(super) fn library(&self) -> &'static str {
        if self.is_built_in() { "" } else { XSD }
    }

    /// Whether the type is one of RELAX NG's own, which take no params.
    pub(super) fn is_built_in(&self) -> bool {
        BUILT_IN.iter().any(|kind| std::ptr::eq(kind, self))
    }
}

fn unknown_library(library: &str) -> TypeError {
    let hint = match closest(library, [XSD, "http://www.w3.org/2001/XMLSchema"]) {
        Some(_) => format!("did you mean {XSD}?"),
        None => format!("known are {XSD} and none"),
    };
    TypeError {
        summary: format!("the datatype library {} is not known", excerpt(library)),
        hint: Some(hint),
        span: None,
    }
}

use Shape::{Base64, Boolean, Decimal, Duration, Hex, Integer, List, Moment, Name, Real, Text};
use Space::{Collapse, Preserve, Replace};

const fn kind(name: &'static str, space: Space, shape: Shape, words: &'static str) -> Kind {
    Kind { name, space, shape, words }
}

static BUILT_IN: [Kind; 2] = [
    kind("string", Preserve, Text(lexical::any), "a string"),
    kind("token", Collapse, Text(lexical::any), "a string"),
];

const WHOLE: &str = "a whole number";

#[rustfmt::skip]
pub(super) static SCHEMA: [Kind; 44] = [
    kind("string", Preserve, Text(lexical::any), "a string"),
    kind("normalizedString", Replace, Text(lexical::any), "a string"),
    kind("token", Collapse, Text(lexical::any), "a string"),
    kind("language", Collapse, Text(lexical::language), "a language, such as en or en-GB"),
    kind("Name", Collapse, Text(lexical::name), "an XML name"),
    kind("NCName", Collapse, Text(lexical::ncname), "an XML name without a colon"),
    kind("NMTOKEN", Collapse, Text(lexical::nmtoken), "a word of letters, digits and .-_:"),
    kind("NMTOKENS", Collapse, List(lexical::nmtoken), "a list of words of letters, digits and .-_:"),
    kind("ID", Collapse, Text(lexical::ncname), "an XML name without a colon"),
    kind("IDREF", Collapse, Text(lexical::ncname), "an XML name without a colon"),
    kind("IDREFS", Collapse, List(lexical::ncname), "a list of XML names without a colon"),
    // entities are declared by a DTD, and documents that have one are refused
    kind("ENTITY", Collapse, Text(lexical::none), "the name of an entity (there can be none without a DTD)"),
    kind("ENTITIES", Collapse, List(lexical::none), "names of entities (there can be none without a DTD)"),
    kind("QName", Collapse, Name, "an XML name whose prefix is declared"),
    kind("NOTATION", Collapse, Name, "an XML name whose prefix is declared"),
    kind("anyURI", Collapse, Text(lexical::uri), "a URI"),
    kind("boolean", Collapse, Boolean, "true or false"),
    kind("decimal", Collapse, Decimal, "a decimal number"),
    kind("integer", Collapse, Integer(None, None), WHOLE),
    kind("nonPositiveInteger", Collapse, Integer(None, Some("0")), WHOLE),
    kind("negativeInteger", Collapse, Integer(None, Some("-1")), WHOLE),
    kind("nonNegativeInteger", Collapse, Integer(Some("0"), None), WHOLE),
    kind("positiveInteger", Collapse, Integer(Some("1"), None), WHOLE),
    kind("long", Collapse, Integer(Some("-9223372036854775808"), Some("9223372036854775807")), WHOLE),
    kind("int", Collapse, Integer(Some("-2147483648"), Some("2147483647")), WHOLE),
    kind("short", Collapse, Integer(Some("-32768"), Some("32767")), WHOLE),
    kind("byte", Collapse, Integer(Some("-128"), Some("127")), WHOLE),
    kind("unsignedLong", Collapse, Integer(Some("0"), Some("18446744073709551615")), WHOLE),
    kind("unsignedInt", Collapse, Integer(Some("0"), Some("4294967295")), WHOLE),
    kind("unsignedShort", Collapse, Integer(Some("0"), Some("65535")), WHOLE),
    kind("unsignedByte", Collapse, Integer(Some("0"), Some("255")), WHOLE),
    kind("float", Collapse, Real { single: true }, "a number"),
    kind("double", Collapse, Real { single: false }, "a number"),
    kind("duration", Collapse, Duration, "a duration, such as P1DT12H"),
    kind("dateTime", Collapse, Moment(Fields::DateTime), "a date and time, such as 2031-05-17T08:30:00Z"),
    kind("date", Collapse, Moment(Fields::Date), "a date, such as 2031-05-17"),
    kind("time", Collapse, Moment(Fields::Time), "a time of day, such as 08:30:00"),
    kind("gYearMonth", Collapse, Moment(Fields::YearMonth), "a year and month, such as 2031-05"),
    kind("gYear", Collapse, Moment(Fields::Year), "a year, such as 2031"),
    kind("gMonthDay", Collapse, Moment(Fields::MonthDay), "a month and day, such as --05-17"),
    kind("gDay", Collapse, Moment(Fields::Day), "a day of the month, such as ---17"),
    kind("gMonth", Collapse, Moment(Fields::Month), "a month, such as --05"),
    kind("hexBinary", Collapse, Hex, "bytes in hexadecimal"),
    kind("base64Binary", Collapse, Base64, "bytes in base 64"),
];
