//! Messages of `virt validate` on wrong manifests, word for word, and never less specific than jing's.
//!
//! Each manifest of `messages/` has one mistake, or what its name says; the text beside it is what
//! is printed. `jing.md` sets jing's words beside ours. `UPDATE_EXPECT=1` rewrites all of it: read
//! the diff.

use crate::support::{run, tool, trial, trial_if};
use diagnostics::Sources;
use libtest_mimic::Trial;
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xmltree::Limits;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const TABLE: &str = "tests/schema/messages/jing.md";

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
    trials.push(trial("schema/messages/table", table));
    trials.push(trial_if(tool("jing"), "schema/messages/jing_refuses_them_too", refused));
    trials
}

fn cases() -> Vec<PathBuf> {
    let manifest = |path: &PathBuf| path.extension().is_some_and(|e| e == "xml" || e == "toml");
    let entries = fs::read_dir(Path::new(ROOT).join("tests/schema/messages")).unwrap();
    let mut cases: Vec<_> = entries.map(|e| e.unwrap().path()).filter(manifest).collect();
    cases.sort_by_key(|case| (number(case), name(case)));
    cases
}

fn number(case: &Path) -> u32 {
    let name = name(case);
    let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap();
    name[..digits].parse().unwrap()
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

fn replay(case: &Path) {
    compare(&case.with_extension("txt"), &said(case));
}

/// Returns the output, with the file's name as it was typed.
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

/// The table as it is.
fn text() -> String {
    fs::read_to_string(Path::new(ROOT).join(TABLE)).unwrap_or_default()
}

/// Returns jing's column of the table, by case.
fn listed(text: &str) -> BTreeMap<String, String> {
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.filter_map(|row| {
        let mut cells = row.trim_matches('|').split(" | ");
        Some((cells.next()?.trim().to_owned(), cells.next()?.trim().to_owned()))
    })
    .collect()
}

/// Checks our column of the table against the output.
fn table() {
    let text = text();
    let mut theirs = listed(&text);
    let cases: Vec<PathBuf> =
        cases().into_iter().filter(|c| c.extension().is_some_and(|e| e == "xml")).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some()
        && let Ok(program) = tool("jing")
    {
        let all = jing(&program, &cases).into_iter();
        theirs = all.map(|(case, words)| (case, cell(&words))).collect();
    }
    let mut table = text.split("\n| ").next().unwrap_or("").to_owned();
    table.push_str("\n| case | jing | ours |\n|---|---|---|\n");
    for case in &cases {
        let name = name(case);
        let jing = theirs.get(&name).map_or("", String::as_str);
        let said = said(case);
        let _ = writeln!(table, "| {name} | {jing} | {} |", cell(&ours(&said, &name)));
    }
    compare(&Path::new(ROOT).join(TABLE), &table);
}

/// Returns our message in one line: summaries and hints.
fn ours(said: &str, name: &str) -> String {
    let mut out = String::new();
    for line in said.lines().filter(|line| line.starts_with(name) || line.starts_with("    ")) {
        let text = line.trim_start().trim_start_matches(name).trim_start_matches(':');
        let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
        if number.trim_start().starts_with('|') {
            continue; // of the snippet
        }
        // a long list goes on
        let joint = if line.starts_with("      ") { " " } else { "; " };
        out.push_str(if out.is_empty() { "" } else { joint });
        out.push_str(&text.replacen(": error: ", " ", 1));
    }
    out
}

fn cell(text: &str) -> String {
    let text = text.replace('|', "\\|");
    match text.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns jing's message for each case; none where it finds no fault. A file that is not well-formed gets a
/// run of its own, since jing may not name the right one.
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
                // the table is the same wherever the checkout is
                let words = words.replace(&format!("{ROOT}/tests/schema/messages/"), "");
                let all = said.entry(case).or_default();
                all.push_str(if all.is_empty() { "" } else { "; " });
                all.push_str(words.trim());
            }
        }
    }
    said
}

fn is_network(case: &Path) -> bool {
    fs::read_to_string(case).unwrap().contains("<network>")
}

fn is_well_formed(case: &Path) -> bool {
    let text = fs::read_to_string(case).unwrap();
    let source = Sources::default().add("case.xml", text.as_str());
    xmltree::parse(source, &text, &Limits::default()).is_ok()
}

/// Cases in which something better than jing's list is said.
const BETTER: &[(&str, &str)] = &[
    ("repeated-element", "it may appear only once, and where the first one is"),
    ("repeated-in-device", "the same"),
    ("repeated-devices", "the same"),
    ("attribute-as-element", "jing takes <type> for that of <os>"),
    ("no-os-or-bootloader", "only those without which it is not complete"),
    ("one-of-attributes", "the same"),
    ("reconcile-names", "each name once, where the prefix may be left out"),
    ("netmask-and-prefix", "which other attribute excludes it"),
];

/// Returns the names that jing lists as possible; not its regular expressions.
fn named(words: &str) -> BTreeSet<String> {
    let words = words.replace("regular expression \"", "\u{0}");
    let mut names = BTreeSet::new();
    for piece in words.split('\u{0}').enumerate().map(|(i, piece)| {
        let after = || piece.split_once('"').map_or("", |(_, rest)| rest);
        if i == 0 { piece } else { after() }
    }) {
        let piece = piece.split("(with xmlns").next().unwrap_or("");
        let quoted = piece.split('"').skip(1).step_by(2);
        names.extend(quoted.map(|n| match n.split_once(':') {
            Some((prefix, local)) if prefix.starts_with("ns") => local.to_owned(),
            _ => n.to_owned(),
        }));
    }
    names
}

/// Checks that jing refuses the cases that the grammar refuses, and accepts those that only our other checks
/// refuse. We name all that jing names, or something better.
fn refused(program: PathBuf) {
    let theirs = listed(&text());
    let cases: Vec<PathBuf> = cases()
        .into_iter()
        .filter(|c| c.extension().is_some_and(|e| e == "xml") && is_well_formed(c))
        .collect();
    let found = jing(&program, &cases);
    for case in cases {
        let name = name(&case);
        let listed = theirs.get(&name).is_some_and(|words| !words.is_empty());
        assert_eq!(found.contains_key(&name), listed, "{name}: {:?}", found.get(&name));
        let ours = said(&case);
        assert!(ours.contains(": error: "), "{name} is refused");
        let subject = name.trim_end_matches(".xml").split_once('-').map_or("", |(_, s)| s);
        if BETTER.iter().all(|(better, _)| *better != subject) {
            let named = named(found.get(&name).map_or("", String::as_str));
            let unsaid: Vec<_> = named.iter().filter(|n| !ours.contains(n.as_str())).collect();
            assert!(unsaid.is_empty(), "{name}: jing names {unsaid:?}");
        }
    }
}
