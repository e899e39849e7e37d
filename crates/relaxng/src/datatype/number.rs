//! Decimal numbers of any length, as digits: no number is too large to be compared.

use std::cmp::Ordering;

/// A decimal number; its parts are pieces of the text it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<'a> {
    negative: bool,
    /// Digits before the point, without leading zeros.
    whole: &'a str,
    /// Digits after it, without trailing zeros.
    fraction: &'a str,
    /// Whether the text has a point: a whole number has none.
    point: bool,
}

impl<'a> Number<'a> {
    /// Reads a decimal number: a sign, digits, a point and digits, of which one digit is needed.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction, point) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, fraction, true),
            None => (digits, "", false),
        };
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction)
        {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: text.starts_with('-') && !zero, whole, fraction, point })
    }

    /// Reads a whole number.
    pub(super) fn parse_whole(text: &'a str) -> Option<Self> {
        Self::parse(text).filter(|number| !number.point)
    }

    /// The order of the values.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_size(other),
            (true, true) => other.compare_size(self),
        }
    }

    /// Compares sizes: without leading zeros before the point, a longer number is larger; without trailing
    /// zeros behind it, the order is the alphabet's.
    fn compare_size(self, other: Self) -> Ordering {
        (self.whole.len().cmp(&other.whole.len()))
            .then_with(|| self.whole.cmp(other.whole))
            .then_with(|| self.fraction.cmp(other.fraction))
    }

    /// Returns the number of decimal places that the value needs.
    pub(super) fn fraction_digits(self) -> usize {
        self.fraction.len()
    }

    /// Returns the number of digits that the value needs; decimal places count though they may be zeros, as
    /// in 0.05.
    pub(super) fn total_digits(self) -> usize {
        match self.whole.len() {
            0 => self.fraction.len(),
            whole => whole + self.fraction.len(),
        }
    }

    /// One text for one value.
    pub(super) fn canonical(self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { self.whole };
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{}", self.fraction)
    }
}

/// Reads a number of `float` or `double`: a mantissa, perhaps an exponent; or INF, -INF, NaN.
pub(super) fn parse_real(text: &str, single: bool) -> Option<f64> {
    let known = match text {
        "INF" => Some(f64::INFINITY),
        "-INF" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => None,
    };
    if known.is_some() {
        return known;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    Number::parse(mantissa)?;
    if let Some(exponent) = exponent {
        Number::parse_whole(exponent)?;
    }
    let value = match single {
        true => f64::from(text.parse::<f32>().ok()?),
        false => text.parse().ok()?,
    };
    // one zero
    Some(if value == 0.0 { 0.0 } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(a: &str, b: &str) -> Ordering {
        let read = |text| Number::parse(text).expect("a number");
        read(a).compare(read(b))
    }

    #[test]
    fn compares_by_digits() {
        let ascending = [
            "-100000000000000000000",
            "-10",
            "-9.5",
            "-9.05",
            "-0",
            "0.05",
            ".5",
            "9",
            "10.",
            "11",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare("-0.0", "+00"), Ordering::Equal);
        assert_eq!(compare("1.10", "01.1"), Ordering::Equal);
    }

    #[test]
    fn reads_what_rust_reads_otherwise() {
        for text in ["inf", "infinity", "nan", "+INF", "1f", "0x1", "1e", "e1", "1e1.5", ""] {
            assert_eq!(parse_real(text, false), None, "{text}");
        }
        assert_eq!(parse_real("1.e2", true), Some(100.0));
        assert_eq!(parse_real("1e400", false), Some(f64::INFINITY));
    }
}
