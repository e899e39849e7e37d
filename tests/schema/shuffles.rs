//! Valid documents with all siblings in another order: jing accepts nearly all, and so do we.

use super::judges::{Document, differences, ours};
use super::material::{Corpus, grammar, libvirts};
use super::mutants::{asked_for, trees};
use super::programs::{jing, refused_by_jing};
use super::random::Random;
use super::serialize::plain;
use crate::support::trial_if;
use libtest_mimic::Trial;
use std::path::PathBuf;
use xmltree::{Element, Node};

pub(crate) fn trials(corpus: &Corpus) -> Vec<Trial> {
    let needs = jing().and_then(|_| Corpus::needs()).and_then(|()| libvirts());
    let corpus = corpus.clone();
    vec![trial_if(needs, "schema/shuffles", move |schemas| {
        let count = asked_for() * 8 / 10;
        let directory = tempfile::tempdir().unwrap();
        let bases = trees(&corpus, "domain", true);
        let mut random = Random::new(8_000);
        let document = |i: usize| {
            let mut document = bases[i % bases.len()].clone();
            shuffle(&mut document, &mut random);
            Document::write(directory.path(), &format!("{i:05}"), plain(&document))
        };
        let documents: Vec<Document> = (0..count).map(document).collect();
        let file = schemas.join("domain.rng");
        let paths: Vec<PathBuf> = documents.iter().map(|d| d.path.clone()).collect();
        let (ours, jing) = std::thread::scope(|scope| {
            let jing = scope.spawn(|| refused_by_jing(&file, &paths));
            (ours(grammar(&schemas, "domain"), &documents), jing.join().unwrap())
        });
        let unlike = differences(("virt", &ours), ("jing", &jing));
        assert!(unlike.is_empty(), "{}", unlike.join("\n"));
        assert!(ours.len() < count / 20, "{} of {count} are refused", ours.len());
        super::figures(&format!("shuffles: {count} documents, {} refused", ours.len()));
    })]
}

fn shuffle(e: &mut Element, random: &mut Random) {
    random.shuffle(&mut e.children);
    for child in &mut e.children {
        if let Node::Element(child) = child {
            shuffle(child, random);
        }
    }
}
