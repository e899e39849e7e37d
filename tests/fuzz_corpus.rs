//! Replay of the fuzzers' corpus through the same functions as the targets call.

use crate::fuzzing::{manifest, validator, wire, xml};
use crate::support::trial;
use libtest_mimic::Trial;
use std::path::Path;

/// Runs an input; says whether it came beyond being read.
type Target = fn(&[u8]) -> bool;

const TARGETS: [(&str, Target); 5] = [
    ("document", xml::document),
    ("packets", wire::packets),
    ("replies", wire::replies),
    ("toml", manifest::toml),
    ("validator", |data| validator(data).loaded > 0),
];

pub(crate) fn trials() -> Vec<Trial> {
    TARGETS
        .into_iter()
        .map(|(name, target)| trial(format!("fuzz_corpus/{name}"), move || replay(name, target)))
        .collect()
}

fn replay(name: &str, target: Target) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let (mut count, mut through) = (0, 0);
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        match std::panic::catch_unwind(|| target(&data)) {
            Ok(read) => through += usize::from(read),
            Err(_) => panic!("it was {}", path.display()),
        }
        count += 1;
    }
    assert!(count > 50 && through > 20, "{through} of {count} files came through");
}
