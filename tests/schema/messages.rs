//! What `virt validate` says of wrong manifests, word for word, and never less than jing.
//!
//! Each manifest of `messages/` has one mistake, or what its name says; the text beside it is what
//! is printed. `jing.md` sets jing's words beside ours. `UPDATE_EXPECT=1` rewrites all of it: read
//! the diff.

use crate::support::{run, tool, trial, trial_if};
use libtest_mimic::Trial;
use similar::TextDiff;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use virt::diag::Sources;
use virt::xml::{self, Limits};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Longest cell of the table, in characters: jing's lists and patterns fill screens.
const CELL: usize = 240;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = cases()
        .into_iter()
        .map(|case| {
            let name = case.file_stem().unwrap().to_string_lossy().into_owned();
            trial(format!("schema/message/{name}"), move || replay(&case))
        })
        .collect();
    trials.push(trial("schema/messages/table", || drop(table())));
    trials.push(trial_if(tool("jing"), "schema/messages/jing_refuses_them_too", refused));
    trials
}

fn cases() -> Vec<PathBuf> {
    let manifest = |path: &PathBuf| path.extension().is_some_and(|e| e == "xml" || e == "toml");
    let entries = fs::read_dir(Path::new(ROOT).join("tests/schema/messages")).unwrap();
    let mut cases: Vec<_> = entries.map(|e| e.unwrap().path()).filter(manifest).collect();
    cases.sort();
    cases
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

fn replay(case: &Path) {
    compare(&case.with_extension("txt"), &said(case));
}

/// What is printed, with the file's name as it was typed.
fn said(case: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_virt"));
    command.arg("validate").arg(name(case)).current_dir(case.parent().unwrap());
    let ran = run(&mut command);
    format!("{}{}", ran.stderr(), ran.stdout())
}

fn compare(file: &Path, actual: &str) {
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == actual {
        return;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(file, actual).unwrap();
        return;
    }
    let diff = TextDiff::from_lines(expected.as_str(), actual);
    let shown = diff.unified_diff().header("expected", "actual").to_string();
    panic!("{}\n{shown}\nUPDATE_EXPECT=1 takes it over", file.display());
}

/// Holds our column of the table to the texts; gives jing's, by case.
fn table() -> BTreeMap<String, String> {
    let file = Path::new(ROOT).join("tests/schema/messages/jing.md");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut theirs: BTreeMap<String, String> = rows
        .filter_map(|row| {
            let mut cells = row.trim_matches('|').split(" | ");
            Some((cells.next()?.trim().to_owned(), cells.next()?.trim().to_owned()))
        })
        .collect();
    let cases: Vec<PathBuf> =
        cases().into_iter().filter(|c| c.extension().is_some_and(|e| e == "xml")).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some()
        && let Ok(program) = tool("jing")
    {
        theirs = jing(&program, &cases);
    }
    let mut table = text.split("\n| ").next().unwrap_or("").to_owned();
    table.push_str("\n| case | jing | ours |\n|---|---|---|\n");
    for case in &cases {
        let name = name(case);
        let jing = theirs.get(&name).map_or("", String::as_str);
        let said = said(case);
        let _ = writeln!(table, "| {name} | {jing} | {} |", cell(&ours(&said, &name)));
    }
    compare(&file, &table);
    theirs
}

/// What we say in one line: summaries and hints.
fn ours(said: &str, name: &str) -> String {
    let lines = said.lines().filter_map(|line| {
        let problem = line.strip_prefix(name).and_then(|l| l.strip_prefix(':'));
        let problem = problem.filter(|l| l.contains(": error: ") || l.contains(": warning: "));
        let detail = line.strip_prefix("    ").filter(|l| !l.trim_start().starts_with('|'));
        let detail = detail.filter(|l| !l.starts_with(|c: char| c == ' ' || c.is_ascii_digit()));
        match (problem, detail) {
            (Some(problem), _) => Some(problem.replace(": error: ", " ")),
            (None, Some(detail)) => Some(detail.to_owned()),
            (None, None) => None,
        }
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn cell(text: &str) -> String {
    let text = text.replace('|', "\\|");
    match text.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// jing's words for each case; none where it finds nothing wrong. A file that is not well-formed
/// gets a run of its own, since jing may not say which one it means.
fn jing(program: &Path, cases: &[PathBuf]) -> BTreeMap<String, String> {
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for kind in ["domain", "network"] {
        let of_kind = cases.iter().filter(|case| is_network(case) == (kind == "network"));
        let (together, alone): (Vec<_>, Vec<_>) = of_kind.partition(|case| is_well_formed(case));
        let mut runs: Vec<Vec<&PathBuf>> = alone.into_iter().map(|case| vec![case]).collect();
        runs.push(together);
        for files in runs.into_iter().filter(|files| !files.is_empty()) {
            let mut command = Command::new(program);
            command.arg("-i").arg(Path::new(ROOT).join(format!("schemas/relaxng/{kind}.rng")));
            command.args(&files);
            for line in run(&mut command).stdout().lines() {
                let (case, words) = match files.iter().find(|f| line.contains(&name(f))) {
                    Some(case) => (name(case), line.split_once(&name(case)).unwrap().1),
                    None if files.len() == 1 => (name(files[0]), line),
                    None => panic!("{line}"),
                };
                let words = words.trim_start_matches(':').replace(": error: ", " ");
                let all = said.entry(case).or_default();
                all.push_str(if all.is_empty() { "" } else { "; " });
                all.push_str(words.trim());
            }
        }
    }
    said.into_iter().map(|(case, words)| (case, cell(&words))).collect()
}

fn is_network(case: &Path) -> bool {
    fs::read_to_string(case).unwrap().contains("<network>")
}

fn is_well_formed(case: &Path) -> bool {
    let text = fs::read_to_string(case).unwrap();
    let source = Sources::default().add("case.xml", text.as_str());
    xml::parse(source, &text, &Limits::default()).is_ok()
}

/// What the grammar refuses, jing refuses; what only our other checks refuse, it takes.
fn refused(program: PathBuf) {
    let theirs = table();
    let cases: Vec<PathBuf> = cases()
        .into_iter()
        .filter(|c| c.extension().is_some_and(|e| e == "xml") && is_well_formed(c))
        .collect();
    let found = jing(&program, &cases);
    for case in cases {
        let name = name(&case);
        let listed = theirs.get(&name).is_some_and(|words| !words.is_empty());
        assert_eq!(found.contains_key(&name), listed, "{name}: {:?}", found.get(&name));
        assert!(said(&case).contains(": error: "), "{name} is refused");
    }
}
