//! Grammar engine and our grammars against other judges: the conformance suite, libvirt's own grammars and
//! its verdicts on its test files, jing, xmllint; random grammars.

mod corpus;
mod datatypes;
mod documents;
mod generated;
mod jing;
mod judges;
mod libvirt;
mod material;
mod messages;
mod mutants;
mod mutate;
mod oracles;
mod order;
mod our_grammars;
mod patterns;
mod programs;
mod random;
mod scale;
mod serialize;
mod shapes;
mod shuffles;
mod spectest;
mod toml;

use diagnostics::{Diagnostics, Sources, render};
use libtest_mimic::Trial;
use relaxng::Files;
use std::path::PathBuf;

pub(crate) fn trials() -> Vec<Trial> {
    let corpus = material::Corpus::default();
    let groups = [
        datatypes::trials(),
        documents::trials(),
        generated::trials(),
        libvirt::trials(),
        messages::trials(),
        patterns::trials(),
        spectest::trials(),
        toml::trials(),
        corpus::trials(&corpus),
        our_grammars::trials(&corpus),
        oracles::trials(&corpus),
        mutants::trials(&corpus),
        shuffles::trials(&corpus),
        scale::trials(),
    ];
    groups.into_iter().flatten().collect()
}

/// Prints the counts, where more than the usual number was requested.
#[allow(clippy::print_stdout, reason = "for whoever set the variable")]
fn figures(line: &str) {
    if mutants::more_was_asked_for() {
        println!("{line}");
    }
}

/// The files below a directory.
struct Directory(PathBuf);

impl Files for Directory {
    fn read(&self, uri: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(uri)).map_err(|e| e.to_string())
    }
}

/// Diagnostics as a user sees them.
fn rendered(problems: &Diagnostics, sources: &Sources) -> String {
    problems.iter().map(|problem| render(problem, sources)).collect()
}
