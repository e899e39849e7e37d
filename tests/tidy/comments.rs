//! First lines of doc comments: a verb or a noun phrase that stands without the item's name.

use super::texts::says;
use std::path::PathBuf;

/// Beginnings with a pronoun for a subject, or a clause in the place of a noun.
const BEGINNINGS: [&str; 14] = [
    "All that ",
    "It ",
    "Nobody ",
    "One that ",
    "Somebody ",
    "That ",
    "The one that ",
    "They ",
    "Those that ",
    "We ",
    "What ",
    "Who ",
    "Whoever ",
    "Whose ",
];

/// Words that a first line does without, wherever they stand.
const WORDS: [&str; 5] = ["told", "so many", "come to", "comes to", "came to"];

/// Returns the place and the reason of each such line.
pub(crate) fn wrong(sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in sources {
        for (line, why) in faults(text) {
            wrong.push(format!("{}:{line}: a first line with \"{why}\"", path.display()));
        }
    }
    wrong
}

/// First lines that begin or speak wrongly, each with the words.
fn faults(text: &str) -> Vec<(usize, &'static str)> {
    let (mut found, mut before) = (Vec::new(), "");
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let mark = ["///", "//!"].into_iter().find(|mark| line.starts_with(mark));
        let is_first = mark.is_some_and(|mark| !before.starts_with(mark));
        before = line;
        if !is_first {
            continue;
        }
        let said = line.get(3..).unwrap_or_default().trim_start();
        let begins = BEGINNINGS.into_iter().find(|beginning| said.starts_with(beginning));
        let word = WORDS.into_iter().find(|word| says(said, word));
        found.extend(begins.or(word).map(|why| (number + 1, why)));
    }
    found
}

/// Checks that first lines are found, and no others.
pub(crate) fn check() {
    let text =
        "//! What it is.\n\n/// Good.\n/// What follows.\nfn a();\n    /// A host that is told.\n";
    assert_eq!(faults(text), [(1, "What "), (6, "told")]);
}
