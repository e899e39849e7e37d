//! Oracle jing for datatypes: many of them in one grammar, one element each, so that the JVM starts once.

use crate::support::run;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Elements in one group: jing recurses over a group's members.
const TOGETHER: usize = 40;

/// Lines before the first element, in the grammar and in the document.
const HEAD: usize = 1;

pub(super) struct Jing(PathBuf);

impl Jing {
    pub(super) fn new(program: PathBuf) -> Self {
        Self(program)
    }

    /// Returns the indices of the patterns that it refuses.
    pub(super) fn refused(&self, patterns: &[String]) -> BTreeSet<usize> {
        self.errors(&grammar(patterns), "<x/>", "grammar.rng")
    }

    /// Returns the indices of the texts that are not valid against their patterns.
    pub(super) fn invalid(&self, pairs: &[(String, &String)]) -> BTreeSet<usize> {
        let patterns: Vec<_> = pairs.iter().map(|(pattern, _)| pattern.clone()).collect();
        let mut document = String::from("<rows xmlns:p=\"urn:p\" xmlns:q=\"urn:q\">\n");
        for (at, (_, text)) in pairs.iter().enumerate() {
            writeln!(document, "<r{at}>{}</r{at}>", escape(text)).unwrap();
        }
        document.push_str("</rows>");
        self.errors(&grammar(&patterns), &document, "document.xml")
    }

    /// The rows, by their lines, that it finds fault with in one of the files.
    fn errors(&self, grammar: &str, document: &str, file: &str) -> BTreeSet<usize> {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("grammar.rng"), grammar).unwrap();
        fs::write(path("document.xml"), document).unwrap();
        // -i: no checks of IDs, which would forbid the type in elements
        let mut command = Command::new(&self.0);
        command.arg("-i").args([path("grammar.rng"), path("document.xml")]);
        let ran = run(&mut command);
        let mut rows = BTreeSet::new();
        let ours = directory.path().to_string_lossy().into_owned();
        // a message may have several lines
        for line in ran.stdout().lines().filter(|line| line.starts_with(&ours)) {
            let place = line.split_once(file).and_then(|(_, rest)| rest.split(':').nth(1));
            match place.and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => rows.insert(number - HEAD - 1),
                None => panic!("{line}\n{}", ran.stderr()),
            };
        }
        assert!(ran.code() == 0 || !rows.is_empty(), "{ran}");
        rows
    }
}

/// A grammar with one element for each pattern, one a line.
fn grammar(patterns: &[String]) -> String {
    let mut out = String::from(
        "<element name=\"rows\" xmlns=\"http://relaxng.org/ns/structure/1.0\" xmlns:p=\"urn:p\" \
         xmlns:q=\"urn:q\" datatypeLibrary=\"http://www.w3.org/2001/XMLSchema-datatypes\"><group>\n",
    );
    for (at, pattern) in patterns.iter().enumerate() {
        let next = if at > 0 && at % TOGETHER == 0 { "</group><group>" } else { "" };
        writeln!(out, "{next}<element name=\"r{at}\">{pattern}</element>").unwrap();
    }
    out + "</group></element>"
}

/// Text for a document or a param: nothing of it breaks a line or is normalised.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' '..='~' if !"<&>".contains(c) => out.push(c),
            _ => write!(out, "&#{};", u32::from(c)).unwrap(),
        }
    }
    out
}
