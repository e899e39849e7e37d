//! Documents with mistakes: one to three changes, of which many make a document invalid, and many
//! do not.

use super::random::Random;
use std::collections::BTreeMap;
use std::sync::Arc;
use xmltree::{Element, Name, NamespaceDecl, Node};

/// Values that are wrong in many places and right in some.
const VALUES: [&str; 34] = [
    "",
    " ",
    "0",
    "-1",
    "+1",
    "01",
    "1",
    "255",
    "256",
    "4095",
    "4096",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "1.5",
    "1e3",
    "0x1f",
    "0xfffff",
    "yes",
    "no",
    "on",
    "auto",
    "x y",
    "/abs/ path",
    "rel/path",
    "52:54:00:11:22:33",
    "10.0.0.256",
    "fe80::1",
    "c7a5fdbd-edaf-9455-926a-d65c16db1809",
    "$é",
];

/// Parts from which documents of one kind are made.
#[derive(Debug, Default)]
pub(super) struct Pool {
    elements: Vec<String>,
    attributes: Vec<String>,
    /// The values that an attribute has, by its name.
    values: BTreeMap<String, Vec<String>>,
    /// The texts that an element has, by its name.
    texts: BTreeMap<String, Vec<String>>,
    /// Small elements, by their name.
    donors: BTreeMap<String, Vec<Element>>,
}

/// The way to an element: which child, again and again.
type Way = Vec<usize>;

impl Pool {
    pub(super) fn new<'a>(documents: impl IntoIterator<Item = &'a Element>) -> Self {
        let mut pool = Self::default();
        for document in documents {
            pool.add(document);
        }
        pool.elements = pool.donors.keys().cloned().collect();
        pool.attributes = pool.values.keys().cloned().collect();
        let lists = pool.values.values_mut().chain(pool.texts.values_mut());
        for list in lists {
            list.sort();
            list.dedup();
        }
        pool
    }

    fn add(&mut self, e: &Element) {
        for a in &e.attributes {
            self.values.entry(a.name.local.clone()).or_default().push(a.value.clone());
        }
        let name = e.name.local.clone();
        if let Some(text) = e.children.iter().find_map(text_of) {
            self.texts.entry(name.clone()).or_default().push(text.to_owned());
        }
        let donors = self.donors.entry(name).or_default();
        if donors.len() < 50 && ways(e).len() <= 12 {
            donors.push(e.clone());
        }
        e.elements().for_each(|child| self.add(child));
    }

    /// Changes the document in one to three places.
    pub(super) fn mutate(&self, root: &mut Element, random: &mut Random) {
        let mut wanted = *random.pick(&[1, 1, 1, 1, 2, 3]);
        // not everything can be done to every element
        for _ in 0..50 {
            let all = ways(root);
            let way = random.pick(&all).clone();
            let done = match random.below(5) {
                0 | 1 => self.attribute(root, &way, &all, random),
                2 => self.value(at(root, &way), random),
                3 => self.element(root, &way, &all, random),
                _ => self.inside(at(root, &way), random),
            };
            wanted -= usize::from(done);
            if wanted == 0 {
                return;
            }
        }
    }

    /// An attribute is renamed, dropped, given twice, exchanged or moved.
    fn attribute(&self, root: &mut Element, way: &Way, all: &[Way], random: &mut Random) -> bool {
        let e = at(root, way);
        if e.attributes.is_empty() {
            return false;
        }
        let i = random.below(e.attributes.len());
        match random.below(7) {
            0 => near(&mut e.attributes[i].name.local, random),
            1 => rename(e, i, random.pick::<String>(&self.attributes)),
            2 => drop(e.attributes.remove(i)),
            3 => {
                let copy = e.attributes[i].clone();
                e.attributes.push(copy);
                rename(e, e.attributes.len() - 1, random.pick::<String>(&self.attributes));
            }
            4 => {
                let j = random.below(e.attributes.len());
                let value = e.attributes[j].value.clone();
                e.attributes[j].value = std::mem::replace(&mut e.attributes[i].value, value);
            }
            5 => {
                let moved = e.attributes.remove(i);
                let other = at(root, random.pick::<Way>(all));
                other.attributes.retain(|a| a.name.local != moved.name.local);
                other.attributes.push(moved);
            }
            _ => {
                e.namespaces.push(declared(Some("zz"), "urn:zz"));
                e.attributes[i].name.prefix = Some(Arc::from("zz"));
            }
        }
        true
    }

    /// The value of an attribute, or the text of an element without children, is another.
    fn value(&self, e: &mut Element, random: &mut Random) -> bool {
        let childless = e.elements().next().is_none();
        if !e.attributes.is_empty() && (!childless || random.once_in(2)) {
            let i = random.below(e.attributes.len());
            let attribute = &mut e.attributes[i];
            let known = self.values.get(&attribute.name.local);
            attribute.value = self.other(&attribute.value, known, random);
            return true;
        }
        if !childless {
            return false;
        }
        let text = e.children.iter().find_map(text_of).unwrap_or("");
        let text = self.other(text, self.texts.get(&e.name.local), random);
        e.children.clear();
        *e = e.clone().with_text(text);
        true
    }

    fn other(&self, value: &str, known: Option<&Vec<String>>, random: &mut Random) -> String {
        let mut value = value.to_owned();
        match (random.below(8), known) {
            (0..=2, Some(known)) => value.clone_from(random.pick(known)),
            (0..=2, None) | (3, _) => value = (*random.pick(&VALUES)).to_owned(),
            (4, _) => {
                let known = self.values.get(random.pick(&self.attributes));
                value.clone_from(random.pick(known.unwrap()));
            }
            (5, _) => {
                let space = *random.pick(&[" ", "\n", "\t", "  ", "\u{a0}"]);
                if random.once_in(2) {
                    value.push_str(space);
                } else {
                    value.insert_str(0, space);
                }
            }
            (6, _) => near(&mut value, random),
            _ => {
                let upper = value.to_uppercase();
                value = if upper == value { value.to_lowercase() } else { upper };
            }
        }
        value
    }

    /// An element is renamed, dropped, doubled, moved, exchanged with its neighbour, or has the
    /// content of another of its name.
    fn element(&self, root: &mut Element, way: &Way, all: &[Way], random: &mut Random) -> bool {
        match (random.below(8), way.split_last()) {
            (0, _) => near(&mut at(root, way).name.local, random),
            (1, _) => at(root, way).name.local.clone_from(random.pick(&self.elements)),
            (2, _) => {
                let e = at(root, way);
                let Some(donors) = self.donors.get(&e.name.local).filter(|d| !d.is_empty()) else {
                    return false;
                };
                *e = random.pick(donors).clone();
            }
            (_, None) => return false,
            (3, Some((last, parent))) => drop(at(root, parent).children.remove(*last)),
            (4, Some((last, parent))) => {
                let siblings = &mut at(root, parent).children;
                let copy = siblings[*last].clone();
                siblings.insert(random.below(siblings.len() + 1), copy);
            }
            (5 | 6, Some((last, parent))) => {
                let siblings = &mut at(root, parent).children;
                let to = random.below(siblings.len());
                siblings.swap(*last, to);
            }
            (_, Some((last, parent))) => {
                let to = random.pick(all);
                if to.starts_with(way) {
                    return false;
                }
                let copy = at(root, parent).children[*last].clone();
                at(root, to).children.push(copy);
                at(root, parent).children.remove(*last);
            }
        }
        true
    }

    /// Inserts something into an element, or changes its namespace.
    fn inside(&self, e: &mut Element, random: &mut Random) -> bool {
        let place = random.below(e.children.len() + 1);
        match random.below(9) {
            0 | 1 => {
                let name = random.pick(&self.elements);
                let Some(donors) = self.donors.get(name).filter(|d| !d.is_empty()) else {
                    return false;
                };
                e.children.insert(place, Node::Element(random.pick(donors).clone()));
            }
            2 => {
                let text = Element::new("t").with_text(*random.pick(&VALUES));
                e.children.splice(place..place, text.children);
            }
            3 => e.children.clear(),
            4 => e.children.retain(|child| text_of(child).is_none()),
            5 => {
                let name = random.pick(&self.attributes).clone();
                let value = random.pick(&self.values[&name]);
                e.set_attr(&name, value.as_str());
            }
            6 => {
                e.namespaces.retain(|n| n.prefix.is_some());
                e.namespaces.push(declared(None, random.pick::<&str>(&["urn:zz", ""])));
            }
            7 => {
                e.namespaces.push(declared(Some("zz"), "urn:zz"));
                e.name.prefix = Some(Arc::from("zz"));
            }
            _ => {
                let mut foreign = Element::named(Name::qualified("zz", "urn:zz", "thing"));
                foreign.namespaces.push(declared(Some("zz"), "urn:zz"));
                e.children.insert(place, Node::Element(foreign));
            }
        }
        true
    }
}

/// Gives an attribute another name; one that had that name goes.
fn rename(e: &mut Element, i: usize, name: &str) {
    let mut renamed = e.attributes.remove(i);
    e.attributes.retain(|a| a.name.local != *name);
    renamed.name = Name::local(name);
    e.attributes.push(renamed);
}

fn declared(prefix: Option<&str>, uri: &str) -> NamespaceDecl {
    NamespaceDecl { prefix: prefix.map(Arc::from), uri: Arc::from(uri) }
}

/// Changes one character, or drops or doubles it; a name begins with a letter still.
fn near(word: &mut String, random: &mut Random) {
    let mut chars: Vec<char> = word.chars().collect();
    let Some(last) = chars.len().checked_sub(1) else { return };
    let i = random.below(chars.len());
    match random.below(3) {
        0 => chars[i] = *random.pick(&['a', 'e', 's', 'x']),
        1 if last > 0 && i > 0 => drop(chars.remove(i)),
        _ => chars.insert(i, chars[i]),
    }
    *word = chars.into_iter().collect();
}

/// The element there.
pub(super) fn at<'a>(root: &'a mut Element, way: &[usize]) -> &'a mut Element {
    way.iter().fold(root, |e, i| match &mut e.children[*i] {
        Node::Element(child) => child,
        Node::Text(_) => panic!("a way leads to a text"),
    })
}

/// The ways to all elements, the root's first.
pub(super) fn ways(root: &Element) -> Vec<Way> {
    let mut found = vec![Vec::new()];
    let mut open = vec![(root, Vec::new())];
    while let Some((e, way)) = open.pop() {
        for (i, child) in e.children.iter().enumerate() {
            if let Node::Element(child) = child {
                let mut way = way.clone();
                way.push(i);
                found.push(way.clone());
                open.push((child, way));
            }
        }
    }
    found
}

fn text_of(node: &Node) -> Option<&str> {
    match node {
        Node::Text(text) if !text.value.trim().is_empty() => Some(&text.value),
        _ => None,
    }
}
