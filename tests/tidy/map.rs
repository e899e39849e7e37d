//! The map of the code: folders in ARCHITECTURE.md, files in their folder's module, decisions in the index.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Endings of names that are paths wherever they stand.
const ENDINGS: [&str; 5] = [".rs", ".md", ".py", ".sh", ".css"];

/// Folders whose files may be named by the end of their path.
const SEARCHED: [&str; 7] = ["src", "crates", "tests", "docs", "benches", "examples", "fuzz"];

/// Names the files that the map lacks, and the missing ones that it names.
pub(crate) fn wrong() -> Vec<String> {
    let mut wrong = Vec::new();
    let map = read("ARCHITECTURE.md");
    let crates = children(Path::new("crates")).into_iter().map(|path| path.join("src"));
    let tops = crates.chain([PathBuf::from("src")]);
    let folders: Vec<PathBuf> = tops.flat_map(|top| below(&top).into_iter().chain([top])).collect();
    for folder in folders.into_iter().filter(|path| path.is_dir() && path != Path::new("src")) {
        let name = format!("`{}/`", folder.display());
        if !map.contains(&name) {
            wrong.push(format!("ARCHITECTURE.md: {name} is not named"));
        }
        wrong.extend(files_of(&folder));
    }
    for file in children(Path::new("docs/decisions")) {
        if !map.contains(&format!("({})", file.display())) {
            wrong.push(format!("ARCHITECTURE.md: {} is not in the index", file.display()));
        }
    }
    let all: Vec<PathBuf> = SEARCHED.iter().flat_map(|top| below(Path::new(top))).collect();
    let mut documents = vec![PathBuf::from("ARCHITECTURE.md"), PathBuf::from("CONTRIBUTING.md")];
    documents.extend(children(Path::new("docs/internals")));
    for document in documents {
        let text = read(&document);
        for path in named(&text).into_iter().filter(|path| !is_there(path, &all)) {
            wrong.push(format!("{}: {path} is not there", document.display()));
        }
        let beside = document.parent().unwrap_or(Path::new(""));
        for path in linked(&text).filter(|path| !beside.join(path).exists()) {
            wrong.push(format!("{}: the link to {path} leads nowhere", document.display()));
        }
    }
    wrong
}

/// Compares the list in a folder's module with the files that the folder has.
fn files_of(folder: &Path) -> Vec<String> {
    let inside = ["mod.rs", "lib.rs"].map(|name| folder.join(name));
    let module = inside.into_iter().find(|path| path.is_file());
    let module = module.unwrap_or_else(|| folder.with_extension("rs"));
    let text = read(&module);
    let listed: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! - `")?.split_once("`: "))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.ends_with(".rs"))
        .collect();
    let there: BTreeSet<String> = children(folder)
        .iter()
        .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
        .filter(|name| name.ends_with(".rs") && name != "mod.rs" && name != "lib.rs")
        .collect();
    let lacks = there.difference(&listed).map(|name| format!("no line for `{name}`"));
    let more = listed.difference(&there).map(|name| format!("`{name}` is not there"));
    lacks.chain(more).map(|what| format!("{}: {what}", module.display())).collect()
}

/// Finds the paths that a document names between backticks.
fn named(text: &str) -> Vec<&str> {
    let words = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_path = |word: &&str| {
        let top = word.split_once('/').map_or("", |(top, _)| top);
        let is_known = !top.is_empty() && top != "." && Path::new(top).is_dir();
        let is_name = ENDINGS.iter().any(|ending| word.ends_with(ending));
        let is_plain = !word.contains(['*', ' ', ':', '<']) && !word.starts_with(['/', '-']);
        is_plain && (is_known || is_name || word.ends_with('/'))
    };
    words.filter(is_path).collect()
}

/// Finds the files that a document links to.
fn linked(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://")).map(|t| t.split('#').next().unwrap_or(t))
}

fn is_there(path: &str, all: &[PathBuf]) -> bool {
    Path::new(path).exists() || all.iter().any(|file| file.ends_with(path))
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for path in children(&folder) {
            if path.is_dir() {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.sort();
    found
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
