//! The target `validator`: a random grammar and random documents, by every way through the engine
//! and by the reference.

use super::{Choices, document, grammar, reference};
use diagnostics::{Sources, render};
use relaxng::{Automaton, Files, Grammar};
use std::sync::Arc;
use xmltree::{Limits, parse};

/// Documents of one grammar; the later ones meet tables that the earlier ones made.
const DOCUMENTS: usize = 8;

/// Result for some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Grammars that were taken, and that were refused.
    pub(crate) loaded: usize,
    pub(crate) refused: usize,
    /// Documents that were taken, and that were refused.
    pub(crate) valid: usize,
    pub(crate) invalid: usize,
    /// Documents for which the reference took too long.
    pub(crate) given_up: usize,
}

/// A grammar that is one text.
struct Text<'a>(&'a str);

impl Files for Text<'_> {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok(self.0.to_owned())
    }
}

/// Loads the grammar, or returns the reason for which it is none.
pub(crate) fn load(schema: &str) -> Result<Grammar, String> {
    let mut sources = Sources::default();
    relaxng::load("t.rng", &Text(schema), &mut sources)
        .map_err(|problems| problems.iter().map(|p| render(p, &sources)).collect())
}

/// Makes a grammar and documents of the bytes, and compares.
pub(crate) fn validator(data: &[u8]) -> Seen {
    let mut choices = Choices::new(data);
    let made = grammar::Grammar::new(&mut choices);
    let schema = made.write();
    let mut seen = Seen::default();
    let Ok(grammar) = load(&schema) else {
        seen.refused = 1;
        return seen;
    };
    seen.loaded = 1;
    let grammar = Arc::new(grammar);
    let mut automaton = Automaton::new(grammar.clone());
    let mut small = Automaton::with_cap(grammar.clone(), 1);
    for _ in 0..DOCUMENTS {
        let text = document::document(&made, &mut choices);
        compare(&schema, &text, [&mut automaton, &mut small], &mut seen);
        if choices.is_empty() {
            break;
        }
    }
    seen
}

fn compare(schema: &str, text: &str, automata: [&mut Automaton; 2], seen: &mut Seen) {
    let mut sources = Sources::default();
    let id = sources.add("t.xml", text);
    let limits = Limits::default();
    let tree = parse(id, text, &limits)
        .unwrap_or_else(|p| panic!("not well-formed: {}\n{text}", render(&p, &sources)));
    let expected = reference::accepts(automata[0].grammar(), &tree);
    let expected = expected.unwrap_or_else(|| {
        seen.given_up += 1;
        // it remains to check that all ways agree
        Automaton::new(automata[0].grammar().clone()).accepts_tree(&tree)
    });
    if expected {
        seen.valid += 1;
    } else {
        seen.invalid += 1;
    }
    for (automaton, cap) in automata.into_iter().zip(["", " with small tables"]) {
        let what =
            |way: &str| format!("{way}{cap}, the reference says {expected}:\n{schema}\n{text}");
        // twice, since the second time much is known
        for time in ["", " again"] {
            let fast = automaton.accepts(id, text, &limits).expect("it was well-formed");
            assert_eq!(fast, expected, "{}", what(&format!("accepts{time}")));
            assert_eq!(automaton.accepts_tree(&tree), expected, "{}", what("accepts_tree"));
        }
        let vocabularies: [&dyn relaxng::Vocabulary; 2] =
            [&virt::grammars::Xml, &virt::grammars::Toml];
        for notation in vocabularies {
            let problems = automaton.validate(&tree, notation);
            let said: String = problems.iter().map(|p| render(p, &sources)).collect();
            assert_eq!(problems.is_empty(), expected, "{}\n{said}", what("validate"));
            assert!(!said.contains("does not fit the grammar"), "no reason: {}", what("validate"));
        }
    }
}
