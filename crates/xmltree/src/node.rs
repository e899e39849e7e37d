//! Trees as they are handed from one part of a program to another: to be read, whatever they are inside.

use super::{Attribute, Element, Name, NamespaceDecl, Node, Text};
use diagnostics::Span;
use std::sync::Arc;

/// A whole document that is read and shared: a clone is the same tree. Two are equal if they say the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Document(Arc<Element>);

impl Document {
    /// Returns the root element.
    pub fn root(&self) -> NodeRef<'_> {
        NodeRef(&self.0)
    }

    /// Returns the tree, for what compares trees by the places of their children.
    pub fn as_element(&self) -> &Element {
        &self.0
    }

    /// Returns a copy to be changed.
    pub fn to_element(&self) -> Element {
        (*self.0).clone()
    }

    /// Returns the root element to be changed: a copy of it, if others have it, too.
    pub fn to_mut(&mut self) -> &mut Element {
        Arc::make_mut(&mut self.0)
    }

    /// Whether the two are one tree.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the tree to be changed: without a copy, if nobody else has it.
    pub fn into_element(self) -> Element {
        Arc::unwrap_or_clone(self.0)
    }
}

impl From<Element> for Document {
    fn from(root: Element) -> Self {
        Self(Arc::new(root))
    }
}

/// An element of a tree that is read. Two are equal if they say the same, as elements are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeRef<'a>(&'a Element);

/// A child of an element that is read.
#[derive(Clone, Copy, Debug)]
pub enum ChildRef<'a> {
    /// An element.
    Element(NodeRef<'a>),
    /// Character data.
    Text(&'a Text),
}

impl<'a> NodeRef<'a> {
    /// Returns the name.
    pub fn name(self) -> &'a Name {
        &self.0.name
    }

    /// Returns the place of the start tag.
    pub fn span(self) -> Span {
        self.0.span
    }

    /// Returns the attributes in document order.
    pub fn attributes(self) -> &'a [Attribute] {
        &self.0.attributes
    }

    /// Returns the namespaces declared on it.
    pub fn namespaces(self) -> &'a [NamespaceDecl] {
        &self.0.namespaces
    }

    /// Returns the children in document order.
    pub fn children(self) -> impl DoubleEndedIterator<Item = ChildRef<'a>> {
        self.0.children.iter().map(|child| match child {
            Node::Element(element) => ChildRef::Element(NodeRef(element)),
            Node::Text(text) => ChildRef::Text(text),
        })
    }

    /// Whether the element is libvirt's `local`, that is, one in no namespace.
    pub fn is(self, local: &str) -> bool {
        self.0.is(local)
    }

    /// Returns the attribute `name` in no namespace.
    pub fn attribute(self, name: &str) -> Option<&'a Attribute> {
        self.0.attribute(name)
    }

    /// Returns the value of the attribute `name` in no namespace.
    pub fn attr(self, name: &str) -> Option<&'a str> {
        self.0.attr(name)
    }

    /// Returns the child elements.
    pub fn elements(self) -> impl DoubleEndedIterator<Item = Self> {
        self.0.elements().map(NodeRef)
    }

    /// Returns the first child element `local` in no namespace.
    pub fn child(self, local: &str) -> Option<Self> {
        self.0.child(local).map(NodeRef)
    }

    /// Returns all child elements `local` in no namespace.
    pub fn children_named(self, local: &'a str) -> impl DoubleEndedIterator<Item = Self> {
        self.0.children_named(local).map(NodeRef)
    }

    /// Returns the element reached by child names, such as `["os", "type"]`.
    pub fn descend(self, names: &[&str]) -> Option<Self> {
        self.0.descend(names).map(NodeRef)
    }

    /// Returns all character data directly in this element, trimmed.
    pub fn text(self) -> String {
        self.0.text()
    }

    /// Returns the trimmed text of the child element `local`, if it is there.
    pub fn child_text(self, local: &str) -> Option<String> {
        self.0.child_text(local)
    }

    /// Whether the element directly contains character data other than white space.
    pub fn has_text(self) -> bool {
        self.0.has_text()
    }

    /// Returns the place of the text, or of the start tag if there is none.
    pub fn text_span(self) -> Span {
        self.0.text_span()
    }

    /// Whether the two are one element of one tree.
    pub fn is_same(self, other: Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }

    /// Returns a copy of the tree below, to be changed.
    pub fn to_element(self) -> Element {
        self.0.clone()
    }

    /// Returns the tree below, for what compares trees by the places of their children, or copies them to be
    /// changed.
    pub fn as_element(self) -> &'a Element {
        self.0
    }
}

impl<'a> From<&'a Element> for NodeRef<'a> {
    fn from(element: &'a Element) -> Self {
        Self(element)
    }
}

impl Element {
    /// Returns the element to be read.
    pub fn node(&self) -> NodeRef<'_> {
        NodeRef(self)
    }
}
