//! Descriptions of expected values and of faults, for people.

use super::facet::{Bound, Facets};
use super::kind::{Kind, Shape};
use super::number::Number;
use super::value::Value;
use diagnostics::excerpt;
use std::cmp::Ordering;

/// Description of a datatype: for messages, and for other schema languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Text for a message: "a whole number from 0 to 255", "a string of at most 32 characters".
    pub words: String,
    /// Sort of the value.
    pub sort: Sort,
    /// The lowest value.
    pub min: Option<Limit>,
    /// The highest value.
    pub max: Option<Limit>,
    /// The least number of characters, bytes or words.
    pub min_length: Option<usize>,
    /// The greatest number of them.
    pub max_length: Option<usize>,
    /// The first regular expression, as the grammar has it.
    pub pattern: Option<String>,
    /// Patterns in ECMAScript's notation, anchored; those without an equivalent are left out.
    pub ecma_patterns: Vec<String>,
}

/// The sorts of values that JSON tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Truth value.
    Boolean,
    /// Any other text; its lengths count characters.
    String,
    /// Text whose lengths count bytes or words.
    Encoded,
}

/// An end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The value as text: it may be larger than any number of this machine.
    pub value: String,
    /// Whether the value itself is allowed.
    pub inclusive: bool,
}

/// Describes the values of a type without params.
pub(super) fn of(kind: &'static Kind) -> String {
    describe(kind, &Facets::default()).words
}

/// Describes the values of a type with params.
pub(super) fn describe(kind: &'static Kind, facets: &Facets) -> Description {
    let (low, high) = match kind.shape {
        Shape::Integer(low, high) => (low, high),
        _ => (None, None),
    };
    let min = limit(low, facets.min.as_ref());
    let max = limit(high, facets.max.as_ref());
    let min_length = facets.length.or(facets.min_length);
    let max_length = facets.length.or(facets.max_length);
    let mut words = kind.words.to_owned();
    words.push_str(&range(min.as_ref(), max.as_ref()));
    words.push_str(&lengths(kind, min_length, max_length));
    words.push_str(&digits(facets));
    let patterns: Vec<_> = facets.patterns.iter().map(|pattern| pattern.source()).collect();
    if !patterns.is_empty() {
        words.push_str(" matching ");
        words.push_str(&patterns.join(" and "));
    }
    Description {
        words,
        sort: sort(kind),
        min,
        max,
        min_length,
        max_length,
        pattern: patterns.first().map(|&source| source.to_owned()),
        ecma_patterns: facets.patterns.iter().filter_map(|pattern| pattern.ecma()).collect(),
    }
}

fn sort(kind: &Kind) -> Sort {
    match kind.shape {
        Shape::Integer(..) => Sort::Integer,
        Shape::Decimal | Shape::Real { .. } => Sort::Number,
        Shape::Boolean => Sort::Boolean,
        Shape::Hex | Shape::Base64 | Shape::List(_) => Sort::Encoded,
        Shape::Text(_) | Shape::Moment(_) | Shape::Duration | Shape::Name => Sort::String,
    }
}

/// The end that a param gives, else the type's own. A param's value is of the type, so it is the
/// narrower one.
fn limit(own: Option<&str>, bound: Option<&Bound>) -> Option<Limit> {
    let own = own.map(|value| Limit { value: value.to_owned(), inclusive: true });
    bound.map(|b| Limit { value: b.text.clone(), inclusive: b.inclusive }).or(own)
}

fn range(min: Option<&Limit>, max: Option<&Limit>) -> String {
    match (min, max) {
        (None, None) => String::new(),
        (Some(min), Some(max)) if min.inclusive && max.inclusive => {
            format!(" from {} to {}", min.value, max.value)
        }
        (Some(min), None) if min.inclusive => format!(" from {}", min.value),
        (Some(min), None) => format!(" above {}", min.value),
        (None, Some(max)) if max.inclusive => format!(" up to {}", max.value),
        (None, Some(max)) => format!(" below {}", max.value),
        (Some(min), Some(max)) => match (min.inclusive, max.inclusive) {
            (true, _) => format!(" from {} to below {}", min.value, max.value),
            (false, true) => format!(" above {} up to {}", min.value, max.value),
            (false, false) => format!(" above {} and below {}", min.value, max.value),
        },
    }
}

fn lengths(kind: &Kind, min: Option<usize>, max: Option<usize>) -> String {
    match (min.filter(|min| *min > 0), max) {
        (None, None) => String::new(),
        (Some(min), None) => format!(" of at least {}", counted(kind, min)),
        (None, Some(0)) => " of no length".to_owned(),
        (None, Some(max)) => format!(" of at most {}", counted(kind, max)),
        (Some(min), Some(max)) if min == max => format!(" of {}", counted(kind, max)),
        (Some(min), Some(max)) => format!(" of {min} to {}", counted(kind, max)),
    }
}

fn counted(kind: &Kind, count: usize) -> String {
    let unit = match kind.shape {
        Shape::List(_) => "word",
        Shape::Hex | Shape::Base64 => "byte",
        _ => "character",
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn digits(facets: &Facets) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let total = facets.total_digits.map(|n| format!("at most {n} digit{}", plural(n)));
    let places = facets.fraction_digits.map(|n| match n {
        0 => "no decimal places".to_owned(),
        n => format!("at most {n} decimal place{}", plural(n)),
    });
    match (total, places) {
        (None, None) => String::new(),
        (Some(only), None) | (None, Some(only)) => format!(" with {only}"),
        (Some(total), Some(places)) => format!(" with {total} and {places}"),
    }
}

/// Describes the fault of a text that is not allowed, where that adds to the description of the type. `seen`
/// is the text after the type's treatment of white space.
pub(super) fn why_not(kind: &'static Kind, facets: &Facets, seen: &str) -> Option<String> {
    if seen.is_empty() {
        return Some("it is empty".to_owned());
    }
    let Some(value) = Value::parse(kind, seen, &()) else { return out_of_type(kind, facets, seen) };
    if let Some(beyond) = beyond(kind, facets, seen, &value) {
        return Some(beyond);
    }
    if !facets.allow_length_of(&value) {
        let length = value.length()?;
        return Some(format!("it has {}", counted(kind, length)));
    }
    facets.patterns.iter().find_map(|pattern| {
        let viable = pattern.viable(seen)?;
        // a fit of the first letters alone is chance, and the expectation says more
        (viable >= 2).then_some(())?;
        Some(match seen.chars().nth(viable) {
            None => "something is missing at its end".to_owned(),
            Some(c) if c.is_whitespace() => {
                format!("its {} character is whitespace", ordinal(viable + 1))
            }
            Some(c) => {
                let shown = excerpt(c.encode_utf8(&mut [0; 4]));
                format!("its {} character, \"{shown}\", does not fit", ordinal(viable + 1))
            }
        })
    })
}

/// A number that is only out of its type's range, or not whole.
fn out_of_type(kind: &'static Kind, facets: &Facets, seen: &str) -> Option<String> {
    let Shape::Integer(min, max) = kind.shape else { return None };
    let Some(value) = Number::parse_whole(seen) else {
        return Number::parse(seen).map(|_| format!("{} is not whole", excerpt(seen)));
    };
    // a param's bound is the narrower one
    let own =
        |bound: &Option<Bound>| bound.as_ref().filter(|b| b.inclusive).map(|b| b.text.clone());
    let min = own(&facets.min).or(min.map(str::to_owned));
    let max = own(&facets.max).or(max.map(str::to_owned));
    let past = |bound: Option<String>, order| {
        let bound = bound?;
        (value.compare(Number::parse(&bound)?) == order).then_some(bound)
    };
    let less = past(min, Ordering::Less).map(|min| format!("less than {min}"));
    let more = past(max, Ordering::Greater).map(|max| format!("more than {max}"));
    less.or(more).map(|how| format!("{} is {how}", excerpt(seen)))
}

fn beyond(kind: &'static Kind, facets: &Facets, seen: &str, value: &Value<'_>) -> Option<String> {
    let what = |low: bool| match (kind.shape, low) {
        (Shape::Moment(_), true) => "earlier",
        (Shape::Moment(_), false) => "later",
        (Shape::Duration, true) => "shorter",
        (Shape::Duration, false) => "longer",
        (_, true) => "less",
        (_, false) => "more",
    };
    let say = |bound: &Bound, low: bool| {
        let than = if bound.inclusive { "" } else { "not " };
        // "5 is not more than 5" for an exclusive end, "4 is less than 5" for an inclusive one
        let word = what(if bound.inclusive { low } else { !low });
        format!("{} is {than}{word} than {}", excerpt(seen), bound.text)
    };
    let low = facets.min.iter().find(|bound| !bound.allows(kind, value, Ordering::Greater));
    let high = facets.max.iter().find(|bound| !bound.allows(kind, value, Ordering::Less));
    low.map(|bound| say(bound, true)).or_else(|| high.map(|bound| say(bound, false)))
}

/// "1st", "2nd", "3rd", "4th".
fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (1, 11) | (2, 12) | (3, 13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}
