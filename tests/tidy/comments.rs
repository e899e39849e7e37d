//! First lines of doc comments: a verb or a noun phrase that stands without the item's name.

use super::texts::says;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

/// First lines that are still to be put right, by folder. Nothing is to be added, and what is better
/// than its number is to lower it.
const LEFT: [(&str, usize); 13] = [
    ("crates/diagnostics", 16),
    ("crates/libvirt-rpc", 11),
    ("crates/relaxng", 125),
    ("crates/xmltree", 12),
    ("src/controller", 81),
    ("src/drivers", 108),
    ("src/error.rs", 12),
    ("src/file", 12),
    ("src/grammars", 3),
    ("src/manifest", 60),
    ("src/model", 84),
    ("src/pki", 33),
    ("src/reconcile", 351),
];

/// Says which folder has more such lines than are left, and where.
pub(crate) fn wrong(sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources {
        for (line, why) in faults(text) {
            let at = format!("{}:{line}: a first line with \"{why}\"", path.display());
            found.entry(folder(path)).or_default().push(at);
        }
    }
    let left: BTreeMap<&str, usize> = LEFT.into_iter().collect();
    let is_over = |of: &String, lines: &[String]| {
        lines.len() > left.get(of.as_str()).copied().unwrap_or_default()
    };
    found
        .into_iter()
        .filter(|(of, lines)| is_over(of, lines))
        .flat_map(|(_, lines)| lines)
        .collect()
}

/// The folder that a file counts for: the second of its path.
fn folder(path: &Path) -> String {
    path.iter().take(2).collect::<PathBuf>().display().to_string()
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
