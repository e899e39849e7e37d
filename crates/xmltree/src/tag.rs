//! The inside of a start tag: attributes, namespaces, and the XML declaration, which looks like
//! one.

use super::problem::{Document, Step};
use super::wellformed::{self, Reference, is_plain_value, is_space, name_length};
use super::{Limits, NamespaceDecl};
use diagnostics::{Diagnostic, Span, excerpt};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A start tag, of which only the extent is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Text between `<` and `>`, or `/>`.
    pub raw: &'a str,
    /// Start of that up to the first white space: the name as written, which is not checked yet.
    pub name: &'a str,
    /// Place of the whole tag.
    pub span: Span,
}

/// A name with its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QName<'a> {
    /// The prefix as written.
    pub prefix: Option<&'a str>,
    /// The local part.
    pub local: &'a str,
    /// The namespace.
    pub namespace: Option<Arc<str>>,
}

impl QName<'_> {
    /// The URI of the namespace; empty for none.
    pub fn uri(&self) -> &str {
        self.namespace.as_deref().unwrap_or("")
    }
}

/// An attribute of a start tag, `xmlns` aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeEvent<'a> {
    /// Name of the attribute.
    pub name: QName<'a>,
    /// Value, references and white space replaced as XML has it.
    pub value: Cow<'a, str>,
    /// Place of the name.
    pub name_span: Span,
    /// Place of the value, without its quotes.
    pub span: Span,
}

/// An `xmlns` attribute of a start tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceEvent {
    /// Declaration.
    pub declaration: NamespaceDecl,
    /// Place of the attribute's name.
    pub name_span: Span,
    /// Place of the URI, without its quotes.
    pub span: Span,
}

/// Reads the inside of a start tag; see [`super::Events::open`].
pub(super) fn open<'a>(
    document: Document<'a>,
    limits: &Limits,
    tag: &Tag<'a>,
    scope: &mut Vec<NamespaceDecl>,
    attributes: &mut Vec<AttributeEvent<'a>>,
    namespaces: &mut Vec<NamespaceEvent>,
) -> Step<QName<'a>> {
    attributes.clear();
    namespaces.clear();
    let base = usize::try_from(tag.span.start).unwrap_or(usize::MAX).saturating_add(1);
    document.check_element_name(tag.name, base)?;
    let mut reader = Inside { document, raw: tag.raw, base, at: tag.name.len() };
    // prefixes mean something only once all declarations have been read
    let mut prefixed = false;
    while let Some(pair) = reader.pair()? {
        if attributes.len() + namespaces.len() >= limits.attributes {
            let (what, limit) = ("attributes on one element", limits.attributes);
            return Err(document.over(pair.name_at, pair.value_at, what, limit));
        }
        let (prefix, local) = document.split(pair.name, pair.name_at)?;
        let name_span = document.span(pair.name_at, pair.name_at + pair.name.len());
        let span = document.span(pair.value_at, pair.value_end);
        let declared = match (prefix, local) {
            (None, "xmlns") => None,
            (Some("xmlns"), prefix) => Some(prefix),
            _ => {
                prefixed |= prefix.is_some();
                let name = QName { prefix, local, namespace: None };
                attributes.push(AttributeEvent { name, value: pair.value, name_span, span });
                continue;
            }
        };
        if let Err(reason) = wellformed::check_binding(declared, &pair.value) {
            return Err(document.error(pair.name_at, pair.value_end, reason));
        }
        let uri: Arc<str> = pair.value.as_ref().into();
        let declaration = NamespaceDecl { prefix: declared.map(Arc::from), uri };
        namespaces.push(NamespaceEvent { declaration, name_span, span });
    }
    if !namespaces.is_empty() {
        declare(document, limits, scope, namespaces)?;
    }
    if prefixed {
        for attribute in attributes.iter_mut().filter(|a| a.name.prefix.is_some()) {
            let at = attribute.name_span;
            attribute.name.namespace = document.resolve(scope, attribute.name.prefix, at)?;
        }
    }
    check_distinct(document, attributes)?;
    let (prefix, local) = document.split(tag.name, base)?;
    if prefix == Some("xmlns") {
        let what = "an element cannot have the prefix xmlns";
        return Err(document.error(base, base + tag.name.len(), what));
    }
    let namespace = if prefix.is_none() && scope.is_empty() {
        None
    } else {
        document.resolve(scope, prefix, document.span(base, base + tag.name.len()))?
    };
    Ok(QName { prefix, local, namespace })
}

fn declare(
    document: Document<'_>,
    limits: &Limits,
    scope: &mut Vec<NamespaceDecl>,
    namespaces: &[NamespaceEvent],
) -> Step {
    let mut seen = BTreeSet::new();
    for event in namespaces {
        if !seen.insert(event.declaration.prefix.as_deref()) {
            let first =
                namespaces.iter().find(|n| n.declaration.prefix == event.declaration.prefix);
            return Err(document.twice(event.name_span, first.map(|n| n.name_span)));
        }
        if scope.len() >= limits.namespaces {
            let mut d = document.over(0, 0, "namespaces in scope", limits.namespaces);
            d.span = event.name_span.is_known().then_some(event.name_span);
            return Err(d);
        }
        scope.push(event.declaration.clone());
    }
    Ok(())
}

/// Most attributes that are compared each with each; libvirt's elements seldom have more.
const FEW: usize = 12;

fn check_distinct(document: Document<'_>, attributes: &[AttributeEvent<'_>]) -> Step {
    let second = if attributes.len() <= FEW {
        let earlier = |n: usize, name| attributes.iter().take(n).any(|b| expanded(b) == name);
        attributes.iter().enumerate().find(|(n, a)| earlier(*n, expanded(a))).map(|(_, a)| a)
    } else {
        let mut seen = BTreeSet::new();
        attributes.iter().find(|a| !seen.insert(expanded(a)))
    };
    match second {
        None => Ok(()),
        Some(second) => {
            let first = attributes.iter().find(|a| expanded(a) == expanded(second));
            Err(document.twice(second.name_span, first.map(|a| a.name_span)))
        }
    }
}

/// Returns the identity of an attribute: `p:a` and `q:a` are the same where both prefixes mean the same.
fn expanded<'k>(attribute: &'k AttributeEvent<'_>) -> (&'k str, Option<&'k str>) {
    (attribute.name.local, attribute.name.namespace.as_deref())
}

/// One `name='value'`.
struct Pair<'a> {
    name: &'a str,
    name_at: usize,
    value: Cow<'a, str>,
    /// Start of the value, without its quotes.
    value_at: usize,
    value_end: usize,
}

/// Text between the name and the end of a tag, as it is read.
struct Inside<'a> {
    document: Document<'a>,
    raw: &'a str,
    /// Start of `raw` in the document.
    base: usize,
    /// Number of bytes of `raw` that have been read.
    at: usize,
}

impl<'a> Inside<'a> {
    fn peek(&self) -> Option<u8> {
        self.raw.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.raw.get(self.at..).unwrap_or("")
    }

    fn skip_blanks(&mut self) -> bool {
        let before = self.at;
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
        self.at > before
    }

    #[inline(always)]
    fn pair(&mut self) -> Step<Option<Pair<'a>>> {
        let apart = self.skip_blanks();
        if self.at >= self.raw.len() {
            return Ok(None);
        }
        let name_at = self.base + self.at;
        let length = name_length(self.rest());
        if !apart || length == 0 {
            return Err(self.no_attribute());
        }
        let name = self.rest().get(..length).unwrap_or("");
        self.at += length;
        self.skip_blanks();
        if self.peek() != Some(b'=') {
            return Err(self.no_value(name, name_at));
        }
        self.at += 1;
        self.skip_blanks();
        let Some(quote @ (b'\'' | b'"')) = self.peek() else { return Err(self.no_quote(name)) };
        self.at += 1;
        let value_at = self.base + self.at;
        let value = self.value(name, quote)?;
        let value_end = self.base + self.at - 1;
        Ok(Some(Pair { name, name_at, value, value_at, value_end }))
    }

    /// Reads a value and the quote that ends it.
    #[inline(always)]
    fn value(&mut self, name: &str, quote: u8) -> Step<Cow<'a, str>> {
        let rest = self.rest();
        let mut plain = true;
        let mut length = None;
        for (n, byte) in rest.bytes().enumerate() {
            if byte == quote {
                length = Some(n);
                break;
            }
            plain &= is_plain_value(byte);
        }
        let from = self.base + self.at;
        let Some(length) = length else { return Err(self.no_end(name, from)) };
        let value = rest.get(..length).unwrap_or("");
        self.at += length + 1;
        if plain { Ok(Cow::Borrowed(value)) } else { self.replaced(value, from) }
    }

    /// Returns a value with its references, line ends and other white space replaced.
    #[cold]
    fn replaced(&self, value: &'a str, from: usize) -> Step<Cow<'a, str>> {
        if !value.contains(['&', '<', '\t', '\n', '\r']) {
            self.document.check_chars(value, from)?;
            return Ok(Cow::Borrowed(value));
        }
        let mut out = String::with_capacity(value.len());
        let mut rest = value;
        while let Some(c) = rest.chars().next() {
            let at = from + value.len() - rest.len();
            let mut length = c.len_utf8();
            match c {
                '<' => return Err(self.document.open_in_value(at, from)),
                '&' => {
                    let (meant, taken) = self.reference(rest, at)?;
                    out.push(meant);
                    length = taken;
                }
                '\r' if rest.starts_with("\r\n") => {
                    length = 2;
                    out.push(' ');
                }
                '\t' | '\n' | '\r' => out.push(' '),
                c if !wellformed::is_char(c) => return Err(self.document.forbidden_char(at, c)),
                c => out.push(c),
            }
            rest = rest.get(length..).unwrap_or("");
        }
        Ok(Cow::Owned(out))
    }

    /// The character for the reference that `text` starts with, and how long that is.
    fn reference(&self, text: &str, at: usize) -> Step<(char, usize)> {
        let ends = |c: char| matches!(c, ';' | '&' | '<' | ' ' | '\t' | '\n' | '\r');
        let end = text.get(1..).and_then(|t| t.find(ends)).map_or(text.len(), |n| n + 1);
        if !text.get(end..).unwrap_or("").starts_with(';') {
            return Err(self.document.lone_ampersand(at));
        }
        match wellformed::reference(text.get(1..end).unwrap_or("")) {
            Reference::Char(c) => Ok((c, end + 1)),
            bad => Err(self.document.bad_reference(at, at + end + 1, &bad)),
        }
    }

    #[cold]
    fn no_end(&self, name: &str, from: usize) -> Box<Diagnostic> {
        // most likely the quote is missing before the next tag, which is where others point
        if let Some(next) = self.rest().find('<') {
            return self.document.open_in_value(from + next, from);
        }
        let what = format!("the value of {} is not closed", excerpt(name));
        self.document.error(from - 1, from, &what)
    }

    /// Returns the text here up to the next character that could end a name.
    fn chunk(&self, from: usize) -> &'a str {
        let rest = self.raw.get(from..).unwrap_or("");
        let ends = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '=' | '\'' | '"' | '<' | '/');
        rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or("")
    }

    #[cold]
    fn no_attribute(&self) -> Box<Diagnostic> {
        let at = self.base + self.at;
        let length = name_length(self.rest());
        if length > 0 {
            let name = excerpt(self.rest().get(..length).unwrap_or(""));
            return self.document.error(at, at + length, &format!("no whitespace before {name}"));
        }
        if self.peek() == Some(b'<') {
            let mut d = self.document.error(at, at + 1, "\"<\" stands inside a tag");
            d.hint = Some("end the tag before it with \">\"".to_owned());
            return d;
        }
        let chunk = self.chunk(self.at);
        if !chunk.is_empty() {
            return self.document.not_a_name(chunk, at, 0);
        }
        let stray = self.rest().chars().next().unwrap_or(' ');
        let what = format!("\"{stray}\" is not expected inside a tag");
        let mut d = self.document.error(at, at + stray.len_utf8(), &what);
        d.hint = Some("an attribute is written name='value'".to_owned());
        d
    }

    #[cold]
    fn no_value(&self, name: &str, name_at: usize) -> Box<Diagnostic> {
        let chunk = self.chunk(name_at - self.base);
        if chunk.len() > name.len() {
            return self.document.not_a_name(chunk, name_at, name.len());
        }
        let name = excerpt(name);
        let what = format!("the attribute {name} has no value");
        let mut d = self.document.error(name_at, name_at + chunk.len(), &what);
        d.hint = Some(format!("write {name}='…'"));
        d
    }

    #[cold]
    fn no_quote(&self, name: &str) -> Box<Diagnostic> {
        let (name, chunk) = (excerpt(name), self.chunk(self.at));
        let at = self.base + self.at;
        let what = format!("the value of {name} is not in quotes");
        let mut d = self.document.error(at, at + chunk.len(), &what);
        // it may be a password
        d.hint = Some(format!("write {name}='…'"));
        d
    }
}

/// Returns the problem of a start tag for which quick-xml found no end.
#[cold]
pub(super) fn unclosed(document: Document<'_>, start: usize) -> Box<Diagnostic> {
    let base = start + 1;
    let raw = document.text.get(base..).unwrap_or("");
    let name = raw.get(..raw.bytes().position(is_space).unwrap_or(raw.len())).unwrap_or("");
    if let Err(d) = document.check_element_name(name, base) {
        return d;
    }
    let mut reader = Inside { document, raw, base, at: name.len() };
    loop {
        match reader.pair() {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(d) => return d,
        }
    }
    let what = format!("the start tag <{}> is not closed", excerpt(name));
    let mut d = document.error(start, base + name.len(), &what);
    d.hint = Some("end it with \">\" or \"/>\"".to_owned());
    d
}

/// Checks the text between `<?xml` and `?>`, which starts at `from`.
pub(super) fn declaration(document: Document<'_>, from: usize, to: usize) -> Step {
    let raw = document.text.get(from..to).unwrap_or("");
    let mut reader = Inside { document, raw, base: from, at: 0 };
    let order = ["version", "encoding", "standalone"];
    let mut next = 0;
    while let Some(pair) = reader.pair()? {
        let place = order.iter().position(|name| *name == pair.name);
        let Some(place) = place.filter(|place| *place == next || (next > 0 && *place > next))
        else {
            let what =
                format!("{} is not expected here in the XML declaration", excerpt(pair.name));
            let mut d = document.error(pair.name_at, pair.name_at + pair.name.len(), &what);
            d.hint = Some("write <?xml version='1.0' encoding='UTF-8'?>".to_owned());
            return Err(d);
        };
        next = place + 1;
        // as written: nothing is replaced in a declaration
        let value = document.text.get(pair.value_at..pair.value_end).unwrap_or("");
        let fits = match pair.name {
            "version" => value
                .strip_prefix("1.")
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())),
            "standalone" => ["yes", "no"].contains(&value),
            _ => {
                check_encoding(document, value, pair.value_at)?;
                true
            }
        };
        if !fits {
            let what = format!("\"{}\" is not a value of {}", excerpt(value), pair.name);
            let mut d = document.error(pair.value_at, pair.value_end, &what);
            let known = if pair.name == "version" { "1.0" } else { "yes or no" };
            d.hint = Some(format!("write {known}"));
            return Err(d);
        }
    }
    if next == 0 {
        let start = from.saturating_sub("<?xml".len());
        let mut d = document.error(start, from, "the XML declaration has no version");
        d.hint = Some("write <?xml version='1.0'?>".to_owned());
        return Err(d);
    }
    Ok(())
}

/// Refuses a declaration of another encoding: the text is UTF-8 by now, and such a document is not the one
/// that its author meant.
fn check_encoding(document: Document<'_>, encoding: &str, at: usize) -> Step {
    let known = encoding.to_ascii_lowercase();
    if ["utf-8", "utf8"].contains(&known.as_str()) {
        return Ok(());
    }
    if ["us-ascii", "ascii"].contains(&known.as_str()) {
        return match document.text.char_indices().find(|(at, c)| *at > 0 && !c.is_ascii()) {
            None => Ok(()),
            Some((at, _)) => {
                let what = format!("the document declares {} but holds more", excerpt(encoding));
                let mut d = document.error(at, document.char_end(at), &what);
                d.hint = Some("declare UTF-8".to_owned());
                Err(d)
            }
        };
    }
    let what = match encoding {
        "" => "the encoding that the document declares is empty".to_owned(),
        _ => format!("the document declares the encoding {}", excerpt(encoding)),
    };
    let mut d = document.error(at, at + encoding.len(), &what);
    d.hint = Some("save the file as UTF-8 and drop the encoding, or declare UTF-8".to_owned());
    Err(d)
}
