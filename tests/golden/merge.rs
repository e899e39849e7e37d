//! Manifests merged into definitions (rule M): each case holds the manifest as it was applied last, the
//! manifest, the host's definition, and the expected result: the changes and the merged definition.

use super::sections::{Section, cases, files, folder, save, update};
use crate::support::trial;
use libtest_mimic::Trial;
use std::path::Path;
use virt::model::Kind;
use virt::reconcile::{ChangeCause, Side, overlay};
use xmltree::{Element, write};

pub(crate) fn trials() -> Vec<Trial> {
    let trial_of = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        trial(format!("golden/merge/{name}"), move || check(&path))
    };
    files(&folder("merge")).into_iter().map(trial_of).collect()
}

fn check(path: &Path) {
    let name = path.file_stem().unwrap().to_string_lossy();
    let (kind, root) = match name.starts_with("network") {
        true => (Kind::Network, "network"),
        false => (Kind::Domain, "domain type='qemu'"),
    };
    let mut all = cases(path);
    for case in all.iter_mut().filter(|c| c.first().is_some_and(|s| s.as_str().0 == "case")) {
        let title = case[0].head.clone();
        let document =
            |word: &str| case.iter().find(|s| s.head == word).map(|s: &Section| s.document(root));
        let (manifest, host) = (document("manifest").unwrap(), document("host").unwrap());
        let last = document("last");
        let laid = overlay(kind, Side::NextBoot, &host, &manifest, last.as_ref(), &[]);
        let again = overlay(kind, Side::NextBoot, &laid.merged, &manifest, last.as_ref(), &[]);
        assert!(again.changes.is_empty(), "{title}: again {:?}", again.changes);
        let found: Vec<String> = laid
            .changes
            .iter()
            .map(|c| {
                let word = |v: &Option<String>| v.clone().unwrap_or_else(|| "nothing".to_owned());
                let drift = if c.origin == ChangeCause::Drift { " (drift)" } else { "" };
                format!("{}: {} -> {}{drift}", c.path, word(&c.before), word(&c.after))
            })
            .collect();
        for section in case {
            match section.head.as_str() {
                "changes" if update() => section.set_lines(found.iter().map(String::as_str)),
                "merged" if update() => section.set_document(&laid.merged),
                "changes" => assert_eq!(section.lines(), found, "{title}"),
                "merged" => same(&title, &section.document(root), &laid.merged),
                _ => {}
            }
        }
    }
    if update() {
        save(path, &all);
    }
}

#[track_caller]
fn same(title: &str, expected: &Element, found: &Element) {
    assert!(expected == found, "{title}: expected\n{}\nfound\n{}", write(expected), write(found));
}
