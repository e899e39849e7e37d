//! A second validator, to hold the engine against: James Clark's derivative algorithm as his paper
//! has it, with `After` patterns and binary operators, without tables, states or symbols.
//!
//! It shares with the engine only what a loaded grammar says, and the datatypes.

use relaxng::Grammar;
use relaxng::datatype::Context;
use relaxng::names::{NameClass, Names};
use relaxng::pattern::Patterns;
use relaxng::pattern::{AttributeId, DataId, ElementId, Pattern, PatternId, ValueId};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use xmltree::{Element, Name, NamespaceDecl, XML_NAMESPACE};

/// Steps before an answer is given up: some patterns grow without end where nothing is shared.
const STEPS_MAX: u32 = 50_000;

#[derive(Debug, Hash)]
enum P {
    NotAllowed,
    Empty,
    Text,
    Choice(Rc<Node>, Rc<Node>),
    Interleave(Rc<Node>, Rc<Node>),
    Group(Rc<Node>, Rc<Node>),
    OneOrMore(Rc<Node>),
    List(Rc<Node>),
    Data(DataId),
    Value(ValueId),
    Attribute(AttributeId),
    Element(ElementId),
    After(Rc<Node>, Rc<Node>),
}

/// Pattern with cached properties. Two count as equal if their hashes are.
#[derive(Debug)]
struct Node {
    p: P,
    hash: u64,
    nullable: bool,
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

fn node(p: P) -> Rc<Node> {
    let mut hasher = DefaultHasher::new();
    p.hash(&mut hasher);
    let nullable = match &p {
        P::Empty | P::Text => true,
        P::Choice(a, b) => a.nullable || b.nullable,
        P::Group(a, b) | P::Interleave(a, b) => a.nullable && b.nullable,
        P::OneOrMore(a) => a.nullable,
        _ => false,
    };
    Rc::new(Node { p, hash: hasher.finish(), nullable })
}

/// Whether the grammar takes the document; `None` if that takes too long to find out.
pub(crate) fn accepts(grammar: &Grammar, root: &Element) -> Option<bool> {
    let mut validator = Validator { grammar, scope: Vec::new(), steps: 0 };
    let start = convert(&grammar.patterns, grammar.start);
    let end = validator.element(&start, root);
    (validator.steps <= STEPS_MAX).then(|| end.nullable)
}

struct Validator<'a> {
    grammar: &'a Grammar,
    /// Namespace declarations in scope, innermost last.
    scope: Vec<&'a NamespaceDecl>,
    steps: u32,
}

impl Context for Validator<'_> {
    fn namespace(&self, prefix: Option<&str>) -> Option<&str> {
        let found = self.scope.iter().rev().find(|d| d.prefix.as_deref() == prefix);
        match (found, prefix) {
            (Some(declaration), _) => Some(&declaration.uri),
            (None, None) => Some(""),
            (None, Some("xml")) => Some(XML_NAMESPACE),
            (None, Some(_)) => None,
        }
    }
}

impl<'a> Validator<'a> {
    fn is_spent(&mut self) -> bool {
        self.steps += 1;
        self.steps > STEPS_MAX
    }

    fn element(&mut self, p: &Rc<Node>, e: &'a Element) -> Rc<Node> {
        let outer = self.scope.len();
        self.scope.extend(&e.namespaces);
        let mut p = self.start_tag_open(p, &e.name);
        for a in &e.attributes {
            p = self.attribute(&p, &a.name, &a.value);
        }
        p = self.start_tag_close(&p);
        p = self.children(p, &e.children);
        self.scope.truncate(outer);
        self.end_tag(&p)
    }

    fn children(&mut self, p: Rc<Node>, children: &'a [xmltree::Node]) -> Rc<Node> {
        match children {
            [] => self.only_text(&p, ""),
            [xmltree::Node::Text(t)] => self.only_text(&p, &t.value),
            _ => {
                let mut p = p;
                for child in children {
                    p = match child {
                        xmltree::Node::Element(e) => self.element(&p, e),
                        xmltree::Node::Text(t) if is_blank(&t.value) => p,
                        xmltree::Node::Text(t) => self.text(&p, &t.value),
                    };
                }
                p
            }
        }
    }

    fn only_text(&mut self, p: &Rc<Node>, text: &str) -> Rc<Node> {
        let taken = self.text(p, text);
        if is_blank(text) { choice(p.clone(), taken) } else { taken }
    }

    fn text(&mut self, p: &Rc<Node>, s: &str) -> Rc<Node> {
        if self.is_spent() {
            return node(P::NotAllowed);
        }
        let grammar = self.grammar;
        match &p.p {
            P::Choice(a, b) => choice(self.text(a, s), self.text(b, s)),
            P::Interleave(a, b) => choice(
                interleave(self.text(a, s), b.clone()),
                interleave(a.clone(), self.text(b, s)),
            ),
            P::Group(a, b) => {
                let first = group(self.text(a, s), b.clone());
                if a.nullable { choice(first, self.text(b, s)) } else { first }
            }
            P::After(a, b) => after(self.text(a, s), b.clone()),
            P::OneOrMore(a) => group(self.text(a, s), choice(p.clone(), node(P::Empty))),
            P::Text => p.clone(),
            P::Value(id) => empty_if(grammar.values.get(*id).unwrap().matches(s, self)),
            P::Data(id) => {
                let decl = grammar.data.get(*id).unwrap();
                let allowed = decl.datatype.allows(s, self);
                let excepted = decl.except.is_some_and(|except| {
                    let except = convert(&grammar.patterns, except);
                    self.text(&except, s).nullable
                });
                empty_if(allowed && !excepted)
            }
            P::List(a) => {
                let mut rest = a.clone();
                for word in s.split([' ', '\t', '\r', '\n']).filter(|w| !w.is_empty()) {
                    rest = self.text(&rest, word);
                }
                empty_if(rest.nullable)
            }
            P::NotAllowed | P::Empty | P::Attribute(_) | P::Element(_) => node(P::NotAllowed),
        }
    }

    fn start_tag_open(&mut self, p: &Rc<Node>, name: &Name) -> Rc<Node> {
        if self.is_spent() {
            return node(P::NotAllowed);
        }
        match &p.p {
            P::Choice(a, b) => choice(self.start_tag_open(a, name), self.start_tag_open(b, name)),
            P::Element(id) => {
                let decl = self.grammar.element(*id).unwrap();
                if contains(&decl.class, &self.grammar.names, name) {
                    let content = convert(&self.grammar.patterns, decl.content);
                    after(content, node(P::Empty))
                } else {
                    node(P::NotAllowed)
                }
            }
            P::Interleave(a, b) => {
                let first =
                    apply_after(&self.start_tag_open(a, name), &|x| interleave(x, b.clone()));
                let second =
                    apply_after(&self.start_tag_open(b, name), &|x| interleave(a.clone(), x));
                choice(first, second)
            }
            P::OneOrMore(a) => {
                let more = choice(p.clone(), node(P::Empty));
                apply_after(&self.start_tag_open(a, name), &|x| group(x, more.clone()))
            }
            P::Group(a, b) => {
                let first = apply_after(&self.start_tag_open(a, name), &|x| group(x, b.clone()));
                if a.nullable { choice(first, self.start_tag_open(b, name)) } else { first }
            }
            P::After(a, b) => apply_after(&self.start_tag_open(a, name), &|x| after(x, b.clone())),
            _ => node(P::NotAllowed),
        }
    }

    fn attribute(&mut self, p: &Rc<Node>, name: &Name, value: &str) -> Rc<Node> {
        if self.is_spent() {
            return node(P::NotAllowed);
        }
        match &p.p {
            P::After(a, b) => after(self.attribute(a, name, value), b.clone()),
            P::Choice(a, b) => {
                choice(self.attribute(a, name, value), self.attribute(b, name, value))
            }
            P::Group(a, b) => choice(
                group(self.attribute(a, name, value), b.clone()),
                group(a.clone(), self.attribute(b, name, value)),
            ),
            P::Interleave(a, b) => choice(
                interleave(self.attribute(a, name, value), b.clone()),
                interleave(a.clone(), self.attribute(b, name, value)),
            ),
            P::OneOrMore(a) => {
                group(self.attribute(a, name, value), choice(p.clone(), node(P::Empty)))
            }
            P::Attribute(id) => {
                let decl = self.grammar.attributes.get(*id).unwrap();
                if !contains(&decl.class, &self.grammar.names, name) {
                    return node(P::NotAllowed);
                }
                let content = convert(&self.grammar.patterns, decl.content);
                let blank = content.nullable && is_blank(value);
                empty_if(blank || self.text(&content, value).nullable)
            }
            _ => node(P::NotAllowed),
        }
    }

    fn start_tag_close(&mut self, p: &Rc<Node>) -> Rc<Node> {
        if self.is_spent() {
            return node(P::NotAllowed);
        }
        match &p.p {
            P::After(a, b) => after(self.start_tag_close(a), b.clone()),
            P::Choice(a, b) => choice(self.start_tag_close(a), self.start_tag_close(b)),
            P::Group(a, b) => group(self.start_tag_close(a), self.start_tag_close(b)),
            P::Interleave(a, b) => interleave(self.start_tag_close(a), self.start_tag_close(b)),
            P::OneOrMore(a) => match self.start_tag_close(a) {
                a if is_nothing(&a) => a,
                a => node(P::OneOrMore(a)),
            },
            P::Attribute(_) => node(P::NotAllowed),
            _ => p.clone(),
        }
    }

    fn end_tag(&mut self, p: &Rc<Node>) -> Rc<Node> {
        if self.is_spent() {
            return node(P::NotAllowed);
        }
        match &p.p {
            P::Choice(a, b) => choice(self.end_tag(a), self.end_tag(b)),
            P::After(a, b) if a.nullable => b.clone(),
            _ => node(P::NotAllowed),
        }
    }
}

fn apply_after(p: &Rc<Node>, f: &dyn Fn(Rc<Node>) -> Rc<Node>) -> Rc<Node> {
    match &p.p {
        P::After(a, b) => after(a.clone(), f(b.clone())),
        P::Choice(a, b) => choice(apply_after(a, f), apply_after(b, f)),
        _ => node(P::NotAllowed),
    }
}

fn empty_if(matches: bool) -> Rc<Node> {
    node(if matches { P::Empty } else { P::NotAllowed })
}

fn choice(a: Rc<Node>, b: Rc<Node>) -> Rc<Node> {
    // without this, what is ambiguous doubles with each element
    if is_nothing(&b) || is_one_of(&b, &a) {
        return a;
    }
    if is_nothing(&a) {
        return b;
    }
    match &b.p {
        P::Choice(first, rest) => choice(choice(a, first.clone()), rest.clone()),
        _ => node(P::Choice(a, b)),
    }
}

fn is_one_of(p: &Node, choices: &Node) -> bool {
    p.hash == choices.hash
        || matches!(&choices.p, P::Choice(a, b) if is_one_of(p, a) || is_one_of(p, b))
}

fn is_nothing(p: &Node) -> bool {
    matches!(p.p, P::NotAllowed)
}

fn group(a: Rc<Node>, b: Rc<Node>) -> Rc<Node> {
    match (&a.p, &b.p) {
        (P::NotAllowed, _) | (_, P::Empty) => a,
        (_, P::NotAllowed) | (P::Empty, _) => b,
        _ => node(P::Group(a, b)),
    }
}

fn interleave(a: Rc<Node>, b: Rc<Node>) -> Rc<Node> {
    match (&a.p, &b.p) {
        (P::NotAllowed, _) | (_, P::Empty) => a,
        (_, P::NotAllowed) | (P::Empty, _) => b,
        _ => node(P::Interleave(a, b)),
    }
}

fn after(a: Rc<Node>, b: Rc<Node>) -> Rc<Node> {
    match (&a.p, &b.p) {
        (P::NotAllowed, _) => a,
        (_, P::NotAllowed) => b,
        _ => node(P::After(a, b)),
    }
}

/// Converts a pattern to binary operators; the content of its elements and attributes is left for when it is
/// needed.
fn convert(patterns: &Patterns, id: PatternId) -> Rc<Node> {
    let fold = |parts: &[PatternId], make: fn(Rc<Node>, Rc<Node>) -> Rc<Node>| {
        let parts = parts.iter().map(|part| convert(patterns, *part));
        parts.reduce(make).unwrap()
    };
    match patterns.get(id) {
        Pattern::NotAllowed => node(P::NotAllowed),
        Pattern::Empty => node(P::Empty),
        Pattern::Text => node(P::Text),
        Pattern::Choice(parts) => fold(parts, choice),
        Pattern::Interleave(parts) => fold(parts, interleave),
        Pattern::Group(parts) => fold(parts, group),
        Pattern::OneOrMore(part) => node(P::OneOrMore(convert(patterns, *part))),
        Pattern::List(part) => node(P::List(convert(patterns, *part))),
        Pattern::Data(id) => node(P::Data(*id)),
        Pattern::Value(id) => node(P::Value(*id)),
        Pattern::Attribute(id) => node(P::Attribute(*id)),
        Pattern::Element(id) => node(P::Element(*id)),
    }
}

/// Whether a name is in a class, by its text.
fn contains(class: &NameClass, names: &Names, name: &Name) -> bool {
    let outside = |except: &Option<Box<NameClass>>| {
        except.as_deref().is_none_or(|except| !contains(except, names, name))
    };
    let uri = name.namespace.as_deref().unwrap_or("");
    match class {
        NameClass::AnyName(except) => outside(except),
        NameClass::NsName(id, except) => names.uri(*id) == uri && outside(except),
        NameClass::Name(symbol) => names.name(*symbol) == Some((uri, name.local.as_str())),
        NameClass::Choice(classes) => classes.iter().any(|c| contains(c, names, name)),
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' ' | '\t' | '\r' | '\n'))
}
