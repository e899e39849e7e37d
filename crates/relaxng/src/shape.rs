//! Shape of documents by a grammar: the attributes, children and texts that are possible at each place.
//!
//! A [`Place`] is what an element at some path may be: all element patterns that the names on the
//! way allow. What an attribute's value makes of the rest is not looked at, so a place says what is
//! possible there in some document, and validation says whether it is in this one. Places are found
//! when they are asked for and kept, so that a small manifest costs next to nothing.

use super::datatype::Sort;
use super::names::Symbol;
use super::pattern::{
    AttributeDecl, AttributeId, DataDecl, ElementDecl, ElementId, Grammar, Number as _, Pattern,
    PatternId, Patterns,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A grammar seen from its documents.
#[derive(Debug)]
pub struct Shape {
    grammar: Arc<Grammar>,
    /// Cached facts about sets of element patterns.
    places: Mutex<FxHashMap<Arc<[ElementId]>, Arc<Facts>>>,
}

/// Facts about a set of elements' content.
#[derive(Debug, Default)]
struct Facts {
    /// The contents of the elements.
    contents: Vec<PatternId>,
    attributes: BTreeMap<Symbol, Vec<AttributeId>>,
    children: BTreeMap<Symbol, Children>,
    /// Attributes of names that are not listed.
    other_attributes: Vec<AttributeId>,
    /// Children of names that are not listed.
    other_children: Vec<ElementId>,
    /// Patterns of texts: `text`, `data`, `value` and `list`.
    texts: Vec<PatternId>,
    /// Whether an element of no attributes, no children and no text is among them.
    may_be_empty: bool,
}

#[derive(Debug, Default)]
struct Children {
    elements: Vec<ElementId>,
    /// Whether several of them may stand side by side.
    repeats: bool,
}

impl Shape {
    /// A view of a grammar.
    pub fn new(grammar: Arc<Grammar>) -> Self {
        Self { grammar, places: Mutex::default() }
    }

    /// The grammar.
    pub fn grammar(&self) -> &Arc<Grammar> {
        &self.grammar
    }

    /// Returns the start of documents: the place whose only children are the roots.
    pub fn start(&self) -> Place<'_> {
        let mut walk = Walk::new(&self.grammar);
        walk.pattern(self.grammar.start, false);
        Place { shape: Some(self), facts: Arc::new(walk.facts) }
    }

    fn place(&self, elements: &[ElementId]) -> Place<'_> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = match places.get(elements) {
            Some(facts) => facts.clone(),
            None => {
                let facts = Arc::new(self.facts(elements));
                places.insert(elements.into(), facts.clone());
                facts
            }
        };
        Place { shape: Some(self), facts }
    }

    fn facts(&self, elements: &[ElementId]) -> Facts {
        let mut walk = Walk::new(&self.grammar);
        for element in elements.iter().filter_map(|e| self.grammar.element(*e)) {
            walk.facts.contents.push(element.content);
            walk.facts.may_be_empty |= self.grammar.patterns.is_nullable(element.content);
            walk.pattern(element.content, false);
        }
        walk.facts
    }
}

/// Walk that collects the content of a pattern.
struct Walk<'g> {
    grammar: &'g Grammar,
    facts: Facts,
    seen: FxHashSet<(PatternId, bool)>,
}

impl<'g> Walk<'g> {
    fn new(grammar: &'g Grammar) -> Self {
        Self { grammar, facts: Facts::default(), seen: FxHashSet::default() }
    }

    fn pattern(&mut self, id: PatternId, repeated: bool) {
        // shared parts are looked at once, or patterns of many choices would take for ever
        if !self.seen.insert((id, repeated)) {
            return;
        }
        match self.grammar.patterns.get(id) {
            Pattern::Choice(parts) => parts.iter().for_each(|p| self.pattern(*p, repeated)),
            Pattern::Interleave(parts) | Pattern::Group(parts) => {
                parts.iter().for_each(|p| self.pattern(*p, repeated));
                self.side_by_side(parts);
            }
            Pattern::OneOrMore(part) => self.pattern(*part, true),
            Pattern::Attribute(attribute) => self.attribute(*attribute),
            Pattern::Element(element) => self.element(*element, repeated),
            Pattern::Text | Pattern::Data(_) | Pattern::Value(_) | Pattern::List(_) => {
                if !self.facts.texts.contains(&id) {
                    self.facts.texts.push(id);
                }
            }
            Pattern::NotAllowed | Pattern::Empty => {}
        }
    }

    /// Marks the children that are in several of the parts.
    fn side_by_side(&mut self, parts: &[PatternId]) {
        let mut before = FxHashSet::default();
        for part in parts {
            let mut names = FxHashSet::default();
            self.names(*part, &mut FxHashSet::default(), &mut names);
            for name in names {
                if !before.insert(name)
                    && let Some(children) = self.facts.children.get_mut(&name)
                {
                    children.repeats = true;
                }
            }
        }
    }

    /// Adds the names of the elements in a pattern.
    fn names(&self, id: PatternId, seen: &mut FxHashSet<PatternId>, names: &mut FxHashSet<Symbol>) {
        if !seen.insert(id) {
            return;
        }
        let pattern = self.grammar.patterns.get(id);
        if let Pattern::Element(element) = pattern {
            names.extend(self.grammar.element(*element).iter().flat_map(|e| e.class.listed()));
        }
        pattern.parts().iter().for_each(|part| self.names(*part, seen, names));
    }

    fn attribute(&mut self, id: AttributeId) {
        let Some(decl) = self.grammar.attributes.get(id) else { return };
        for name in decl.class.listed() {
            add(self.facts.attributes.entry(name).or_default(), id);
        }
        if decl.class.is_infinite() {
            add(&mut self.facts.other_attributes, id);
        }
    }

    fn element(&mut self, id: ElementId, repeated: bool) {
        let Some(decl) = self.grammar.element(id) else { return };
        // leave out impossible elements
        if decl.content == Patterns::NOT_ALLOWED {
            return;
        }
        for name in decl.class.listed() {
            let children = self.facts.children.entry(name).or_default();
            children.repeats |= repeated;
            add(&mut children.elements, id);
        }
        if decl.class.is_infinite() {
            add(&mut self.facts.other_children, id);
        }
    }
}

fn add<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(at) = list.binary_search(&item) {
        list.insert(at, item);
    }
}

/// Possible elements at some path.
#[derive(Clone, Debug)]
pub struct Place<'s> {
    /// `None` for a place that no grammar knows.
    shape: Option<&'s Shape>,
    facts: Arc<Facts>,
}

impl<'s> Place<'s> {
    /// The place of elements of which nothing is known.
    pub fn nowhere() -> Self {
        Self { shape: None, facts: Arc::new(Facts::default()) }
    }

    fn symbol(&self, namespace: &str, local: &str) -> Symbol {
        self.shape.map_or(Symbol::FOREIGN, |s| s.grammar.names.symbol(namespace, local))
    }

    /// Whether the grammar has such a place.
    pub fn is_known(&self) -> bool {
        self.shape.is_some()
    }

    /// The values of the attribute of this name, if there may be one.
    pub fn attribute(&self, namespace: &str, local: &str) -> Option<Values<'s>> {
        let grammar = &self.shape?.grammar;
        let mut values: Option<Values<'s>> = None;
        for decl in self.attribute_decls(self.symbol(namespace, local)) {
            values.get_or_insert_default().add(grammar, decl.content);
        }
        values
    }

    /// The attribute patterns that a name has here.
    pub(super) fn attribute_decls(&self, symbol: Symbol) -> Vec<&'s AttributeDecl> {
        let Some(shape) = self.shape else { return Vec::new() };
        let grammar = &shape.grammar;
        let listed = self.facts.attributes.get(&symbol).into_iter().flatten();
        let others = self.facts.other_attributes.iter();
        let others = others.filter(|a| grammar.attribute_matches(**a, symbol));
        listed.chain(others).filter_map(|id| grammar.attributes.get(*id)).collect()
    }

    /// The patterns of the child elements of a name that is listed here.
    pub(super) fn child_decls(&self, symbol: Symbol) -> Vec<&'s ElementDecl> {
        let Some(shape) = self.shape else { return Vec::new() };
        let children = self.facts.children.get(&symbol);
        let ids = children.into_iter().flat_map(|c| &c.elements);
        ids.filter_map(|id| shape.grammar.element(*id)).collect()
    }

    /// The contents of the elements that are at this place.
    pub(super) fn contents(&self) -> &[PatternId] {
        &self.facts.contents
    }

    /// The grammar, if one knows the place.
    pub(super) fn grammar(&self) -> Option<&'s Grammar> {
        self.shape.map(|s| &*s.grammar)
    }

    /// Whether attributes or children of names that are not listed may stand here.
    pub(super) fn is_open(&self) -> bool {
        !self.facts.other_attributes.is_empty() || !self.facts.other_children.is_empty()
    }

    /// Returns a number that identifies the place in its grammar.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.facts).addr()
    }

    /// Whether an attribute of this name is described; "any attribute" does not count.
    pub fn names_attribute(&self, namespace: &str, local: &str) -> bool {
        self.facts.attributes.contains_key(&self.symbol(namespace, local))
    }

    /// The place of the child elements of this name, if there may be any.
    pub fn child(&self, namespace: &str, local: &str) -> Option<Self> {
        let symbol = self.symbol(namespace, local);
        let shape = self.shape?;
        let grammar = &shape.grammar;
        let others = self.facts.other_children.iter().copied();
        let mut elements: Vec<ElementId> =
            others.filter(|e| grammar.element_matches(*e, symbol)).collect();
        if let Some(children) = self.facts.children.get(&symbol) {
            children.elements.iter().for_each(|e| add(&mut elements, *e));
        }
        (!elements.is_empty()).then(|| shape.place(&elements))
    }

    /// Whether child elements of this name are described; "any element" does not count.
    pub fn names_child(&self, namespace: &str, local: &str) -> bool {
        self.facts.children.contains_key(&self.symbol(namespace, local))
    }

    /// Whether several child elements of this name may stand side by side.
    pub fn repeats(&self, namespace: &str, local: &str) -> bool {
        let symbol = self.symbol(namespace, local);
        self.facts
            .children
            .get(&symbol)
            .map_or(!self.facts.other_children.is_empty(), |c| c.repeats)
    }

    /// Sorts child elements: those that the grammar declares first come first.
    pub fn order(&self, namespace: &str, local: &str) -> usize {
        let children = self.facts.children.get(&self.symbol(namespace, local));
        let first = children.and_then(|c| c.elements.first());
        first.map_or(usize::MAX, |e| e.index())
    }

    /// The texts that the element may have, if it may have any.
    pub fn text(&self) -> Option<Values<'s>> {
        let grammar = &self.shape.filter(|_| !self.facts.texts.is_empty())?.grammar;
        let mut values = Values::default();
        for text in &self.facts.texts {
            values.add(grammar, *text);
        }
        Some(values)
    }

    /// Whether the element may be without attributes, children and text.
    pub fn may_be_empty(&self) -> bool {
        self.facts.may_be_empty
    }

    /// The names that attributes and child elements have here, as far as they are listed: the
    /// namespace, the local part, and whether it is a child.
    pub fn keys(&self) -> impl Iterator<Item = (&'s str, &'s str, bool)> {
        let names = self.shape.map(|s| &s.grammar.names);
        let attributes = self.facts.attributes.keys().map(|s| (*s, false));
        let all: Vec<_> =
            attributes.chain(self.facts.children.keys().map(|s| (*s, true))).collect();
        all.into_iter().filter_map(move |(symbol, child)| {
            names?.name(symbol).map(|(namespace, local)| (namespace, local, child))
        })
    }
}

/// Possible values of a text: of an attribute, or of an element.
#[derive(Clone, Debug, Default)]
pub struct Values<'s> {
    /// Enumerated words.
    pub words: Vec<&'s str>,
    /// Datatypes.
    pub types: Vec<&'s DataDecl>,
    /// Whether any text will do.
    pub any: bool,
    /// Whether none will do, too.
    pub none: bool,
}

impl<'s> Values<'s> {
    pub(super) fn add(&mut self, grammar: &'s Grammar, id: PatternId) {
        match grammar.patterns.get(id) {
            Pattern::Text => self.any = true,
            Pattern::Empty => self.none = true,
            Pattern::Value(value) => {
                let word = grammar.values.get(*value).map(|v| v.text());
                self.words.extend(word.filter(|w| !self.words.contains(w)));
            }
            Pattern::Data(data) => {
                let decl = grammar.data.get(*data);
                self.types.extend(decl.filter(|d| !self.types.contains(d)));
            }
            Pattern::Choice(parts) | Pattern::Interleave(parts) | Pattern::Group(parts) => {
                for part in &**parts {
                    self.add(grammar, *part);
                }
            }
            // words one after the other: a text of any such kind, as far as this view goes
            Pattern::OneOrMore(part) | Pattern::List(part) => {
                self.any = true;
                self.add(grammar, *part);
            }
            Pattern::NotAllowed | Pattern::Attribute(_) | Pattern::Element(_) => {}
        }
    }

    /// The words for true and false, if they are among the values.
    pub fn truth(&self) -> Option<(&'static str, &'static str)> {
        const PAIRS: [(&str, &str); 3] = [("yes", "no"), ("on", "off"), ("true", "false")];
        let has = |word: &str| self.words.contains(&word);
        let boolean = self.types.iter().any(|t| t.datatype.describe().sort == Sort::Boolean);
        PAIRS.into_iter().find(|(yes, no)| has(yes) && has(no)).or(boolean.then_some(PAIRS[2]))
    }

    /// Whether a number is among the values.
    pub fn has_numbers(&self) -> bool {
        let numeric = |t: &&DataDecl| {
            // a pattern that takes digits and no letters is one of numbers
            let takes = |text| t.datatype.allows(text, &());
            matches!(t.datatype.describe().sort, Sort::Integer | Sort::Number)
                || (takes("7") && !takes("x") && !takes("f"))
        };
        self.types.iter().any(numeric) || self.words.iter().any(|w| w.parse::<i64>().is_ok())
    }
}
