//! TOML manifests as the same positioned tree that XML gives.
//!
//! The grammar says what a key is: a single value is an attribute or a child element ([`keys`] has
//! the rules), a table is always a child element, an array always several. `@key` is an attribute
//! whatever the grammar says, `value` is the text of an element (`#text` where the element has an
//! attribute of that name), and `xmlns:p` declares a prefix; the usual prefixes of libvirt's
//! namespaces need no declaration. Numbers stand for their digits, truth values for the words that
//! the grammar has there, or for whether an element without content is there. Children are put in
//! the order of the grammar, and equally named ones stay in theirs: libvirt gives no meaning to any
//! other, but libxml2, by which it validates, refuses some. An element whose text and children are
//! interleaved cannot be said that way: the table `{ "#xml" = "…" }` holds it as XML.
//!
//! Keys that the grammar does not know are read all the same: validation says what is wrong with
//! them, since it knows what is possible beside the other keys.

use super::arrange::{attach_settings, settings_place, sort};
use super::format::Lasts;
use super::keys::{self, KeyName, Meaning, declared_prefix};
use super::notation::{PROBLEMS_MAX, parse_table, too_many, unknown_kind, value_span};
use super::settings;
use crate::grammars;
use crate::model::Kind;
use diagnostics::{Diagnostic, Diagnostics, SourceId, Span, excerpt};
use relaxng::{Place, Values};
use std::cmp::Ordering;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use xmltree::{Attribute, Element, Limits, Name, NamespaceDecl, Node, Text};

/// The key of an element written as XML.
pub(super) const XML_KEY: &str = "#xml";
/// The key of the text of an element that has an attribute `value`.
pub(super) const TEXT_KEY: &str = "#text";

type Key<'a> = Spanned<DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the resources of a TOML manifest. All that could be read is returned even with problems in `out`.
pub(super) fn parse(
    source: SourceId,
    text: &str,
    lasts: Lasts,
    out: &mut Diagnostics,
) -> Vec<Element> {
    let table = parse_table(source, text, out);
    match lasts {
        Lasts::Longer => elements(source, text, &table, out),
        // giving back what a large document's tables take, piece by piece, is a sixth of the work for it
        Lasts::ForGood => elements(source, text, &ManuallyDrop::new(table), out),
    }
}

fn elements(
    source: SourceId,
    text: &str,
    table: &DeTable<'_>,
    out: &mut Diagnostics,
) -> Vec<Element> {
    let said = out.len();
    let mut reader = Reader { source, text, out, scope: Vec::new(), elements: 0, said, guesses: 0 };
    let mut roots = Vec::new();
    for (key, value) in table {
        let Some(kind) = Kind::ALL.into_iter().find(|k| k.as_str() == key.get_ref()) else {
            reader.say(unknown_kind(key.get_ref(), reader.key_span(key)));
            continue;
        };
        // a test shows that there is one
        let Some(shape) = grammars::shape(kind.grammar()) else { continue };
        let at = At { place: &shape.start(), depth: 0 };
        reader.children(kind.as_str(), reader.key_span(key), value, at, &mut roots);
    }
    let element = |node| match node {
        Node::Element(element) => Some(element),
        Node::Text(_) => None,
    };
    roots.into_iter().filter_map(element).collect()
}

/// The element that a key stands in, and how deep that is.
#[derive(Clone, Copy)]
struct At<'a> {
    place: &'a Place<'static>,
    depth: usize,
}

struct Reader<'a> {
    source: SourceId,
    text: &'a str,
    out: &'a mut Diagnostics,
    /// Prefixes in scope, innermost last.
    scope: Vec<NamespaceDecl>,
    elements: usize,
    /// Problems met so far.
    said: usize,
    /// Keys met so far that nobody knows.
    guesses: usize,
}

impl Reader<'_> {
    fn say(&mut self, problem: Diagnostic) {
        self.said += 1;
        match self.said.cmp(&PROBLEMS_MAX) {
            Ordering::Less => self.out.push(problem),
            Ordering::Equal => self.out.push(too_many(problem)),
            Ordering::Greater => {}
        }
    }

    /// Adds the elements `name` that a table or an array makes.
    fn children(
        &mut self,
        name: &str,
        span: Span,
        value: &Value<'_>,
        at: At<'_>,
        into: &mut Vec<Node>,
    ) {
        let count = value.get_ref().as_array().map_or(1, |items| items.len());
        // most elements have one child or an array of them, and place for more would be most of the
        // memory
        if into.is_empty() {
            into.reserve_exact(count);
        }
        match value.get_ref() {
            DeValue::Table(table) => {
                into.extend(self.element(name, span, table, at).map(Node::Element));
            }
            DeValue::Array(items) => {
                for item in items.iter() {
                    let element = match item.get_ref() {
                        DeValue::Table(table) => {
                            self.element(name, self.span(item.span()), table, at)
                        }
                        _ if at.depth > 0 => self.leaf(name, self.span(item.span()), item, at),
                        _ => self.no_table(name, item),
                    };
                    into.extend(element.map(Node::Element));
                }
            }
            _ => into.extend(self.no_table(name, value).map(Node::Element)),
        }
    }

    fn no_table(&mut self, name: &str, value: &Value<'_>) -> Option<Element> {
        let hint =
            format!("start each {name} with [[{name}]] on a line of its own, its keys below");
        self.say(self.problem(value.span(), format!("{name} is not a table")).hint(hint));
        None
    }

    fn element(
        &mut self,
        name: &str,
        span: Span,
        table: &DeTable<'_>,
        at: At<'_>,
    ) -> Option<Element> {
        let limits = Limits::MANIFEST;
        self.elements += 1;
        if at.depth >= limits.depth || self.elements > limits.elements {
            let summary = "the document has too many elements, or too deep ones";
            let Limits { elements, depth, .. } = limits;
            let detail = format!("a file may have {elements} elements, {depth} in one another");
            self.say(Diagnostic::error("toml", summary).at(span).detail(detail));
            return None;
        }
        if let Some(value) = table.get(XML_KEY) {
            return self.raw(name, table, value);
        }
        let outer = self.scope.len();
        let namespaces = self.declarations(table);
        if self.scope.len() > limits.namespaces {
            self.scope.truncate(outer);
            self.say(Diagnostic::error("toml", "too many namespaces are in scope").at(span));
            return None;
        }
        let name = self.resolve(name, span, true);
        let element = name.map(|name| {
            let place = child_place(at.place, &name);
            let mut element = Element::named(name);
            element.span = span;
            element.namespaces = namespaces;
            self.fill(&mut element, table, At { place: &place, depth: at.depth + 1 });
            element
        });
        self.scope.truncate(outer);
        element
    }

    fn declarations(&mut self, table: &DeTable<'_>) -> Vec<NamespaceDecl> {
        let mut found = Vec::new();
        for (key, value) in table {
            let Some(prefix) = declared_prefix(key.get_ref()) else { continue };
            if value.get_ref().as_str().is_none() {
                self.say(self.problem(value.span(), "a namespace is not a string"));
                continue;
            }
            let Some(Text { value: uri, span }) = self.scalar_text("xmlns", value, || None) else {
                continue;
            };
            if let Some(prefix) = prefix.filter(|prefix| !xmltree::is_ncname(prefix)) {
                let summary = format!("\"{}\" is not a name", excerpt(prefix));
                self.say(Diagnostic::error("toml", summary).at(self.key_span(key)));
            } else if let Err(reason) = xmltree::check_binding(prefix, &uri) {
                self.say(Diagnostic::error("toml", reason).at(span));
            } else {
                found.push(NamespaceDecl { prefix: prefix.map(Arc::from), uri: uri.into() });
            }
        }
        self.scope.extend(found.iter().cloned());
        found
    }

    /// Fills the element from the table; `inner` is inside the element.
    fn fill(&mut self, element: &mut Element, table: &DeTable<'_>, inner: At<'_>) {
        let mut settings = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let span = self.key_span(key);
            if declared_prefix(name).is_some() {
                continue;
            }
            if inner.depth == 1 && name == settings::ELEMENT {
                settings = self.settings(span, value, inner);
                continue;
            }
            match value.get_ref() {
                DeValue::Table(_) | DeValue::Array(_) if !name.starts_with(['@', '#']) => {
                    self.children(name, span, value, inner, &mut element.children);
                }
                _ => self.scalar(element, key, value, inner),
            }
        }
        attach_settings(element, settings, inner.place);
        sort(element, inner.place);
    }

    /// The settings of a resource, as they stand in the metadata of its XML form.
    fn settings(&mut self, span: Span, value: &Value<'_>, inner: At<'_>) -> Vec<Node> {
        let prefix = Some(Arc::from(crate::model::PREFIX));
        self.scope.push(NamespaceDecl { prefix, uri: crate::model::NAMESPACE.into() });
        let place = settings_place(inner.place);
        let at = At { place: &place, depth: inner.depth + 1 };
        let written = format!("{}:{}", crate::model::PREFIX, settings::ELEMENT);
        let DeValue::Table(table) = value.get_ref() else {
            let hint = "write reconcile.power = \"running\", or a table [domain.reconcile]";
            self.say(self.problem(value.span(), "reconcile is not a table").hint(hint));
            self.scope.pop();
            return Vec::new();
        };
        // in XML nothing would be left of it, and the object would go everywhere
        let empty = |v: &Value<'_>| matches!(v.get_ref(), DeValue::Array(a) if a.is_empty());
        if let Some(hosts) = table.get("hosts").filter(|v| empty(v)) {
            let hint = "leave hosts out for all of them; to have the object nowhere, remove it";
            self.say(self.problem(hosts.span(), "hosts names no host").hint(hint));
        }
        let mut found = Vec::new();
        self.children(&written, span, value, at, &mut found);
        self.scope.pop();
        found
    }

    fn scalar(&mut self, element: &mut Element, key: &Key<'_>, value: &Value<'_>, at: At<'_>) {
        let name: &str = key.get_ref();
        let span = self.key_span(key);
        if let Some(attribute) = name.strip_prefix('@') {
            if attribute == "xmlns" {
                let summary = "@xmlns would declare a namespace";
                return self.say(Diagnostic::error("toml", summary).at(span).hint("write xmlns"));
            }
            return self.attribute(element, attribute, span, value, at);
        }
        if name == TEXT_KEY || (name == "value" && !keys::has_value_attribute(at.place)) {
            let text = self.scalar_text(name, value, || at.place.text());
            return self.push_text(element, text);
        }
        let mut guesses = self.guesses;
        let meaning = keys::meaning(at.place, self.key_name(name), &mut guesses);
        self.guesses = guesses;
        match (meaning, value.get_ref()) {
            (Meaning::Attribute, _) => self.attribute(element, name, span, value, at),
            // an element of which there is nothing to say but whether it is there
            (Meaning::Element(child), DeValue::Boolean(there))
                if child.is_known() && child.text().is_none() =>
            {
                if !*there {
                    return self.left_out(name, value, child);
                }
                if let Some(name) = self.resolve(name, span, true) {
                    let mut child = Element::named(name);
                    child.span = span;
                    element.push(child);
                }
            }
            (Meaning::Element(_), _) => {
                if let Some(child) = self.leaf(name, span, value, at) {
                    element.push(child);
                }
            }
        }
    }

    /// `false` leaves an element out, which is all it says only of an element that is there or not.
    fn left_out(&mut self, name: &str, value: &Value<'_>, child: Place<'_>) {
        let hint = if child.names_attribute("", "state") {
            format!("write {name}.state = false, or leave {name} out")
        } else if child.may_be_empty() {
            return;
        } else {
            format!("leave {name} out, or say what it is to be")
        };
        let summary = format!("{} is not simply present or absent", excerpt(name));
        self.say(self.problem(value.span(), summary).hint(excerpt(&hint)));
    }

    /// An element with nothing but text.
    fn leaf(&mut self, key: &str, span: Span, value: &Value<'_>, at: At<'_>) -> Option<Element> {
        let name = self.resolve(key, span, true);
        let values = || child_place(at.place, name.as_ref()?).text();
        let text = self.scalar_text(key, value, values);
        let mut child = Element::named(name?);
        child.span = span;
        self.push_text(&mut child, text);
        Some(child)
    }

    fn attribute(
        &mut self,
        element: &mut Element,
        key: &str,
        key_span: Span,
        value: &Value<'_>,
        at: At<'_>,
    ) {
        let name = self.resolve(key, key_span, false);
        let values = || name.as_ref().and_then(|n| at.place.attribute(n.uri(), &n.local));
        let text = self.scalar_text(key, value, values);
        let (Some(name), Some(Text { value, span })) = (name, text) else { return };
        if element.attributes.len() >= Limits::MANIFEST.attributes {
            let summary = "the element has too many attributes";
            return self.say(Diagnostic::error("toml", summary).at(key_span));
        }
        if element.attributes.iter().any(|a| a.name == name) {
            let summary = format!("{} is given twice", excerpt(&name.local));
            return self.say(Diagnostic::error("toml", summary).at(key_span));
        }
        if element.attributes.is_empty() {
            element.attributes.reserve_exact(1);
        }
        element.attributes.push(Attribute { name, value, name_span: key_span, span });
    }

    fn push_text(&self, element: &mut Element, text: Option<Text>) {
        if let Some(text) = text
            && !text.value.is_empty()
        {
            if element.children.is_empty() {
                element.children.reserve_exact(1);
            }
            element.children.push(Node::Text(text));
        }
    }

    /// Returns a scalar as text in XML's notation; `values` are those that the grammar allows, and decide how
    /// a truth value is written.
    fn scalar_text(
        &mut self,
        key: &str,
        value: &Value<'_>,
        values: impl FnOnce() -> Option<Values<'static>>,
    ) -> Option<Text> {
        let scalar_text = match value.get_ref() {
            DeValue::String(s) => s.to_string(),
            DeValue::Boolean(b) => {
                let (yes, no) =
                    values().as_ref().and_then(Values::truth).unwrap_or(("true", "false"));
                (if *b { yes } else { no }).to_owned()
            }
            DeValue::Integer(n) if matches!(n.radix(), 10 | 16) => n.to_string(),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => {
                let summary = "the notation of this value is TOML's own";
                let hint = "quote it to say exactly what is meant";
                self.say(self.problem(value.span(), summary).hint(hint));
                return None;
            }
            DeValue::Array(_) | DeValue::Table(_) => {
                let summary = format!("{} takes a single value", excerpt(key));
                self.say(self.problem(value.span(), summary));
                return None;
            }
        };
        let forbidden =
            |c: char| (c < ' ' && !"\t\n\r".contains(c)) || matches!(c, '\u{fffe}' | '\u{ffff}');
        if scalar_text.contains(forbidden) {
            let summary = "the string has a character that XML cannot hold";
            self.say(self.problem(value.span(), summary));
            return None;
        }
        Some(Text { value: scalar_text, span: value_span(self.source, self.text, value) })
    }

    /// An element that is written as XML.
    fn raw(&mut self, name: &str, table: &DeTable<'_>, value: &Value<'_>) -> Option<Element> {
        let (DeValue::String(text), 1) = (value.get_ref(), table.len()) else {
            let summary = format!("{XML_KEY} is not a string that stands alone");
            self.say(self.problem(value.span(), summary));
            return None;
        };
        let mut element = match xmltree::parse(SourceId::NONE, text, &Limits::MANIFEST) {
            Ok(element) => element,
            Err(problem) => {
                let summary = format!("the XML in {XML_KEY} cannot be read");
                let reason = problem.detail.unwrap_or(problem.summary);
                self.say(self.problem(value.span(), summary).detail(reason));
                return None;
            }
        };
        if element.name.written() != name {
            let summary = format!("the XML in {XML_KEY} is another element than its key");
            self.say(self.problem(value.span(), summary));
            return None;
        }
        self.elements += element.count();
        element.span = value_span(self.source, self.text, value);
        Some(element)
    }

    fn resolve(&mut self, written: &str, span: Span, element: bool) -> Option<Name> {
        let (prefix, local) = match written.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, written),
        };
        if !xmltree::is_ncname(local) || prefix.is_some_and(|p| !xmltree::is_ncname(p)) {
            let summary = format!("\"{}\" is not a name", excerpt(written));
            self.say(Diagnostic::error("toml", summary).at(span));
            return None;
        }
        if prefix.is_none() && !element {
            return Some(Name::local(local));
        }
        let bound = self.scope.iter().rev().find(|d| d.prefix.as_deref() == prefix);
        match (prefix, bound) {
            (None, None) => Some(Name::local(local)),
            (None, Some(bound)) if bound.uri.is_empty() => Some(Name::local(local)),
            (_, Some(bound)) => Some(Name {
                prefix: bound.prefix.clone(),
                namespace: Some(Arc::clone(&bound.uri)),
                local: local.to_owned(),
            }),
            (Some("xml"), None) => Some(Name::qualified("xml", xmltree::XML_NAMESPACE, local)),
            (Some(prefix), None) if let Some(uri) = grammars::namespace_of(prefix) => {
                Some(Name::qualified(prefix, uri, local))
            }
            (Some(prefix), None) => {
                let summary = format!("the prefix {} is not declared", excerpt(prefix));
                let hint = format!("declare it in the same table: \"xmlns:{prefix}\" = \"…\"");
                self.say(Diagnostic::error("toml", summary).at(span).hint(hint));
                None
            }
        }
    }

    /// The namespaces that a key's name has, as far as prefixes are declared.
    fn key_name<'k>(&'k self, written: &'k str) -> KeyName<'k> {
        let (prefix, local) = match written.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, written),
        };
        let bound = self.scope.iter().rev().find(|d| d.prefix.as_deref() == prefix);
        let uri = bound.map(|d| &*d.uri).or_else(|| grammars::namespace_of(prefix?)).unwrap_or("");
        KeyName {
            attribute_namespace: if prefix.is_some() { uri } else { "" },
            element_namespace: uri,
            local,
            prefixed: prefix.is_some(),
        }
    }

    fn problem(&self, range: std::ops::Range<usize>, summary: impl Into<String>) -> Diagnostic {
        Diagnostic::error("toml", summary).at(self.span(range))
    }

    fn key_span(&self, key: &Key<'_>) -> Span {
        self.span(key.span())
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.source, range.start, range.end)
    }
}

/// The place of the child elements of a name.
fn child_place(place: &Place<'static>, name: &Name) -> Place<'static> {
    place.child(name.uri(), &name.local).unwrap_or_else(Place::nowhere)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::super::notation::RECOVER_MAX;
    use super::*;
    use diagnostics::Sources;
    use proptest::prelude::*;
    use xmltree::write_compact;

    /// The resources as XML, and each problem as `line:column summary`.
    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let mut sources = Sources::default();
        let id = sources.add("x.toml", text);
        let mut out = Diagnostics::default();
        let roots = parse(id, text, Lasts::Longer, &mut out);
        out.sort();
        let place = |d: &Diagnostic| {
            let (_, at) = sources.locate(d.span.unwrap()).unwrap();
            format!("{}:{} {}", at.line, at.column, d.summary)
        };
        (roots.iter().map(write_compact).collect(), out.iter().map(place).collect())
    }

    fn check(text: &str, xml: &str) {
        assert_eq!(read(text), (vec![xml.to_owned()], vec![]), "{text}");
    }

    #[test]
    fn attributes_elements_and_flags() {
        check(
            "[[domain]]\ntype = 'kvm'\nname = 'web'\nmemory = { unit = 'GiB', value = 2 }\n\
             vcpu = 2\nos.type = { machine = 'q35', value = 'hvm' }\nfeatures.acpi = true\n\
             features.pae = false\n[[domain.devices.disk]]\ntarget.dev = 'vda'\nreadonly = true\n\
             [[domain.devices.disk]]\ntarget = { dev = 'vdb' }\n",
            "<domain type='kvm'><name>web</name><memory unit='GiB'>2</memory><vcpu>2</vcpu>\
             <os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>\
             <disk><target dev='vda'/><readonly/></disk><disk><target dev='vdb'/></disk>\
             </devices></domain>",
        );
        check(
            "[network]\nname = 'lan'\nbridge = { stp = false, delay = 0 }\n\
             domain = { name = 'example.com', localOnly = true }\n",
            "<network><name>lan</name><bridge stp='off' delay='0'/>\
             <domain name='example.com' localOnly='yes'/></network>",
        );
    }

    #[test]
    fn said_explicitly() {
        check("[domain]\n'@name' = 'a'\nnew = {}\n", "<domain name='a'><new/></domain>");
        check("[domain]\na = 1_000\nb = -7\n", "<domain a='1000' b='-7'/>");
        check(
            "[domain.a]\n'@value' = 1\nvalue = 'x'\nb = ['1', {c = 0x1f}]\n",
            "<domain><a value='1'>x<b>1</b><b c='0x1f'/></a></domain>",
        );
        check(
            "[domain]\n'xmlns:q' = 'http://libvirt.org/schemas/domain/qemu/1.0'\n\
             'q:commandline'.'q:arg' = [{value='-s'}]\n",
            "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:commandline>\
             <q:arg value='-s'/></q:commandline></domain>",
        );
        check(
            "[domain]\n'qemu:commandline'.'qemu:arg' = [{value='-s'}]\n",
            "<domain><qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
             <qemu:arg value='-s'/></qemu:commandline></domain>",
        );
        check("[domain]\na.'#xml' = '<a>x<b/>y</a>'\n", "<domain><a>x<b/>y</a></domain>");
    }

    #[test]
    fn the_grammar_gives_words_and_order() {
        check(
            "[domain]\nvcpu = 2\nname = 'a'\nfeatures = { pmu = { state = false }, acpi = false }\n\
             devices.x = {}\ndevices.memballoon = { model = 'virtio', autodeflate = true }\n\
             devices.panic = true\ndevices.emulator = '/q'\n",
            "<domain><name>a</name><vcpu>2</vcpu><features><pmu state='off'/></features>\
             <devices><emulator>/q</emulator><memballoon model='virtio' autodeflate='on'/>\
             <panic/><x/></devices></domain>",
        );
        // a slip of an element's name is an element, so that this is what is said of it
        check(
            "[domain]\nmemmory = 1\nidd = 2\nname = true\n",
            "<domain idd='2'><name>true</name><memmory>1</memmory></domain>",
        );
        // attribute and element: one value, or a table
        check(
            "[domain.devices]\ncontroller = [{ model = 'a' }, { model.name = 'b' }]\n",
            "<domain><devices><controller model='a'/><controller><model name='b'/></controller>\
             </devices></domain>",
        );
    }

    #[test]
    fn settings_stand_in_the_metadata() {
        check(
            "[domain.reconcile]\npower = 'paused'\nautostart = true\ndepends_on = ['domain/db']\n\
             stop = { timeout = 60, force = false }\n",
            "<domain><metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='paused' \
             autostart='yes'><depends_on>domain/db</depends_on><stop timeout='60' force='no'/>\
             </virt:reconcile></metadata></domain>",
        );
    }

    #[test]
    fn each_problem_has_its_place() {
        for (text, problem) in [
            ("[[domian]]\n", "1:3 a manifest holds domains, networks, pools and volumes only"),
            ("domain = 7\n", "1:10 domain is not a table"),
            ("domain = ['a']\n", "1:11 domain is not a table"),
            ("[domain]\nvcpu = 1.5\n", "2:8 the notation of this value is TOML's own"),
            ("[domain]\nvcpu = 0o7\n", "2:8 the notation of this value is TOML's own"),
            ("[domain]\nname = 2020-01-01\n", "2:8 the notation of this value is TOML's own"),
            ("[domain]\n'a b' = 1\n", "2:1 \"a b\" is not a name"),
            ("[domain]\n'' = 1\n", "2:1 \"\" is not a name"),
            ("[domain]\n'x:y' = 1\n", "2:1 the prefix x is not declared"),
            ("[domain]\nxmlns = 1\n", "2:9 a namespace is not a string"),
            ("[domain]\n'@xmlns' = 'u'\n", "2:1 @xmlns would declare a namespace"),
            ("[domain]\n'aª' = 1\n", "2:1 \"aª\" is not a name"),
            ("[domain]\n'xmlns:a:b' = 'u'\n", "2:1 \"a:b\" is not a name"),
            ("[domain]\n'xmlns:a' = ''\n", "2:14 a prefix cannot be undeclared"),
            ("[domain]\ntype = 'a'\n'@type' = 'b'\n", "3:1 type is given twice"),
            ("[domain]\n'@a' = {}\n", "2:8 a takes a single value"),
            ("[domain]\na = [[1]]\n", "2:6 a takes a single value"),
            ("[domain]\nreconcile = 1\n", "2:13 reconcile is not a table"),
            (
                "[domain]\nname = \"a\\u0001\"\n",
                "2:8 the string has a character that XML cannot hold",
            ),
            ("[domain]\na.'#xml' = '<a>'\n", "2:12 the XML in #xml cannot be read"),
            (
                "[domain]\na.'#xml' = '<b/>'\n",
                "2:12 the XML in #xml is another element than its key",
            ),
            (
                "[domain]\na = { '#xml' = '<a/>', b = 1 }\n",
                "2:16 #xml is not a string that stands alone",
            ),
            ("[domain]\nname = 'a'\nname = 'b'\n", "3:1 the TOML cannot be read"),
        ] {
            assert_eq!(read(text).1, [problem], "{text}");
        }
    }

    #[test]
    fn every_problem_is_said() {
        let (_, problems) = read("[domain]\na = 1.5\nb = 2.5\n\n[nonsense\nc = 07\n");
        assert!(problems.len() >= 4, "{problems:?}");
    }

    #[test]
    fn deep_and_long_inputs_end() {
        let keys = vec!["a"; 79].join(".");
        let deep = format!(
            "[domain.{}]\n{}1{}",
            &keys[4..],
            format!("{keys} = {{").repeat(79),
            "}".repeat(79)
        );
        let (_, problems) = read(&deep);
        assert!(!problems.is_empty());
        let (_, problems) = read(&format!("[domain]\na = {}", "[".repeat(100_000)));
        assert!(!problems.is_empty());
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let (_, problems) = read(&"=\n".repeat(10_000));
        assert_eq!(problems.len(), PROBLEMS_MAX);
        let (_, problems) = read(&format!("[domain]\n{}", "'' = 1\n".repeat(3)));
        assert!(problems.len() < 10);
        let floats: String = (0..10_000).map(|i| format!("a{i} = 1.5\n")).collect();
        assert_eq!(read(&format!("[domain]\n{floats}")).1.len(), PROBLEMS_MAX);
        let numbers = floats.replace(".5", "");
        assert_eq!(read(&format!("[domain]\n{numbers}")).1.len(), PROBLEMS_MAX);
        let large = format!("[domain]\n{}\n=\n=\n", "#".repeat(RECOVER_MAX));
        assert_eq!(read(&large).1.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_input_makes_it_panic(text in any::<String>()) {
            read(&text);
        }

        #[test]
        fn nor_what_looks_like_toml(
            text in "(\\[\\[?domain(\\.[a-z@#:'\"]{1,4}){0,2}\\]?\\]|[a-z@#:.'\"]{1,6} ?= ?([0-9.xo-]{1,4}|'[^']{0,4}'|\\{|\\[|true)|\\}|\\]|,|\n|\r){0,20}"
        ) {
            let (xml, problems) = read(&text);
            // a document that is read without a problem is well-formed
            if problems.is_empty() {
                for one in xml {
                    prop_assert!(xmltree::parse(SourceId::NONE, &one, &Limits::default()).is_ok(), "{}", one);
                }
            }
        }
    }
}
