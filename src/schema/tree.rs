//! A tree through an automaton.

use super::automaton::Automaton;
use super::diagnose::{Notation, Scopes, diagnose, symbol};
use super::run::Run;
use crate::diag::Diagnostics;
use crate::xml::{Element, Node};

impl Automaton {
    /// Whether the grammar takes the document.
    pub fn accepts_tree(&mut self, root: &Element) -> bool {
        let mut run = Run::new(self);
        element(&mut run, root, &mut Scopes::default()) && run.finish()
    }

    /// All that is wrong with a document by the grammar, in the order of the document; positions
    /// are those of the tree.
    pub fn validate(&mut self, root: &Element, notation: Notation) -> Diagnostics {
        if self.accepts_tree(root) {
            return Diagnostics::default();
        }
        diagnose(self, root, notation)
    }
}

fn element<'d>(run: &mut Run<'_>, e: &'d Element, scopes: &mut Scopes<'d>) -> bool {
    if !run.before_tag(scopes) {
        return false;
    }
    let name = symbol(run.automaton, &e.name);
    if run.open(name).is_none() {
        return false;
    }
    scopes.push(&e.namespaces);
    for a in &e.attributes {
        let name = symbol(run.automaton, &a.name);
        if !run.attribute(name, &a.value, scopes) {
            return false;
        }
    }
    if !run.close_tag() {
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
    use crate::diag::{SourceId, Sources};
    use crate::schema::{Files, load};
    use crate::xml::{Limits, parse};
    use std::sync::Arc;

    struct Only(&'static str);

    impl Files for Only {
        fn read(&self, _: &str) -> Result<String, String> {
            Ok(self.0.to_owned())
        }
    }

    #[test]
    fn a_child_called_like_a_missing_attribute_does_not_hide_it() {
        let grammar = "<element name='a' xmlns='http://relaxng.org/ns/structure/1.0'>\
                       <attribute name='b'/><element name='b'><empty/></element></element>";
        let grammar = load("g.rng", &Only(grammar), &mut Sources::default()).unwrap();
        let mut automaton = Automaton::new(Arc::new(grammar));
        let tree = parse(SourceId::NONE, "<a><b/></a>", &Limits::default()).unwrap();
        for notation in [Notation::Xml, Notation::Toml] {
            let problems = automaton.validate(&tree, notation);
            let codes: Vec<&str> = problems.iter().map(|p| p.code).collect();
            assert_eq!(codes, ["missing-attribute"]);
        }
    }
}
