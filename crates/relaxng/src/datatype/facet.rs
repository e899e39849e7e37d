//! Params of a datatype: checks beyond its type.

use super::kind::{Kind, Shape};
use super::number::Number;
use super::param::{Param, TypeError};
use super::regex::Pattern;
use super::space::collapse;
use super::value::Value;
use diagnostics::{closest, excerpt};
use std::cmp::Ordering;

/// The names of params.
pub(super) const KNOWN: [&str; 10] = [
    "length",
    "minLength",
    "maxLength",
    "pattern",
    "minInclusive",
    "minExclusive",
    "maxInclusive",
    "maxExclusive",
    "totalDigits",
    "fractionDigits",
];

/// Function that describes the needs of a type without params.
type Needs = fn(&'static Kind) -> String;

/// Restrictions by params.
#[derive(Clone, Debug, Default)]
pub(super) struct Facets {
    pub(super) patterns: Vec<Pattern>,
    pub(super) length: Option<usize>,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    /// `minInclusive` or `minExclusive`.
    pub(super) min: Option<Bound>,
    /// `maxInclusive` or `maxExclusive`.
    pub(super) max: Option<Bound>,
    pub(super) total_digits: Option<usize>,
    pub(super) fraction_digits: Option<usize>,
}

/// An end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// The value as the grammar has it, without white space around.
    pub(super) text: String,
    /// Whether the value itself is in the range.
    pub(super) inclusive: bool,
}

impl Facets {
    /// Reads the params of a type.
    pub(super) fn new(
        kind: &'static Kind,
        params: &[Param],
        needs: Needs,
    ) -> Result<Self, TypeError> {
        let mut facets = Self::default();
        for (at, param) in params.iter().enumerate() {
            let wrong = |summary: String, hint: Option<String>| TypeError {
                summary,
                hint,
                span: Some(param.span),
            };
            let again = params.iter().take(at).any(|before| before.name == param.name);
            if again && param.name != "pattern" {
                return Err(wrong(
                    format!("the param {} is given twice", excerpt(&param.name)),
                    Some("only pattern may be: all of them have to match".to_owned()),
                ));
            }
            applies(kind, &param.name).map_err(|(summary, hint)| wrong(summary, hint))?;
            facets.add(kind, param, needs).map_err(|(summary, hint)| wrong(summary, hint))?;
        }
        facets.agree(kind).map_err(|summary| TypeError {
            summary,
            hint: Some("no text could be valid".to_owned()),
            span: params.last().map(|param| param.span),
        })?;
        Ok(facets)
    }

    fn add(&mut self, kind: &'static Kind, param: &Param, needs: Needs) -> Result<(), Wrong> {
        let bound = |inclusive| bound(kind, param, inclusive, needs);
        let Param { name, value, .. } = param;
        match name.as_str() {
            "length" => self.length = Some(count(param, 0)?),
            "minLength" => self.min_length = Some(count(param, 0)?),
            "maxLength" => self.max_length = Some(count(param, 0)?),
            "totalDigits" => self.total_digits = Some(count(param, 1)?),
            "fractionDigits" => self.fraction_digits = Some(count(param, 0)?),
            "minInclusive" => set_bound(&mut self.min, bound(true)?)?,
            "minExclusive" => set_bound(&mut self.min, bound(false)?)?,
            "maxInclusive" => set_bound(&mut self.max, bound(true)?)?,
            "maxExclusive" => set_bound(&mut self.max, bound(false)?)?,
            _ => self.patterns.push(Pattern::new(value).map_err(|error| {
                let summary = format!("{} is no regular expression", quoted(value));
                (format!("{summary}: {}", error.what), error.hint)
            })?),
        }
        Ok(())
    }

    /// Finds params of which one leaves the other nothing.
    fn agree(&self, kind: &'static Kind) -> Result<(), String> {
        if let (Some(min), Some(max)) = (self.min_length, self.max_length)
            && min > max
        {
            return Err(format!("minLength is {min}, and maxLength only {max}"));
        }
        if let (Some(fraction), Some(total)) = (self.fraction_digits, self.total_digits)
            && fraction > total
        {
            return Err(format!("fractionDigits is {fraction}, and totalDigits only {total}"));
        }
        if let (Some(min), Some(max)) = (&self.min, &self.max) {
            let (low, high) = (min.value(kind), max.value(kind));
            let order = low.zip(high).and_then(|(low, high)| low.compare(&high));
            if order == Some(Ordering::Greater) {
                return Err(format!("the range from {} to {} is empty", min.text, max.text));
            }
        }
        Ok(())
    }

    /// Whether a text and the value that it has meet all of them.
    pub(super) fn allow(&self, kind: &'static Kind, text: &str, value: &Value<'_>) -> bool {
        self.allow_length_of(value)
            && self.allow_digits(value)
            && self.min.as_ref().is_none_or(|min| min.allows(kind, value, Ordering::Greater))
            && self.max.as_ref().is_none_or(|max| max.allows(kind, value, Ordering::Less))
            && self.patterns.iter().all(|pattern| pattern.is_match(text))
    }

    pub(super) fn allow_length_of(&self, value: &Value<'_>) -> bool {
        if self.length.is_none() && self.min_length.is_none() && self.max_length.is_none() {
            return true;
        }
        let Some(length) = value.length() else { return true };
        self.length.is_none_or(|wanted| length == wanted)
            && self.min_length.is_none_or(|min| length >= min)
            && self.max_length.is_none_or(|max| length <= max)
    }

    fn allow_digits(&self, value: &Value<'_>) -> bool {
        let Value::Number(number) = value else { return true };
        self.total_digits.is_none_or(|most| number.total_digits() <= most)
            && self.fraction_digits.is_none_or(|most| number.fraction_digits() <= most)
    }
}

impl Bound {
    /// Returns the value, which was checked.
    fn value(&self, kind: &'static Kind) -> Option<Value<'_>> {
        Value::parse(kind, &self.text, &())
    }

    /// Whether a value is on the side of it that `side` says.
    pub(super) fn allows(&self, kind: &'static Kind, value: &Value<'_>, side: Ordering) -> bool {
        let order = self.value(kind).and_then(|bound| value.compare(&bound));
        order.is_some_and(|order| order == side || (self.inclusive && order == Ordering::Equal))
    }
}

/// Summary of a fault, and a hint.
type Wrong = (String, Option<String>);

/// Whether the type has this param.
fn applies(kind: &'static Kind, name: &str) -> Result<(), Wrong> {
    let applies = match name {
        "pattern" => true,
        "length" | "minLength" | "maxLength" => {
            matches!(kind.shape, Shape::Text(_) | Shape::List(_) | Shape::Hex | Shape::Base64)
        }
        "minInclusive" | "minExclusive" | "maxInclusive" | "maxExclusive" => {
            matches!(
                kind.shape,
                Shape::Decimal
                    | Shape::Integer(..)
                    | Shape::Real { .. }
                    | Shape::Moment(_)
                    | Shape::Duration
            )
        }
        "totalDigits" | "fractionDigits" => {
            matches!(kind.shape, Shape::Decimal | Shape::Integer(..))
        }
        "enumeration" => {
            let hint = "write a <choice> of <value>s".to_owned();
            return Err(("RELAX NG has no param enumeration".to_owned(), Some(hint)));
        }
        "whiteSpace" => {
            let hint = "normalizedString replaces whitespace, token collapses it".to_owned();
            return Err(("RELAX NG has no param whiteSpace".to_owned(), Some(hint)));
        }
        _ => {
            let hint = closest(name, KNOWN).map(|near| format!("did you mean {near}?"));
            return Err((format!("there is no param {}", excerpt(name)), hint));
        }
    };
    if kind.is_built_in() {
        let hint = "XML Schema's type of the same name has params".to_owned();
        return Err((format!("RELAX NG's own {} takes no params", kind.name), Some(hint)));
    }
    if applies { Ok(()) } else { Err((format!("{} has no param {name}", kind.name), None)) }
}

/// A whole number from `min`; one too large for this machine is as good as the largest.
fn count(param: &Param, min: usize) -> Result<usize, Wrong> {
    let text = collapse(&param.value);
    let number = Number::parse_whole(&text).map(Number::canonical);
    let value = number.filter(|digits| !digits.starts_with('-'));
    let value = value.map(|digits| digits.parse().unwrap_or(usize::MAX));
    value.filter(|value| *value >= min).ok_or_else(|| {
        let summary = format!("{} of {} is no number", quoted(&param.value), param.name);
        (summary, Some(format!("a whole number from {min} is needed")))
    })
}

fn bound(
    kind: &'static Kind,
    param: &Param,
    inclusive: bool,
    needs: Needs,
) -> Result<Bound, Wrong> {
    let text = collapse(&param.value).into_owned();
    if Value::parse(kind, &text, &()).is_none() {
        let summary = format!("{} of {} is not of the type", quoted(&param.value), param.name);
        return Err((summary, Some(format!("{} needs {}", kind.name, needs(kind)))));
    }
    Ok(Bound { text, inclusive })
}

/// An end of a range is either in it or not.
fn set_bound(known: &mut Option<Bound>, bound: Bound) -> Result<(), Wrong> {
    match known.replace(bound) {
        None => Ok(()),
        Some(_) => Err(("a range has one end that is both in it and not".to_owned(), None)),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", excerpt(text))
}
