//! Paths into a tree, such as `devices/disk[target/@dev='vda']/driver/@cache`.

use super::Element;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// One step of a path: a child element, and which one of several.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    /// The element's name, with its prefix if it has one.
    pub name: String,
    /// Key that selects the element: a relative path and its value, such as `target/@dev` and `vda`; an empty
    /// path is the element's text.
    pub key: Option<(String, String)>,
    /// Number of the element, counted from 1, where no key selects it.
    pub ordinal: Option<usize>,
}

/// A path from a document's root element, the root itself left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// The elements to descend.
    pub steps: Vec<Step>,
    /// The attribute at the end; `None` for an element or its text.
    pub attribute: Option<String>,
}

impl Path {
    /// Reads a path. `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut path = Self::default();
        for piece in split(text)? {
            if path.attribute.is_some() {
                return None;
            }
            match piece.strip_prefix('@') {
                Some(name) if is_name(name) => path.attribute = Some(name.to_owned()),
                Some(_) => return None,
                None => path.steps.push(step(piece)?),
            }
        }
        (!path.steps.is_empty() || path.attribute.is_some()).then_some(path)
    }

    /// The path one step further down.
    #[must_use]
    pub fn join(&self, step: Step) -> Self {
        let mut path = self.clone();
        path.steps.push(step);
        path
    }

    /// The path of an attribute of the element this path leads to.
    #[must_use]
    pub fn at(&self, attribute: &str) -> Self {
        Self { steps: self.steps.clone(), attribute: Some(attribute.to_owned()) }
    }

    /// Returns the names of the elements, without keys, joined by `/`: the key of tables of rules.
    pub fn pattern(&self) -> String {
        let names: Vec<&str> = self.steps.iter().map(|s| s.name.as_str()).collect();
        names.join("/")
    }

    /// Whether this path leads to `other` or contains it. A step without a key stands for every element of
    /// that name.
    pub fn covers(&self, other: &Self) -> bool {
        if self.steps.len() > other.steps.len() {
            return false;
        }
        let fits = |(mine, theirs): (&Step, &Step)| {
            mine.name == theirs.name
                && (mine.key.is_none() || mine.key == theirs.key)
                && (mine.ordinal.is_none() || mine.ordinal == theirs.ordinal)
        };
        self.steps.iter().zip(&other.steps).all(fits)
            && match &self.attribute {
                None => true,
                Some(_) => {
                    self.attribute == other.attribute && self.steps.len() == other.steps.len()
                }
            }
    }

    /// The first element that the steps lead to.
    pub fn find<'a>(&self, root: &'a Element) -> Option<&'a Element> {
        self.steps.iter().try_fold(root, |element, step| {
            element
                .elements()
                .filter(|e| e.name.written() == step.name)
                .filter(|e| match &step.key {
                    Some((path, value)) => value_at(e, path).as_deref() == Some(value),
                    None => true,
                })
                .nth(step.ordinal.map_or(0, |n| n.saturating_sub(1)))
        })
    }

    /// The value at the path: an attribute's, or an element's text.
    pub fn value(&self, root: &Element) -> Option<String> {
        let element = self.find(root)?;
        match &self.attribute {
            Some(name) => element.attr(name).map(str::to_owned),
            None => Some(element.text()),
        }
    }
}

/// The value at a relative path such as `target/@dev`, `@type`, `name`, or the text for an empty one.
pub fn value_at(element: &Element, path: &str) -> Option<String> {
    let mut current = element;
    for piece in path.split('/').filter(|p| !p.is_empty()) {
        match piece.strip_prefix('@') {
            Some(attribute) => return current.attr(attribute).map(str::to_owned),
            None => current = current.child(piece)?,
        }
    }
    Some(current.text())
}

/// Serializes the path as text, as people see it.
impl Serialize for Path {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("this is no path"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match (&self.key, self.ordinal) {
            (Some((path, value)), _) if path.is_empty() => write!(f, "[.='{value}']"),
            (Some((path, value)), _) => write!(f, "[{path}='{value}']"),
            (None, Some(n)) => write!(f, "[{n}]"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.steps.iter().enumerate() {
            if i > 0 {
                f.write_str("/")?;
            }
            write!(f, "{step}")?;
        }
        if let Some(attribute) = &self.attribute {
            if !self.steps.is_empty() {
                f.write_str("/")?;
            }
            write!(f, "@{attribute}")?;
        }
        Ok(())
    }
}

/// Splits at the slashes outside brackets.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut pieces, mut depth, mut quoted, mut start) = (Vec::new(), 0_i32, false, 0);
    for (i, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth -= 1,
            '/' if !quoted && depth == 0 => {
                pieces.push(text.get(start..i)?);
                start = i + 1;
            }
            _ => {}
        }
    }
    pieces.push(text.get(start..)?);
    (depth == 0 && !quoted).then_some(pieces)
}

fn step(piece: &str) -> Option<Step> {
    let Some((name, rest)) = piece.split_once('[') else {
        let name = is_name(piece).then(|| piece.to_owned())?;
        return Some(Step { name, key: None, ordinal: None });
    };
    let inner = rest.strip_suffix(']')?;
    let name = is_name(name).then(|| name.to_owned())?;
    if let Ok(n) = inner.parse::<usize>() {
        return Some(Step { name, key: None, ordinal: Some(n) });
    }
    let (path, value) = inner.split_once('=')?;
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?.to_owned();
    let path = if path == "." { "" } else { path };
    Some(Step { name, key: Some((path.to_owned(), value)), ordinal: None })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-._:".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, parse};
    use diagnostics::SourceId;

    #[test]
    fn reads_and_prints_the_same() {
        for text in [
            "description",
            "@type",
            "os/type/@machine",
            "devices/disk[target/@dev='vda']/driver/@cache",
            "devices/interface[2]",
            "os/boot[.='a/b]']",
        ] {
            let path = Path::parse(text).map(|p| p.to_string());
            assert_eq!(path.as_deref(), Some(text));
        }
        for text in ["", "/", "a//b", "a[", "@a/b", "a[b=c]", "a b"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }

    #[test]
    fn finds_and_covers() {
        let text = "<d><x><disk><t dev='a'/></disk><disk><t dev='b'/><s f='1'/></disk></x></d>";
        let root = parse(SourceId::NONE, text, &Limits::default()).expect("well-formed");
        let path = Path::parse("x/disk[t/@dev='b']/s/@f").expect("a path");
        assert_eq!(path.value(&root).as_deref(), Some("1"));
        let covers = |a: &str| Path::parse(a).is_some_and(|a| a.covers(&path));
        assert!(covers("x") && covers("x/disk") && covers("x/disk[t/@dev='b']"));
        assert!(!covers("x/disk[t/@dev='a']") && !covers("y") && !covers("x/@f"));
    }
}
