//! Grammars: their definitions, includes and overrides (4.7), and the combination of definitions of one name
//! (4.17).

use super::context::{Context, Namespaces, ScopeId};
use super::kind::{Attr, Kind, trim};
use super::library::Library;
use super::node::Node;
use crate::pattern::PatternId;
use diagnostics::{Diagnostic, Diagnostics, Span, closest, excerpt};
use rustc_hash::FxHashMap;

/// Files that include one another in a chain; libvirt's are 5 deep.
const INCLUDES_DEEP: usize = 64;

/// Definitions of a schema in all. A file can be included twice by each of two files that are
/// included twice, and so on.
const DEFINITIONS_MAX: usize = 200_000;

/// The number of a definition in [`Scopes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DefineId(usize);

/// All grammars of a schema with their definitions.
#[derive(Debug, Default)]
pub(super) struct Scopes<'a> {
    grammars: Vec<Scope<'a>>,
    defines: Vec<Define<'a>>,
}

#[derive(Debug)]
struct Scope<'a> {
    parent: Option<ScopeId>,
    start: Option<DefineId>,
    defines: FxHashMap<&'a str, DefineId>,
}

/// A definition, or the start of a grammar.
#[derive(Debug)]
pub(super) struct Define<'a> {
    /// Name of the definition; `None` for a start.
    pub(super) name: Option<&'a str>,
    /// Elements that it consists of, each with its inherited context.
    pub(super) parts: Vec<(&'a Node, Context<'a>)>,
    /// Whether the parts are interleaved instead of being alternatives.
    pub(super) interleave: bool,
    /// Progress of its compilation.
    pub(super) state: State,
    /// The first part that says how to combine, and the first that does not.
    says: Option<Span>,
    says_not: Option<Span>,
}

/// Progress of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Untouched.
    New,
    /// Being made a pattern of.
    Open,
    /// Done.
    Done(PatternId),
}

impl<'a> Scopes<'a> {
    /// The start of a grammar.
    pub(super) fn start(&self, scope: ScopeId) -> Option<DefineId> {
        self.grammars.get(scope.0)?.start
    }

    /// The grammar around a grammar.
    pub(super) fn parent(&self, scope: ScopeId) -> Option<ScopeId> {
        self.grammars.get(scope.0)?.parent
    }

    /// The definition that `name` means in a grammar.
    pub(super) fn find(&self, scope: ScopeId, name: &str) -> Option<DefineId> {
        self.grammars.get(scope.0)?.defines.get(name).copied()
    }

    /// The name nearest to one that a grammar does not define.
    pub(super) fn closest(&self, scope: ScopeId, name: &str) -> Option<&'a str> {
        closest(name, self.grammars.get(scope.0)?.defines.keys().copied())
    }

    /// A definition.
    pub(super) fn define(&self, id: DefineId) -> Option<&Define<'a>> {
        self.defines.get(id.0)
    }

    /// Notes how far a definition has come.
    pub(super) fn set_state(&mut self, id: DefineId, state: State) {
        if let Some(define) = self.defines.get_mut(id.0) {
            define.state = state;
        }
    }

    /// The first definition from `from` on that was not looked at.
    pub(super) fn next_new(&self, from: usize) -> Option<(usize, DefineId)> {
        let rest = self.defines.iter().enumerate().skip(from);
        rest.into_iter().find(|(_, d)| d.state == State::New).map(|(i, _)| (i + 1, DefineId(i)))
    }
}

/// Reads the grammar `root` and returns its number.
pub(super) fn gather<'a>(
    root: &'a Node,
    mut cx: Context<'a>,
    scopes: &mut Scopes<'a>,
    namespaces: &mut Namespaces<'a>,
    library: &'a Library,
    problems: &mut Diagnostics,
) -> Context<'a> {
    let scope = ScopeId(scopes.grammars.len());
    let new = Scope { parent: cx.grammar, start: None, defines: FxHashMap::default() };
    scopes.grammars.push(new);
    cx.grammar = Some(scope);
    let mut gatherer =
        Gatherer { scope, scopes, namespaces, library, problems, overrides: Vec::new() };
    gatherer.members(root, cx);
    if gatherer.scopes.start(scope).is_none() {
        let problem = Diagnostic::error("schema-reference", "the grammar has no <start>");
        let hint = "say what its root elements are: <start><ref name=\"…\"/></start>";
        gatherer.problems.push(problem.at(root.span).hint(hint));
    }
    cx
}

struct Gatherer<'g, 'a> {
    scope: ScopeId,
    scopes: &'g mut Scopes<'a>,
    namespaces: &'g mut Namespaces<'a>,
    library: &'a Library,
    problems: &'g mut Diagnostics,
    /// Overrides of the includes around, the outermost first.
    overrides: Vec<Overrides<'a>>,
}

/// Overrides of one include: the place of each, and whether there was something to override. The key of a
/// start is `None`.
type Overrides<'a> = FxHashMap<Option<&'a str>, (Span, bool)>;

impl<'a> Gatherer<'_, 'a> {
    fn members(&mut self, e: &'a Node, cx: Context<'a>) {
        for child in e.children.iter() {
            let cx = self.namespaces.enter(child, cx);
            match child.kind {
                Some(Kind::Include) => self.include(child, cx),
                Some(Kind::Div) => self.members(child, cx),
                _ => self.component(child, cx),
            }
        }
    }

    fn include(&mut self, e: &'a Node, cx: Context<'a>) {
        let Some(root) = self.library.target(e) else { return };
        if self.overrides.len() == INCLUDES_DEEP {
            let summary = format!("files include one another more than {INCLUDES_DEEP} deep");
            return self.problems.push(Diagnostic::error("schema-limit", summary).at(e.span));
        }
        let mut overrides = Overrides::default();
        overridden(e, &mut overrides);
        self.overrides.push(overrides);
        let inner = self.namespaces.enter(root, cx.of_file());
        self.members(root, inner);
        for (name, (span, used)) in self.overrides.pop().unwrap_or_default() {
            if used {
                continue;
            }
            let summary = format!("{} overrides nothing", what(name));
            let file = excerpt(e.attr(Attr::Href).unwrap_or(""));
            let detail = match name {
                Some(name) => format!("{file} has no definition of {}", excerpt(name)),
                None => format!("{file} has no <start>"),
            };
            let hint = "a definition that is not in the included file stands beside the include";
            let problem = Diagnostic::error("schema-include", summary).at(span);
            self.problems.push(problem.detail(detail).hint(hint));
        }
        self.members(e, cx);
    }

    /// Takes in a `start` or `define`.
    fn component(&mut self, e: &'a Node, mut cx: Context<'a>) {
        let name = component_name(e);
        // the innermost include that overrides it: outer ones override what that has instead
        if let Some((_, used)) = self.overrides.iter_mut().rev().find_map(|o| o.get_mut(&name)) {
            *used = true;
            return;
        }
        if self.scopes.defines.len() == DEFINITIONS_MAX {
            let summary = format!("the schema has more than {DEFINITIONS_MAX} definitions");
            return self.problems.push(Diagnostic::error("schema-limit", summary).at(e.span));
        }
        let Some(scope) = self.scopes.grammars.get_mut(self.scope.0) else { return };
        let known = name.map_or(scope.start, |name| scope.defines.get(name).copied());
        let id = known.unwrap_or_else(|| {
            let id = DefineId(self.scopes.defines.len());
            self.scopes.defines.push(Define {
                name,
                parts: Vec::new(),
                interleave: false,
                state: State::New,
                says: None,
                says_not: None,
            });
            match name {
                Some(name) => {
                    scope.defines.insert(name, id);
                }
                None => scope.start = Some(id),
            }
            id
        });
        let Some(define) = self.scopes.defines.get_mut(id.0) else { return };
        cx.define = name;
        define.parts.push((e, cx));
        combine(define, e, self.problems);
    }
}

/// Checks how a further part of a definition wants to be combined with those before (4.17).
fn combine(define: &mut Define<'_>, e: &Node, problems: &mut Diagnostics) {
    let what = what(define.name);
    let Some(how) = e.attribute(Attr::Combine) else {
        match define.says_not {
            Some(first) => {
                let hint = "say how they are combined: combine=\"choice\" or \"interleave\"";
                let problem =
                    Diagnostic::error("schema-duplicate", format!("{what} is there twice"));
                problems.push(problem.at(e.span).related(first, "the first is here").hint(hint));
            }
            None => define.says_not = Some(e.span),
        }
        return;
    };
    let interleave = trim(&how.value) == "interleave";
    match define.says {
        Some(first) if interleave != define.interleave => {
            let summary = format!("{what} is combined in two ways");
            let problem = Diagnostic::error("schema-duplicate", summary).at(how.span);
            problems.push(problem.related(first, "the other way is here"));
        }
        Some(_) => {}
        None => {
            define.says = Some(how.span);
            define.interleave = interleave;
        }
    }
}

/// Lists the definitions that the children of an include override.
fn overridden<'a>(e: &'a Node, list: &mut Overrides<'a>) {
    for child in e.children.iter() {
        if child.kind == Some(Kind::Div) {
            overridden(child, list);
        } else {
            list.entry(component_name(child)).or_insert((child.span, false));
        }
    }
}

fn component_name(e: &Node) -> Option<&str> {
    e.trimmed(Attr::Name).filter(|_| e.kind == Some(Kind::Define))
}

fn what(name: Option<&str>) -> String {
    name.map_or_else(|| "<start>".to_owned(), |name| format!("the definition of {}", excerpt(name)))
}
