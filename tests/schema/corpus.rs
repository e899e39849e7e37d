//! Grammars of libvirt on libvirt's own test files: 4,017 verdicts.

use super::material::{Corpus, accepts, grammar, libvirts_of_release};
use crate::support::trial_if;
use diagnostics::SourceId;
use libtest_mimic::Trial;
use relaxng::Automaton;
use std::path::Path;
use xmltree::Limits;

/// Number of files with verdicts.
const FILES: usize = 4_017;

/// A domain makes some 100.
const STATES: usize = 300;

pub(crate) fn trials(corpus: &Corpus) -> Vec<Trial> {
    let groups = match Corpus::groups() {
        Ok(groups) => groups,
        Err(reason) => return vec![trial_if::<()>(Err(reason), "schema/corpus", |()| {})],
    };
    let of_group = |group: String| {
        let corpus = corpus.clone();
        let needs = Corpus::needs().and_then(|()| libvirts_of_release());
        trial_if(needs, format!("schema/corpus/{group}"), move |schemas| {
            let mut automaton = Automaton::new(grammar(&schemas, &group));
            let mut wrong = Vec::new();
            for case in corpus.cases(&group) {
                let text = case.text().unwrap_or_else(|| panic!("{}: not UTF-8", case.name));
                if accepts(&mut automaton, &case.name, &text) != case.valid {
                    wrong.push(format!("{} is {}", case.name, verdict(case.valid)));
                }
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        })
    };
    let all = corpus.clone();
    let names = groups.clone();
    let whole = trial_if(Corpus::needs(), "schema/corpus/is_whole", move |()| {
        assert_eq!(names.iter().map(|group| all.cases(group).len()).sum::<usize>(), FILES);
    });
    let of_small = corpus.clone();
    let needs = Corpus::needs().and_then(|()| libvirts_of_release());
    let small = trial_if(needs, "schema/corpus/with_small_tables", move |schemas| {
        with_small_tables(&of_small, &schemas);
    });
    groups.into_iter().map(of_group).chain([whole, small]).collect()
}

/// Tables that are dropped every few documents, in the midst of them, change no verdict.
fn with_small_tables(corpus: &Corpus, schemas: &Path) {
    let mut automaton = Automaton::with_cap(grammar(schemas, "domain"), STATES);
    let mut wrong = corpus.cases("domain");
    wrong.retain(|case| {
        let fits = automaton.accepts(SourceId::NONE, &case.text().unwrap(), &Limits::default());
        fits.unwrap() != case.valid
    });
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn verdict(valid: bool) -> &'static str {
    if valid { "valid" } else { "invalid" }
}
