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
