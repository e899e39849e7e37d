//! Other validators: jing, James Clark's, which is the judge, and xmllint, and so the libxml2 that
//! libvirtd validates with.

use crate::support::{Needs, run, tool};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of one run: their names are arguments, so not too many.
const FILES: usize = 5_000;

/// Whether jing is there.
pub(super) fn jing() -> Needs<PathBuf> {
    tool("jing")
}

/// Whether xmllint is there.
pub(super) fn xmllint() -> Needs<PathBuf> {
    tool("xmllint")
}

/// Returns the files that jing refuses; all have to be well-formed, or it ends there.
pub(super) fn refused_by_jing(grammar: &Path, files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let directory = tempfile::tempdir().unwrap();
    // refused by every grammar, and so the sign that all files before it were read
    let last = directory.path().join("last.xml");
    fs::write(&last, "<no-grammar-has-this/>").unwrap();
    let mut found = BTreeSet::new();
    for part in files.chunks(FILES) {
        let mut command = Command::new(jing().unwrap());
        // for some seconds of work the better compiler does not pay
        command.env("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
        let ran = run(command.arg(grammar).args(part).arg(&last));
        let refused: Vec<PathBuf> = ran.stdout().lines().filter_map(path_of_error).collect();
        assert_eq!(refused.last(), Some(&last), "{}\n{}", ran.stdout(), ran.stderr());
        found.extend(refused);
    }
    found.remove(&last);
    found
}

/// Returns the path in a line such as `/a/b.xml:1:2: error: words`; the message may have more lines.
fn path_of_error(line: &str) -> Option<PathBuf> {
    let (stem, rest) = line.split_once(".xml:")?;
    let mut parts = rest.splitn(4, ':');
    let numbers = [parts.next()?, parts.next()?];
    let numbered = numbers.iter().all(|n| n.parse::<usize>().is_ok());
    (numbered && parts.next()?.trim() == "error").then(|| PathBuf::from(format!("{stem}.xml")))
}

/// Returns the files that xmllint refuses.
pub(super) fn refused_by_xmllint(grammar: &Path, files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut found: BTreeSet<PathBuf> = files.iter().cloned().collect();
    for part in files.chunks(FILES) {
        let mut command = Command::new(xmllint().unwrap());
        let ran = run(command.args(["--noout", "--relaxng"]).arg(grammar).args(part));
        // 5 is a grammar that is refused; others are of the documents
        assert!(matches!(ran.code(), 0 | 1 | 3 | 4), "{}: {}", ran.code(), ran.stderr());
        for accepted in ran.stderr().lines().filter_map(|line| line.strip_suffix(" validates")) {
            found.remove(Path::new(accepted));
        }
    }
    found
}
