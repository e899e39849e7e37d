//! RELAX NG: the conformance suite, libvirt's own grammars, and datatypes against jing.

mod datatypes;
mod jing;
mod libvirt;
mod messages;
mod patterns;
mod spectest;
mod toml;

use libtest_mimic::Trial;
use std::path::PathBuf;
use virt::diag::{Diagnostics, Sources, render};
use virt::schema::Files;

pub(crate) fn trials() -> Vec<Trial> {
    [
        datatypes::trials(),
        libvirt::trials(),
        messages::trials(),
        patterns::trials(),
        spectest::trials(),
        toml::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
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
