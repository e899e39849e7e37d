//! Stream of checked events of a document: the tree is built from it, and validation reads it.
//!
//! quick-xml finds where each piece starts and ends; everything else that makes a document
//! well-formed is checked here, in [`super::tag`] and in [`super::wellformed`], with exact places.

use super::problem::{Document, Step, binding};
use super::tag;
use super::wellformed::{self, Reference, is_plain_text, is_space, name_length};
use super::{AttributeEvent, Limits, NamespaceDecl, NamespaceEvent, QName, Tag};
use diagnostics::{Diagnostic, Label, SourceId, Span, excerpt};
use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::events::Event as Raw;
use std::borrow::Cow;
use std::fmt;

/// A piece of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// An element starts. Call [`Events::open`] or [`Events::skip_tag`] before the next event.
    Start(Tag<'a>),
    /// The innermost open element ends; `<a/>` gives a start and an end.
    End,
    /// Character data inside the root, white space included. One string of XML may come in several pieces:
    /// around references, CDATA sections, comments and processing instructions.
    Text {
        /// The characters.
        text: Cow<'a, str>,
        /// Place of the data.
        span: Span,
    },
    /// The document was well-formed to its end.
    Eof,
}

/// An element that has not ended yet.
#[derive(Debug)]
struct Open<'a> {
    name: &'a str,
    span: Span,
    /// Namespace declarations that were in scope around it.
    outer: usize,
}

/// Reads a document piece by piece. After an error, the events that follow mean nothing.
pub struct Events<'a> {
    document: Document<'a>,
    limits: Limits,
    reader: Reader<&'a [u8]>,
    /// Length of the byte order mark, which the reader's positions leave out.
    mark: usize,
    /// Open elements, the root first.
    open: Vec<Open<'a>>,
    /// Namespace declarations in scope, innermost last.
    scope: Vec<NamespaceDecl>,
    /// Number of declarations that stay: an element's own last until its end was handled, since its text may
    /// hold prefixes.
    staying: usize,
    elements: usize,
    /// The last start tag was that of an empty element, whose end is still to be said.
    at_empty: bool,
    /// The inside of the last start tag was not looked at yet.
    unread_tag: bool,
}

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("position", &self.position())
            .field("open", &self.open)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl<'a> Events<'a> {
    /// Starts to read the document in `text`. Positions point into `source`.
    pub fn new(source: SourceId, text: &'a str, limits: &Limits) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        // the names are compared here, where it is known what is open
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        Self {
            document: Document { source, text },
            limits: *limits,
            reader,
            mark: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
            open: Vec::new(),
            scope: Vec::new(),
            staying: usize::MAX,
            elements: 0,
            at_empty: false,
            unread_tag: false,
        }
    }

    /// Reads the next event. Everything between events is checked; the inside of a start tag is checked by
    /// [`Self::open`].
    ///
    /// # Errors
    /// One positioned diagnostic: the document is not well-formed, is over a limit, or has a DTD.
    #[allow(clippy::should_implement_trait, reason = "an iterator could go on after an error")]
    pub fn next(&mut self) -> Step<Event<'a>> {
        debug_assert!(!self.unread_tag, "a start tag was neither opened nor skipped");
        self.scope.truncate(self.staying);
        self.staying = usize::MAX;
        if self.at_empty {
            self.at_empty = false;
            self.close();
            return Ok(Event::End);
        }
        if self.document.text.len() > self.limits.bytes {
            return Err(self.too_large());
        }
        loop {
            let start = self.position();
            let raw = self.reader.read_event();
            let end = self.position();
            match raw {
                Ok(Raw::Start(tag)) => return self.start(tag.name().as_ref().len(), start, end, 1),
                Ok(Raw::Empty(tag)) => {
                    self.at_empty = true;
                    return self.start(tag.name().as_ref().len(), start, end, 2);
                }
                Ok(Raw::End(tag)) => return self.end(tag.name().as_ref(), start),
                Ok(Raw::Text(_)) => {
                    if let Some(event) = self.text(start, end)? {
                        return Ok(event);
                    }
                }
                Ok(Raw::CData(_)) => return self.cdata(start, end),
                Ok(Raw::GeneralRef(_)) => return self.reference(start, end),
                Ok(Raw::Comment(_)) => self.comment(start, end)?,
                Ok(Raw::PI(_)) => self.instruction(start, end)?,
                Ok(Raw::Decl(_)) => self.declaration(start, end)?,
                Ok(Raw::DocType(_)) => return Err(self.doctype(start, end)),
                Ok(Raw::Eof) => return self.finish(end),
                Err(e) => return Err(self.malformed(start, &e)),
            }
        }
    }

    /// Reads the inside of the start tag just returned: its name, and into the emptied lists its
    /// attributes and the namespaces that it declares.
    ///
    /// # Errors
    /// One positioned diagnostic, as [`Self::next`].
    pub fn open(
        &mut self,
        tag: &Tag<'a>,
        attributes: &mut Vec<AttributeEvent<'a>>,
        namespaces: &mut Vec<NamespaceEvent>,
    ) -> Step<QName<'a>> {
        self.unread_tag = false;
        tag::open(self.document, &self.limits, tag, &mut self.scope, attributes, namespaces)
    }

    /// Leaves the inside of the start tag just returned unread: for a caller that has had the very
    /// same raw tag opened before, at a time when [`Self::plain_scope`] held as it does now, and
    /// without a colon or an `xmlns` in it.
    pub fn skip_tag(&mut self) {
        self.unread_tag = false;
    }

    /// Whether no namespace declaration is in scope, so that the same raw tag means the same.
    pub fn plain_scope(&self) -> bool {
        self.scope.is_empty()
    }

    /// The namespace that a prefix stands for here, and for `None` the default namespace, which is
    /// empty unless declared. `None` if the prefix is not declared.
    pub fn resolve_prefix(&self, prefix: Option<&str>) -> Option<&str> {
        match binding(&self.scope, prefix) {
            Some(declaration) => Some(&declaration.uri),
            None if prefix.is_none() => Some(""),
            None if prefix == Some("xml") => Some(wellformed::XML_NAMESPACE),
            None => None,
        }
    }

    fn position(&self) -> usize {
        self.mark + usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn start(&mut self, name: usize, start: usize, end: usize, close: usize) -> Step<Event<'a>> {
        let span = self.document.span(start, end);
        if self.open.is_empty() && self.elements > 0 {
            return Err(self.document.error(start, end, "the document has a second root element"));
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(self.document.over(start, end, "elements", self.limits.elements));
        }
        if self.open.len() >= self.limits.depth {
            return Err(self.document.over(start, end, "levels of elements", self.limits.depth));
        }
        let raw = self.document.text.get(start + 1..end - close).unwrap_or("");
        let name = raw.get(..name).unwrap_or(raw);
        self.open.push(Open { name, span, outer: self.scope.len() });
        self.unread_tag = true;
        Ok(Event::Start(Tag { raw, name, span }))
    }

    fn end(&mut self, name: &str, start: usize) -> Step<Event<'a>> {
        match self.open.last() {
            Some(open) if open.name == name => {
                self.close();
                Ok(Event::End)
            }
            open => Err(self.mismatched(name, start, open)),
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.staying = open.outer;
        }
    }

    #[cold]
    fn mismatched(&self, name: &str, start: usize, open: Option<&Open<'_>>) -> Box<Diagnostic> {
        if name.contains('<') {
            return self.unclosed(start, "the end tag", ">");
        }
        let at = start + "</".len();
        let end = at + name.len();
        let name = excerpt(name);
        let Some(open) = open else {
            let what = format!("</{name}> ends an element that is not open");
            return self.document.error(at, end, &what);
        };
        let opened = excerpt(open.name);
        let mut d = self.document.error(at, end, &format!("</{name}> does not end <{opened}>"));
        // <a>…<a> for <a>…</a>
        let outer = self.open.iter().rev().nth(1);
        d.hint = Some(if outer.is_some_and(|outer| outer.name == open.name) {
            format!("write </{opened}> where <{opened}> is opened inside <{opened}>")
        } else {
            format!("end <{opened}> first, with </{opened}>")
        });
        d.related.push(Label { span: open.span, text: format!("<{opened}> is opened here") });
        d
    }

    fn text(&self, start: usize, end: usize) -> Step<Option<Event<'a>>> {
        let text = self.document.text.get(start..end).unwrap_or("");
        if self.open.is_empty() {
            return match text.bytes().position(|b| !is_space(b)) {
                None => Ok(None),
                Some(at) => {
                    let (at, what) = (start + at, "there is text outside the root element");
                    Err(self.document.error(at, self.document.char_end(at), what))
                }
            };
        }
        let span = self.document.span(start, end);
        if is_plain_text(text) {
            return Ok(Some(Event::Text { text: Cow::Borrowed(text), span }));
        }
        self.document.check_chars(text, start)?;
        if let Some(at) = text.find("]]>") {
            let at = start + at;
            let mut d =
                self.document.error(at, at + 3, "]]> ends a CDATA section that is not open");
            d.hint = Some("write ]]&gt;".to_owned());
            return Err(d);
        }
        Ok(Some(Event::Text { text: line_ends(text), span }))
    }

    fn cdata(&self, start: usize, end: usize) -> Step<Event<'a>> {
        if self.open.is_empty() {
            let what = "there is a CDATA section outside the root element";
            return Err(self.document.error(start, end, what));
        }
        let from = start + "<![CDATA[".len();
        let to = end - "]]>".len();
        let text = self.document.text.get(from..to).unwrap_or("");
        self.document.check_chars(text, from)?;
        Ok(Event::Text { text: line_ends(text), span: self.document.span(from, to) })
    }

    fn reference(&self, start: usize, end: usize) -> Step<Event<'a>> {
        if self.open.is_empty() {
            let what = "there is a reference outside the root element";
            return Err(self.document.error(start, end, what));
        }
        let inside = self.document.text.get(start + 1..end - 1).unwrap_or("");
        match wellformed::reference(inside) {
            Reference::Char(c) => {
                let text = Cow::Owned(c.to_string());
                Ok(Event::Text { text, span: self.document.span(start, end) })
            }
            bad => Err(self.document.bad_reference(start, end, &bad)),
        }
    }

    fn comment(&self, start: usize, end: usize) -> Step {
        let from = start + "<!--".len();
        let text = self.document.text.get(from..end - "-->".len()).unwrap_or("");
        self.document.check_chars(text, from)?;
        let dashes = text.find("--").or_else(|| text.ends_with('-').then(|| text.len() - 1));
        match dashes {
            None => Ok(()),
            Some(at) => {
                let at = from + at;
                Err(self.document.error(at, at + 2, "a comment cannot hold \"--\""))
            }
        }
    }

    fn instruction(&self, start: usize, end: usize) -> Step {
        let from = start + "<?".len();
        let text = self.document.text.get(from..end - "?>".len()).unwrap_or("");
        let length = text.bytes().position(is_space).unwrap_or(text.len());
        let target = text.get(..length).unwrap_or("");
        let named = name_length(target);
        if named < length || named == 0 {
            return Err(self.document.not_a_name(target, from, named));
        }
        if target.eq_ignore_ascii_case("xml") {
            let what = format!("<?{target} is reserved for the XML declaration");
            let mut d = self.document.error(from, from + length, &what);
            d.hint = Some("write <?xml version='1.0'?> at the very start".to_owned());
            return Err(d);
        }
        if let Some(colon) = target.find(':') {
            return Err(self.document.not_a_name(target, from, colon));
        }
        self.document.check_chars(text, from)
    }

    fn declaration(&self, start: usize, end: usize) -> Step {
        if start > self.mark {
            let what = "the XML declaration is not at the very start";
            let mut d = self.document.error(start, end, what);
            d.hint = Some("remove what stands before it, or the declaration".to_owned());
            return Err(d);
        }
        tag::declaration(self.document, start + "<?xml".len(), end - "?>".len())
    }

    fn finish(&self, end: usize) -> Step<Event<'a>> {
        if let Some(open) = self.open.last() {
            let what = format!("<{}> is not closed", excerpt(open.name));
            let mut d = self.document.error(end, end, &what);
            d.span = open.span.is_known().then_some(open.span);
            return Err(d);
        }
        if self.elements == 0 {
            return Err(self.document.error(0, end, "the document has no root element"));
        }
        Ok(Event::Eof)
    }

    #[cold]
    fn too_large(&self) -> Box<Diagnostic> {
        let (bytes, limit) = (self.document.text.len(), self.limits.bytes);
        let mut d = self.document.error(0, 0, "the document is too large");
        d.code = "xml-limit";
        d.detail = Some(format!("{bytes} bytes; at most {limit} are read"));
        d
    }

    #[cold]
    fn doctype(&self, start: usize, end: usize) -> Box<Diagnostic> {
        let mut d = self.document.error(start, end, "a document type declaration (DTD) is refused");
        d.code = "xml-dtd";
        d.detail =
            Some("entities and external files it names could read files of this host".into());
        d.hint = Some("remove <!DOCTYPE …>; libvirt's formats have none".to_owned());
        d
    }

    #[cold]
    fn unclosed(&self, start: usize, what: &str, end: &str) -> Box<Diagnostic> {
        let mut d = self.document.error(start, start + 1, &format!("{what} is not closed"));
        d.hint = Some(format!("end it with {end}"));
        d
    }

    /// Converts an error of quick-xml, about a piece that has no end, to our words.
    #[cold]
    fn malformed(&self, start: usize, e: &Error) -> Box<Diagnostic> {
        let rest = self.document.text.get(start..).unwrap_or("");
        match e {
            Error::Syntax(SyntaxError::UnclosedComment) if rest.starts_with("<!--") => {
                self.unclosed(start, "the comment", "-->")
            }
            Error::Syntax(SyntaxError::UnclosedCData) if rest.starts_with("<![CDATA[") => {
                self.unclosed(start, "the CDATA section", "]]>")
            }
            Error::Syntax(SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl) => {
                self.unclosed(start, "the processing instruction", "?>")
            }
            Error::Syntax(SyntaxError::UnclosedDoctype)
            | Error::IllFormed(IllFormedError::MissingDoctypeName) => {
                self.doctype(start, start + "<!DOCTYPE".len())
            }
            Error::Syntax(
                SyntaxError::InvalidBangMarkup
                | SyntaxError::UnclosedComment
                | SyntaxError::UnclosedCData,
            ) => {
                let mut d = self.document.error(start, start + 2, "\"<!\" starts nothing known");
                d.hint = Some("a comment is written <!-- … -->".to_owned());
                d
            }
            Error::IllFormed(IllFormedError::UnclosedReference) => {
                self.document.lone_ampersand(start)
            }
            Error::Syntax(
                SyntaxError::UnclosedTag
                | SyntaxError::UnclosedSingleQuotedAttributeValue
                | SyntaxError::UnclosedDoubleQuotedAttributeValue,
            ) if rest.starts_with("</") => self.unclosed(start, "the end tag", ">"),
            Error::Syntax(_) => tag::unclosed(self.document, start),
            other => {
                let mut d =
                    self.document.error(start, start + 1, "the document is not well-formed");
                d.detail = Some(excerpt(&other.to_string()));
                d
            }
        }
    }
}

/// Line ends as XML has them: a single line feed each.
fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttributeEvent, QName};
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    /// The document as its events, each as a word.
    fn events(text: &str) -> Step<Vec<String>> {
        let mut events = Events::new(SourceId::NONE, text, &Limits::default());
        let (mut attributes, mut namespaces) = (Vec::new(), Vec::new());
        let mut out = Vec::new();
        let named = |name: &QName<'_>| match &name.namespace {
            Some(namespace) => format!("{{{namespace}}}{}", name.local),
            None => name.local.to_owned(),
        };
        loop {
            match events.next()? {
                Event::Start(tag) => {
                    let name = events.open(&tag, &mut attributes, &mut namespaces)?;
                    out.push(format!("<{}", named(&name)));
                    out.extend(namespaces.iter().map(|n| format!("xmlns {}", n.declaration.uri)));
                    out.extend(
                        attributes.iter().map(|a| format!("{} {}", named(&a.name), a.value)),
                    );
                }
                Event::End => out.push(">".to_owned()),
                Event::Text { text, .. } => out.push(format!("'{text}")),
                Event::Eof => return Ok(out),
            }
        }
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(events(text).expect(text), expected, "{text}");
    }

    #[test]
    fn pieces_come_one_by_one() {
        check("<a> b&amp;<!--c--><![CDATA[d]]>\r\n</a>", &["<a", "' b", "'&", "'d", "'\n", ">"]);
        check("<?c?><a><b/></a>\n", &["<a", "<b", ">", ">"]);
        check(
            "<a xmlns='u' xmlns:p='v' b='1' p:b=' &#9;\t\r\n2'><c xmlns=''/></a>",
            &["<{u}a", "xmlns u", "xmlns v", "b 1", "{v}b  \t  2", "<c", "xmlns ", ">", ">"],
        );
    }

    #[test]
    fn values_are_borrowed_where_they_can_be() {
        let text = "<a b='é>\"' c='&lt;'>d</a>";
        let mut events = Events::new(SourceId::NONE, text, &Limits::default());
        let mut attributes = Vec::new();
        let Ok(Event::Start(tag)) = events.next() else { panic!("a start") };
        assert_eq!((tag.raw, tag.name), ("a b='é>\"' c='&lt;'", "a"));
        events.open(&tag, &mut attributes, &mut Vec::new()).expect("well-formed");
        let borrowed = |a: &AttributeEvent<'_>| matches!(a.value, Cow::Borrowed(_));
        assert_eq!(attributes.iter().map(borrowed).collect::<Vec<_>>(), [true, false]);
        assert!(matches!(events.next(), Ok(Event::Text { text: Cow::Borrowed("d"), .. })));
    }

    #[test]
    fn scopes_open_and_close() {
        let text = "<a><b xmlns:p='u' xmlns='d'/></a>";
        let mut events = Events::new(SourceId::NONE, text, &Limits::default());
        let (mut attributes, mut namespaces) = (Vec::new(), Vec::new());
        for plain in [true, false] {
            let Ok(Event::Start(tag)) = events.next() else { panic!("a start") };
            events.open(&tag, &mut attributes, &mut namespaces).expect("well-formed");
            assert_eq!(events.plain_scope(), plain);
        }
        let resolved = [Some("p"), None, Some("q"), Some("xml")].map(|p| events.resolve_prefix(p));
        assert_eq!(resolved, [Some("u"), Some("d"), None, Some(wellformed::XML_NAMESPACE)]);
        // the end of an element is still inside it
        assert_eq!(events.next(), Ok(Event::End));
        assert_eq!(events.resolve_prefix(Some("p")), Some("u"));
        assert_eq!(events.next(), Ok(Event::End));
        assert!(events.plain_scope());
        assert_eq!(
            (events.resolve_prefix(None), events.resolve_prefix(Some("p"))),
            (Some(""), None)
        );
    }

    /// Checks texts on which a careless reader takes quadratic time. Each is read in milliseconds; quadratic
    /// time would be hours.
    #[test]
    fn time_is_linear() {
        let many = |piece: &str| piece.repeat((1 << 20) / piece.len());
        let names: String = (0..255).map(|n| format!(" a{n}=''")).collect();
        for text in [
            many("<"),
            many("&"),
            many("<a>"),
            many("<a "),
            many("]"),
            many("<!--"),
            format!("<a>{}</a>", many("&amp;")),
            format!("<a>{}</a>", many("]]&gt;")),
            format!("<a>{}</a>", many("<![CDATA[]]>")),
            format!("<a>{}</a>", many("\r")),
            format!("<a>{}</a>", many("x<b/>")),
            format!("<a>{}</a>", many(&format!("<b{names}/>"))),
            format!("<a>{}</a>", many("<b xmlns:a='u' xmlns:b='u' a:c='' b:d=''/>")),
            format!("<a b='{}'/>", many("&#65;")),
            format!("<a b='{}'/>", many("&")),
            format!("<a b='{};'/>", many("&amp")),
            format!("<a b='{}", many("\t")),
            format!("<a {}", many("b='' ")),
            format!("<a><!--{}--></a>", many("- ")),
            format!("<{}/>", many("é")),
            format!("<?{}?><a/>", many("b")),
        ] {
            let start = Instant::now();
            let _ = events(&text);
            let took = start.elapsed();
            assert!(took < Duration::from_secs(20), "{text:.40}: {took:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_text_has_an_end(text in any::<String>()) {
            let _ = events(&text);
        }

        #[test]
        fn any_markup_has_an_end(text in "(<|</|/>|>|<a|<b:a| xmlns:b='u'|a|b:| c='|=|'|\"|&|&#|&#x|;|<!--|--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?xml version='1.0'|<\\?x|\\?>|<!DOCTYPE| |\r\n|é|\u{0}|\u{feff}){0,24}") {
            let _ = events(&text);
        }

        /// A problem is inside the document, and points at whole characters.
        #[test]
        fn problems_are_in_the_document(text in "<a>(<b|</b>|/>|>| c='|'|&|;|é|<!--|-->|\\]\\]>|\u{ffff}){0,12}</a>") {
            let mut sources = diagnostics::Sources::default();
            let source = sources.add("t", text.as_str());
            if let Err(problem) = crate::parse(source, &text, &Limits::default()) {
                let span = problem.span.expect("a place");
                let at = |n: u32| usize::try_from(n).expect("small");
                prop_assert!(text.get(at(span.start)..at(span.end)).is_some(), "{:?}", problem);
            }
        }
    }
}
