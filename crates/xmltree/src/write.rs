//! Writing a tree as a document: stable, indented by two spaces as libvirt does, or in one line.

use super::wellformed::is_whitespace;
use super::{Element, Node};
use diagnostics::is_hazard;
use std::fmt::Write as _;
use std::sync::Arc;

/// The document for people and hypervisors: one element a line, two spaces a level, a final break.
pub fn write(element: &Element) -> String {
    let mut out = String::new();
    Writer { out: &mut out, indent: true, folds: false, scope: Vec::new() }.element(element, 0);
    out.push('\n');
    out
}

/// Writes an element as people do: one whose children have none is on one line with them, where that is no
/// longer than a line should be.
pub fn write_folded(element: &Element) -> String {
    let mut out = String::new();
    Writer { out: &mut out, indent: true, folds: true, scope: Vec::new() }.element(element, 0);
    out.push('\n');
    out
}

/// Longest line that several elements share, in characters.
const WIDTH: usize = 100;

/// The document in one line, white space between elements left out.
pub fn write_compact(element: &Element) -> String {
    let mut out = String::new();
    Writer { out: &mut out, indent: false, folds: false, scope: Vec::new() }.element(element, 0);
    out
}

type Binding = (Option<Arc<str>>, Arc<str>);

struct Writer<'a> {
    out: &'a mut String,
    indent: bool,
    /// Whether short elements are put on one line.
    folds: bool,
    /// Prefixes in scope, innermost last.
    scope: Vec<Binding>,
}

impl Writer<'_> {
    fn element(&mut self, e: &Element, level: usize) {
        let mut inside = e.elements().peekable();
        let may_fold = self.folds && self.indent && level > 0 && inside.peek().is_some();
        if may_fold && inside.all(|child| child.elements().next().is_none()) {
            let begun = self.out.len();
            self.indent = false;
            self.whole_element(e, level);
            self.indent = true;
            let line = self.out.rsplit('\n').next().unwrap_or_default();
            if line.chars().count() <= WIDTH {
                return;
            }
            self.out.truncate(begun);
        }
        self.whole_element(e, level);
    }

    fn whole_element(&mut self, e: &Element, level: usize) {
        let outer = self.scope.len();
        let name = e.name.written();
        self.out.push('<');
        self.out.push_str(&name);
        for decl in &e.namespaces {
            self.declare(decl.prefix.clone(), decl.uri.clone());
        }
        self.need(e.name.prefix.as_ref(), e.name.namespace.as_ref());
        for a in &e.attributes {
            if a.name.namespace.is_some() {
                self.need(a.name.prefix.as_ref(), a.name.namespace.as_ref());
            }
            self.out.push(' ');
            self.out.push_str(&a.name.written());
            self.out.push_str("='");
            escape_into(self.out, &a.value, true);
            self.out.push('\'');
        }
        self.content(e, &name, level);
        self.scope.truncate(outer);
    }

    fn content(&mut self, e: &Element, name: &str, level: usize) {
        let has_elements = e.elements().next().is_some();
        let mixed = has_elements && e.has_text();
        let indent = self.indent && has_elements && !mixed;
        let mut any = false;
        for node in &e.children {
            match node {
                Node::Text(t) if !mixed && (has_elements || is_layout(&t.value)) => {}
                Node::Text(t) => {
                    self.open(&mut any);
                    escape_into(self.out, &t.value, false);
                }
                Node::Element(child) => {
                    self.open(&mut any);
                    if indent {
                        self.new_line(level + 1);
                    }
                    let before = self.indent;
                    self.indent = before && !mixed;
                    self.element(child, level + 1);
                    self.indent = before;
                }
            }
        }
        if !any {
            self.out.push_str("/>");
            return;
        }
        if indent {
            self.new_line(level);
        }
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn open(&mut self, any: &mut bool) {
        if !std::mem::replace(any, true) {
            self.out.push('>');
        }
    }

    fn new_line(&mut self, level: usize) {
        self.out.push('\n');
        for _ in 0..level {
            self.out.push_str("  ");
        }
    }

    /// Declares the namespace of a name unless it is in scope under that prefix; a tree that was
    /// put together from several documents may lack the declaration.
    fn need(&mut self, prefix: Option<&Arc<str>>, namespace: Option<&Arc<str>>) {
        // declared everywhere by itself
        if prefix.is_some_and(|p| &**p == "xml") {
            return;
        }
        let bound = self.scope.iter().rev().find(|(p, _)| p.as_ref() == prefix).map(|(_, uri)| uri);
        let wanted: Arc<str> = namespace.cloned().unwrap_or_else(|| "".into());
        if bound.map_or("", |uri| uri) != &*wanted && (prefix.is_none() || !wanted.is_empty()) {
            self.declare(prefix.cloned(), wanted);
        }
    }

    fn declare(&mut self, prefix: Option<Arc<str>>, uri: Arc<str>) {
        match &prefix {
            Some(prefix) => {
                self.out.push_str(" xmlns:");
                self.out.push_str(prefix);
            }
            None => self.out.push_str(" xmlns"),
        }
        self.out.push_str("='");
        escape_into(self.out, &uri, true);
        self.out.push('\'');
        self.scope.push((prefix, uri));
    }
}

/// Whether text is only layout: nothing, or a line break and an indent.
fn is_layout(text: &str) -> bool {
    text.is_empty() || text.contains('\n') && is_whitespace(text)
}

fn escape_into(out: &mut String, text: &str, attribute: bool) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' if attribute => out.push_str("&apos;"),
            '"' if attribute => out.push_str("&quot;"),
            '\t' | '\n' if attribute => out.push_str(if c == '\t' { "&#9;" } else { "&#10;" }),
            '\r' => out.push_str("&#13;"),
            ' '..='~' => out.push(c),
            // read again it is the same, and a terminal or an editor that shows the document is not led
            c if is_hazard(c) && c != '\n' && c != '\t' => {
                let _ = write!(out, "&#x{:X};", u32::from(c));
            }
            _ => out.push(c),
        }
    }
}
