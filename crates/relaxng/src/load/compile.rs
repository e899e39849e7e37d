//! Compilation of a schema's elements to patterns: rules 4.11 to 4.21, from the start on.

use super::context::{Context, Described, Namespaces, ScopeId, ValueContext};
use super::kind::{Attr, Kind};
use super::library::Library;
use super::node::Node;
use super::scope::{DefineId, Scopes, State, gather};
use crate::datatype::{Constant, Datatype, Param, TypeError};
use crate::names::Names;
use crate::pattern::{
    AttributeDecl, AttributeId, DataDecl, DataId, ElementDecl, ElementId, Grammar, Number, Pattern,
    PatternId, Patterns, Table, ValueId,
};
use crate::restrict::{self, Origins};
use diagnostics::{Diagnostic, Diagnostics, Span, excerpt};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Patterns inside one another, definitions that are referred to included, between an element and
/// the next. One file can nest 256 elements; libvirt's grammars have about 20.
const DEEPEST: usize = 300;

/// Parts of one group, choice or interleave, those that definitions bring included. A definition
/// that holds another twice, which holds a third twice, and so on, would double them each time.
const WIDEST: usize = 10_000;

/// Compiles the grammar of the schema whose main file has this root. With `check`, unreferenced parts are
/// checked as well, and section 7.
pub(super) fn compile(
    root: &Node,
    library: &Library,
    problems: &mut Diagnostics,
) -> Option<Grammar> {
    let mut compiler = Compiler::new(library, problems);
    let start = compiler.pattern(root, Context::ROOT);
    compiler.contents();
    compiler.rest();
    let (grammar, origins) = compiler.finish(start);
    if problems.has_errors() {
        return None;
    }
    restrict::check(&grammar, &origins, problems);
    Some(grammar)
}

/// Combination of several patterns to one.
#[derive(Clone, Copy)]
enum Joint {
    Group,
    Choice,
    Interleave,
}

/// Patterns in the making.
pub(super) struct Compiler<'a> {
    pub(super) names: Names,
    pub(super) namespaces: Namespaces<'a>,
    pub(super) problems: &'a mut Diagnostics,
    library: &'a Library,
    scopes: Scopes<'a>,
    patterns: Patterns,
    elements: Vec<ElementDecl>,
    attributes: Table<AttributeDecl, AttributeId>,
    data: Table<DataDecl, DataId>,
    values: Table<Constant, ValueId>,
    origins: Origins,
    /// Elements whose content is still to be made.
    open: Vec<(ElementId, &'a Node, Context<'a>)>,
    /// Reference stack since the enclosing element, to detect recursion.
    path: Vec<DefineId>,
    depth: usize,
    /// Patterns of referenced files, by the inherited context at the reference.
    external: FxHashMap<(Span, &'a str, Option<ScopeId>), PatternId>,
    /// Whether unreferenced parts are being compiled.
    unreached: bool,
}

impl<'a> Compiler<'a> {
    fn new(library: &'a Library, problems: &'a mut Diagnostics) -> Self {
        Self {
            names: Names::default(),
            namespaces: Namespaces::default(),
            problems,
            library,
            scopes: Scopes::default(),
            patterns: Patterns::default(),
            elements: Vec::new(),
            attributes: Table::default(),
            data: Table::default(),
            values: Table::default(),
            origins: Origins::default(),
            open: Vec::new(),
            path: Vec::new(),
            depth: 0,
            external: FxHashMap::default(),
            unreached: false,
        }
    }

    fn finish(self, start: PatternId) -> (Grammar, Origins) {
        let grammar = Grammar {
            names: self.names,
            patterns: self.patterns,
            elements: self.elements,
            attributes: self.attributes,
            data: self.data,
            values: self.values,
            start,
        };
        (grammar, self.origins)
    }

    /// Makes the contents of all elements that were met.
    fn contents(&mut self) {
        while let Some((id, e, cx)) = self.open.pop() {
            let skip = usize::from(e.attribute(Attr::Name).is_none());
            let content = self.group(e, skip, cx.content());
            if let Some(element) = self.elements.get_mut(id.index()) {
                element.content = content;
            }
        }
    }

    /// Looks at the definitions that nothing refers to: they are dropped (4.19), but not before
    /// their names and types have been checked.
    fn rest(&mut self) {
        self.unreached = true;
        let kept = (self.patterns.len(), self.elements.len());
        let tables = (self.attributes.len(), self.data.len(), self.values.len());
        let mut from = 0;
        while let Some((next, id)) = self.scopes.next_new(from) {
            from = next;
            self.define(id);
            self.contents();
        }
        self.patterns.truncate(kept.0);
        self.elements.truncate(kept.1);
        self.attributes.truncate(tables.0);
        self.data.truncate(tables.1);
        self.values.truncate(tables.2);
    }

    pub(super) fn enter(&mut self, e: &'a Node, cx: Context<'a>) -> Context<'a> {
        self.namespaces.enter(e, cx)
    }

    /// The pattern that an element of the schema stands for.
    fn pattern(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        self.depth += 1;
        let id = if self.depth > DEEPEST {
            if self.depth == DEEPEST + 1 {
                let summary = format!("patterns are nested more than {DEEPEST} deep here");
                self.problem("schema-limit", e.span, summary);
            }
            Patterns::NOT_ALLOWED
        } else {
            let cx = self.enter(e, cx);
            self.pattern_of(e, cx)
        };
        self.depth -= 1;
        self.origins.patterns.reach(id.index(), e.span);
        id
    }

    fn pattern_of(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        let Some(kind) = e.kind else { return Patterns::NOT_ALLOWED };
        match kind {
            Kind::Element => self.element(e, cx),
            Kind::Attribute => self.attribute(e, cx),
            Kind::Group => self.group(e, 0, cx),
            Kind::Interleave => {
                let parts = self.parts(e, 0, cx.part());
                self.join(Joint::Interleave, parts, e.span)
            }
            Kind::Choice => {
                let parts = self.parts(e, 0, cx.alternative());
                self.join(Joint::Choice, parts, e.span)
            }
            Kind::Mixed => {
                let content = self.group(e, 0, cx);
                self.join(Joint::Interleave, vec![content, Patterns::TEXT], e.span)
            }
            Kind::Optional => {
                let content = self.group(e, 0, cx);
                self.patterns.choice([content, Patterns::EMPTY])
            }
            Kind::OneOrMore | Kind::ZeroOrMore => {
                let content = self.group(e, 0, cx);
                let more = self.patterns.one_or_more(content);
                let none = (kind == Kind::ZeroOrMore).then_some(Patterns::EMPTY);
                self.patterns.choice(none.into_iter().chain([more]))
            }
            Kind::List => {
                let content = self.group(e, 0, cx);
                self.patterns.list(content)
            }
            Kind::Ref | Kind::ParentRef => self.reference(e, cx),
            Kind::ExternalRef => self.external(e, cx),
            Kind::Grammar => self.grammar(e, cx),
            Kind::Empty => Patterns::EMPTY,
            Kind::Text => Patterns::TEXT,
            Kind::Data => self.data(e, cx),
            Kind::Value => self.value(e, cx),
            _ => Patterns::NOT_ALLOWED,
        }
    }

    fn parts(&mut self, e: &'a Node, skip: usize, cx: Context<'a>) -> Vec<PatternId> {
        e.children.iter().skip(skip).map(|child| self.pattern(child, cx)).collect()
    }

    /// The children of an element but the first few, one after the other (4.12).
    fn group(&mut self, e: &'a Node, skip: usize, cx: Context<'a>) -> PatternId {
        let parts = self.parts(e, skip, cx.part());
        let id = self.join(Joint::Group, parts, e.span);
        self.origins.patterns.reach(id.index(), e.span);
        id
    }

    /// One pattern of several.
    fn join(&mut self, joint: Joint, parts: Vec<PatternId>, span: Span) -> PatternId {
        if let [only] = parts.as_slice() {
            return *only;
        }
        let width = |part: &PatternId| match (joint, self.patterns.get(*part)) {
            (Joint::Group, Pattern::Group(parts))
            | (Joint::Choice, Pattern::Choice(parts))
            | (Joint::Interleave, Pattern::Interleave(parts)) => parts.len(),
            _ => 1,
        };
        if parts.iter().map(width).sum::<usize>() > WIDEST {
            let summary = format!("a pattern has more than {WIDEST} parts here");
            self.problem("schema-limit", span, summary);
            return Patterns::NOT_ALLOWED;
        }
        match joint {
            Joint::Group => self.patterns.group(parts),
            Joint::Choice => self.patterns.choice(parts),
            Joint::Interleave => self.patterns.interleave(parts),
        }
    }

    fn element(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        let (class, _) = self.class_of(e, cx);
        let id = ElementId::new(self.elements.len());
        let documentation = self.documentation(e, cx, false);
        self.elements.push(ElementDecl { class, content: Patterns::NOT_ALLOWED, documentation });
        self.origins.elements.reach(id.index(), e.span);
        // an element may hold itself, so its content is made later
        self.open.push((id, e, cx));
        self.patterns.intern(Pattern::Element(id))
    }

    fn attribute(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        let (class, skip) = self.class_of(e, cx);
        let content = match e.children.get(skip) {
            Some(content) => self.pattern(content, cx.content()),
            None => Patterns::TEXT,
        };
        if content == Patterns::NOT_ALLOWED {
            return content;
        }
        let documentation = self.documentation(e, cx, false);
        let id = self.attributes.intern(AttributeDecl { class, content, documentation });
        self.origins.attributes.reach(id.index(), e.span);
        self.patterns.intern(Pattern::Attribute(id))
    }

    fn data(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        let mut params = Vec::new();
        let mut except = None;
        for child in e.children.iter() {
            if child.kind == Some(Kind::Param) {
                let name = child.trimmed(Attr::Name).unwrap_or("").to_owned();
                let span = child.text_span;
                params.push(Param { name, value: child.text.clone(), span });
            } else {
                let inner = self.enter(child, cx);
                let parts = self.parts(child, 0, inner.part());
                except = Some(self.join(Joint::Choice, parts, child.span));
            }
        }
        let name = e.trimmed(Attr::Type).unwrap_or("");
        match Datatype::new(cx.library, name, &params) {
            Ok(datatype) => {
                let id = self.data.intern(DataDecl {
                    datatype,
                    except: except.filter(|except| *except != Patterns::NOT_ALLOWED),
                    documentation: self.documentation(e, cx, true),
                    define: cx.define.map(Arc::from),
                });
                self.patterns.intern(Pattern::Data(id))
            }
            Err(error) => self.wrong_type(e, error),
        }
    }

    fn value(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        // without a type it is a token, whatever the library (4.4)
        let (library, name) = match e.trimmed(Attr::Type) {
            Some(name) => (cx.library, name),
            None => ("", "token"),
        };
        let namespaces = ValueContext { namespaces: &self.namespaces, cx };
        match Constant::new(library, name, &e.text, &namespaces) {
            Ok(constant) => {
                let id = self.values.intern(constant);
                self.patterns.intern(Pattern::Value(id))
            }
            Err(error) => self.wrong_type(e, error),
        }
    }

    fn wrong_type(&mut self, e: &Node, error: TypeError) -> PatternId {
        let span = error.span.filter(|span| span.is_known());
        let span = span.or_else(|| e.attribute(Attr::Type).map(|a| a.span)).unwrap_or(e.span);
        let mut problem = Diagnostic::error("schema-datatype", error.summary).at(span);
        problem.hint = error.hint;
        self.problems.push(problem);
        Patterns::NOT_ALLOWED
    }

    /// Returns the documentation of a pattern: annotations on itself, or on the definition that consists of
    /// it. With `choice`, also if it is one of several.
    fn documentation(&self, e: &Node, cx: Context<'a>, choice: bool) -> Option<Arc<str>> {
        let around = || {
            let described = cx.described.filter(|d| choice || !d.choice)?;
            described.define.documentation()
        };
        e.documentation().or_else(around).map(Arc::from)
    }

    /// Compiles a grammar inside a pattern, or the outermost one, to the pattern of its start (4.18).
    fn grammar(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        let cx = gather(e, cx, &mut self.scopes, &mut self.namespaces, self.library, self.problems);
        match cx.grammar.and_then(|scope| self.scopes.start(scope)) {
            Some(start) => self.define(start),
            None => Patterns::NOT_ALLOWED,
        }
    }

    fn external(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        let Some(root) = self.library.target(e) else { return Patterns::NOT_ALLOWED };
        let key = (root.span, cx.ns, cx.grammar);
        if let Some(known) = self.external.get(&key) {
            return *known;
        }
        let id = self.pattern(root, cx.of_file().part());
        self.external.insert(key, id);
        id
    }

    fn reference(&mut self, e: &'a Node, cx: Context<'a>) -> PatternId {
        let name = e.trimmed(Attr::Name).unwrap_or("");
        let scope = match e.kind {
            Some(Kind::ParentRef) => cx.grammar.and_then(|scope| self.scopes.parent(scope)),
            _ => cx.grammar,
        };
        let Some(scope) = scope else {
            let summary = format!("<{}> stands in no grammar that could define", e.name());
            self.problem("schema-reference", e.span, format!("{summary} {}", excerpt(name)));
            return Patterns::NOT_ALLOWED;
        };
        let Some(id) = self.scopes.find(scope, name) else {
            let summary = format!("{} is not defined", excerpt(name));
            let span = e.attribute(Attr::Name).map_or(e.span, |a| a.span);
            let mut problem = Diagnostic::error("schema-reference", summary).at(span);
            let close = self.scopes.closest(scope, name);
            problem.hint = close.map(|name| format!("did you mean {}?", excerpt(name)));
            self.problems.push(problem);
            return Patterns::NOT_ALLOWED;
        };
        if self.scopes.define(id).is_some_and(|define| define.state == State::Open) {
            self.recursion(id, e.span);
            return Patterns::NOT_ALLOWED;
        }
        self.define(id)
    }

    /// The pattern of a definition; all its parts, combined (4.17).
    fn define(&mut self, id: DefineId) -> PatternId {
        let Some(define) = self.scopes.define(id) else { return Patterns::NOT_ALLOWED };
        if let State::Done(pattern) = define.state {
            return pattern;
        }
        let (count, interleave) = (define.parts.len(), define.interleave);
        self.scopes.set_state(id, State::Open);
        self.path.push(id);
        let mut parts = Vec::with_capacity(count);
        let mut span = Span::NONE;
        for i in 0..count {
            let part = self.scopes.define(id).and_then(|define| define.parts.get(i)).copied();
            let Some((e, cx)) = part else { break };
            let single = e.children.len() == 1;
            let described = Described { define: e, choice: false };
            let cx = Context { described: single.then_some(described), ..cx };
            let children: Vec<PatternId> =
                e.children.iter().map(|child| self.pattern(child, cx)).collect();
            parts.push(self.join(Joint::Group, children, e.span));
            span = e.span;
        }
        let joint = if interleave { Joint::Interleave } else { Joint::Choice };
        let pattern = self.join(joint, parts, span);
        self.path.pop();
        self.scopes.set_state(id, State::Done(pattern));
        pattern
    }

    /// Reports that a definition holds itself with no element between (4.19).
    fn recursion(&mut self, id: DefineId, span: Span) {
        if self.unreached {
            return;
        }
        let from = self.path.iter().position(|at| *at == id).unwrap_or(0);
        let names = self.path.iter().skip(from).chain([&id]).map(|at| {
            let name = self.scopes.define(*at).and_then(|define| define.name);
            name.map_or_else(|| "start".to_owned(), excerpt)
        });
        let way: Vec<String> = names.collect();
        let name = way.last().cloned().unwrap_or_default();
        let summary = format!("{name} refers to itself with no element between");
        let problem = Diagnostic::error("schema-recursion", summary).at(span);
        self.problems.push(problem.detail(way.join(" → ")).hint("only an element may hold itself"));
    }

    fn problem(&mut self, code: &'static str, span: Span, summary: String) {
        self.problems.push(Diagnostic::error(code, summary).at(span));
    }
}
