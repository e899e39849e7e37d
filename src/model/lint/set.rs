//! Sets of small numbers: processors, NUMA nodes, I/O threads.

/// Highest number in a set that is looked at; libvirt's own sets end at 16,384 processors.
const MOST: u32 = 16_383;
const BITS: u32 = u64::BITS;

/// A set of numbers, one bit each: a document of many large sets must not take long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::model) struct NumberSet(Vec<u64>);

impl NumberSet {
    /// Reads a set such as `0-3,^2,8`. `None` if it is not one.
    pub(in crate::model) fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for piece in text.split(',').map(str::trim) {
            if let Some(out) = piece.strip_prefix('^') {
                let out = out.parse().ok()?;
                set.change(out, out, false)?;
                continue;
            }
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            set.change(first, last, true)?;
        }
        Some(set)
    }

    /// Puts the numbers from `first` to `last` in, or takes them out.
    fn change(&mut self, first: u32, last: u32, put: bool) -> Option<()> {
        if last < first || last > MOST {
            return None;
        }
        let (from, to) = (usize::try_from(first / BITS).ok()?, usize::try_from(last / BITS).ok()?);
        if self.0.len() <= to {
            self.0.resize(to + 1, 0);
        }
        for (n, word) in self.0.iter_mut().enumerate().take(to + 1).skip(from) {
            let low = if n == from { u64::MAX << (first % BITS) } else { u64::MAX };
            let high = if n == to { u64::MAX >> (BITS - 1 - last % BITS) } else { u64::MAX };
            if put {
                *word |= low & high;
            } else {
                *word &= !(low & high);
            }
        }
        Some(())
    }

    /// The highest number.
    pub(in crate::model) fn last(&self) -> Option<u32> {
        let (n, word) = self.0.iter().enumerate().rev().find(|(_, word)| **word != 0)?;
        Some(u32::try_from(n).ok()? * BITS + (BITS - 1 - word.leading_zeros()))
    }

    /// The lowest number that both have.
    pub(in crate::model) fn common(&self, other: &Self) -> Option<u32> {
        let both = self.0.iter().zip(&other.0).map(|(a, b)| a & b);
        let (n, word) = both.enumerate().find(|(_, word)| *word != 0)?;
        Some(u32::try_from(n).ok()? * BITS + word.trailing_zeros())
    }

    /// Adds all members of the other set.
    pub(in crate::model) fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Whether the other one has all of its numbers.
    pub(in crate::model) fn is_within(&self, other: &Self) -> bool {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        self.0.iter().zip(others).all(|(a, b)| a & !b == 0)
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            // no set that can be read has numbers beyond the highest
            let _ = set.change(number, number, true);
        }
        set
    }
}

/// The first of `sets` that shares a number with one before it, as its place in the list and that
/// of the other one.
pub(in crate::model) fn first_overlap(sets: &[NumberSet]) -> Option<(usize, usize)> {
    let mut all = NumberSet::default();
    for (n, set) in sets.iter().enumerate() {
        if let Some(number) = set.common(&all) {
            let one: NumberSet = [number].into_iter().collect();
            return Some((n, sets.iter().position(|s| one.is_within(s))?));
        }
        all.add(set);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;

    #[test]
    fn sets_as_libvirt_reads_them() {
        let set = |text: &str| NumberSet::parse(text);
        let of = |numbers: &[u32]| numbers.iter().copied().collect::<NumberSet>();
        assert_eq!(set("0-3,^2, 8"), Some(of(&[0, 1, 3, 8])));
        assert_eq!(set("60-130").unwrap(), of(&(60..=130).collect::<Vec<_>>()));
        assert_eq!(set("0-16383").unwrap().last(), Some(16_383));
        assert_eq!(set("5").unwrap().common(&set("0-63").unwrap()), Some(5));
        assert_eq!(set("64-70").unwrap().common(&set("0-63").unwrap()), None);
        assert!(set("64").unwrap().is_within(&set("1-64").unwrap()));
        assert!(!set("64").unwrap().is_within(&set("1-63").unwrap()));
        for bad in ["", "3-1", "a", "1,,2", "0-4294967295", "16384"] {
            assert_eq!(set(bad), None, "{bad}");
        }
        let sets = ["0-3", "8", "2-4,8"].map(|t| set(t).unwrap());
        assert_eq!(first_overlap(&sets), Some((2, 0)));
        assert_eq!(first_overlap(sets.get(..2).unwrap()), None);
    }
}
