//! Our grammars on libvirt's own test files, and on documents of the format's first years.

use super::material::{Corpus, OURS, accepts};
use crate::support::{trial, trial_if};
use libtest_mimic::Trial;
use std::path::Path;
use virt::schema::{Automaton, embedded};

/// Files that our grammars judge otherwise than libvirt's, and why.
const EXCEPTIONS: [(&str, &str); 0] = [];

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

fn verdicts(corpus: &Corpus, group: &str, name: &str) {
    let mut automaton = Automaton::new(embedded(name).unwrap());
    let mut wrong = Vec::new();
    // valid and invalid: how many, and how many of them are judged so
    let mut counts = [(0, 0); 2];
    let cases = corpus.cases(group);
    for case in &cases {
        let Some(text) = case.text() else { continue };
        let right = accepts(&mut automaton, &case.name, &text) == case.valid;
        let (all, good) = &mut counts[usize::from(!case.valid)];
        *all += 1;
        *good += usize::from(right);
        if !right {
            wrong.push(case.name.as_str());
        }
    }
    let [(valid, accepted), (invalid, refused)] = counts;
    println!("{name}: {accepted} of {valid} valid accepted, {refused} of {invalid} refused");
    let is_case = |name: &str| cases.iter().any(|case| case.name == name);
    let mut known: Vec<&str> = EXCEPTIONS.iter().map(|e| e.0).filter(|n| is_case(n)).collect();
    known.sort_unstable();
    wrong.sort_unstable();
    assert_eq!(wrong, known);
    assert!(accepted * 1_000 >= valid * 995, "{accepted} of {valid} valid files are accepted");
    assert!(refused * 100 >= invalid * 98, "{refused} of {invalid} invalid files are refused");
}

fn first_years() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/seed");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_string_lossy();
        let name = ["network", "capabilities"].into_iter().find(|name| file.starts_with(name));
        let mut automaton = Automaton::new(embedded(name.unwrap_or("domain")).unwrap());
        assert!(accepts(&mut automaton, &file, &text), "{file}");
        count += 1;
    }
    assert!(count > 0, "no documents");
}
