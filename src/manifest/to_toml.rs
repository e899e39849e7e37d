//! Writer of trees as TOML text that [`super::toml`] reads back into the same tree.
//!
//! Small elements become inline tables or dotted keys, larger ones tables with a header of their
//! own, devices always `[[domain.devices.disk]]` and its like.

use super::document::kind;
use super::keys::{self, KeyName, Meaning};
use super::settings;
use super::toml::{TEXT_KEY, XML_KEY};
use crate::grammars;
use crate::model::Kind;
use diagnostics::is_hazard;
use relaxng::{Place, Shape, Values};
use std::fmt::Write as _;
use xmltree::{Attribute, Element, Name, Node, write_compact};

/// The resources as one TOML manifest. Positions, comments, white space between elements and the
/// order of differently named siblings are lost, nothing else is.
pub fn to_toml(resources: &[Element]) -> String {
    let mut out = String::new();
    for root in resources {
        if !out.is_empty() {
            out.push('\n');
        }
        let entries = if must_be_raw(root) || root.child(settings::ELEMENT).is_some() {
            raw(root)
        } else {
            root_entries(root)
        };
        section(&mut out, &key(&root.name.written()), true, &entries);
    }
    out
}

/// A piece of a TOML document.
enum Value {
    /// A scalar, ready to print.
    Scalar(String),
    /// A text, to be quoted where it is known how much room there is.
    Text(String),
    /// An element with all that is in it.
    Table(Vec<Entry>),
    /// Several elements of one name that only have text.
    Texts(Vec<Self>),
    /// Several elements of one name; `true` if each takes a header however small it is.
    Tables(Vec<Vec<Entry>>, bool),
}

/// A key, ready to print, and its value.
type Entry = (String, Value);

fn root_entries(root: &Element) -> Vec<Entry> {
    let mut rest = root.clone();
    let mut taken = None;
    let is_kept = kind(root).is_none_or(Kind::keeps_metadata);
    if !is_kept {
        taken = take_settings(&mut rest);
    } else if let Some(metadata) = rest.child_mut("metadata") {
        taken = take_settings(metadata);
        if taken.is_some() {
            let bare = metadata.attributes.is_empty() && metadata.elements().next().is_none();
            if bare && !metadata.has_text() {
                rest.remove_elements(|e| e.is("metadata"));
            }
        }
    }
    let shape = kind(root).and_then(|kind| grammars::shape(kind.grammar()));
    let start = shape.map_or_else(Place::nowhere, Shape::start);
    let at = At { place: start, default: "", depth: 0 }.inside(&rest);
    let mut list = entries(&rest, &at);
    if let Some(found) = taken {
        let metadata = Element::new("metadata");
        let inner = if is_kept { at.inside(&metadata).inside(&found) } else { at.inside(&found) };
        let value = Value::Table(entries(&found, &inner));
        list.push((settings::ELEMENT.to_owned(), value));
    }
    list
}

/// The settings in an element, if a table can say them; they are taken out of it.
fn take_settings(holder: &mut Element) -> Option<Element> {
    let all: Vec<&Element> = holder.elements().filter(|e| settings::is_settings(e)).collect();
    let [one] = all.as_slice() else { return None };
    if must_be_raw(holder) || must_be_raw(one) {
        return None;
    }
    let mut one = (*one).clone();
    one.namespaces.retain(|d| *d.uri != *crate::model::NAMESPACE);
    one.elements_mut().for_each(without_prefix);
    holder.remove_elements(settings::is_settings);
    Some(one)
}

/// Settings mean the same with their prefix and without.
fn without_prefix(e: &mut Element) {
    if e.name.namespace.as_deref() == Some(crate::model::NAMESPACE) {
        e.name = Name::local(std::mem::take(&mut e.name.local));
    }
}

/// Context of a written value.
struct At<'a> {
    /// Place in the grammar.
    place: Place<'static>,
    /// The default namespace.
    default: &'a str,
    /// Number of ancestors.
    depth: usize,
}

impl<'a> At<'a> {
    /// Returns the context inside an element that stands here.
    fn inside(&self, e: &'a Element) -> Self {
        let namespace = e.name.uri();
        let place = self.place.child(namespace, &e.name.local).unwrap_or_else(Place::nowhere);
        let declared = e.namespaces.iter().rev().find(|d| d.prefix.is_none());
        let default = declared.map_or(self.default, |d| &*d.uri);
        Self { place, default, depth: self.depth + 1 }
    }

    fn repeats(&self, child: &Element) -> bool {
        self.place.repeats(child.name.uri(), &child.name.local)
    }

    /// Returns the values that the grammar allows for the text of a child element.
    fn text_of(&self, child: &Element) -> Option<Values<'static>> {
        let namespace = child.name.uri();
        self.place.child(namespace, &child.name.local).and_then(|place| place.text())
    }

    /// Returns the meaning of the key `name` with a single value.
    fn meaning(&self, name: &Name) -> Meaning<'static> {
        let prefixed = name.prefix.is_some();
        let namespace = name.uri();
        keys::meaning(
            &self.place,
            KeyName {
                attribute_namespace: if prefixed { namespace } else { "" },
                element_namespace: if prefixed { namespace } else { self.default },
                local: &name.local,
                prefixed,
            },
            // the written tree was read within limits
            &mut 0,
        )
    }
}

/// Returns the entries of an element's table.
fn entries<'a>(e: &'a Element, inner: &At<'a>) -> Vec<Entry> {
    let mut list = Vec::new();
    for decl in &e.namespaces {
        let name = decl.prefix.as_ref().map_or("xmlns".to_owned(), |p| format!("xmlns:{p}"));
        list.push((key(&name), Value::Text(decl.uri.to_string())));
    }
    let groups = groups(e);
    for attribute in &e.attributes {
        let taken = groups.iter().any(|(name, _)| *name == attribute.name.local);
        let namespace = attribute.name.uri();
        let values = inner.place.attribute(namespace, &attribute.name.local);
        let key = attribute_key(attribute, inner, taken);
        list.push((key, literal(values.as_ref(), &attribute.value)));
    }
    if e.has_text() {
        let text_key = if keys::has_value_attribute(&inner.place) { TEXT_KEY } else { "value" };
        list.push((key(text_key), literal(inner.place.text().as_ref(), &whole_text(e))));
    }
    for (name, members) in groups {
        let devices = inner.depth == 2 && e.is("devices");
        let value = match members.as_slice() {
            [one] if !devices || is_plain(one) || !inner.repeats(one) => element(one, inner),
            several if several.iter().all(|e| is_plain(e) && e.has_text()) => {
                let text = |e: &&Element| literal(inner.text_of(e).as_ref(), &whole_text(e));
                Value::Texts(several.iter().map(text).collect())
            }
            several => Value::Tables(several.iter().map(|e| table(e, inner)).collect(), devices),
        };
        list.push((key(&name), value));
    }
    list
}

/// The child elements by name, in the order in which the names come first.
fn groups(e: &Element) -> Vec<(String, Vec<&Element>)> {
    let mut groups: Vec<(String, Vec<&Element>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for child in e.elements() {
        let name = child.name.written();
        let at = *places.entry(name.clone()).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, members)) = groups.get_mut(at) {
            members.push(child);
        }
    }
    groups
}

/// An element that is the only one of its name.
fn element<'a>(e: &'a Element, outer: &At<'a>) -> Value {
    if is_plain(e)
        && !is_text_key(&e.name.local, outer)
        && let Meaning::Element(child) = outer.meaning(&e.name)
    {
        let flag = child.is_known() && child.text().is_none();
        match (flag, e.has_text()) {
            (true, false) => return Value::Scalar("true".to_owned()),
            (_, true) => return literal(child.text().as_ref(), &whole_text(e)),
            (false, false) => return Value::Text(String::new()),
        }
    }
    Value::Table(table(e, outer))
}

/// An element as a table.
fn table<'a>(e: &'a Element, outer: &At<'a>) -> Vec<Entry> {
    if must_be_raw(e) { raw(e) } else { entries(e, &outer.inside(e)) }
}

fn is_plain(e: &Element) -> bool {
    e.attributes.is_empty() && e.namespaces.is_empty() && e.elements().next().is_none()
}

/// Whether tables cannot hold the element's content: its text stands between its children.
fn must_be_raw(e: &Element) -> bool {
    e.has_text() && e.elements().next().is_some()
}

fn raw(e: &Element) -> Vec<Entry> {
    vec![(key(XML_KEY), Value::Text(write_compact(e)))]
}

fn whole_text(e: &Element) -> String {
    e.children
        .iter()
        .filter_map(|n| match n {
            Node::Text(t) => Some(t.value.as_str()),
            Node::Element(_) => None,
        })
        .collect()
}

fn attribute_key(attribute: &Attribute, inner: &At<'_>, taken: bool) -> String {
    let local = attribute.name.local.as_str();
    if attribute.name.namespace.is_some() {
        return key(&format!("@{}", attribute.name.written()));
    }
    let is_settings_key = inner.depth == 1 && local == settings::ELEMENT;
    let means_element = matches!(inner.meaning(&attribute.name), Meaning::Element(_));
    if taken || is_settings_key || is_text_key(local, inner) || means_element {
        key(&format!("@{local}"))
    } else {
        key(local)
    }
}

/// Whether a single value under this key is the text of the element around it.
fn is_text_key(local: &str, inner: &At<'_>) -> bool {
    local == "value" && !keys::has_value_attribute(&inner.place)
}

/// Returns a text as the scalar that reads back as the same text; `values` are those that the grammar allows.
fn literal(values: Option<&Values<'_>>, text: &str) -> Value {
    let truth = values.and_then(Values::truth);
    if let Some((yes, no)) = truth
        && (text == yes || text == no)
    {
        Value::Scalar((text == yes).to_string())
    } else if values.is_some_and(Values::has_numbers)
        && text.parse::<i64>().is_ok_and(|n| n.to_string() == text)
    {
        Value::Scalar(text.to_owned())
    } else {
        Value::Text(text.to_owned())
    }
}

/// Widest line that an inline table or array may make.
const WIDTH: usize = 96;

/// Prints a table under the path `path`: first the entries that fit on a line, then those with headers.
fn section(out: &mut String, path: &str, many: bool, entries: &[Entry]) {
    let mut body = String::new();
    let mut below = Vec::new();
    for (key, value) in entries {
        match line(key, value) {
            Some(line) => {
                let _ = writeln!(body, "{line}");
            }
            None => below.push((key, value)),
        }
    }
    if many || !body.is_empty() || below.is_empty() {
        if !out.is_empty() && !out.ends_with("\n\n") {
            out.push('\n');
        }
        let _ = if many { writeln!(out, "[[{path}]]") } else { writeln!(out, "[{path}]") };
        out.push_str(&body);
    }
    for (key, value) in below {
        let path = format!("{path}.{key}");
        match value {
            Value::Table(entries) => section(out, &path, false, entries),
            Value::Tables(items, _) => {
                for entries in items {
                    section(out, &path, true, entries);
                }
            }
            Value::Scalar(_) | Value::Text(_) | Value::Texts(_) => {}
        }
    }
}

/// The entry on one line, or a text over several; `None` if it takes a header.
fn line(key: &str, value: &Value) -> Option<String> {
    match value {
        Value::Scalar(literal) => Some(format!("{key} = {literal}")),
        Value::Text(text) if text.contains('\n') => Some(format!("{key} = {}", paragraphs(text))),
        Value::Text(text) => Some(format!("{key} = {}", quoted(text))),
        Value::Table(entries) => match entries.as_slice() {
            [(inner, value @ (Value::Scalar(_) | Value::Text(_) | Value::Table(_)))] => {
                line(&format!("{key}.{inner}"), value)
            }
            _ => short(key, value),
        },
        Value::Texts(items) => Some(short(key, value).unwrap_or_else(|| listed(key, items))),
        Value::Tables(_, true) => None,
        Value::Tables(_, false) => short(key, value),
    }
}

fn short(key: &str, value: &Value) -> Option<String> {
    let line = format!("{key} = {}", inline(value)?);
    (line.chars().count() <= WIDTH).then_some(line)
}

fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Scalar(literal) => literal.clone(),
        Value::Text(text) => quoted(text),
        Value::Table(entries) => inline_table(entries)?,
        Value::Texts(items) => {
            let items: Option<Vec<String>> = items.iter().map(inline).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Tables(_, true) => return None,
        Value::Tables(items, false) => {
            let items: Option<Vec<String>> = items.iter().map(|e| inline_table(e)).collect();
            format!("[{}]", items?.join(", "))
        }
    })
}

fn inline_table(entries: &[Entry]) -> Option<String> {
    if entries.is_empty() {
        return Some("{}".to_owned());
    }
    let pair = |(key, value): &Entry| Some(format!("{key} = {}", inline(value)?));
    let pairs: Option<Vec<String>> = entries.iter().map(pair).collect();
    Some(format!("{{ {} }}", pairs?.join(", ")))
}

/// An array with a line for each item.
fn listed(key: &str, items: &[Value]) -> String {
    let lines: String =
        items.iter().filter_map(inline).map(|item| format!("    {item},\n")).collect();
    format!("{key} = [\n{lines}]")
}

fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { name.to_owned() } else { quoted(name) }
}

/// A string on one line, between its quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(&mut out, text, false);
    out.push('"');
    out
}

/// A string over several lines; the break after the opening quotes is not part of it.
fn paragraphs(text: &str) -> String {
    let mut out = String::from("\"\"\"\n");
    escape_into(&mut out, text, true);
    out.push_str("\"\"\"");
    out
}

fn escape_into(out: &mut String, text: &str, breaks: bool) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' if breaks => out.push('\n'),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_hazard(c) => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and tell")]

    use super::*;
    use crate::manifest::{Format, read_document};
    use diagnostics::{Diagnostics, SourceId, Sources, render};
    use proptest::prelude::*;
    use xmltree::{Limits, parse, write};

    fn tree(xml: &str) -> Element {
        parse(SourceId::NONE, xml, &Limits::default()).unwrap()
    }

    fn back(toml: &str) -> Result<Vec<Element>, String> {
        let (mut sources, mut out) = (Sources::default(), Diagnostics::default());
        let read = read_document("x.toml", toml, Format::Toml, &mut sources, &mut out);
        match out.iter().next() {
            None => Ok(read),
            Some(problem) => Err(render(problem, &sources)),
        }
    }

    /// The tree with its children grouped by name, which is all the order that TOML keeps.
    fn grouped(mut e: Element) -> Element {
        let mixed = must_be_raw(&e);
        let mut names: Vec<String> = Vec::new();
        for child in e.elements_mut() {
            *child = grouped(child.clone());
            if !names.contains(&child.name.local) {
                names.push(child.name.local.clone());
            }
        }
        names.sort();
        if !mixed {
            e.children.sort_by_key(|n| match n {
                Node::Element(c) => names.binary_search(&c.name.local).ok(),
                Node::Text(_) => None,
            });
        }
        e
    }

    /// Whether the document is the same after a way through TOML.
    fn round_trips(xml: &str) -> Result<(), String> {
        let before = tree(xml);
        let toml = to_toml(std::slice::from_ref(&before));
        let after = back(&toml).map_err(|problem| format!("{problem}\n{toml}"))?;
        let [after] = after.as_slice() else { return Err(format!("not one\n{toml}")) };
        if grouped(before.clone()) == grouped(after.clone()) {
            Ok(())
        } else {
            Err(format!("{toml}\n{}\n{}", write(&before), write(after)))
        }
    }

    #[test]
    fn odd_documents_come_back() {
        for xml in [
            "<domain/>",
            "<domain><title>a\u{7f}\u{85}&#13;b</title><a b='&#9;&#10;&#13;\u{a0}'/></domain>",
            "<domain type='kvm'><name>7</name><vcpu>07</vcpu><memory unit='MiB'>64</memory></domain>",
            "<domain><description>one\n  \"two\" \\ three\t\n</description><title>é\u{2028}</title></domain>",
            "<domain><metadata><a:x xmlns:a='urn:a' a:b='1' c='2'>t<a:y/>u</a:x></metadata></domain>",
            "<volume><name>a</name><v:reconcile xmlns:v='urn:virt:reconcile:1' pool='p'>\
             <depends_on>pool/q</depends_on></v:reconcile></volume>",
            "<pool type='dir'><v:reconcile xmlns:v='urn:virt:reconcile:1'/><v:reconcile xmlns:v='urn:virt:reconcile:1'/></pool>",
            "<domain><metadata><x xmlns='urn:b'><y>1</y><y z=''/></x></metadata></domain>",
            "<domain><metadata xmlns:v='urn:virt:reconcile:1'><v:reconcile power='paused' x='1'>\
             <allow>restart</allow><stop timeout='5s'/></v:reconcile></metadata></domain>",
            "<domain><metadata><v:owned xmlns:v='urn:virt:reconcile:1' set='demo'/></metadata></domain>",
            "<domain><reconcile/></domain>",
            "<domain><devices><emulator>/a</emulator><emulator>/b</emulator><panic/><x/></devices></domain>",
            "<domain><features><acpi/><pmu state='off'/><pae>odd</pae></features></domain>",
            "<domain name='a' memory='b'><name>c</name><memory>d</memory></domain>",
            "<domain><a value='1'>2</a><txt value='1'>2</txt><b><value>3</value></b></domain>",
            "<domain><metadata><value>yes</value></metadata></domain>",
            "<domain xml:lang='en'><vcpu> 2 </vcpu><boot/><boot>x</boot></domain>",
            "<domain><cpu><feature policy='on'/><a state='yes'/><b state='on'/></cpu></domain>",
            "<network><domain name='example.com' localOnly='yes'/><bridge stp='off'/></network>",
        ] {
            assert_eq!(round_trips(xml), Ok(()), "{xml}");
        }
    }

    /// Names that are special here or there, and some that are not.
    const NAMES: [&str; 16] = [
        "domain",
        "devices",
        "disk",
        "readonly",
        "memory",
        "source",
        "path",
        "metadata",
        "value",
        "reconcile",
        "features",
        "acpi",
        "vendor_id",
        "stp",
        "a.b-c",
        "é",
    ];

    fn text() -> BoxedStrategy<String> {
        prop_oneof![
            Just("yes".to_owned()),
            Just("off".to_owned()),
            Just("-7".to_owned()),
            Just("007".to_owned()),
            "[ -~]{0,6}",
            "[a\n\t\r\"'\\\\#\u{85}é\u{2028}]{0,6}",
        ]
        .boxed()
    }

    fn any_element() -> impl Strategy<Value = Element> {
        let name = proptest::sample::select(NAMES.as_slice());
        let attributes = proptest::collection::vec((name.clone(), text()), 0..3);
        let leaf =
            (name.clone(), attributes.clone(), text()).prop_map(|(name, attributes, text)| {
                let e =
                    attributes.into_iter().fold(Element::new(name), |e, (k, v)| e.with_attr(k, v));
                e.with_text(text)
            });
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let children = proptest::collection::vec((inner, text(), any::<bool>()), 0..4);
            (name.clone(), attributes.clone(), children).prop_map(|(name, attributes, children)| {
                let e = Element::new(name);
                let e = attributes.into_iter().fold(e, |e, (k, v)| e.with_attr(k, v));
                children.into_iter().fold(e, |e, (child, text, mixed)| {
                    let e = e.with_child(child);
                    if mixed { e.with_text(text) } else { e }
                })
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_document_comes_back(root in any_element()) {
            let mut root = root;
            root.name = Name::local("domain");
            prop_assert_eq!(round_trips(&write_compact(&root)), Ok(()));
        }
    }

    #[test]
    fn reads_pleasantly() {
        let xml = "<domain type='kvm'><name>web</name><memory unit='GiB'>2</memory><vcpu>2</vcpu>\
            <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' autostart='yes'>\
            <virt:depends_on>domain/db</virt:depends_on></virt:reconcile></metadata>\
            <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='cdrom'/><boot dev='hd'/></os>\
            <features><acpi/><apic/></features><clock offset='utc'/><devices>\
            <emulator>/usr/bin/qemu</emulator>\
            <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>\
            <source file='/images/web.qcow2'/><target dev='vda' bus='virtio'/></disk>\
            <interface type='network'><source network='lan'/></interface></devices></domain>";
        assert_eq!(
            to_toml(&[tree(xml)]),
            r#"[[domain]]
type = "kvm"
name = "web"
memory = { unit = "GiB", value = 2 }
vcpu = 2
features = { acpi = true, apic = true }
clock.offset = "utc"
reconcile = { autostart = true, depends_on = "domain/db" }

[domain.os]
type = { arch = "x86_64", machine = "q35", value = "hvm" }
boot = [{ dev = "cdrom" }, { dev = "hd" }]

[domain.devices]
emulator = "/usr/bin/qemu"

[[domain.devices.disk]]
type = "file"
device = "disk"
driver = { name = "qemu", type = "qcow2" }
source.file = "/images/web.qcow2"
target = { dev = "vda", bus = "virtio" }

[[domain.devices.interface]]
type = "network"
source.network = "lan"
"#
        );
    }
}
