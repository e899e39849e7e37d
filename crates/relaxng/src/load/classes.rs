//! Name classes: their names resolved (4.8 to 4.10), their restrictions checked (4.16).

use super::compile::Compiler;
use super::context::Context;
use super::kind::{Attr, Kind, trim};
use super::node::Node;
use crate::names::NameClass;
use diagnostics::{Diagnostic, Span, excerpt};

/// Namespace declarations are not attributes, so a pattern cannot have them.
const XMLNS: &str = "http://www.w3.org/2000/xmlns";

/// Surroundings of a name class.
#[derive(Clone, Copy, Debug, Default)]
struct Around {
    /// Whether the class names an attribute.
    attribute: bool,
    /// Whether the class is in the exception of an `anyName`.
    any: bool,
    /// Whether the class is in the exception of an `nsName`.
    ns: bool,
}

impl<'a> Compiler<'a> {
    /// The name class of an element or attribute pattern, and how many children spell it.
    pub(super) fn class_of(&mut self, e: &'a Node, cx: Context<'a>) -> (NameClass, usize) {
        let attribute = e.kind == Some(Kind::Attribute);
        let around = Around { attribute, ..Around::default() };
        if let Some(name) = e.attribute(Attr::Name) {
            // the ns of an attribute's name is not inherited (4.8)
            let ns = if attribute { e.attr(Attr::Ns).unwrap_or("") } else { cx.ns };
            return (self.name(trim(&name.value), ns, name.span, cx, around), 0);
        }
        let class = e.children.first().map(|class| self.class(class, cx, around));
        (class.unwrap_or(NameClass::Choice(Box::default())), 1)
    }

    fn class(&mut self, e: &'a Node, cx: Context<'a>, around: Around) -> NameClass {
        let cx = self.enter(e, cx);
        match e.kind {
            Some(Kind::Name) => self.name(trim(&e.text), cx.ns, e.text_span, cx, around),
            Some(Kind::AnyName) => {
                if around.any || around.ns {
                    self.bad_class(e.span, "<anyName> cannot be excepted");
                }
                NameClass::AnyName(self.except(e, cx, Around { any: true, ..around }))
            }
            Some(Kind::NsName) => {
                if around.ns {
                    self.bad_class(e.span, "<nsName> cannot be excepted from another <nsName>");
                }
                if around.attribute && cx.ns == XMLNS {
                    self.bad_class(e.span, "namespace declarations are not attributes");
                }
                let namespace = self.names.intern_namespace(cx.ns);
                NameClass::NsName(namespace, self.except(e, cx, Around { ns: true, ..around }))
            }
            _ => self.classes(e, cx, around),
        }
    }

    fn except(&mut self, e: &'a Node, cx: Context<'a>, around: Around) -> Option<Box<NameClass>> {
        let except = e.children.first()?;
        let cx = self.enter(except, cx);
        Some(Box::new(self.classes(except, cx, around)))
    }

    fn classes(&mut self, e: &'a Node, cx: Context<'a>, around: Around) -> NameClass {
        let mut classes: Vec<NameClass> =
            e.children.iter().map(|c| self.class(c, cx, around)).collect();
        match (classes.pop(), classes.is_empty()) {
            (Some(only), true) => only,
            (last, _) => NameClass::Choice(classes.into_iter().chain(last).collect()),
        }
    }

    fn name(
        &mut self,
        written: &str,
        ns: &str,
        span: Span,
        cx: Context<'a>,
        around: Around,
    ) -> NameClass {
        let (ns, local) = match written.split_once(':') {
            None => (ns, written),
            Some((prefix, local)) => match self.namespaces.lookup(cx.prefixes, prefix) {
                Some(uri) => (uri, local),
                None => {
                    let prefix = excerpt(prefix);
                    let summary = format!("the prefix {prefix} is not declared");
                    let hint = format!("declare it: xmlns:{prefix}=\"…\"");
                    let problem = Diagnostic::error("schema-name", summary).at(span);
                    self.problems.push(problem.hint(hint));
                    (ns, local)
                }
            },
        };
        if around.attribute && (ns == XMLNS || ns.is_empty() && local == "xmlns") {
            self.bad_class(span, "namespace declarations are not attributes");
        }
        NameClass::Name(self.names.intern(ns, local))
    }

    fn bad_class(&mut self, span: Span, summary: &str) {
        self.problems.push(Diagnostic::error("schema-name", summary).at(span));
    }
}
