//! Reading a document into a tree, within limits, with positions.

use super::{
    Attribute, AttributeEvent, Element, Event, Events, Limits, Name, NamespaceEvent, Node, QName,
    Tag, Text,
};
use diagnostics::{Diagnostic, SourceId, Span};
use std::sync::Arc;

/// Reads the document in `text`. Positions point into `source`.
///
/// # Errors
/// One positioned diagnostic: the document is not well-formed, is over a limit, or has a DTD.
pub fn parse(source: SourceId, text: &str, limits: &Limits) -> Result<Element, Box<Diagnostic>> {
    let mut events = Events::new(source, text, limits);
    let mut builder = Builder::default();
    loop {
        match events.next()? {
            Event::Start(tag) => {
                let name = events.open(&tag, &mut builder.attributes, &mut builder.namespaces)?;
                builder.start(&tag, name);
            }
            Event::End => builder.end(),
            Event::Text { text, span } => builder.chars(&text, span),
            // the events have seen to it that there is a root
            Event::Eof => return Ok(builder.root.unwrap_or_else(|| Element::new(""))),
        }
    }
}

#[derive(Default)]
struct Builder<'a> {
    /// Open elements, the root first.
    open: Vec<Element>,
    root: Option<Element>,
    /// The lists that the events fill, kept from tag to tag.
    attributes: Vec<AttributeEvent<'a>>,
    namespaces: Vec<NamespaceEvent>,
}

impl Builder<'_> {
    fn start(&mut self, tag: &Tag<'_>, name: QName<'_>) {
        let mut element = Element::named(owned(name));
        element.span = tag.span;
        element.namespaces = self.namespaces.drain(..).map(|n| n.declaration).collect();
        let attribute = |a: AttributeEvent<'_>| Attribute {
            name: owned(a.name),
            value: a.value.into_owned(),
            name_span: a.name_span,
            span: a.span,
        };
        element.attributes = self.attributes.drain(..).map(attribute).collect();
        self.open.push(element);
    }

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn chars(&mut self, text: &str, span: Span) {
        let Some(parent) = self.open.last_mut() else { return };
        match parent.children.last_mut() {
            Some(Node::Text(t)) => {
                t.value.push_str(text);
                t.span.end = span.end;
            }
            _ => {
                // a position after the white space that the text starts with
                let lead = text.len() - text.trim_start().len();
                let lead = if lead < text.len() { u32::try_from(lead).unwrap_or(0) } else { 0 };
                let span = Span { start: span.start.saturating_add(lead), ..span };
                parent.children.push(Node::Text(Text { value: text.to_owned(), span }));
            }
        }
    }
}

fn owned(name: QName<'_>) -> Name {
    Name {
        prefix: name.prefix.map(Arc::from),
        namespace: name.namespace,
        local: name.local.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{write, write_compact};
    use diagnostics::Sources;
    use proptest::prelude::*;
    use proptest::{collection, sample};

    fn read(text: &str) -> Result<Element, String> {
        let mut sources = Sources::default();
        let id = sources.add("t.xml", text);
        parse(id, text, &Limits::default()).map_err(|d| {
            format!("{} {}", d.span.and_then(|s| sources.place(s)).unwrap_or_default(), d.summary)
        })
    }

    #[test]
    fn keeps_all_and_writes_it_back() {
        let text = "<domain type='kvm' xmlns:q='urn:q'>\n  <name>a &amp; b&#x20AC;</name>\n  \
                    <q:x q:y='&lt;&#10;'>m<b/>n</q:x>\n  <empty/>\n</domain>\n";
        let root = read(text).expect("well-formed");
        assert_eq!(root.child_text("name").as_deref(), Some("a & b€"));
        assert_eq!(read(&write(&root)).as_ref(), Ok(&root));
        assert_eq!(read(&write_compact(&root)).as_ref(), Ok(&root));
        assert!(write(&root).contains("<q:x q:y='&lt;&#10;'>m<b/>n</q:x>"));
    }

    #[test]
    fn what_is_not_needed_is_not_written() {
        for text in [
            "<a xml:lang='en'/>",
            "<a><b xml:lang='en'/></a>",
            // no white space to XML
            "<a>\u{a0}<b/></a>",
            "<a>\n\u{a0}</a>",
        ] {
            assert_eq!(read(text).map(|e| write_compact(&e)).as_deref(), Ok(text));
        }
    }

    #[test]
    fn positions_of_values() {
        let text = "<a>\n  <b c='dd'>  text</b></a>";
        let mut sources = Sources::default();
        let id = sources.add("t.xml", text);
        let root = parse(id, text, &Limits::default()).expect("well-formed");
        let b = root.child("b").expect("b");
        let place = |span| sources.place(span).expect("known");
        assert_eq!(place(b.span), "t.xml:2:3");
        let c = b.attribute("c").expect("c");
        assert_eq!(place(c.name_span), "t.xml:2:6");
        assert_eq!(place(c.span), "t.xml:2:9");
        assert_eq!(place(b.text_span()), "t.xml:2:15");
    }

    #[test]
    fn refuses_with_a_place() {
        let deep = "<a>".repeat(300);
        let wide: String = (0..300).map(|i| format!(" a{i}=''")).collect();
        for (text, want) in [
            (
                "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>",
                "t.xml:1:1 a document type declaration (DTD) is refused",
            ),
            ("<a/><b/>", "t.xml:1:5 the document has a second root element"),
            ("x<a/>", "t.xml:1:1 there is text outside the root element"),
            ("<a>&x;</a>", "t.xml:1:4 entity &x; is not known"),
            ("<a b='' b=''/>", "t.xml:1:9 the attribute b is given twice"),
            ("<a><b></a>", "t.xml:1:9 </a> does not end <b>"),
            ("<a><b>", "t.xml:1:4 <b> is not closed"),
            ("<p:a/>", "t.xml:1:2 the prefix p is not declared"),
            ("<a>\u{1}</a>", "t.xml:1:4 the character U+0001 is not allowed in XML"),
            ("<1/>", "t.xml:1:2 \"1\" is not a name"),
            ("", " the document has no root element"),
            (&deep, "t.xml:1:769 the document has too many levels of elements"),
            (
                &format!("<a{wide}/>"),
                "t.xml:1:1942 the document has too many attributes on one element",
            ),
        ] {
            let got = read(text).expect_err(text);
            assert!(got.ends_with(want.trim()), "{text:.40}: {got}");
        }
    }

    /// Attributes' values and texts: anything that a document may hold.
    fn characters() -> impl Strategy<Value = String> + Clone {
        "[ -~\t\n\r\u{a0}-\u{d7ff}\u{10000}-\u{1ffff}]{0,12}"
    }

    fn name() -> impl Strategy<Value = Name> + Clone {
        let other =
            |local: &str, prefix: &str| Name::qualified(prefix, &format!("urn:{prefix}"), local);
        sample::select(vec![
            Name::local("a"),
            Name::local("b-c.d"),
            other("a", "p"),
            other("e", "q"),
        ])
    }

    fn tree() -> impl Strategy<Value = Element> {
        let attribute = ("[a-z]{1,3}", characters());
        let attributes = collection::vec(attribute, 0..3);
        let bare = (name(), attributes, characters()).prop_map(|(name, attributes, text)| {
            let element = Element::named(name).with_text(text);
            attributes.into_iter().fold(element, |e, (name, value)| e.with_attr(&name, value))
        });
        bare.clone().prop_recursive(5, 40, 4, move |inner| {
            (bare.clone(), collection::vec((inner, characters()), 0..4)).prop_map(
                |(e, children)| {
                    children
                        .into_iter()
                        .fold(e, |e, (child, text)| e.with_child(child).with_text(text))
                },
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn any_markup_is_read_or_refused(text in "(<|</|/>|>|a|b:|xmlns:b='u'| c='|\"|&|&#|;|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?x|\\?>|<!DOCTYPE| |é|\u{0}){0,24}") {
            if let Ok(element) = read(&text) {
                prop_assert_eq!(read(&write(&element)), Ok(element));
            }
        }

        #[test]
        fn what_is_written_is_read_again(tree in tree()) {
            prop_assert_eq!(read(&write(&tree)), Ok(tree.clone()));
            prop_assert_eq!(read(&write_compact(&tree)), Ok(tree));
        }
    }
}
