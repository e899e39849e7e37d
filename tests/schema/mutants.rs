//! Generated documents, right and wrong, by libvirt's grammars and by ours: our engine and jing
//! agree on each, and where xmllint does not, it is for one of its known faults.

use super::judges::{Document, Verdicts, differences, emit, judges};
use super::material::{Corpus, OURS, grammar, libvirts, ours};
use super::mutate::Pool;
use super::order::{Order, trimmed};
use super::programs::refused_by_xmllint;
use super::random::Random;
use super::serialize::{noisy, plain};
use crate::support::{count, trial_if};
use diagnostics::SourceId;
use libtest_mimic::Trial;
use relaxng::{Automaton, Grammar};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use virt::grammars::embedded;
use xmltree::{Element, Limits, parse};

/// Number of documents from each group, of 10,000.
const SHARES: [(&str, usize); 8] = [
    ("domain", 5_500),
    ("network", 1_500),
    ("capability", 500),
    ("storagepool", 750),
    ("storagevol", 500),
    ("nwfilter", 500),
    ("nodedev", 500),
    ("domainsnapshot", 250),
];

/// Number of mutants without `VIRT_MUTANTS`: usually, and in a full run.
const USUAL: usize = 2_000;
const LARGE: usize = 10_000;

pub(crate) fn trials(corpus: &Corpus) -> Vec<Trial> {
    let trial = |(group, share): (&'static str, usize)| {
        let corpus = corpus.clone();
        let needs = judges().and_then(|()| Corpus::needs()).and_then(|()| libvirts());
        trial_if(needs, format!("schema/mutants/{group}"), move |schemas| {
            let directory = tempfile::tempdir().unwrap();
            let number = asked_for() * share / 10_000;
            let documents = mutants(&corpus, group, number, directory.path());
            judge(&schemas, group, grammar(&schemas, group), &documents, "libvirt's");
            if let Some((_, name)) = OURS.iter().find(|(of, _)| *of == group) {
                judge(&ours(), name, embedded(name).unwrap(), &documents, "ours");
            }
        })
    };
    SHARES.into_iter().map(trial).collect()
}

/// Returns the requested number of mutants.
pub(super) fn asked_for() -> usize {
    count("VIRT_MUTANTS", USUAL, LARGE)
}

/// Whether another number than the usual one was requested.
pub(super) fn more_was_asked_for() -> bool {
    asked_for() != USUAL
}

/// The group's files that can be read, as trees.
pub(super) fn trees(corpus: &Corpus, group: &str, valid_only: bool) -> Vec<Element> {
    let cases = corpus.cases(group).into_iter().filter(|case| case.valid || !valid_only);
    let texts = cases.filter_map(|case| case.text());
    texts.filter_map(|text| tree(&text)).collect()
}

fn tree(text: &str) -> Option<Element> {
    parse(SourceId::NONE, text, &Limits::default()).ok()
}

fn mutants(corpus: &Corpus, group: &str, count: usize, directory: &Path) -> Vec<Document> {
    let bases = trees(corpus, group, false);
    let pool = Pool::new(&bases);
    let mut random = Random::new(u64::try_from(count).unwrap());
    let mut mutant = || {
        let mut document = random.pick(&bases).clone();
        pool.mutate(&mut document, &mut random);
        noisy(&document, &mut random)
    };
    let document = |i: usize| {
        let mut text = mutant();
        // jing reads no further behind a document that is not well-formed: a prefix without a meaning
        while tree(&text).is_none() {
            text = mutant();
        }
        Document::write(directory, &format!("{i:05}"), text)
    };
    (0..count).map(document).collect()
}

fn judge(directory: &Path, name: &str, grammar: Arc<Grammar>, documents: &[Document], whose: &str) {
    let file = directory.join(format!("{name}.rng"));
    let verdicts = emit(&file, grammar.clone(), documents);
    let unlike = differences(("virt", &verdicts.ours), ("jing", &verdicts.jing));
    assert!(unlike.is_empty(), "by {whose} {name}.rng\n{}", kept(&unlike, documents));
    // a test in which all are refused tests little
    let refused = verdicts.ours.len();
    assert!((documents.len() / 4..documents.len()).contains(&refused), "{refused} are refused");

    let faults = Faults::of_xmllint(&file, directory, name, grammar, documents, &verdicts);
    let unexplained = kept(&faults.unexplained, documents);
    assert!(faults.unexplained.is_empty(), "by {whose} {name}.rng\n{unexplained}");
    super::figures(&format!(
        "{name}.rng, {whose}: {} documents, {refused} refused; xmllint differs on {}: {} by the \
         order of siblings, {} by white space",
        documents.len(),
        faults.order + faults.space,
        faults.order,
        faults.space,
    ));
}

/// Lines about documents; the documents are kept for a look at them.
fn kept(lines: &[String], documents: &[Document]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let directory = tempfile::tempdir().unwrap().keep();
    for document in documents {
        let path = &document.path;
        if lines.iter().any(|line| line.contains(&*path.to_string_lossy())) {
            std::fs::copy(path, directory.join(path.file_name().unwrap())).unwrap();
        }
    }
    format!("{}\n(kept in {})", lines.join("\n"), directory.display())
}

/// Reasons for which xmllint refused valid documents.
#[derive(Debug, Default)]
struct Faults {
    /// Number of documents that it accepts with siblings in the order of the grammar.
    order: usize,
    /// Number of documents that it accepts without the white space around values.
    space: usize,
    unexplained: Vec<String>,
}

impl Faults {
    fn of_xmllint(
        file: &Path,
        directory: &Path,
        name: &str,
        grammar: Arc<Grammar>,
        documents: &[Document],
        verdicts: &Verdicts,
    ) -> Self {
        let mut faults = Self::default();
        for path in verdicts.jing.difference(&verdicts.xmllint) {
            faults.unexplained.push(format!("{} only xmllint accepts", path.display()));
        }
        let wrong: BTreeSet<&PathBuf> = verdicts.xmllint.difference(&verdicts.jing).collect();
        if wrong.is_empty() {
            return faults;
        }
        let order = Order::read(directory, name);
        let mut automaton = Automaton::new(grammar);
        let temporary = tempfile::tempdir().unwrap();
        let mut mended = Vec::new();
        for document in documents.iter().filter(|d| wrong.contains(&d.path)) {
            let tree = tree(&document.text).unwrap();
            let variants = [trimmed(&tree), order.sorted(&tree), order.sorted(&trimmed(&tree))];
            for (i, variant) in variants.iter().enumerate() {
                // of two documents that are not as valid, one says nothing about the other
                if automaton.accepts_tree(variant) {
                    let name = format!("{}-{i}", mended.len());
                    let file = Document::write(temporary.path(), &name, plain(variant));
                    mended.push((&document.path, i, file.path));
                }
            }
        }
        let files: Vec<PathBuf> = mended.iter().map(|m| m.2.clone()).collect();
        let refused = refused_by_xmllint(file, &files);
        mended.retain(|m| !refused.contains(&m.2));
        for path in wrong {
            match mended.iter().find(|m| m.0 == path) {
                Some((_, 0, _)) => faults.space += 1,
                Some(_) => faults.order += 1,
                None => {
                    faults.unexplained.push(format!("{} only xmllint refuses", path.display()));
                }
            }
        }
        faults
    }
}
