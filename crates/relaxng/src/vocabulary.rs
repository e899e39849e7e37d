//! Vocabulary of messages: the notation of a document's parts, and facts about its names.
//!
//! A grammar says what may stand where; it does not say how a document that is not XML writes an element,
//! which prefix people use, or which value is a secret. Whoever has a document validated says that here.

use std::fmt::Debug;
use xmltree::Element;

/// Vocabulary of messages, beside the grammar. The defaults are those of XML, without any secret.
pub trait Vocabulary: Debug {
    /// Whether attributes and child elements are one sort of thing: keys of a table.
    fn has_keys(&self) -> bool {
        false
    }

    /// An element of this name, such as `<disk>`.
    fn element(&self, name: &str) -> String {
        format!("<{name}>")
    }

    /// The word for an element.
    fn element_word(&self) -> &'static str {
        "element"
    }

    /// The word for an attribute.
    fn attribute_word(&self) -> &'static str {
        "attribute"
    }

    /// The name without a prefix that documents do without.
    fn unprefixed<'n>(&self, name: &'n str) -> &'n str {
        name
    }

    /// An attribute to be filled in.
    fn attribute_skeleton(&self, name: &str) -> String {
        format!("{name}='…'")
    }

    /// An element to be filled in, with the attributes that it needs; `more` says that some choice of others is
    /// needed, `bare` that it may be empty.
    fn element_skeleton(
        &self,
        name: &str,
        attributes: &[String],
        more: bool,
        bare: bool,
    ) -> String {
        let mut inside: String = attributes.iter().map(|name| format!(" {name}='…'")).collect();
        inside.push_str(if more { " …" } else { "" });
        if bare { format!("<{name}{inside}/>") } else { format!("<{name}{inside}>…</{name}>") }
    }

    /// An element with this text.
    fn text(&self, name: &str, text: &str) -> String {
        format!("<{name}>{text}</{name}>")
    }

    /// Returns the hint for an element without its text; `None` where its place suffices.
    fn missing_text(&self, name: &str) -> Option<String> {
        Some(format!("write {}", self.text(name, "…")))
    }

    /// Returns the hint for an element that takes a value as text, and has it as an attribute.
    fn as_text(&self, name: &str, text: &str) -> String {
        format!("write it as text: {}", self.text(name, text))
    }

    /// An element with an attribute.
    fn with_attribute(&self, name: &str, attribute: &str, value: &str) -> String {
        format!("<{name} {attribute}='{value}'/>")
    }

    /// A number with its unit as an attribute.
    fn with_unit(&self, name: &str, number: &str, unit: &str) -> String {
        format!("<{name} unit='{unit}'>{number}</{name}>")
    }

    /// Returns the hint for an element that has to be an attribute of `parent`.
    fn as_attribute(&self, parent: &str, name: &str, value: &str) -> String {
        format!("it is an attribute here: <{parent} {name}='{value}'>")
    }

    /// Returns the hint for an attribute that has to be an element.
    fn as_element(&self, name: &str) -> String {
        format!("it is an element here: <{name}>…</{name}>")
    }

    /// Returns the hint for an element that takes no text and has one, and may hold other content.
    fn no_text(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// Returns the hint for an element that is always empty, and is not.
    fn empty(&self, name: &str) -> String {
        format!("write <{name}/>: it never holds anything")
    }

    /// Returns the message for an element that lacks a child; both are written out.
    fn lacks(&self, around: &str, child: &str) -> String {
        format!("{around} lacks {child}")
    }

    /// The declaration that a prefix needs in the document; `None` where it needs none.
    fn declaration(&self, prefix: &str, uri: &str) -> Option<String> {
        Some(format!("xmlns:{prefix}='{uri}'"))
    }

    /// The prefix that people give to a namespace.
    fn usual_prefix(&self, namespace: &str) -> Option<&'static str> {
        let _ = namespace;
        None
    }

    /// Hint for a document whose root is in a namespace, and should be in none.
    fn no_namespace(&self) -> &'static str {
        "remove the xmlns attribute"
    }

    /// Whether the value of the attribute, or the text of the element if it is `None`, is not to be shown.
    fn is_secret(&self, element: &Element, attribute: Option<&str>) -> bool {
        let _ = (element, attribute);
        false
    }
}

/// Documents in XML, of whose names nothing is known.
#[derive(Clone, Copy, Debug)]
pub struct Xml;

impl Vocabulary for Xml {}
