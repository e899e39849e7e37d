//! Random grammars and random documents: every way through the engine gives the answer of a plain
//! implementation of the derivative algorithm, and that of jing.

use crate::fuzzing::{Choices, Seen, document, grammar, load, validator};
use crate::support::{Needs, count, tool, trial, trial_if};
use diagnostics::SourceId;
use libtest_mimic::Trial;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use relaxng::Automaton;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use xmltree::Limits;

/// Cases of the comparison with the reference.
const CASES: usize = 600;
const MANY_CASES: usize = 10_000;
/// Grammars that jing is started for, a second each, and documents of each.
const JING_GRAMMARS: usize = 12;
const MANY_JING_GRAMMARS: usize = 60;
const JING_DOCUMENTS: usize = 100;

pub(crate) fn trials() -> Vec<Trial> {
    let jing = || tool("jing").map(|_| ());
    vec![
        trial("schema/generated/all_ways_agree_with_the_reference", agree),
        trial_if(jing(), "schema/generated/jing_agrees", |()| jing_agrees()),
    ]
}

fn agree() {
    let cases = count("VIRT_FUZZ_CASES", CASES, MANY_CASES);
    let config = Config::with_cases(u32::try_from(cases).unwrap());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..config });
    let total = std::cell::Cell::new(Seen::default());
    let bytes = prop::collection::vec(any::<u8>(), 0..900);
    let result = runner.run(&bytes, |bytes| {
        let seen = validator(&bytes);
        let mut all = total.get();
        all.loaded += seen.loaded;
        all.refused += seen.refused;
        all.valid += seen.valid;
        all.invalid += seen.invalid;
        all.given_up += seen.given_up;
        total.set(all);
        Ok(())
    });
    if let Err(why) = result {
        panic!("{why}");
    }
    // the cases say something only if there are enough of each sort
    let seen = total.get();
    let some = cases / 3;
    assert!(seen.loaded > some && seen.valid > some && seen.invalid > some, "{seen:?}");
    assert!(seen.given_up * 50 < seen.valid + seen.invalid, "{seen:?}");
}

/// Bytes that are the same each time.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    (0..length).map(step).collect()
}

fn jing_agrees() {
    let count = count("VIRT_FUZZ_JING", JING_GRAMMARS, MANY_JING_GRAMMARS);
    let first = std::env::var("VIRT_FUZZ_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut compared = 0;
    for seed in first.. {
        let data = bytes(seed, 1000);
        let mut choices = Choices::new(&data);
        let made = grammar::Grammar::new(&mut choices);
        let schema = made.write();
        let Ok(grammar) = load(&schema) else { continue };
        // a grammar of a few empty elements tells little
        if grammar.elements.len() < 4 {
            continue;
        }
        let mut automaton = Automaton::new(grammar.into());
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("g.rng"), &schema).unwrap();
        let mut refused = BTreeSet::new();
        let mut texts = Vec::new();
        for i in 0..JING_DOCUMENTS {
            let data = bytes(seed * 1000 + i as u64, 300);
            let text = document::document(&made, &mut Choices::new(&data));
            fs::write(directory.path().join(format!("{i}.xml")), &text).unwrap();
            if !automaton.accepts(SourceId::NONE, &text, &Limits::default()).unwrap() {
                refused.insert(i);
            }
            texts.push(text);
        }
        let jing = judge(directory.path()).unwrap_or_else(|why| panic!("{why}\n{schema}"));
        let i = (0..texts.len()).find(|i| jing.contains_key(i) != refused.contains(i));
        if let Some(i) = i {
            let said = jing.get(&i).map_or("nothing", String::as_str);
            panic!("seed {seed}: jing alone says {said} of this:\n{schema}\n{}", texts[i]);
        }
        compared += 1;
        if compared == count {
            break;
        }
    }
}

/// The documents that jing refuses, and why.
fn judge(directory: &Path) -> Needs<BTreeMap<usize, String>> {
    let names = (0..JING_DOCUMENTS).map(|i| format!("{i}.xml"));
    let ran = Command::new("jing").arg("g.rng").args(names).current_dir(directory).output();
    let out = String::from_utf8_lossy(&ran.map_err(|e| e.to_string())?.stdout).into_owned();
    let mut refused = BTreeMap::new();
    for line in out.lines().filter(|line| line.contains(": error:") || line.contains(": fatal:")) {
        let path = line.split(".xml:").next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let number = name.parse().map_err(|_| format!("not about a document: {line}"))?;
        refused.insert(number, line.to_owned());
    }
    Ok(refused)
}
