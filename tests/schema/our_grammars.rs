//! Our grammars on libvirt's own test files, and on documents of the format's first years.

use super::material::{Corpus, OURS, accepts};
use crate::support::{trial, trial_if};
use libtest_mimic::Trial;
use relaxng::Automaton;
use std::path::Path;
use virt::grammars::embedded;

pub(crate) fn trials(corpus: &Corpus) -> Vec<Trial> {
    let of_group = |(group, name): (&'static str, &'static str)| {
        let corpus = corpus.clone();
        trial_if(Corpus::needs(), format!("schema/ours/{name}"), move |()| {
            verdicts(&corpus, group, name);
        })
    };
    let seed = trial("schema/ours/first_years", first_years);
    OURS.into_iter().map(of_group).chain([seed]).collect()
}

/// Checks that our grammar has the same verdict on each file as libvirt's.
fn verdicts(corpus: &Corpus, group: &str, name: &str) {
    let mut automaton = Automaton::new(embedded(name).unwrap());
    let mut wrong = corpus.cases(group);
    wrong.retain(|case| {
        let text = case.text().unwrap_or_else(|| panic!("{}: not UTF-8", case.name));
        accepts(&mut automaton, &case.name, &text) != case.valid
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn first_years() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/seed");
    let (mut count, mut refused) = (0, Vec::new());
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_string_lossy();
        let name = ["network", "capabilities"].into_iter().find(|name| file.starts_with(name));
        let mut automaton = Automaton::new(embedded(name.unwrap_or("domain")).unwrap());
        count += 1;
        if !accepts(&mut automaton, &file, &text) {
            refused.push(file.into_owned());
        }
    }
    assert!(count > 0, "no documents");
    assert!(refused.is_empty(), "{refused:?}");
}
