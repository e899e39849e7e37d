//! The tree: elements with their names, attributes, children and positions.

use super::wellformed::is_whitespace;
use diagnostics::Span;
use std::sync::Arc;

/// A qualified name.
#[derive(Clone, Debug)]
pub struct Name {
    /// The prefix as written; only [`super::write()`] looks at it.
    pub prefix: Option<Arc<str>>,
    /// The namespace the prefix stands for.
    pub namespace: Option<Arc<str>>,
    /// The local part.
    pub local: String,
}

impl Name {
    /// A name in no namespace, as all of libvirt's own are.
    pub fn local(local: impl Into<String>) -> Self {
        Self { prefix: None, namespace: None, local: local.into() }
    }

    /// A name in a namespace, written with `prefix`.
    pub fn qualified(prefix: &str, namespace: &str, local: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), namespace: Some(namespace.into()), local: local.into() }
    }

    /// The URI of the namespace; empty for none.
    pub fn uri(&self) -> &str {
        self.namespace.as_deref().unwrap_or("")
    }

    /// The name as written in a document: `prefix:local` or `local`.
    pub fn written(&self) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}:{}", self.local),
            None => self.local.clone(),
        }
    }
}

/// Prefixes are spelling; the namespace and the local part are the name.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.local == other.local && self.namespace == other.namespace
    }
}

impl Eq for Name {}

/// An `xmlns` attribute of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceDecl {
    /// The prefix; `None` for the default namespace.
    pub prefix: Option<Arc<str>>,
    /// The namespace's URI; empty undeclares the default namespace.
    pub uri: Arc<str>,
}

/// An attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Name of the attribute.
    pub name: Name,
    /// Value, unescaped.
    pub value: String,
    /// Place of the name.
    pub name_span: Span,
    /// Place of the value.
    pub span: Span,
}

impl PartialEq for Attribute {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

/// A run of character data, unescaped.
#[derive(Clone, Debug)]
pub struct Text {
    /// The characters.
    pub value: String,
    /// Place of the text.
    pub span: Span,
}

/// A child of an element.
#[derive(Clone, Debug)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Character data.
    Text(Text),
}

/// An element with all that is in it.
#[derive(Clone, Debug)]
pub struct Element {
    /// Name of the element.
    pub name: Name,
    /// Namespaces declared on it.
    pub namespaces: Vec<NamespaceDecl>,
    /// Attributes in document order.
    pub attributes: Vec<Attribute>,
    /// Children in document order.
    pub children: Vec<Node>,
    /// Place of its start tag.
    pub span: Span,
}

impl Element {
    /// An empty element in no namespace.
    pub fn new(local: impl Into<String>) -> Self {
        Self::named(Name::local(local))
    }

    /// An empty element with a qualified name.
    pub fn named(name: Name) -> Self {
        Self {
            name,
            namespaces: Vec::new(),
            attributes: Vec::new(),
            children: Vec::new(),
            span: Span::NONE,
        }
    }

    /// Returns the element with an attribute set.
    #[must_use]
    pub fn with_attr(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set_attr(name, value);
        self
    }

    /// Returns the element with text appended.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(Text { value: text.into(), span: Span::NONE }));
        self
    }

    /// Returns the element with a child appended.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// Whether the element is libvirt's `local`, that is, one in no namespace.
    pub fn is(&self, local: &str) -> bool {
        self.name.namespace.is_none() && self.name.local == local
    }

    /// The attribute `name` in no namespace.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name.namespace.is_none() && a.name.local == name)
    }

    /// The value of the attribute `name` in no namespace.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attribute(name).map(|a| a.value.as_str())
    }

    /// Sets the attribute `name` in no namespace, in place if it is there.
    pub fn set_attr(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        let found =
            self.attributes.iter_mut().find(|a| a.name.namespace.is_none() && a.name.local == name);
        match found {
            Some(attribute) => attribute.value = value,
            None => {
                self.attributes.push(Attribute {
                    name: Name::local(name),
                    value,
                    name_span: Span::NONE,
                    span: Span::NONE,
                });
            }
        }
    }

    /// Removes the attribute `name` in no namespace and says whether it was there.
    pub fn remove_attr(&mut self, name: &str) -> bool {
        let before = self.attributes.len();
        self.attributes.retain(|a| a.name.namespace.is_some() || a.name.local != name);
        self.attributes.len() < before
    }

    /// Sets the attribute `name` in no namespace to `value`, or removes it without one.
    pub fn put_attr(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.set_attr(name, value),
            None => {
                self.remove_attr(name);
            }
        }
    }

    /// The value of the attribute whose name is written so, prefix included.
    pub fn attr_written(&self, written: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.name.written() == written).map(|a| a.value.as_str())
    }

    /// Sets an attribute as another element has it.
    pub fn put_attribute(&mut self, attribute: &Attribute) {
        match self.attributes.iter_mut().find(|a| a.name == attribute.name) {
            Some(a) => a.value.clone_from(&attribute.value),
            None => self.attributes.push(attribute.clone()),
        }
    }

    /// The child elements.
    pub fn elements(&self) -> impl DoubleEndedIterator<Item = &Self> {
        self.children.iter().filter_map(|n| match n {
            Node::Element(e) => Some(e),
            Node::Text(_) => None,
        })
    }

    /// The child elements, to change.
    pub fn elements_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Self> {
        self.children.iter_mut().filter_map(|n| match n {
            Node::Element(e) => Some(e),
            Node::Text(_) => None,
        })
    }

    /// The first child element `local` in no namespace.
    pub fn child(&self, local: &str) -> Option<&Self> {
        self.elements().find(|e| e.is(local))
    }

    /// The first child element `local` in no namespace, to change.
    pub fn child_mut(&mut self, local: &str) -> Option<&mut Self> {
        self.elements_mut().find(|e| e.is(local))
    }

    /// Returns the first child element `local`, made at the end if there is none.
    pub fn child_or_new(&mut self, local: &str) -> &mut Self {
        let at = self.children.iter().position(|n| matches!(n, Node::Element(e) if e.is(local)));
        let at = at.unwrap_or_else(|| {
            self.push(Self::new(local));
            self.children.len() - 1
        });
        match self.children.get_mut(at) {
            Some(Node::Element(e)) => e,
            _ => unreachable!("position {at} was just seen to hold an element"),
        }
    }

    /// All child elements `local` in no namespace.
    pub fn children_named<'a>(
        &'a self,
        local: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a Self> {
        self.elements().filter(move |e| e.is(local))
    }

    /// The element reached by child names, such as `["os", "type"]`.
    pub fn descend(&self, names: &[&str]) -> Option<&Self> {
        names.iter().try_fold(self, |e, name| e.child(name))
    }

    /// Appends a child element.
    pub fn push(&mut self, child: Self) {
        self.children.push(Node::Element(child));
    }

    /// Removes the child elements that `gone` says, and says whether there were any.
    pub fn remove_elements(&mut self, mut gone: impl FnMut(&Self) -> bool) -> bool {
        let before = self.children.len();
        self.children.retain(|n| !matches!(n, Node::Element(e) if gone(e)));
        self.children.len() < before
    }

    /// All character data directly in this element, trimmed.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for node in &self.children {
            if let Node::Text(t) = node {
                out.push_str(&t.value);
            }
        }
        out.trim().to_owned()
    }

    /// The trimmed text of the child element `local`, if it is there.
    pub fn child_text(&self, local: &str) -> Option<String> {
        self.child(local).map(Self::text)
    }

    /// Replaces all character data directly in this element.
    pub fn set_text(&mut self, text: impl Into<String>) {
        self.children.retain(|n| matches!(n, Node::Element(_)));
        let text = Text { value: text.into(), span: Span::NONE };
        self.children.insert(0, Node::Text(text));
    }

    /// Whether the element directly contains character data other than white space.
    pub fn has_text(&self) -> bool {
        self.children.iter().any(|n| matches!(n, Node::Text(t) if !is_whitespace(&t.value)))
    }

    /// Returns the place of the text, or of the start tag if there is none.
    pub fn text_span(&self) -> Span {
        self.children
            .iter()
            .find_map(|n| match n {
                Node::Text(t) if !is_whitespace(&t.value) => Some(t.span),
                _ => None,
            })
            .unwrap_or(self.span)
    }

    /// About how much memory this tree takes, itself included, in bytes.
    pub fn weight(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|a| a.name.local.capacity() + a.value.capacity());
        let children = self.children.iter().map(|child| match child {
            // its place is counted with the list
            Node::Element(element) => element.weight() - size_of::<Self>(),
            Node::Text(text) => text.value.capacity(),
        });
        size_of::<Self>()
            + self.name.local.capacity()
            + self.namespaces.capacity() * size_of::<NamespaceDecl>()
            + self.attributes.capacity() * size_of::<Attribute>()
            + self.children.capacity() * size_of::<Node>()
            + attributes.chain(children).sum::<usize>()
    }

    /// The number of elements in this tree, itself included.
    pub fn count(&self) -> usize {
        1 + self.elements().map(Self::count).sum::<usize>()
    }
}

/// Two elements are equal if they say the same: attributes as a set, children in order, white
/// space between elements, positions and prefixes aside.
impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.attributes.len() == other.attributes.len()
            && self.attributes.iter().all(|a| other.attributes.contains(a))
            && self.text() == other.text()
            && self.elements().eq(other.elements())
    }
}
