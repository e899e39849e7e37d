//! Sets of small numbers as libvirt writes them: `0-2,5,^1`, for processors and nodes.

use std::collections::BTreeSet;

/// Largest number that a set may hold: libvirt's own bound for processors and nodes.
const MAX: u32 = 16_384;

/// Parses the members of a set written as `0-2,5,^1`; `None` if it is malformed.
pub(crate) fn number_set(text: &str) -> Option<BTreeSet<u32>> {
    let mut members = BTreeSet::new();
    for piece in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (piece, remove) = match piece.strip_prefix('^') {
            Some(rest) => (rest, true),
            None => (piece, false),
        };
        let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last > MAX {
            return None;
        }
        for n in first..=last {
            if remove {
                members.remove(&n);
            } else {
                members.insert(n);
            }
        }
    }
    Some(members)
}

/// The set in as few words as it takes: `0-2,5`.
pub(crate) fn written_set(members: &BTreeSet<u32>) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut members = members.iter().copied().peekable();
    while let Some(first) = members.next() {
        let mut last = first;
        while let Some(next) = members.next_if(|n| Some(*n) == last.checked_add(1)) {
            last = next;
        }
        words.push(if first == last { first.to_string() } else { format!("{first}-{last}") });
    }
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written() {
        for (text, plain) in [
            ("0-2,^1", Some("0,2")),
            (" 3 , 1-2", Some("1-3")),
            ("5,0-1", Some("0-1,5")),
            ("", Some("")),
            ("0-4294967295", None),
            ("a", None),
            ("1-", None),
        ] {
            let written = number_set(text).map(|set| written_set(&set));
            assert_eq!(written.as_deref(), plain, "{text}");
        }
    }
}
