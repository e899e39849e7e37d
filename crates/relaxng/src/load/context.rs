//! Inherited context of an element of a schema: namespaces, datatype library, the grammar and the definition
//! around it.

use super::kind::Attr;
use super::node::Node;
use crate::datatype;
use xmltree::XML_NAMESPACE;

/// The number of a grammar in [`Scopes`](super::scope::Scopes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ScopeId(pub(super) usize);

/// Context that an element inherits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// The `ns` in force (4.9); it crosses into included files.
    pub(super) ns: &'a str,
    /// The datatype library in force (4.3).
    pub(super) library: &'a str,
    /// The prefixes declared around it.
    pub(super) prefixes: Prefixes,
    /// The grammar around it.
    pub(super) grammar: Option<ScopeId>,
    /// The definition that it is in, and nothing but choices, groups and the like between.
    pub(super) define: Option<&'a str>,
    /// The definition that is nothing but it, or a choice that it is one of.
    pub(super) described: Option<Described<'a>>,
}

/// Definition whose annotation documents its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described<'a> {
    /// The definition.
    pub(super) define: &'a Node,
    /// Whether its content is one of several alternatives.
    pub(super) choice: bool,
}

impl<'a> Context<'a> {
    /// The context of the root of a file that nothing refers to.
    pub(super) const ROOT: Self = Self {
        ns: "",
        library: "",
        prefixes: Prefixes(None),
        grammar: None,
        define: None,
        described: None,
    };

    /// The context at the root of a file that an element in this context refers to: neither the
    /// datatype library nor prefixes reach into it.
    pub(super) fn of_file(self) -> Self {
        Self { library: "", prefixes: Prefixes(None), ..self }
    }

    /// Returns the context of a part of this one's content.
    pub(super) fn part(self) -> Self {
        Self { described: None, ..self }
    }

    /// The context of one of several alternatives.
    pub(super) fn alternative(self) -> Self {
        let described = self.described.map(|d| Described { choice: true, ..d });
        Self { described, ..self }
    }

    /// Returns the context in an element or attribute pattern, which no outer definition documents.
    pub(super) fn content(self) -> Self {
        Self { define: None, described: None, ..self }
    }
}

/// Prefixes in scope: a number in [`Namespaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixes(Option<usize>);

/// All elements of a schema that declare prefixes, each with the one around it.
#[derive(Debug, Default)]
pub(super) struct Namespaces<'a> {
    frames: Vec<(Prefixes, &'a Node)>,
}

impl<'a> Namespaces<'a> {
    /// The context of `element` itself.
    pub(super) fn enter(&mut self, element: &'a Node, mut cx: Context<'a>) -> Context<'a> {
        if !element.namespaces().is_empty() {
            self.frames.push((cx.prefixes, element));
            cx.prefixes = Prefixes(Some(self.frames.len() - 1));
        }
        cx.ns = element.attr(Attr::Ns).unwrap_or(cx.ns);
        cx.library = element.attr(Attr::DatatypeLibrary).unwrap_or(cx.library);
        cx
    }

    /// Returns the namespace of a prefix.
    pub(super) fn lookup(&self, mut at: Prefixes, prefix: &str) -> Option<&'a str> {
        while let Some((around, element)) = at.0.and_then(|at| self.frames.get(at)) {
            let found = element.namespaces().iter().find(|n| n.prefix.as_deref() == Some(prefix));
            if let Some(found) = found {
                return Some(&found.uri);
            }
            at = *around;
        }
        (prefix == "xml").then_some(XML_NAMESPACE)
    }
}

/// The context of a `value`: for types whose values have prefixes. The default namespace is `ns`.
#[derive(Debug)]
pub(super) struct ValueContext<'c, 'a> {
    /// The prefixes.
    pub(super) namespaces: &'c Namespaces<'a>,
    /// Context of the value.
    pub(super) cx: Context<'a>,
}

impl datatype::Context for ValueContext<'_, '_> {
    fn namespace(&self, prefix: Option<&str>) -> Option<&str> {
        match prefix {
            Some(prefix) => self.namespaces.lookup(self.cx.prefixes, prefix),
            None => Some(self.cx.ns),
        }
    }
}
