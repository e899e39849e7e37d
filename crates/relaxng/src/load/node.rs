//! Elements of a schema without annotations, white space and comments.

use super::kind::{Attr, Kind, RELAX_NG, trim};
use diagnostics::{Diagnostic, SourceId, Span};
use xmltree::{
    AttributeEvent, Event, Events, Limits, NamespaceDecl, NamespaceEvent, QName, is_whitespace,
};
use xmltree::{Tag, XML_NAMESPACE};

/// The namespace of RELAX NG's annotations, of which `documentation` is read.
const ANNOTATIONS: &str = "http://relaxng.org/ns/compatibility/annotations/1.0";

/// An element of RELAX NG's.
#[derive(Debug)]
pub(super) struct Node {
    /// Kind, if there is such an element.
    pub(super) kind: Option<Kind>,
    /// Place of its start tag.
    pub(super) span: Span,
    /// The attributes that some element of RELAX NG has.
    attributes: Vec<Attribute>,
    /// The elements of RELAX NG in it.
    pub(super) children: Vec<Self>,
    /// The text in it, if it is to have text.
    pub(super) text: String,
    /// Place of the text, or else of the start tag.
    pub(super) text_span: Span,
    /// Properties that few elements have.
    rare: Option<Box<Rare>>,
}

/// An attribute with a meaning.
#[derive(Debug)]
pub(super) struct Attribute {
    /// Attribute.
    pub(super) what: Attr,
    /// Value.
    pub(super) value: String,
    /// Place of the value.
    pub(super) span: Span,
}

/// Properties that few elements have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// Name as written, if RELAX NG has no such element.
    pub(super) name: String,
    /// Whether the element is not RELAX NG's; only a root can be kept so.
    pub(super) foreign: bool,
    /// Attributes that mean nothing, with the places of their names.
    pub(super) attributes: Vec<(String, Span)>,
    /// The first annotation in it, by its name as written.
    pub(super) annotation: Option<(String, Span)>,
    /// The first text in an element that is to have none.
    pub(super) text: Option<Span>,
    /// Value of `xml:base`.
    pub(super) base: Option<String>,
    /// Text of the annotations in it.
    pub(super) documentation: Option<String>,
    /// The namespaces declared on it.
    pub(super) namespaces: Vec<NamespaceDecl>,
}

impl Node {
    fn new(kind: Option<Kind>, span: Span) -> Self {
        Self {
            kind,
            span,
            attributes: Vec::new(),
            children: Vec::new(),
            text: String::new(),
            text_span: span,
            rare: None,
        }
    }

    /// Returns the name for people.
    pub(super) fn name(&self) -> &str {
        match self.kind {
            Some(kind) => kind.as_str(),
            None => self.rare().map_or("", |rare| &rare.name),
        }
    }

    /// All attributes with a meaning.
    pub(super) fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// An attribute.
    pub(super) fn attribute(&self, what: Attr) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.what == what)
    }

    /// The value of an attribute.
    pub(super) fn attr(&self, what: Attr) -> Option<&str> {
        self.attribute(what).map(|a| a.value.as_str())
    }

    /// The value of an attribute without the white space around it (4.2).
    pub(super) fn trimmed(&self, what: Attr) -> Option<&str> {
        self.attr(what).map(trim)
    }

    /// Returns the rare properties, if there are any.
    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// The namespaces declared on it.
    pub(super) fn namespaces(&self) -> &[NamespaceDecl] {
        self.rare().map_or(&[], |rare| &rare.namespaces)
    }

    /// Returns the text of the annotations in it.
    pub(super) fn documentation(&self) -> Option<&str> {
        self.rare().and_then(|rare| rare.documentation.as_deref())
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// Reads a file. The root is kept, whatever it is.
pub(super) fn read(source: SourceId, text: &str, limits: &Limits) -> Result<Node, Box<Diagnostic>> {
    let mut events = Events::new(source, text, limits);
    let mut reader = Reader::default();
    loop {
        match events.next()? {
            Event::Start(tag) => {
                let name = events.open(&tag, &mut reader.attributes, &mut reader.namespaces)?;
                reader.start(&tag, &name);
            }
            Event::End => reader.end(),
            Event::Text { text, span } => reader.text(&text, span),
            // the events have seen to it that there is a root
            Event::Eof => return Ok(reader.root.unwrap_or_else(|| Node::new(None, Span::NONE))),
        }
    }
}

#[derive(Default)]
struct Reader<'a> {
    /// Open elements, the root first.
    open: Vec<Node>,
    root: Option<Node>,
    /// Number of nested annotations that are open.
    annotations: usize,
    /// Text of the annotation that documents its parent.
    documentation: Option<String>,
    /// The lists that the events fill, kept from tag to tag.
    attributes: Vec<AttributeEvent<'a>>,
    namespaces: Vec<NamespaceEvent>,
}

impl Reader<'_> {
    fn start(&mut self, tag: &Tag<'_>, name: &QName<'_>) {
        let namespace = name.namespace.as_deref();
        let ours = namespace == Some(RELAX_NG);
        if self.annotations > 0 || !ours && !self.open.is_empty() {
            if self.annotations == 0
                && name.local == "documentation"
                && namespace == Some(ANNOTATIONS)
            {
                self.documentation = Some(String::new());
            }
            if let (0, Some(parent)) = (self.annotations, self.open.last_mut())
                && parent.kind.is_some_and(Kind::has_text)
            {
                let first = (tag.name.to_owned(), tag.span);
                parent.rare_mut().annotation.get_or_insert(first);
            }
            self.annotations += 1;
            return;
        }
        let kind = if ours { Kind::named(name.local) } else { None };
        let mut node = Node::new(kind, tag.span);
        if kind.is_none() {
            let rare = node.rare_mut();
            rare.name = tag.name.to_owned();
            rare.foreign = !ours;
        }
        if !self.namespaces.is_empty() {
            node.rare_mut().namespaces = self.namespaces.drain(..).map(|n| n.declaration).collect();
        }
        for a in self.attributes.drain(..) {
            match (a.name.namespace.as_deref(), Attr::named(a.name.local)) {
                (None, Some(what)) => {
                    let value = a.value.into_owned();
                    node.attributes.push(Attribute { what, value, span: a.span });
                }
                (Some(XML_NAMESPACE), _) if a.name.local == "base" => {
                    node.rare_mut().base = Some(a.value.into_owned());
                }
                (None | Some(RELAX_NG), _) => {
                    let written = match a.name.prefix {
                        Some(prefix) => format!("{prefix}:{}", a.name.local),
                        None => a.name.local.to_owned(),
                    };
                    node.rare_mut().attributes.push((written, a.name_span));
                }
                _ => {}
            }
        }
        self.open.push(node);
    }

    fn end(&mut self) {
        if self.annotations > 0 {
            self.annotations -= 1;
            if self.annotations == 0
                && let (Some(text), Some(parent)) =
                    (self.documentation.take(), self.open.last_mut())
            {
                parent.rare_mut().document(&text);
            }
            return;
        }
        let Some(node) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
    }

    fn text(&mut self, text: &str, span: Span) {
        if self.annotations > 0 {
            if let Some(documentation) = &mut self.documentation {
                documentation.push_str(text);
            }
            return;
        }
        let Some(parent) = self.open.last_mut() else { return };
        if parent.kind.is_some_and(Kind::has_text) {
            if parent.text.is_empty() {
                // a position after the white space that the text starts with
                let lead = text.len() - text.trim_start().len();
                let lead = if lead < text.len() { u32::try_from(lead).unwrap_or(0) } else { 0 };
                parent.text_span = Span { start: span.start.saturating_add(lead), ..span };
            }
            parent.text_span.end = span.end;
            parent.text.push_str(text);
        } else if !is_whitespace(text) {
            parent.rare_mut().text.get_or_insert(span);
        }
    }
}

impl Rare {
    fn document(&mut self, text: &str) {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match &mut self.documentation {
            _ if words.is_empty() => {}
            Some(before) => {
                before.push('\n');
                before.push_str(&words);
            }
            None => self.documentation = Some(words),
        }
    }
}
