//! Judges of the same documents: our engine, jing and xmllint.

use super::material::accepts;
use super::programs::{jing, refused_by_jing, refused_by_xmllint, xmllint};
use crate::support::Needs;
use relaxng::{Automaton, Grammar};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Document, in a file and in memory.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Document {
    /// Writes a document into the directory.
    pub(super) fn write(directory: &Path, name: &str, text: String) -> Self {
        let path = directory.join(format!("{name}.xml"));
        fs::write(&path, &text).unwrap();
        Self { path, text }
    }
}

/// Documents refused by each judge.
#[derive(Debug)]
pub(super) struct Verdicts {
    pub(super) ours: BTreeSet<PathBuf>,
    pub(super) jing: BTreeSet<PathBuf>,
    pub(super) xmllint: BTreeSet<PathBuf>,
}

/// Whether jing and xmllint are there.
pub(super) fn judges() -> Needs {
    jing()?;
    xmllint().map(drop)
}

/// Runs all three judges at the same time; `grammar` is the content of the file.
pub(super) fn emit(file: &Path, grammar: Arc<Grammar>, documents: &[Document]) -> Verdicts {
    let paths: Vec<PathBuf> = documents.iter().map(|d| d.path.clone()).collect();
    std::thread::scope(|scope| {
        let jing = scope.spawn(|| refused_by_jing(file, &paths));
        let xmllint = scope.spawn(|| refused_by_xmllint(file, &paths));
        let ours = ours(grammar, documents);
        Verdicts { ours, jing: jing.join().unwrap(), xmllint: xmllint.join().unwrap() }
    })
}

/// Returns the documents that our engine refuses.
pub(super) fn ours(grammar: Arc<Grammar>, documents: &[Document]) -> BTreeSet<PathBuf> {
    let mut automaton = Automaton::new(grammar);
    let mut refused = documents.to_vec();
    refused.retain(|d| !accepts(&mut automaton, &d.path.display().to_string(), &d.text));
    refused.into_iter().map(|d| d.path).collect()
}

/// Lists the documents that one of the two refuses and the other does not, a line each.
pub(super) fn differences(
    (left, refused_left): (&str, &BTreeSet<PathBuf>),
    (right, refused_right): (&str, &BTreeSet<PathBuf>),
) -> Vec<String> {
    let only = |who: &str, a: &BTreeSet<PathBuf>, b: &BTreeSet<PathBuf>| -> Vec<String> {
        a.difference(b).map(|path| format!("{} only {who} refuses", path.display())).collect()
    };
    let mut all = only(left, refused_left, refused_right);
    all.extend(only(right, refused_right, refused_left));
    all
}
