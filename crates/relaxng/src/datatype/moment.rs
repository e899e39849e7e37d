//! Dates and times: which fields a type has, whether the day exists, and which is earlier.

use std::cmp::Ordering;

/// Fields of a date and time that a type's text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fields {
    /// `dateTime`
    DateTime,
    /// `date`
    Date,
    /// `time`
    Time,
    /// `gYearMonth`
    YearMonth,
    /// `gYear`
    Year,
    /// `gMonthDay`
    MonthDay,
    /// `gDay`
    Day,
    /// `gMonth`
    Month,
}

/// Years are as long as one likes; beyond this they count as this, which leaves room to reckon in
/// seconds.
const FARTHEST: i128 = 1_000_000_000_000_000_000_000_000_000;

const DAY: i128 = 86_400;

/// Largest difference, in seconds, between a time without a zone and the same time in UTC.
const ZONES: i128 = 14 * 3_600;

/// Moment: the start of the time that the text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Seconds since the year 0, in UTC if there is a zone.
    seconds: i128,
    /// Digits after the point, without trailing zeros.
    fraction: String,
    /// Whether the text says in which zone.
    zoned: bool,
}

impl Moment {
    /// Reads the fields in their order; those that a type lacks are taken from a leap year's start.
    pub(super) fn parse(fields: Fields, text: &str) -> Option<Self> {
        use Fields::{Date, DateTime, Day, Month, MonthDay, Time, Year, YearMonth};
        let mut rest = Reader { rest: text };
        let mut year = 2000;
        let mut month = 1;
        let mut day = 1;
        if matches!(fields, DateTime | Date | YearMonth | Year) {
            year = rest.year()?;
        }
        match fields {
            DateTime | Date | YearMonth => rest.skip("-")?,
            MonthDay | Month => rest.skip("--")?,
            Day => rest.skip("---")?,
            Time | Year => {}
        }
        if matches!(fields, DateTime | Date | YearMonth | MonthDay | Month) {
            month = rest.two(1, 12)?;
        }
        if matches!(fields, DateTime | Date | MonthDay) {
            rest.skip("-")?;
        }
        if matches!(fields, DateTime | Date | MonthDay | Day) {
            day = rest.two(1, days_in(year, month))?;
        }
        if fields == DateTime {
            rest.skip("T")?;
        }
        let (mut seconds, fraction) = match fields {
            DateTime | Time => rest.time()?,
            _ => (0, String::new()),
        };
        if fields == Time {
            // the end of a day is the start of each
            seconds %= DAY;
        }
        let zone = rest.zone()?;
        let seconds = day_number(year, month, day) * DAY + seconds - zone.unwrap_or(0);
        Some(Self { seconds, fraction, zoned: zone.is_some() })
    }

    /// The order, where there is one: with a zone and without may be too close to tell.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        let with = |seconds| (seconds, &self.fraction);
        let theirs = (other.seconds, &other.fraction);
        if self.zoned == other.zoned {
            return Some(with(self.seconds).cmp(&theirs));
        }
        let earliest = with(self.seconds - ZONES).cmp(&theirs);
        let latest = with(self.seconds + ZONES).cmp(&theirs);
        (earliest == latest).then_some(earliest)
    }

    /// One text for one value.
    pub(super) fn canonical(&self) -> String {
        let zone = if self.zoned { "Z" } else { "" };
        format!("{}.{}{zone}", self.seconds, self.fraction)
    }
}

/// The number of a day; year 0 is the one before year 1.
fn day_number(year: i128, month: i128, day: i128) -> i128 {
    // years start in March here, so that the leap day is their last
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * month + 2) / 5 + day
}

fn days_in(year: i128, month: i128) -> i128 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, what: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }

    fn digits(&mut self) -> &'a str {
        let end = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(end).unwrap_or(("", self.rest));
        self.rest = rest;
        digits
    }

    /// Four digits or more; no zeros before more than four, and no year 0.
    fn year(&mut self) -> Option<i128> {
        let negative = self.skip("-").is_some();
        let digits = self.digits();
        if digits.len() < 4 || (digits.len() > 4 && digits.starts_with('0')) || digits == "0000" {
            return None;
        }
        let year = digits.parse().unwrap_or(FARTHEST).min(FARTHEST);
        Some(if negative { 1 - year } else { year })
    }

    fn two(&mut self, min: i128, max: i128) -> Option<i128> {
        let (digits, rest) = self.rest.split_at_checked(2)?;
        let value = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
        self.rest = rest;
        (min <= value && value <= max).then_some(value)
    }

    /// Seconds of the day, and the digits behind them. 24:00:00 is the day's end.
    fn time(&mut self) -> Option<(i128, String)> {
        let hour = self.two(0, 24)?;
        self.skip(":")?;
        let minute = self.two(0, 59)?;
        self.skip(":")?;
        let second = self.two(0, 59)?;
        let mut fraction = "";
        if self.skip(".").is_some() {
            fraction = Some(self.digits()).filter(|digits| !digits.is_empty())?;
        }
        let seconds = hour * 3_600 + minute * 60 + second;
        let fraction = fraction.trim_end_matches('0');
        let over = seconds > DAY || (seconds == DAY && !fraction.is_empty());
        (!over).then(|| (seconds, fraction.to_owned()))
    }

    /// Reads the zone at the end: nothing, `Z`, or hours and minutes; returns seconds.
    fn zone(&mut self) -> Option<Option<i128>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let sign = match self.skip("Z") {
            Some(()) => 0,
            None if self.skip("-").is_some() => -1,
            None => self.skip("+").map(|()| 1)?,
        };
        let mut seconds = 0;
        if sign != 0 {
            let hours = self.two(0, 14)?;
            self.skip(":")?;
            seconds = hours * 3_600 + self.two(0, 59)? * 60;
        }
        (self.rest.is_empty() && seconds <= ZONES).then_some(Some(sign * seconds))
    }
}

/// A length of time: months and seconds, which no number converts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Duration {
    months: i128,
    seconds: i128,
    /// Digits after the point, without trailing zeros.
    fraction: String,
    negative: bool,
}

impl Duration {
    /// Reads `P1Y2M3DT4H5M6.7S`: at least one of the fields, and at least one behind a `T`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = Reader { rest: text };
        let negative = rest.skip("-").is_some();
        rest.skip("P")?;
        let mut fields = [0; 6];
        let mut fraction = String::new();
        let mut time = false;
        // fields come in this order, each at most once
        let mut next = 0;
        while !rest.rest.is_empty() {
            if !time && rest.skip("T").is_some() {
                (time, next) = (true, 3);
                // a field must follow
                (!rest.rest.is_empty()).then_some(())?;
            }
            let digits = rest.digits();
            let mut places = None;
            if time && rest.skip(".").is_some() {
                places = Some(rest.digits());
            }
            let letters: &[&str] = if time { &["H", "M", "S"] } else { &["Y", "M", "D"] };
            let at = letters.iter().position(|letter| rest.skip(letter).is_some())?;
            let at = if time { at + 3 } else { at };
            if at < next || digits.is_empty() || places == Some("") {
                return None;
            }
            if let Some(places) = places {
                (at == 5).then_some(())?;
                places.trim_end_matches('0').clone_into(&mut fraction);
            }
            *fields.get_mut(at)? = digits.parse().unwrap_or(FARTHEST).min(FARTHEST);
            next = at + 1;
        }
        let [years, months, days, hours, minutes, seconds] = fields;
        let zero = fields == [0; 6] && fraction.is_empty();
        (next > 0).then_some(Self {
            months: years * 12 + months,
            seconds: days * DAY + hours * 3_600 + minutes * 60 + seconds,
            fraction,
            negative: negative && !zero,
        })
    }

    /// The order, where there is one: a month and 30 days have none. By definition that which the
    /// sums with four dates have in common.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        let mut orders = [(1696, 9), (1697, 2), (1903, 3), (1903, 7)]
            .map(|(year, month)| self.after(year, month).cmp(&other.after(year, month)))
            .into_iter();
        let first = orders.next()?;
        let same = orders.all(|order| order == first);
        // four equal sums are chance: four centuries have always the same number of days
        (same && (first != Ordering::Equal || self == other)).then_some(first)
    }

    /// The moment this long after the start of a month. A negative fraction is one below the next
    /// second, complemented.
    fn after(&self, year: i128, month: i128) -> (i128, String) {
        let sign = if self.negative { -1 } else { 1 };
        let months = year * 12 + month - 1 + sign * self.months;
        let day = day_number(months.div_euclid(12), months.rem_euclid(12) + 1, 1);
        let seconds = day * DAY + sign * self.seconds;
        if !self.negative || self.fraction.is_empty() {
            return (seconds, self.fraction.clone());
        }
        (seconds - 1, complement(&self.fraction))
    }

    /// One text for one value.
    pub(super) fn canonical(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}.{}.{}", self.months, self.seconds, self.fraction)
    }
}

/// The digits of one less the fraction; the last of them is not 0.
fn complement(fraction: &str) -> String {
    let last = fraction.len().saturating_sub(1);
    let digits = fraction.bytes().enumerate().map(|(at, digit)| match at == last {
        true => b'9' - digit + b'1',
        false => b'9' - digit + b'0',
    });
    digits.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_numbered_without_gaps() {
        let mut number = day_number(-401, 12, 31);
        for year in -400..=401 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    number += 1;
                    assert_eq!(day_number(year, month, day), number, "{year}-{month}-{day}");
                }
            }
        }
    }

    #[test]
    fn fractions_below_zero_are_in_order() {
        let ascending = ["-PT1S", "-PT0.9S", "-PT0.11S", "-PT0.1S", "PT0S", "PT0.1S", "PT0.11S"];
        let read: Vec<_> =
            ascending.iter().map(|text| Duration::parse(text).expect("a duration")).collect();
        for (i, a) in read.iter().enumerate() {
            for (j, b) in read.iter().enumerate() {
                assert_eq!(a.compare(b), Some(i.cmp(&j)), "{i} {j}");
            }
        }
    }
}
