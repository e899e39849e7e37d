//! Random documents: walks through a random grammar, then a few mistakes, written in one of the
//! many ways that XML has.

use super::choices::Choices;
use super::grammar::{DATA, Grammar, LOCALS, NAMESPACES, Names, Rng, VALUES};
use std::fmt::Write as _;

/// Texts to be put where they may not belong.
const TEXTS: [&str; 14] =
    ["", " ", "a", "b", "a b", " a  ", "1", "01", "x:a", "1 a", "true", "\u{e9}", "]]>&<\"'", "\n"];
/// A namespace and a name that no grammar has.
const FOREIGN: (&str, &str) = ("urn:z", "z");
/// Most elements of a document before mistakes.
const ELEMENTS_MAX: usize = 40;

type Name = (&'static str, &'static str);

#[derive(Clone, Debug)]
struct Element {
    name: Name,
    attributes: Vec<(Name, String)>,
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Element(Element),
    Text(String),
}

/// A document that the grammar takes, or nearly takes.
pub(crate) fn document(grammar: &Grammar, choices: &mut Choices<'_>) -> String {
    let mut walk = Walk { grammar, choices, elements: 0 };
    let mut top = Element { name: ("", ""), attributes: Vec::new(), items: Vec::new() };
    walk.pattern(&grammar.start, &mut top, 0);
    let root = top.items.into_iter().find_map(|item| match item {
        Item::Element(e) => Some(e),
        Item::Text(_) => None,
    });
    let nothing = Element { name: ("", "a"), attributes: Vec::new(), items: Vec::new() };
    let mut root = root.unwrap_or(nothing);
    if choices.chance(60) {
        for _ in 0..1 + choices.below(3) {
            mistake(&mut root, choices);
        }
    }
    write(&root, choices)
}

struct Walk<'g, 'c, 'b> {
    grammar: &'g Grammar,
    choices: &'c mut Choices<'b>,
    elements: usize,
}

impl Walk<'_, '_, '_> {
    /// Adds content of the pattern to an element.
    fn pattern(&mut self, pattern: &Rng, into: &mut Element, depth: usize) {
        let spent = depth > 24 || self.elements > ELEMENTS_MAX;
        match pattern {
            Rng::Empty | Rng::NotAllowed => {}
            Rng::Text => {
                let text = self.choices.pick(&TEXTS);
                into.items.push(Item::Text(text.to_owned()));
            }
            Rng::Choice(parts) => {
                // the first one is simpler, often
                let at = if spent { 0 } else { self.choices.below(parts.len()) };
                self.pattern(&parts[at], into, depth + 1);
            }
            Rng::Group(parts) => parts.iter().for_each(|p| self.pattern(p, into, depth + 1)),
            Rng::Interleave(parts) => self.interleave(parts, into, depth),
            Rng::Mixed(parts) => {
                let all = [Rng::Text, Rng::Group(parts.clone())];
                self.interleave(&all, into, depth);
            }
            Rng::Optional(part) => {
                if !spent && self.choices.chance(60) {
                    self.pattern(part, into, depth + 1);
                }
            }
            Rng::ZeroOrMore(part) | Rng::OneOrMore(part) => {
                let least = usize::from(matches!(pattern, Rng::OneOrMore(_)));
                let times = if spent { least } else { least + self.choices.below(3) };
                (0..times).for_each(|_| self.pattern(part, into, depth + 1));
            }
            Rng::List(_) | Rng::Data(..) | Rng::Value(_) => {
                let text = self.value(pattern);
                into.items.push(Item::Text(text));
            }
            Rng::Attribute(names, part) => {
                let name = self.name(names);
                let value = self.value(part);
                if into.attributes.iter().all(|(n, _)| *n != name) {
                    into.attributes.push((name, value));
                }
            }
            Rng::Element(names, part) => {
                self.elements += 1;
                let name = self.name(names);
                let mut e = Element { name, attributes: Vec::new(), items: Vec::new() };
                if !spent {
                    self.pattern(part, &mut e, depth + 1);
                }
                into.items.push(Item::Element(e));
            }
            Rng::Ref(i) => {
                if depth < 40 {
                    let grammar = self.grammar;
                    self.pattern(&grammar.defines[*i], into, depth + 1);
                }
            }
        }
    }

    fn interleave(&mut self, parts: &[Rng], into: &mut Element, depth: usize) {
        let mut rows: Vec<std::vec::IntoIter<Item>> = Vec::new();
        for part in parts {
            let mut one = Element { items: Vec::new(), ..into.clone() };
            self.pattern(part, &mut one, depth + 1);
            into.attributes = one.attributes;
            rows.push(one.items.into_iter());
        }
        while !rows.is_empty() {
            let at = self.choices.below(rows.len());
            match rows[at].next() {
                Some(item) => into.items.push(item),
                None => drop(rows.remove(at)),
            }
        }
    }

    /// A text by a pattern of texts.
    fn value(&mut self, pattern: &Rng) -> String {
        match pattern {
            Rng::Text => self.choices.pick(&TEXTS).to_owned(),
            Rng::Choice(parts) => {
                let at = self.choices.below(parts.len());
                self.value(&parts[at])
            }
            Rng::Data(row, _) => self.sample(DATA[*row].3),
            Rng::Value(row) => self.sample(VALUES[*row].3),
            Rng::List(part) => {
                let mut words = Vec::new();
                self.words(part, &mut words);
                words.join(self.choices.pick(&[" ", "  ", "\n"]))
            }
            _ => String::new(),
        }
    }

    fn words(&mut self, pattern: &Rng, out: &mut Vec<String>) {
        match pattern {
            Rng::Group(parts) => parts.iter().for_each(|p| self.words(p, out)),
            Rng::Choice(parts) => {
                let at = self.choices.below(parts.len());
                self.words(&parts[at], out);
            }
            Rng::Optional(part) => {
                if self.choices.chance(50) {
                    self.words(part, out);
                }
            }
            Rng::ZeroOrMore(part) | Rng::OneOrMore(part) => {
                let least = usize::from(matches!(pattern, Rng::OneOrMore(_)));
                let times = if out.len() > 8 { least } else { least + self.choices.below(3) };
                (0..times).for_each(|_| self.words(part, out));
            }
            _ => out.push(self.value(pattern)),
        }
    }

    /// The first of the samples, as a rule: the one that is right.
    fn sample(&mut self, from: &[&str]) -> String {
        let right = self.choices.chance(70);
        (if right { from[0] } else { self.choices.pick(from) }).to_owned()
    }

    fn name(&mut self, names: &Names) -> Name {
        match names {
            Names::One(ns, local) => (NAMESPACES[*ns], LOCALS[*local]),
            Names::Choice(all) => {
                let at = self.choices.below(all.len());
                self.name(&all[at])
            }
            Names::Any(_) | Names::Ns(..) => {
                for _ in 0..6 {
                    let name = any_name(self.choices);
                    if names.contains(name.0, name.1) {
                        return name;
                    }
                }
                FOREIGN
            }
        }
    }
}

fn any_name(choices: &mut Choices<'_>) -> Name {
    let ns = choices.pick(&["", "urn:x", "urn:y", "", "", FOREIGN.0]);
    (ns, choices.pick(&["a", "b", "c", "d", "e", "f", FOREIGN.1]))
}

/// Changes something somewhere.
fn mistake(root: &mut Element, choices: &mut Choices<'_>) {
    let mut places = count(root);
    places = choices.below(places);
    let copy = choices.chance(30).then(|| {
        let mut n = choices.below(count(root));
        nth(root, &mut n).expect("it was counted").clone()
    });
    let e = nth(root, &mut places).expect("it was counted");
    let (items, attributes) = (e.items.len(), e.attributes.len());
    let text = choices.pick(&TEXTS).to_owned();
    match choices.below(12) {
        0 if items > 0 => drop(e.items.remove(choices.below(items))),
        1 if items > 0 => {
            let item = e.items[choices.below(items)].clone();
            e.items.insert(choices.below(items + 1), item);
        }
        2 | 3 if items > 1 => e.items.swap(choices.below(items), choices.below(items)),
        4 => e.name = any_name(choices),
        5 if attributes > 0 => drop(e.attributes.remove(choices.below(attributes))),
        6 | 7 => {
            let name = any_name(choices);
            if e.attributes.iter().all(|(n, _)| *n != name) {
                e.attributes.push((name, text));
            }
        }
        8 if attributes > 0 => e.attributes[choices.below(attributes)].1 = text,
        9 => e.items.insert(choices.below(items + 1), Item::Text(text)),
        10 if attributes > 1 => e.attributes.swap(0, choices.below(attributes)),
        _ => {
            let nothing =
                Element { name: any_name(choices), attributes: Vec::new(), items: Vec::new() };
            let new = copy.filter(|c| count(c) < 30).unwrap_or(nothing);
            e.items.insert(choices.below(items + 1), Item::Element(new));
        }
    }
}

fn children(e: &Element) -> impl Iterator<Item = &Element> {
    e.items.iter().filter_map(|item| match item {
        Item::Element(e) => Some(e),
        Item::Text(_) => None,
    })
}

fn count(e: &Element) -> usize {
    1 + children(e).map(count).sum::<usize>()
}

/// The element that is reached after `n` others, from the root on.
fn nth<'e>(e: &'e mut Element, n: &mut usize) -> Option<&'e mut Element> {
    if *n == 0 {
        return Some(e);
    }
    *n -= 1;
    e.items.iter_mut().find_map(|item| match item {
        Item::Element(e) => nth(e, n),
        Item::Text(_) => None,
    })
}

/// Writer of a document, in a chosen notation.
struct Writer<'c, 'b> {
    choices: &'c mut Choices<'b>,
    out: String,
    /// The prefixes stand on the root, and default namespaces may be used; without them no
    /// namespace is ever declared.
    prefixes: bool,
    spaces: bool,
    odd_texts: bool,
}

fn write(root: &Element, choices: &mut Choices<'_>) -> String {
    let prefixes = has_namespaces(root) || choices.chance(40);
    let (spaces, odd_texts) = (choices.chance(30), choices.chance(30));
    let mut writer = Writer { choices, out: String::new(), prefixes, spaces, odd_texts };
    writer.element(root, "", true);
    writer.out
}

fn has_namespaces(e: &Element) -> bool {
    !e.name.0.is_empty()
        || e.attributes.iter().any(|(n, _)| !n.0.is_empty())
        || children(e).any(has_namespaces)
}

fn prefix(uri: &str) -> &'static str {
    match uri {
        "" => "",
        "urn:x" => "x:",
        "urn:y" => "y:",
        _ => "z:",
    }
}

impl Writer<'_, '_> {
    fn element(&mut self, e: &Element, default: &str, root: bool) {
        let (uri, local) = e.name;
        let mut scope = default.to_owned();
        // a name in no namespace cannot have a prefix
        let by_default = uri == default || uri.is_empty() || self.choices.chance(25);
        let name = if by_default { local.to_owned() } else { format!("{}{local}", prefix(uri)) };
        let _ = write!(self.out, "<{name}");
        if root && self.prefixes {
            self.out.push_str(" xmlns:x=\"urn:x\" xmlns:y='urn:y' xmlns:z=\"urn:z\"");
        }
        if by_default && uri != default {
            let _ = write!(self.out, " xmlns='{uri}'");
            uri.clone_into(&mut scope);
        }
        for ((uri, local), value) in &e.attributes {
            let _ = write!(self.out, " {}{local}=\"{}\"", prefix(uri), escape(value));
        }
        if e.items.is_empty() && self.choices.chance(50) {
            self.out.push_str("/>");
            return;
        }
        self.out.push('>');
        for item in &e.items {
            if self.spaces && self.choices.chance(50) {
                self.out.push_str("\n  ");
            }
            match item {
                Item::Element(e) => self.element(e, &scope, false),
                Item::Text(text) => self.text(text),
            }
        }
        if self.spaces && e.items.iter().any(|i| matches!(i, Item::Element(_))) {
            self.out.push('\n');
        }
        let _ = write!(self.out, "</{name}>");
    }

    fn text(&mut self, text: &str) {
        let way = if self.odd_texts { self.choices.below(6) } else { 0 };
        let middle = text.char_indices().nth(1).map_or(text.len(), |(at, _)| at);
        let (first, rest) = text.split_at(middle);
        let _ = match way {
            1 if !text.contains("]]>") => write!(self.out, "<![CDATA[{text}]]>"),
            2 => write!(self.out, "{}<!-- c -->{}", escape(first), escape(rest)),
            3 => write!(self.out, "{}<?p i?>{}", escape(first), escape(rest)),
            4 if !first.is_empty() => {
                let number = u32::from(first.chars().next().unwrap());
                write!(self.out, "&#{number};{}", escape(rest))
            }
            _ => write!(self.out, "{}", escape(text)),
        };
    }
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            _ => out.push(c),
        }
    }
    out
}
