//! The hosts of a fleet: their names, patterns that choose among them, and sets of them.

use diagnostics::{closest, is_hazard};
use std::collections::HashMap;
use std::fmt;

/// Longest name of a host, in bytes: the limit of DNS.
const NAME_MAX: usize = 253;

/// Checks that `name` can name a host; the error is the reason why not. Patterns match names and shells take
/// them as words, so a name has none of their special characters.
///
/// # Errors
/// The reason.
pub fn check_host_name(name: &str) -> Result<(), &'static str> {
    // some that are not seen count as letters
    let plain = |c: char| c.is_alphanumeric() && !is_hazard(c) || matches!(c, '.' | '-' | '_');
    match name {
        "" => Err("it is empty"),
        n if n.len() > NAME_MAX => Err("it is longer than 253 bytes"),
        n if !n.starts_with(char::is_alphanumeric) => {
            Err("it does not start with a letter or digit")
        }
        n if !n.chars().all(plain) => {
            Err("it has characters other than letters, digits, '.', '-' and '_'")
        }
        _ => Ok(()),
    }
}

/// A pattern of host names: `*` stands for any characters, `?` for one, and a `!` before it takes
/// away what it matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    takes_away: bool,
    glob: String,
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it can match no host's name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (takes_away, glob) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '*' | '?');
        match glob {
            "" => Err("it is empty"),
            g if g.len() > NAME_MAX => Err("it is longer than 253 bytes"),
            g if !g.chars().all(part) => {
                Err("it has characters other than letters, digits, '.', '-', '_', '*' and '?'")
            }
            g => Ok(Self { takes_away, glob: g.to_owned() }),
        }
    }

    /// Whether the pattern, without its `!`, matches `name`.
    pub fn matches(&self, name: &str) -> bool {
        let (glob, name): (Vec<char>, Vec<char>) =
            (self.glob.chars().collect(), name.chars().collect());
        let (mut g, mut n) = (0, 0);
        // where to go on if what follows the last star does not fit
        let mut retry: Option<(usize, usize)> = None;
        while let Some(c) = name.get(n) {
            match glob.get(g) {
                Some('*') => {
                    retry = Some((g + 1, n));
                    g += 1;
                }
                Some(p) if *p == '?' || p == c => {
                    g += 1;
                    n += 1;
                }
                Some(_) | None => match retry {
                    Some((after, from)) => {
                        retry = Some((after, from + 1));
                        g = after;
                        n = from + 1;
                    }
                    None => return false,
                },
            }
        }
        glob.iter().skip(g).all(|p| *p == '*')
    }

    /// The name that it is, if it has no signs of a pattern.
    fn name(&self) -> Option<&str> {
        (!self.glob.contains(['*', '?'])).then_some(self.glob.as_str())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.takes_away { "!" } else { "" }, self.glob)
    }
}

/// The names of all hosts of a fleet, in order.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    names: Vec<String>,
    index: HashMap<String, usize>,
}

impl Roster {
    /// The roster of these names, which are distinct.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<String> = names.into_iter().collect();
        let index = names.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        Self { names, index }
    }

    /// Returns the number of hosts.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The hosts that `patterns` choose: those that one matches (all, if each takes away), less
    /// those that one with a `!` matches.
    ///
    /// # Errors
    /// For each pattern that matches no host, which one it is: such a one is a slip, and with a
    /// `!` one by which a host is changed that was meant to be left alone.
    pub fn choose(&self, patterns: &[HostPattern]) -> Result<BitSet, Vec<usize>> {
        let additive = patterns.iter().any(|p| !p.takes_away);
        let mut chosen = if additive { BitSet::default() } else { BitSet::full(self.len()) };
        let mut away = BitSet::default();
        let mut lost = Vec::new();
        for (i, pattern) in patterns.iter().enumerate() {
            let found = self.matching(pattern);
            if found.is_empty() {
                lost.push(i);
            }
            let into = if pattern.takes_away { &mut away } else { &mut chosen };
            into.union_with(&found);
        }
        chosen.subtract(&away);
        if lost.is_empty() { Ok(chosen) } else { Err(lost) }
    }

    fn matching(&self, pattern: &HostPattern) -> BitSet {
        match pattern.name() {
            // a name is looked up: a manifest for each of a thousand hosts is not a million matches
            Some(name) => self.index.get(name).copied().into_iter().collect(),
            None => (0..)
                .zip(&self.names)
                .filter(|(_, name)| pattern.matches(name))
                .map(|(i, _)| i)
                .collect(),
        }
    }

    /// Returns a hint for a pattern that matches no host.
    pub fn hint(&self, pattern: &HostPattern) -> String {
        let names = || self.names.iter().map(String::as_str);
        // the name below the signs of a pattern may be the one that was meant
        let plain: String = pattern.glob.chars().filter(|c| !matches!(c, '*' | '?')).collect();
        let meant = closest(&pattern.glob, names()).or_else(|| closest(&plain, names()));
        match (meant, self.names.as_slice()) {
            (Some(name), _) => format!("did you mean {name}?"),
            (None, []) => "no hosts are named".to_owned(),
            (None, names) => {
                let some: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
                let more = if names.len() > SHOWN { " and others" } else { "" };
                format!("the hosts are {}{more}", some.join(", "))
            }
        }
    }
}

/// Most hosts that a hint names.
const SHOWN: usize = 6;

/// A set of small numbers: places in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BitSet {
    /// The last word is never zero, so that equal sets are equal.
    words: Vec<u64>,
}

/// Bits in a word.
const WORD: usize = 64;

impl BitSet {
    /// All numbers below `n`.
    pub fn full(n: usize) -> Self {
        (0..n).collect()
    }

    /// Puts a number in.
    pub fn insert(&mut self, n: usize) {
        let at = n / WORD;
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        if let Some(word) = self.words.get_mut(at) {
            *word |= 1 << (n % WORD);
        }
    }

    /// Whether a number is in it.
    pub fn contains(&self, n: usize) -> bool {
        self.words.get(n / WORD).is_some_and(|word| word & (1 << (n % WORD)) != 0)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether both have a number in common.
    pub fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// Takes in all of another set.
    pub fn union_with(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a |= b;
        }
    }

    /// Takes away all of another set.
    pub fn subtract(&mut self, other: &Self) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= !b;
        }
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }

    /// The numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.words.len() * WORD).filter(|n| self.contains(*n))
    }
}

impl FromIterator<usize> for BitSet {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|n| set.insert(n));
        set
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn patterns(texts: &[&str]) -> Vec<HostPattern> {
        texts.iter().map(|t| HostPattern::parse(t).unwrap()).collect()
    }

    #[test]
    fn stars_and_question_marks() {
        for (glob, name, matches) in [
            ("kvm*", "kvm01", true),
            ("kvm*", "kvm", true),
            ("kvm*", "xen1", false),
            ("*", "anything", true),
            ("kvm?1", "kvm01", true),
            ("kvm?", "kvm", false),
            ("kvm?", "kvm01", false),
            ("*.lan", "a.lan.lan", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXcX", false),
            ("**", "", true),
            ("kvm01", "kvm01", true),
            ("kvm01", "KVM01", false),
            ("*ü?", "xüy", true),
        ] {
            let pattern = HostPattern::parse(glob).unwrap();
            assert_eq!(pattern.matches(name), matches, "{glob} {name}");
        }
        // no pattern takes longer than the product of the lengths
        let slow = HostPattern::parse(&"*a".repeat(100)).unwrap();
        assert!(!slow.matches(&"a".repeat(99)));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "!", "!!a", "a b", "a/b", "a,b", "[ab]", "a\n", &"a".repeat(254)] {
            assert!(HostPattern::parse(text).is_err(), "{text:?}");
        }
        for name in ["", "-a", ".a", "a*", "a?", "!a", "a b", "*", "a\u{3164}", "a\u{202e}"] {
            assert!(check_host_name(name).is_err(), "{name:?}");
        }
        assert_eq!(check_host_name("kvm-01.example.org"), Ok(()));
        assert_eq!(patterns(&["!kvm*"]).first().map(ToString::to_string), Some("!kvm*".to_owned()));
    }

    #[test]
    fn hosts_are_chosen_and_taken_away() {
        let roster = Roster::new(["db", "kvm01", "kvm02", "kvm03"].map(str::to_owned));
        let chosen = |texts: &[&str]| {
            roster.choose(&patterns(texts)).map(|set| set.iter().collect::<Vec<_>>())
        };
        assert_eq!(chosen(&[]), Ok(vec![0, 1, 2, 3]));
        assert_eq!(chosen(&["kvm*", "!kvm03"]), Ok(vec![1, 2]));
        assert_eq!(chosen(&["!kvm03", "kvm*"]), Ok(vec![1, 2]), "in any order");
        assert_eq!(chosen(&["!kvm*"]), Ok(vec![0]));
        assert_eq!(chosen(&["db", "kvm02"]), Ok(vec![0, 2]));
        assert_eq!(chosen(&["!*"]), Ok(vec![]));
        assert_eq!(chosen(&["db", "xen*", "!kmv03"]), Err(vec![1, 2]));
        let hint = |text: &str| roster.hint(&HostPattern::parse(text).unwrap());
        assert_eq!(hint("!kvm3"), "did you mean kvm03?");
        assert_eq!(hint("xen*"), "the hosts are db, kvm01, kvm02, kvm03");
    }

    #[test]
    fn sets_of_numbers() {
        let mut set: BitSet = [3, 64, 200].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 64, 200]);
        assert!(set.contains(64) && !set.contains(65) && !set.contains(9_999));
        set.subtract(&[200, 64].into_iter().collect());
        assert_eq!(set, [3].into_iter().collect());
        assert!(!set.intersects(&[4, 300].into_iter().collect()));
        set.subtract(&BitSet::full(10));
        assert!(set.is_empty());
        assert_eq!(set, BitSet::default());
    }
}
