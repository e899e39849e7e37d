//! Files of sections, and documents in them.

use diagnostics::SourceId;
use std::fs;
use std::path::{Path, PathBuf};
use xmltree::{Element, Limits, parse, write};

/// A word at the beginning of a line with its argument, and the lines below it.
pub(super) struct Section {
    pub(super) head: String,
    body: Vec<String>,
}

impl Section {
    /// Returns its word and the rest of its first line.
    pub(super) fn as_str(&self) -> (&str, &str) {
        self.head.split_once(' ').unwrap_or((&self.head, ""))
    }

    /// The elements in its body, in a root element of a definition.
    pub(super) fn document(&self, root: &str) -> Element {
        // content that may stand in any definition
        let text = format!(
            "<{root} xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{}</{}>",
            self.body.join("\n"),
            root.split(' ').next().unwrap()
        );
        parse(SourceId::NONE, &text, &Limits::default()).unwrap_or_else(|e| panic!("{e:?}\n{text}"))
    }

    /// Returns its lines without their indentation.
    pub(super) fn lines(&self) -> Vec<&str> {
        self.body.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect()
    }

    /// Puts lines in place of its own; blank ones at the end stay.
    pub(super) fn set_lines<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        let blank = self.body.iter().rev().take_while(|line| line.trim().is_empty()).count();
        self.body = lines.into_iter().map(|line| format!("  {line}")).collect();
        self.body.extend(std::iter::repeat_n(String::new(), blank));
    }

    /// Puts the children of a root element in place of its lines.
    pub(super) fn set_document(&mut self, root: &Element) {
        let text: String = root.elements().map(write).collect();
        self.set_lines(text.lines());
    }
}

/// Returns the folder of the cases.
pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Returns a file's cases, each beginning with its own `case` section. Sections before the first one form a
/// case by themselves.
pub(super) fn cases(path: &Path) -> Vec<Vec<Section>> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut cases: Vec<Vec<Section>> = vec![Vec::new()];
    for line in text.lines() {
        let case = cases.last_mut().unwrap();
        match case.last_mut() {
            Some(section) if line.is_empty() || line.starts_with(' ') => {
                section.body.push(line.to_owned());
            }
            _ => {
                let section = Section { head: line.to_owned(), body: Vec::new() };
                match section.as_str().0 {
                    "case" => cases.push(vec![section]),
                    _ => case.push(section),
                }
            }
        }
    }
    cases
}

/// Writes a file's cases back.
pub(super) fn save(path: &Path, cases: &[Vec<Section>]) {
    let mut text = String::new();
    for section in cases.iter().flatten() {
        for line in std::iter::once(&section.head).chain(&section.body) {
            text.push_str(line);
            text.push('\n');
        }
    }
    fs::write(path, text).unwrap();
}

/// The files of a folder, sorted.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Whether found results are written in place of the expected ones.
pub(super) fn update() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}
