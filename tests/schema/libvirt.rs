//! Grammars of libvirt, where they are installed.

use super::{Directory, rendered};
use crate::support::trial_if;
use diagnostics::Sources;
use libtest_mimic::Trial;
use relaxng::load;
use std::path::{Path, PathBuf};

pub(crate) fn trials() -> Vec<Trial> {
    let directory = Path::new("/usr/share/libvirt/schemas");
    let needs = match directory.join("domain.rng").exists() {
        true => Ok(directory.to_owned()),
        false => Err("needs libvirt's grammars (libvirt-common)".to_owned()),
    };
    vec![trial_if(needs, "schema/libvirt/all_grammars_load", all_load)]
}

/// Checks that all grammars load; those without a start are there to be included.
fn all_load(directory: PathBuf) {
    let files = Directory(directory.clone());
    let (mut whole, mut parts) = (0, 0);
    for entry in std::fs::read_dir(&directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".rng") {
            continue;
        }
        let mut sources = Sources::default();
        match load(&name, &files, &mut sources) {
            Ok(_) => whole += 1,
            Err(problems) => {
                let text = rendered(&problems, &sources);
                let missing = |d: &diagnostics::Diagnostic| d.code == "schema-reference";
                assert!(problems.iter().all(missing), "{name}:\n{text}");
                assert!(text.contains("has no <start>"), "{name}:\n{text}");
                parts += 1;
            }
        }
    }
    assert!(whole >= 15 && parts > 0, "{whole} load, {parts} are parts");
}
