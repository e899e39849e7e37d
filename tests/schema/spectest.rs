//! James Clark's conformance suite: 213 incorrect and 172 correct schemas, with 289 valid and 291
//! invalid documents: 965 checks.
//!
//! Five of the incorrect ones (the 70th, 72nd, 73rd, 74th and 79th case) have names that are legal
//! since the fifth edition of XML 1.0, which came after the suite. They are refused: names in
//! grammars are read by the fourth edition's rules, as RELAX NG refers to.

use super::rendered;
use crate::support::{testdata, trial_if};
use diagnostics::{SourceId, Sources};
use libtest_mimic::Trial;
use relaxng::{Automaton, Files, load};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use xmltree::{Element, Limits, parse, write_compact};

pub(crate) fn trials() -> Vec<Trial> {
    let suite = || testdata("spectest.xml");
    vec![
        trial_if(suite(), "schema/spectest/schemas_are_judged_right", schemas),
        trial_if(suite(), "schema/spectest/documents_are_judged_right", documents),
    ]
}

/// One case of the suite.
struct Case {
    /// Counted from 1.
    number: usize,
    schema: String,
    correct: bool,
    /// Other files, by their paths.
    files: BTreeMap<String, String>,
    /// Documents, and whether they are valid.
    documents: Vec<(String, bool)>,
}

impl Files for Case {
    fn read(&self, uri: &str) -> Result<String, String> {
        match uri {
            "schema.rng" => Ok(self.schema.clone()),
            _ => self.files.get(uri).cloned().ok_or_else(|| "there is no such file".to_owned()),
        }
    }
}

fn schemas(suite: PathBuf) {
    let cases = cases(&std::fs::read_to_string(suite).unwrap());
    let correct = cases.iter().filter(|case| case.correct).count();
    assert_eq!((cases.len() - correct, correct), (213, 172));
    let mut wrong = String::new();
    for case in &cases {
        let mut sources = Sources::default();
        let judged = load("schema.rng", case, &mut sources);
        match (&judged, case.correct) {
            (Ok(_), true) => {}
            (Err(problems), false) => {
                let placed = problems.iter().all(|problem| problem.span.is_some());
                assert!(placed, "case {}: {}", case.number, rendered(problems, &sources));
            }
            (Ok(_), false) => {
                wrong += &format!("case {} is accepted:\n{}\n\n", case.number, case.schema);
            }
            (Err(problems), true) => {
                let why = rendered(problems, &sources);
                wrong += &format!("case {} is refused:\n{}\n{why}\n", case.number, case.schema);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn documents(suite: PathBuf) {
    let (mut valid, mut invalid) = (0, 0);
    let mut wrong = String::new();
    for case in cases(&std::fs::read_to_string(suite).unwrap()) {
        let mut sources = Sources::default();
        let Ok(grammar) = load("schema.rng", &case, &mut sources) else { continue };
        let mut automaton = Automaton::new(Arc::new(grammar));
        for (text, is_valid) in &case.documents {
            *(if *is_valid { &mut valid } else { &mut invalid }) += 1;
            let judged = automaton.accepts(SourceId::NONE, text, &Limits::default()).unwrap();
            if judged != *is_valid {
                let (number, schema) = (case.number, &case.schema);
                wrong += &format!("case {number}, valid is {is_valid}:\n{schema}\n{text}\n\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!((valid, invalid), (289, 291));
}

/// Reads the suite. Its DTD declares one entity, and our reader refuses DTDs.
fn cases(text: &str) -> Vec<Case> {
    let (_, text) = text.split_once("]>").unwrap();
    let text = text.replace("&dii;", "<\u{e14}\u{e35}/>");
    let limits = Limits::default();
    let root = parse(SourceId::NONE, &text, &limits).unwrap();
    let mut cases = Vec::new();
    collect(&root, &mut cases);
    cases
}

fn collect(suite: &Element, cases: &mut Vec<Case>) {
    for child in suite.elements() {
        match child.name.local.as_str() {
            "testSuite" => collect(child, cases),
            "testCase" => cases.extend(case(child, cases.len() + 1)),
            _ => {}
        }
    }
}

fn case(e: &Element, number: usize) -> Option<Case> {
    let correct = e.child("correct");
    let schema = correct.or_else(|| e.child("incorrect"))?.elements().next()?;
    let mut files = BTreeMap::new();
    resources(e, "", &mut files);
    let documents = e.elements().filter_map(|child| match child.name.local.as_str() {
        "valid" => Some((write_compact(child.elements().next()?), true)),
        "invalid" => Some((write_compact(child.elements().next()?), false)),
        _ => None,
    });
    let documents = documents.collect();
    let schema = write_compact(schema);
    Some(Case { number, schema, correct: correct.is_some(), files, documents })
}

fn resources(e: &Element, directory: &str, files: &mut BTreeMap<String, String>) {
    for child in e.elements() {
        let path = || format!("{directory}{}", child.attr("name").unwrap());
        match child.name.local.as_str() {
            "resource" => {
                files.insert(path(), write_compact(child.elements().next().unwrap()));
            }
            "dir" => resources(child, &format!("{}/", path()), files),
            _ => {}
        }
    }
}
