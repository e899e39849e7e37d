//! A tree through an automaton.

use super::automaton::Automaton;
use super::explain::{Scopes, diagnose};
use super::matcher::Run;
use super::vocabulary::Vocabulary;
use diagnostics::Diagnostics;
use xmltree::{Element, Node};

impl Automaton {
    /// Whether the grammar takes the document.
    pub fn accepts_tree(&mut self, root: &Element) -> bool {
        let mut run = Run::new(self);
        element(&mut run, root, &mut Scopes::default()) && run.finish()
    }

    /// Returns all problems of a document by the grammar, in the order of the document; positions are those
    /// of the tree.
    pub fn validate(&mut self, root: &Element, vocabulary: &dyn Vocabulary) -> Diagnostics {
        if self.accepts_tree(root) {
            return Diagnostics::default();
        }
        diagnose(self, root, vocabulary)
    }
}

fn element<'d>(run: &mut Run<'_>, e: &'d Element, scopes: &mut Scopes<'d>) -> bool {
    if !run.before_tag(scopes) {
        return false;
    }
    scopes.push(&e.namespaces);
    let attributes = e.attributes.iter().map(|a| (a.name.uri(), &*a.name.local, &*a.value));
    if run.start_tag((e.name.uri(), &e.name.local), attributes, scopes).is_none() {
        return false;
    }
    for child in &e.children {
        match child {
            Node::Text(t) => run.text(&t.value),
            Node::Element(child) => {
                if !element(run, child, scopes) {
                    return false;
                }
            }
        }
    }
    let whole = run.end(scopes);
    scopes.pop();
    whole
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use crate::{Xml, load};
    use diagnostics::{SourceId, Sources};
    use std::sync::Arc;
    use xmltree::{Limits, parse};

    /// Documents whose attributes and elements are keys.
    #[derive(Debug)]
    struct Keys;

    impl Vocabulary for Keys {
        fn has_keys(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_child_called_like_a_missing_attribute_does_not_hide_it() {
        let grammar = "<element name='a' xmlns='http://relaxng.org/ns/structure/1.0'>\
                       <attribute name='b'/><element name='b'><empty/></element></element>";
        let grammar = load("g.rng", &grammar, &mut Sources::default()).unwrap();
        let mut automaton = Automaton::new(Arc::new(grammar));
        let tree = parse(SourceId::NONE, "<a><b/></a>", &Limits::default()).unwrap();
        for vocabulary in [&Xml as &dyn Vocabulary, &Keys] {
            let problems = automaton.validate(&tree, vocabulary);
            let codes: Vec<&str> = problems.iter().map(|p| p.code).collect();
            assert_eq!(codes, ["missing-attribute"]);
        }
    }
}
