//! Transcripts of sessions, with input and output, replayed and compared.
//!
//! Each folder of `cases/` is one session. Its `transcript` has the commands, each behind `$ `, and
//! what each printed (standard error among it, digests of plans shortened) with its exit code in brackets where it is not 0;
//! everything else in the folder is there when the session begins. `$SAMPLES` is the repository's
//! `manifests/`. The README's session is one of them. `UPDATE_EXPECT=1` rewrites what was printed.

use crate::support::{run, trial};
use libtest_mimic::Trial;
use similar::TextDiff;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

pub(crate) fn trials() -> Vec<Trial> {
    let mut cases: Vec<PathBuf> = fs::read_dir(Path::new(ROOT).join("tests/cli/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    let mut trials: Vec<Trial> = cases
        .into_iter()
        .map(|case| {
            let name = case.file_name().unwrap().to_string_lossy().into_owned();
            trial(format!("cli/transcript/{name}"), move || replay(&case))
        })
        .collect();
    trials.push(trial("cli/transcript/of_the_readme", readme));
    trials
}

fn replay(case: &Path) {
    let file = case.join("transcript");
    let expected = fs::read_to_string(&file).unwrap();
    let directory = tempfile::tempdir().unwrap();
    copy(case, directory.path());
    compare(&file, &expected, &session(&expected, directory.path()));
}

/// The README's session, in the block marked `console`; its commands run the release build through
/// cargo, which here is the one under test.
fn readme() {
    let file = Path::new(ROOT).join("README.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("```console\n").expect("the README has a session");
    let (expected, after) = rest.split_once("```").unwrap();
    let directory = tempfile::tempdir().unwrap();
    copy(&Path::new(ROOT).join("manifests"), &directory.path().join("manifests"));
    let actual = session(expected, directory.path());
    compare(&file, &text, &format!("{before}```console\n{actual}```{after}"));
}

fn compare(file: &Path, expected: &str, actual: &str) {
    if expected == actual {
        return;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(file, actual).unwrap();
        return;
    }
    let diff = TextDiff::from_lines(expected, actual);
    let shown = diff.unified_diff().header("expected", "actual").to_string();
    panic!("{}\n{shown}\nUPDATE_EXPECT=1 takes it over", file.display());
}

fn session(script: &str, directory: &Path) -> String {
    let mut out = String::new();
    for line in script.lines().filter(|line| line.starts_with("$ ")) {
        let typed = line.trim_start_matches("$ ");
        let command = typed.replace("cargo run --release -- ", "virt ");
        let ran = run(&mut shell(&format!("{{ {command}\n}} 2>&1"), directory));
        let _ = writeln!(out, "$ {typed}");
        out.push_str(&without_digests(&ran.stdout()));
        if ran.code() != 0 {
            let _ = writeln!(out, "[exit {}]", ran.code());
        }
    }
    out
}

/// The text with digests of saved plans taken out: a plan has the time in it.
fn without_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("sha256:…");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    out
}

fn shell(command: &str, directory: &Path) -> Command {
    let built = Path::new(env!("CARGO_BIN_EXE_virt")).parent().unwrap();
    let mut bash = Command::new("/bin/bash");
    bash.args(["-c", command]).env_clear().current_dir(directory);
    bash.env("PATH", format!("{}:/usr/bin:/bin", built.display()));
    bash.env("LC_ALL", "C.UTF-8").env("SAMPLES", Path::new(ROOT).join("manifests"));
    bash
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "transcript" {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
