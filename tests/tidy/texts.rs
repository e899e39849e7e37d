//! Texts that users read: string literals of the program, its help, and the documentation.

use super::circles::{letter_length, text_length};
use std::fs;
use std::path::{Path, PathBuf};

/// String literals of a file before its tests, each with its line and on one line.
pub(super) fn literals(text: &str) -> Vec<(usize, String)> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let (mut found, mut line, mut rest) = (Vec::new(), 1, text);
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let hashes = rest[word..].chars().take_while(|c| *c == '#').count();
        let is_raw = matches!(&rest[..word], "r" | "br") && rest[word + hashes..].starts_with('"');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if is_raw {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = word + hashes + 1;
            let end = rest[body..].find(&close).map_or(rest.len(), |n| body + n);
            found.push((line, rest[body..end].to_owned()));
            (end + close.len()).min(rest.len())
        } else if word > 0 {
            word
        } else if c == '"' {
            let length = text_length(rest);
            found.push((line, joined(&rest[1..length - 1])));
            length
        } else if c == '\'' {
            letter_length(rest)
        } else {
            c.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// A literal as it is printed, as far as its lines and spaces go.
fn joined(literal: &str) -> String {
    let mut lines = literal.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let text = lines.fold(first, |text, line| text + line.trim_start());
    text.replace("\\n", "\n")
}

/// README, the documents and the examples, each with its text.
pub(super) fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join("README.md"), root.join("docs"), root.join("examples")];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "md") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(root).unwrap().to_owned(), text));
        }
    }
    found.sort();
    found
}

/// Whether a text has a phrase, word by word, over the ends of lines too, in capitals or not.
pub(super) fn says(text: &str, phrase: &str) -> bool {
    let is_between = |c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '=' | '{' | '}');
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let phrase: Vec<&str> = phrase.split(' ').collect();
    words.windows(phrase.len()).any(|found| {
        let last = phrase.len() - 1;
        found.iter().zip(&phrase).enumerate().all(|(n, (word, wanted))| {
            // what stands around a phrase does not belong to it, and nothing stands inside
            let word = if n == 0 { word.trim_start_matches(is_between) } else { word };
            let word = if n == last { word.trim_end_matches(is_between) } else { word };
            word == *wanted
        })
    })
}

/// Checks that texts are found where they are, and phrases in them.
pub(super) fn check() {
    let code = "/// \"no\"\nfn a<'a>() { say(\"held \\\n         back\"); 'x'; '\"'; r#\"a \"b\"#; }\n\
                #[cfg(test)]\nmod tests { \"not this\" }";
    let found = [(2, "held back".to_owned()), (3, "a \"b".to_owned())];
    assert_eq!(literals(code), found);
    assert!(says("is (Held\nback), so", "held back") && says("**held back**", "held back"));
    assert!(!says("held, back", "held back") && !says("--sparse=anew", "anew"));
    assert!(!says("withheld back", "held back") && !says("held-back", "held back"));
}
