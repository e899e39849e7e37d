//! Edits of a definition, and the definition with them made.
//!
//! A comparison finds them and touches nothing; here they are made, all at once, on a copy.

use std::collections::{BTreeMap, BTreeSet};
use xmltree::{Attribute, Element, Node};

/// Edits of one element and its descendants. Children are named by their index among all child nodes of the
/// unedited element.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    attributes: Vec<AttributeEdit>,
    /// The new text.
    text: Option<String>,
    /// Child elements that are appended.
    added: Vec<Element>,
    /// Child nodes that go.
    removed: BTreeSet<usize>,
    /// Edits of children that stay.
    children: BTreeMap<usize, Self>,
    /// Children that stand in another order, each list by itself.
    orders: Vec<Vec<Entry>>,
}

#[derive(Clone, Debug)]
enum AttributeEdit {
    Put(Attribute),
    PutPlain(&'static str, Option<String>),
    Remove(String),
}

/// An entry of a list that is put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    /// The child node of that number.
    There(usize),
    /// The appended element of that number.
    Added(usize),
}

impl Edits {
    /// Whether the edits are empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty()
            && self.text.is_none()
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.children.is_empty()
            && self.orders.is_empty()
    }

    /// Sets an attribute as another element has it.
    pub(crate) fn put(&mut self, attribute: &Attribute) {
        self.attributes.push(AttributeEdit::Put(attribute.clone()));
    }

    /// Sets an attribute of libvirt's own, or removes it without a value.
    pub(crate) fn put_plain(&mut self, name: &'static str, value: Option<&str>) {
        self.attributes.push(AttributeEdit::PutPlain(name, value.map(str::to_owned)));
    }

    /// Removes the attribute that is written so.
    pub(crate) fn remove_attribute(&mut self, written: &str) {
        self.attributes.push(AttributeEdit::Remove(written.to_owned()));
    }

    /// Sets the text.
    pub(crate) fn set_text(&mut self, text: String) {
        self.text = Some(text);
    }

    /// Appends an element, and returns its handle among the appended ones.
    pub(crate) fn add(&mut self, element: Element) -> Entry {
        self.added.push(element);
        Entry::Added(self.added.len() - 1)
    }

    /// Removes a child node.
    pub(crate) fn remove(&mut self, child: usize) {
        self.removed.insert(child);
    }

    /// Edits a child node.
    pub(crate) fn inside(&mut self, child: usize, edits: Self) {
        if !edits.is_empty() {
            self.children.insert(child, edits);
        }
    }

    /// Puts the entries of a list in this order, into the places that they have.
    pub(crate) fn order(&mut self, entries: Vec<Entry>) {
        if !entries.is_sorted() {
            self.orders.push(entries);
        }
    }

    /// The edits at a place: the numbers of child nodes to descend.
    pub(crate) fn at(&self, place: &[usize]) -> Option<&Self> {
        place.iter().try_fold(self, |edits, child| edits.children.get(child))
    }

    /// The element with the edits made.
    pub(crate) fn made_on(&self, element: &Element) -> Element {
        let mut made = element.clone();
        self.make(&mut made);
        made
    }

    fn make(&self, element: &mut Element) {
        for edit in &self.attributes {
            match edit {
                AttributeEdit::Put(attribute) => element.put_attribute(attribute),
                AttributeEdit::PutPlain(name, value) => element.put_attr(name, value.as_deref()),
                AttributeEdit::Remove(name) => {
                    element.attributes.retain(|a| a.name.written() != *name);
                }
            }
        }
        for (child, edits) in &self.children {
            if let Some(Node::Element(child)) = element.children.get_mut(*child) {
                edits.make(child);
            }
        }
        let mut nodes: Vec<Option<Node>> =
            std::mem::take(&mut element.children).into_iter().map(Some).collect();
        let there = nodes.len();
        nodes.extend(self.added.iter().cloned().map(|e| Some(Node::Element(e))));
        for entries in &self.orders {
            arrange(&mut nodes, entries, there);
        }
        // whatever is put into another place, what goes is known by its number of before
        let stays = |(n, node): (usize, Option<Node>)| node.filter(|_| !self.removed.contains(&n));
        element.children = nodes.into_iter().enumerate().filter_map(stays).collect();
        if let Some(text) = &self.text {
            element.set_text(text.clone());
        }
    }
}

/// Puts the entries into their places in the order given; `there` is the number of nodes that were
/// there before any was appended.
fn arrange(nodes: &mut [Option<Node>], entries: &[Entry], there: usize) {
    let numbers: Vec<usize> = entries
        .iter()
        .map(|entry| match entry {
            Entry::There(n) => *n,
            Entry::Added(n) => there.saturating_add(*n),
        })
        .collect();
    let mut places = numbers.clone();
    places.sort_unstable();
    let taken: Vec<Option<Node>> =
        numbers.iter().map(|n| nodes.get_mut(*n).and_then(Option::take)).collect();
    for (place, node) in places.into_iter().zip(taken) {
        if let Some(slot) = nodes.get_mut(place) {
            *slot = node;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse, write_compact};

    fn tree(text: &str) -> Element {
        parse(SourceId::NONE, text, &Limits::default()).expect("well-formed")
    }

    #[test]
    fn edits_are_made_by_the_numbers_of_before() {
        let there = tree("<d a='1' b='2'><x n='0'/><y/><x n='1'/><x n='2'>old</x></d>");
        let mut edits = Edits::default();
        edits.remove_attribute("a");
        edits.put_plain("b", Some("3"));
        edits.remove(1);
        let added = edits.add(tree("<x n='new'/>"));
        let mut inside = Edits::default();
        inside.set_text("new".to_owned());
        edits.inside(3, inside);
        edits.inside(0, Edits::default());
        edits.order(vec![Entry::There(3), added, Entry::There(0), Entry::There(2)]);
        assert_eq!(
            write_compact(&edits.made_on(&there)),
            "<d b='3'><x n='2'>new</x><x n='new'/><x n='0'/><x n='1'/></d>"
        );
    }

    #[test]
    fn nothing_is_nothing() {
        let mut edits = Edits::default();
        edits.order(vec![Entry::There(0), Entry::There(2), Entry::Added(0)]);
        assert!(edits.is_empty());
        let there = tree("<d><x/>text</d>");
        assert_eq!(edits.made_on(&there), there);
    }
}
