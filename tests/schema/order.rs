//! Documents as xmllint wants them: siblings in the order of the grammar, no white space around
//! values. What xmllint refuses and then accepts so, it has refused by one of its known faults.

use super::material::Schemas;
use diagnostics::SourceId;
use relaxng::Files;
use std::collections::BTreeMap;
use std::path::Path;
use xmltree::{Element, Limits, Node, parse};

/// The files of a grammar, as trees.
#[derive(Debug, Default)]
pub(super) struct Order {
    defines: BTreeMap<String, Vec<Element>>,
    starts: Vec<Element>,
}

impl Order {
    /// Reads a grammar and its includes.
    pub(super) fn read(directory: &Path, name: &str) -> Self {
        let mut order = Self::default();
        let files = Schemas(directory.to_owned());
        let mut wanted = vec![format!("{name}.rng")];
        let mut known = Vec::new();
        while let Some(uri) = wanted.pop() {
            if known.contains(&uri) {
                continue;
            }
            let text = files.read(&uri).unwrap();
            order.add(&parse(SourceId::NONE, &text, &Limits::default()).unwrap(), &mut wanted);
            known.push(uri);
        }
        order
    }

    fn add(&mut self, e: &Element, wanted: &mut Vec<String>) {
        for child in e.elements() {
            match child.name.local.as_str() {
                // no file of ours or libvirt's refers to one in a directory from within one
                "include" => wanted.push(child.attr("href").unwrap().to_owned()),
                "start" => self.starts.push(child.clone()),
                "define" => {
                    let name = child.attr("name").unwrap().trim().to_owned();
                    self.defines.entry(name).or_default().push(child.clone());
                }
                _ => {}
            }
            self.add(child, wanted);
        }
    }

    /// The document with all siblings in the order of the grammar.
    pub(super) fn sorted(&self, root: &Element) -> Element {
        let mut sorted = root.clone();
        let starts: Vec<&Element> = self.starts.iter().collect();
        let of_root = self.members(&starts);
        self.sort(&mut sorted, &named(&of_root, root));
        sorted
    }

    fn sort(&self, e: &mut Element, patterns: &[&Element]) {
        let members = self.members(patterns);
        let rank = |node: &Node| match node {
            Node::Text(_) => 0,
            Node::Element(e) => 1 + members.iter().take_while(|m| !is_of(m, e)).count(),
        };
        e.children.sort_by_key(rank);
        for child in &mut e.children {
            if let Node::Element(child) = child {
                let patterns = named(&members, child);
                if !patterns.is_empty() {
                    self.sort(child, &patterns);
                }
            }
        }
    }

    /// The patterns of the children, in order.
    fn members<'a>(&'a self, patterns: &[&'a Element]) -> Vec<&'a Element> {
        let mut found: Vec<&Element> = Vec::new();
        for pattern in patterns {
            self.gather(pattern, &mut Vec::new(), &mut found);
        }
        found
    }

    fn gather<'a>(
        &'a self,
        pattern: &'a Element,
        seen: &mut Vec<&'a str>,
        found: &mut Vec<&'a Element>,
    ) {
        for child in pattern.elements() {
            match child.name.local.as_str() {
                "element" if !found.iter().any(|f| std::ptr::eq(*f, child)) => found.push(child),
                "element" | "attribute" => {}
                "ref" => {
                    let name = child.attr("name").unwrap().trim();
                    if !seen.contains(&name) {
                        seen.push(name);
                        for define in self.defines.get(name).into_iter().flatten() {
                            self.gather(define, seen, found);
                        }
                    }
                }
                // a grammar within one begins with another file's start
                "grammar" => self.starts.iter().for_each(|s| self.gather(s, seen, found)),
                _ => self.gather(child, seen, found),
            }
        }
    }
}

fn named<'a>(patterns: &[&'a Element], e: &Element) -> Vec<&'a Element> {
    patterns.iter().copied().filter(|pattern| is_of(pattern, e)).collect()
}

fn is_of(pattern: &Element, e: &Element) -> bool {
    pattern
        .attr("name")
        .is_some_and(|name| name.trim().rsplit(':').next() == Some(e.name.local.as_str()))
}

/// The document without white space around its values.
pub(super) fn trimmed(root: &Element) -> Element {
    let mut trimmed = root.clone();
    trim(&mut trimmed);
    trimmed
}

fn trim(e: &mut Element) {
    let space = |c| matches!(c, ' ' | '\t' | '\n' | '\r');
    for a in &mut e.attributes {
        a.value = a.value.trim_matches(space).to_owned();
    }
    for child in &mut e.children {
        match child {
            Node::Element(child) => trim(child),
            // white space between elements means nothing to anyone
            Node::Text(text) if text.value.trim_matches(space).is_empty() => {}
            Node::Text(text) => text.value = text.value.trim_matches(space).to_owned(),
        }
    }
}
