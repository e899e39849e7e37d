//! The target `toml`: any bytes as a manifest, held to the grammar, loaded, and written as TOML.

use diagnostics::{Diagnostics, Sources, render};
use relaxng::{Automaton, Vocabulary};
use std::cell::RefCell;
use std::path::PathBuf;
use virt::grammars::embedded;
use virt::manifest::{self, Format, read_document, to_toml};
use xmltree::{Element, Node};

thread_local! {
    static AUTOMATA: RefCell<Vec<(&'static str, Automaton)>> = const { RefCell::new(Vec::new()) };
    static FILE: PathBuf = std::env::temp_dir().join(format!("virt-fuzz-{}", std::process::id()));
}

/// Reads the bytes as XML if they look like it, else as TOML. Says whether they were a manifest.
pub(crate) fn toml(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let format = if text.starts_with('<') { Format::Xml } else { Format::Toml };
    load(text, format);
    let Ok(roots) = read(text, format) else { return false };
    let valid: Vec<bool> = roots.iter().map(|root| is_valid(root, format)).collect();
    let written = to_toml(&roots);
    let again = read(&written, Format::Toml)
        .unwrap_or_else(|said| panic!("what was written is not read: {said}\n{written}"));
    let same = |a: &Element, b: &Element| grouped(a) == grouped(b);
    assert!(
        roots.len() == again.len() && roots.iter().zip(&again).all(|(a, b)| same(a, b)),
        "another document comes back from\n{written}\n{roots:#?}\n{again:#?}"
    );
    if format == Format::Toml {
        let judged: Vec<bool> = again.iter().map(|root| is_valid(root, format)).collect();
        assert_eq!(judged, valid, "judged in another way:\n{written}");
        // not so for XML, whose order is another than that of the grammar
        assert_eq!(to_toml(&again), written, "written again, it differs");
    }
    true
}

/// Returns the resources of a document without problems, or the problems.
fn read(text: &str, format: Format) -> Result<Vec<Element>, String> {
    let (mut sources, mut problems) = (Sources::default(), Diagnostics::default());
    let roots = read_document("m", text, format, &mut sources, &mut problems);
    let said: String = problems.iter().map(|p| render(p, &sources)).collect();
    if problems.is_empty() { Ok(roots) } else { Err(said) }
}

/// Processes a file up to the desired state.
fn load(text: &str, format: Format) {
    let extension = if format == Format::Xml { "xml" } else { "toml" };
    let path = FILE.with(|file| file.with_extension(extension));
    std::fs::write(&path, text).expect("there is a place for temporary files");
    let loaded = manifest::load(std::slice::from_ref(&path));
    for problem in loaded.diagnostics.iter() {
        render(problem, &loaded.sources);
    }
    std::fs::remove_file(&path).expect("it was just written");
}

fn is_valid(root: &Element, format: Format) -> bool {
    let notation: &dyn Vocabulary =
        if format == Format::Xml { &virt::grammars::Xml } else { &virt::grammars::Toml };
    let name = if root.is("network") { "network" } else { "domain" };
    AUTOMATA.with_borrow_mut(|all| {
        let at = all.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            all.push((name, Automaton::new(embedded(name).expect("it is embedded"))));
            all.len() - 1
        });
        let (_, automaton) = &mut all[at];
        let accepted = automaton.accepts_tree(root);
        assert_eq!(automaton.validate(root, notation).is_empty(), accepted, "{root:#?}");
        accepted
    })
}

/// The element with its children sorted by name, which is all the order that TOML keeps, unless
/// text stands between them.
fn grouped(e: &Element) -> Element {
    let mut e = e.clone();
    let mixed = e.has_text() && e.elements().next().is_some();
    for child in e.elements_mut() {
        *child = grouped(child);
    }
    if !mixed {
        e.children.sort_by_key(|node| match node {
            Node::Element(child) => Some(child.name.local.clone()),
            Node::Text(_) => None,
        });
    }
    e
}
