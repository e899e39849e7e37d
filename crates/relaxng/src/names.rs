//! Names as a grammar sees them: a finite alphabet of symbols, and classes of names over it.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Name as a grammar sees it: one that it mentions, or some other name in a namespace that it mentions, or a
/// name in an unknown namespace.
///
/// A grammar treats all names of one symbol alike, so tables over symbols are finite whatever
/// documents hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Symbol(u32);

impl Symbol {
    /// A name in a namespace that the grammar does not mention.
    pub const FOREIGN: Self = Self(0);
}

/// The number of a namespace in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NamespaceId(u32);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    /// `None` only for [`Symbol::FOREIGN`].
    namespace: Option<NamespaceId>,
    /// `None` for "any other name in this namespace".
    local: Option<Box<str>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Namespace {
    uri: Box<str>,
    other: Symbol,
    /// Found again from the entries when a grammar is read.
    #[serde(skip)]
    locals: FxHashMap<Box<str>, Symbol>,
}

/// The alphabet of a grammar.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Names {
    entries: Vec<Entry>,
    namespaces: Vec<Namespace>,
}

impl Default for Names {
    fn default() -> Self {
        Self { entries: vec![Entry { namespace: None, local: None }], namespaces: Vec::new() }
    }
}

impl Names {
    /// The number of the namespace `uri`, taken in if it is new. The empty one is "no namespace".
    pub fn intern_namespace(&mut self, uri: &str) -> NamespaceId {
        if let Some(i) = self.namespaces.iter().position(|n| &*n.uri == uri) {
            return NamespaceId(number(i));
        }
        let id = NamespaceId(number(self.namespaces.len()));
        let other = self.add(Entry { namespace: Some(id), local: None });
        self.namespaces.push(Namespace { uri: uri.into(), other, locals: FxHashMap::default() });
        id
    }

    /// The symbol of a name, taken in if it is new.
    pub fn intern(&mut self, uri: &str, local: &str) -> Symbol {
        let id = self.intern_namespace(uri);
        let known = self.namespace(id).and_then(|n| n.locals.get(local)).copied();
        known.unwrap_or_else(|| {
            let symbol = self.add(Entry { namespace: Some(id), local: Some(local.into()) });
            if let Some(n) = self.namespaces.get_mut(index(id.0)) {
                n.locals.insert(local.into(), symbol);
            }
            symbol
        })
    }

    /// Finds the names by namespace again, in an alphabet that was read.
    pub(super) fn index(&mut self) {
        for (i, entry) in self.entries.iter().enumerate() {
            let (Some(id), Some(local)) = (entry.namespace, &entry.local) else { continue };
            if let Some(n) = self.namespaces.get_mut(index(id.0)) {
                n.locals.insert(local.clone(), Symbol(number(i)));
            }
        }
    }

    /// The symbol that a document's name has; `uri` is empty for no namespace.
    pub fn symbol(&self, uri: &str, local: &str) -> Symbol {
        match self.namespaces.iter().find(|n| &*n.uri == uri) {
            Some(n) => n.locals.get(local).copied().unwrap_or(n.other),
            None => Symbol::FOREIGN,
        }
    }

    /// The URI and the local name of a symbol that stands for one name.
    pub fn name(&self, symbol: Symbol) -> Option<(&str, &str)> {
        let entry = self.entries.get(index(symbol.0))?;
        Some((&*self.namespace(entry.namespace?)?.uri, entry.local.as_deref()?))
    }

    /// The URI of a namespace.
    pub fn uri(&self, id: NamespaceId) -> &str {
        self.namespace(id).map_or("", |n| &*n.uri)
    }

    /// All symbols, those for "any other name" included.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> + use<> {
        (0..number(self.entries.len())).map(Symbol)
    }

    fn namespace_of(&self, symbol: Symbol) -> Option<NamespaceId> {
        self.entries.get(index(symbol.0)).and_then(|e| e.namespace)
    }

    fn namespace(&self, id: NamespaceId) -> Option<&Namespace> {
        self.namespaces.get(index(id.0))
    }

    fn add(&mut self, entry: Entry) -> Symbol {
        self.entries.push(entry);
        Symbol(number(self.entries.len() - 1))
    }
}

/// Set of names that an element or attribute pattern allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NameClass {
    /// All names but those of the class within.
    AnyName(Option<Box<Self>>),
    /// All names of one namespace but those of the class within.
    NsName(NamespaceId, Option<Box<Self>>),
    /// One name.
    Name(Symbol),
    /// The names of any of several classes.
    Choice(Box<[Self]>),
}

impl NameClass {
    /// Whether the names of `symbol` are in the class.
    pub fn contains(&self, names: &Names, symbol: Symbol) -> bool {
        let excepted = |except: &Option<Box<Self>>| {
            except.as_deref().is_some_and(|class| class.contains(names, symbol))
        };
        match self {
            Self::AnyName(except) => !excepted(except),
            Self::NsName(id, except) => {
                names.namespace_of(symbol) == Some(*id) && !excepted(except)
            }
            Self::Name(name) => *name == symbol,
            Self::Choice(classes) => classes.iter().any(|c| c.contains(names, symbol)),
        }
    }

    /// Whether a name is in both classes. Exact, since the alphabet has a symbol for every kind of
    /// name that a class can tell from others.
    pub fn overlaps(&self, other: &Self, names: &Names) -> bool {
        match (self, other) {
            (Self::Name(a), class) | (class, Self::Name(a)) => class.contains(names, *a),
            _ => names.symbols().any(|s| self.contains(names, s) && other.contains(names, s)),
        }
    }

    /// Whether the class has `anyName` or `nsName` in it, and so no end of names.
    pub fn is_infinite(&self) -> bool {
        match self {
            Self::AnyName(_) | Self::NsName(..) => true,
            Self::Name(_) => false,
            Self::Choice(classes) => classes.iter().any(Self::is_infinite),
        }
    }

    /// The names in the class that stand in it one by one.
    pub fn listed(&self) -> Vec<Symbol> {
        match self {
            Self::Name(symbol) => vec![*symbol],
            Self::Choice(classes) => classes.iter().flat_map(Self::listed).collect(),
            Self::AnyName(_) | Self::NsName(..) => Vec::new(),
        }
    }
}

fn number(i: usize) -> u32 {
    u32::try_from(i).unwrap_or(u32::MAX)
}

fn index(i: u32) -> usize {
    usize::try_from(i).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_over_a_finite_alphabet() {
        let mut names = Names::default();
        let a = names.intern("", "a");
        let b = names.intern("urn:b", "b");
        let ns = names.intern_namespace("urn:b");
        assert_eq!((names.symbol("", "a"), names.symbol("urn:b", "b")), (a, b));
        let other = names.symbol("urn:b", "x");
        assert_eq!(names.name(b), Some(("urn:b", "b")));
        assert_eq!(names.name(other), None);
        assert_eq!(names.symbol("urn:c", "x"), Symbol::FOREIGN);
        let in_b = NameClass::NsName(ns, Some(Box::new(NameClass::Name(b))));
        let has =
            |class: &NameClass| [a, b, other, Symbol::FOREIGN].map(|s| class.contains(&names, s));
        assert_eq!(has(&in_b), [false, false, true, false]);
        let rest = NameClass::AnyName(Some(Box::new(in_b.clone())));
        assert_eq!(has(&rest), [true, true, false, true]);
        assert!(!rest.overlaps(&in_b, &names));
        assert!(rest.overlaps(&NameClass::Name(b), &names));
    }
}
