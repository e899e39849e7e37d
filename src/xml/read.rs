//! Reading a document into a tree, within limits, with positions.

use super::{Attribute, Element, Limits, Name, NamespaceDecl, Node, Text};
use crate::diag::{Diagnostic, SourceId, Span, excerpt};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use std::sync::Arc;

/// Reads the document in `text`. Positions point into `source`.
///
/// # Errors
/// One positioned diagnostic: the document is not well-formed, is over a limit, or has a DTD.
pub fn parse(source: SourceId, text: &str, limits: &Limits) -> Result<Element, Box<Diagnostic>> {
    if text.len() > limits.bytes {
        let detail = format!("{} bytes; at most {} are read", text.len(), limits.bytes);
        return Err(Box::new(
            Diagnostic::error("xml-limit", "the document is too large")
                .at(Span::new(source, 0, 0))
                .detail(detail),
        ));
    }
    Builder::new(source, text, limits).run()
}

struct Builder<'a> {
    source: SourceId,
    text: &'a str,
    limits: &'a Limits,
    /// Open elements, the root first.
    open: Vec<Element>,
    /// Prefixes in scope, innermost last, and for each open element how many there were before.
    scope: Vec<(Option<Arc<str>>, Arc<str>)>,
    marks: Vec<usize>,
    root: Option<Element>,
    elements: usize,
}

type Step<T = ()> = Result<T, Box<Diagnostic>>;

impl<'a> Builder<'a> {
    fn new(source: SourceId, text: &'a str, limits: &'a Limits) -> Self {
        Self {
            source,
            text,
            limits,
            open: Vec::new(),
            scope: vec![(Some("xml".into()), "http://www.w3.org/XML/1998/namespace".into())],
            marks: Vec::new(),
            root: None,
            elements: 0,
        }
    }

    fn run(mut self) -> Step<Element> {
        // a byte order mark is not content
        let skip = if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut reader = Reader::from_str(self.text.get(skip..).unwrap_or(""));
        reader.config_mut().check_comments = true;
        loop {
            let start = skip + offset(reader.buffer_position());
            let event = reader.read_event();
            let end = skip + offset(reader.buffer_position());
            match event {
                Ok(Event::Start(tag)) => self.start(&tag, start, end)?,
                Ok(Event::Empty(tag)) => {
                    self.start(&tag, start, end)?;
                    self.end();
                }
                Ok(Event::End(_)) => self.end(),
                Ok(Event::Text(t)) => {
                    self.chars(&t.xml10_content(), start, end)?;
                }
                Ok(Event::CData(t)) => {
                    self.chars(&t.xml10_content(), start, end)?;
                }
                Ok(Event::GeneralRef(r)) => self.reference(&r, start, end)?,
                Ok(Event::DocType(_)) => return Err(self.doctype(start, end)),
                Ok(Event::Decl(d)) => self.declaration(&d, start, end)?,
                Ok(Event::Comment(_) | Event::PI(_)) => {}
                Ok(Event::Eof) => return self.finish(end),
                Err(e) => {
                    let at = skip + offset(reader.error_position());
                    return Err(self.malformed(at, &e));
                }
            }
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, start: usize, end: usize) -> Step {
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.error(start, end, "the document has a second root element"));
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(self.over(start, end, "elements", self.limits.elements));
        }
        if self.open.len() >= self.limits.depth {
            return Err(self.over(start, end, "levels of elements", self.limits.depth));
        }
        self.marks.push(self.scope.len());
        let mut raw = Vec::new();
        let mut namespaces = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|e| self.bad(start, end, &e))?;
            if raw.len() + namespaces.len() >= self.limits.attributes {
                return Err(self.over(
                    start,
                    end,
                    "attributes on one element",
                    self.limits.attributes,
                ));
            }
            let key = attribute.key.as_ref().to_owned();
            let span = self.span_of(&attribute.value, start, end);
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|e| self.bad(start, end, &e))?
                .into_owned();
            self.check_chars(&value, start, end)?;
            match key.strip_prefix("xmlns") {
                Some("") => self.declare(&mut namespaces, None, &value),
                Some(rest) if rest.starts_with(':') => {
                    let prefix = rest.trim_start_matches(':');
                    self.declare(&mut namespaces, Some(prefix.into()), &value);
                }
                _ => raw.push((key, value, span)),
            }
        }
        if self.scope.len() > self.limits.namespaces {
            return Err(self.over(start, end, "namespaces in scope", self.limits.namespaces));
        }
        let name = self.resolve(tag.name().as_ref(), true, start, end)?;
        let mut element = Element::named(name);
        element.namespaces = namespaces;
        element.span = Span::new(self.source, start, end);
        for (key, value, span) in raw {
            let name = self.resolve(&key, false, start, end)?;
            if element.attributes.iter().any(|a| a.name == name) {
                let what = format!("attribute {} is given twice", excerpt(&key));
                return Err(self.error(start, end, &what));
            }
            element.attributes.push(Attribute { name, value, span });
        }
        self.open.push(element);
        Ok(())
    }

    fn declare(&mut self, list: &mut Vec<NamespaceDecl>, prefix: Option<Arc<str>>, uri: &str) {
        let uri: Arc<str> = uri.into();
        self.scope.push((prefix.clone(), uri.clone()));
        list.push(NamespaceDecl { prefix, uri });
    }

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
        self.scope.truncate(self.marks.pop().unwrap_or(0));
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn chars(&mut self, text: &str, start: usize, end: usize) -> Step {
        self.check_chars(text, start, end)?;
        let span = Span::new(self.source, start, end);
        let Some(parent) = self.open.last_mut() else {
            return if text.trim_matches([' ', '\t', '\r', '\n', '\u{feff}']).is_empty() {
                Ok(())
            } else {
                Err(self.error(start, end, "there is text outside the root element"))
            };
        };
        match parent.children.last_mut() {
            Some(Node::Text(t)) => {
                t.value.push_str(text);
                t.span.end = span.end;
            }
            _ => {
                // a position after the white space that the text starts with
                let lead = text.len() - text.trim_start().len();
                let lead = if lead < text.len() { lead } else { 0 };
                let span = Span::new(self.source, start + lead, end);
                parent.children.push(Node::Text(Text { value: text.to_owned(), span }));
            }
        }
        Ok(())
    }

    fn reference(&mut self, r: &BytesRef<'_>, start: usize, end: usize) -> Step {
        if let Some(c) = r.resolve_char_ref().map_err(|e| self.bad(start, end, &e))? {
            return self.chars(c.encode_utf8(&mut [0; 4]), start, end);
        }
        let name: &str = r.as_ref();
        match resolve_predefined_entity(name) {
            Some(text) => self.chars(text, start, end),
            None => {
                Err(self.error(start, end, &format!("entity &{}; is not known", excerpt(name))))
            }
        }
    }

    fn declaration(&self, d: &quick_xml::events::BytesDecl<'_>, start: usize, end: usize) -> Step {
        let Some(Ok(encoding)) = d.encoding() else { return Ok(()) };
        if ["utf-8", "utf8", "us-ascii", "ascii"].contains(&encoding.to_ascii_lowercase().as_str())
        {
            return Ok(());
        }
        let what = format!("the document declares the encoding {}", excerpt(&encoding));
        let mut d = self.error(start, end, &what);
        d.hint = Some("save the file as UTF-8 and drop the encoding, or declare UTF-8".to_owned());
        Err(d)
    }

    fn finish(self, end: usize) -> Step<Element> {
        if let Some(open) = self.open.last() {
            let what = format!("<{}> is not closed", excerpt(&open.name.written()));
            let mut d = self.error(end, end, &what);
            d.span = Some(open.span);
            return Err(d);
        }
        match self.root {
            Some(root) => Ok(root),
            None => Err(self.error(0, end, "the document has no root element")),
        }
    }

    fn resolve(&self, written: &str, element: bool, start: usize, end: usize) -> Step<Name> {
        let (prefix, local) = match written.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, written),
        };
        let plain = |s: &str| {
            let mut chars = s.chars();
            chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && chars.all(|c| c.is_alphanumeric() || "-._\u{b7}".contains(c))
        };
        if !plain(local) || prefix.is_some_and(|p| !plain(p)) {
            let what = format!("\"{}\" is not a name", excerpt(written));
            return Err(self.error(start, end, &what));
        }
        if prefix.is_none() && !element {
            return Ok(Name::local(local));
        }
        let bound = self.scope.iter().rev().find(|(p, _)| p.as_deref() == prefix);
        match (bound, prefix) {
            (Some((_, uri)), None) if uri.is_empty() => Ok(Name::local(local)),
            (Some((prefix, uri)), _) => Ok(Name {
                prefix: prefix.clone(),
                namespace: Some(uri.clone()),
                local: local.to_owned(),
            }),
            (None, None) => Ok(Name::local(local)),
            (None, Some(prefix)) => {
                let what = format!("the prefix {} is not declared", excerpt(prefix));
                let mut d = self.error(start, end, &what);
                d.hint = Some(format!("declare it: xmlns:{}='…'", excerpt(prefix)));
                Err(d)
            }
        }
    }

    /// The span of a piece of the tag that quick-xml handed out as a slice of the text.
    fn span_of(&self, piece: &str, start: usize, end: usize) -> Span {
        let base = self.text.as_ptr() as usize;
        match (piece.as_ptr() as usize).checked_sub(base) {
            Some(at) if at >= start && at + piece.len() <= end => {
                Span::new(self.source, at, at + piece.len())
            }
            _ => Span::new(self.source, start, end),
        }
    }

    fn check_chars(&self, text: &str, start: usize, end: usize) -> Step {
        let bad = |c: &char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
        match text.chars().find(bad) {
            None => Ok(()),
            Some(c) => {
                let what = format!("the character U+{:04X} is not allowed in XML", u32::from(c));
                Err(self.error(start, end, &what))
            }
        }
    }

    fn doctype(&self, start: usize, end: usize) -> Box<Diagnostic> {
        let mut d = self.error(start, end, "a document type declaration (DTD) is refused");
        d.code = "xml-dtd";
        d.detail =
            Some("entities and external files it names could read files of this host".into());
        d.hint = Some("remove <!DOCTYPE …>; libvirt's formats have none".to_owned());
        d
    }

    fn malformed(&self, at: usize, e: &quick_xml::Error) -> Box<Diagnostic> {
        let mut d = self.error(at, at + 1, "the document is not well-formed");
        let mut reason = excerpt(&e.to_string());
        if let Some(open) = self.open.last() {
            reason.push_str(&format!("; <{}> is open here", excerpt(&open.name.written())));
        }
        d.detail = Some(reason);
        d
    }

    fn bad(&self, start: usize, end: usize, e: &dyn std::fmt::Display) -> Box<Diagnostic> {
        let mut d = self.error(start, end, "the document is not well-formed");
        d.detail = Some(excerpt(&e.to_string()));
        d
    }

    fn over(&self, start: usize, end: usize, what: &str, limit: usize) -> Box<Diagnostic> {
        let mut d = self.error(start, end, &format!("the document has too many {what}"));
        d.code = "xml-limit";
        d.detail = Some(format!("at most {limit} are read"));
        d
    }

    fn error(&self, start: usize, end: usize, summary: &str) -> Box<Diagnostic> {
        Box::new(Diagnostic::error("xml", summary).at(Span::new(self.source, start, end)))
    }
}

fn offset(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sources;
    use crate::xml::{write, write_compact};
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
    fn positions_of_values() {
        let text = "<a>\n  <b c='dd'>  text</b></a>";
        let mut sources = Sources::default();
        let id = sources.add("t.xml", text);
        let root = parse(id, text, &Limits::default()).expect("well-formed");
        let b = root.child("b").expect("b");
        let place = |span| sources.place(span).expect("known");
        assert_eq!(place(b.span), "t.xml:2:3");
        assert_eq!(place(b.attribute("c").expect("c").span), "t.xml:2:9");
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
            ("<a b='' b=''/>", "t.xml:1:1 the document is not well-formed"),
            ("<a><b></a>", "t.xml:1:7 the document is not well-formed"),
            ("<a><b>", "t.xml:1:4 <b> is not closed"),
            ("<p:a/>", "t.xml:1:1 the prefix p is not declared"),
            ("<a>\u{1}</a>", "t.xml:1:4 the character U+0001 is not allowed in XML"),
            ("<1/>", "t.xml:1:1 \"1\" is not a name"),
            ("", " the document has no root element"),
            (&deep, "t.xml:1:769 the document has too many levels of elements"),
            (
                &format!("<a{wide}/>"),
                "t.xml:1:1 the document has too many attributes on one element",
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
