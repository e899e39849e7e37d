//! Our grammars before jing and xmllint: they are grammars there too, and say the same.

use super::judges::{Document, differences, emit, judges};
use super::material::{Corpus, OURS, ours};
use crate::support::trial_if;
use libtest_mimic::Trial;
use virt::grammars::embedded;

pub(crate) fn trials(corpus: &Corpus) -> Vec<Trial> {
    let trial = |(group, name): (&'static str, &'static str)| {
        let corpus = corpus.clone();
        let needs = judges().and_then(|()| Corpus::needs());
        trial_if(needs, format!("schema/oracles/{name}"), move |()| {
            let cases = corpus.cases(group).into_iter();
            let documents: Vec<Document> = cases
                .filter_map(|case| Some(Document { text: case.text()?, path: case.path }))
                .collect();
            let file = ours().join(format!("{name}.rng"));
            let verdicts = emit(&file, embedded(name).unwrap(), &documents);
            let mut unlike = differences(("virt", &verdicts.ours), ("jing", &verdicts.jing));
            unlike.extend(differences(("virt", &verdicts.ours), ("xmllint", &verdicts.xmllint)));
            assert!(unlike.is_empty(), "{}", unlike.join("\n"));
        })
    };
    OURS.into_iter().map(trial).collect()
}
