//! "Did you mean": the closest of a set of known words.

/// The candidate closest to `word`, if it is near enough to be a slip of the keyboard: at most a
/// third of the letters changed, inserted, dropped or swapped.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(word, candidates).map(|(_, found)| found)
}

/// Returns the nearest name with its distance, which is 0 if only the case or `-` and `_` differ.
pub fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<(usize, &'a str)> {
    let length = word.chars().count();
    let limit = (length / 3).max(1);
    let folded = fold(word);
    let mut best: Option<(usize, usize, usize, &str)> = None;
    for candidate in candidates {
        // at least as many letters are missing or superfluous, whatever the others are
        if candidate.chars().count().abs_diff(length) > limit {
            continue;
        }
        let near = distance(&folded, &fold(candidate));
        // all of a short word changed is another word
        if near > limit || near >= length || best.is_some_and(|(least, ..)| near > least) {
            continue;
        }
        let exact = distance(word, candidate);
        let found = (near, exact, candidate.len().abs_diff(word.len()), candidate);
        best = Some(best.map_or(found, |best| best.min(found)));
    }
    best.map(|(near, _, _, candidate)| (near, candidate))
}

fn fold(word: &str) -> String {
    let fold = |c: char| if c == '-' { '_' } else { c.to_ascii_lowercase() };
    word.chars().map(fold).collect()
}

/// Optimal string alignment distance; swapping two neighbours counts as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 8 || a.len() > 64 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &cb) in b.iter().enumerate() {
            let at = |r: &[usize], k: usize| r.get(k).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, j) + usize::from(ca != cb))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&cb) && b.get(j - 1) == Some(&ca);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = last;
        last = row;
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let words = ["memory", "name", "devices"];
        assert_eq!(closest("memroy", words), Some("memory"));
        assert_eq!(closest("nam", words), Some("name"));
        assert_eq!(closest("zebra", words), None);
        assert_eq!(closest("QCOW3", ["qcow", "qcow2"]), Some("qcow2"));
        assert_eq!(closest("a", ["b"]), None);
        assert_eq!(nearest("on-Crash", ["on_crash", "on_reboot"]), Some((0, "on_crash")));
    }
}
