//! Meanings of a table's keys by their place: rules that reading and writing TOML share.
//!
//! The grammar says whether there is an attribute of that name, a child element, or both. Where
//! there are both, a single value is the attribute, and a table is the element; the attribute can
//! be said by `@key` anywhere, the element by a table. Where there is neither, a single value is
//! what the most similar key is, so that the grammar's complaint names that key, and else an
//! attribute.

use diagnostics::closest;
use relaxng::Place;

/// A key, and the namespaces that its name has as an attribute and as an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyName<'a> {
    pub(super) attribute_namespace: &'a str,
    pub(super) element_namespace: &'a str,
    pub(super) local: &'a str,
    /// Whether the key has a prefix.
    pub(super) prefixed: bool,
}

/// Meaning of a key with a single value.
#[derive(Debug)]
pub(super) enum Meaning<'s> {
    /// An attribute.
    Attribute,
    /// A child element that is at this place.
    Element(Place<'s>),
}

/// Most unknown keys of a file for which a similar known one is looked up: nobody fixes more at once, and it
/// costs more than reading them.
const GUESSES_MAX: usize = 1_000;

/// Returns the meaning of a key with a single value at a place; `guesses` counts unknown ones.
pub(super) fn meaning<'s>(place: &Place<'s>, key: KeyName<'_>, guesses: &mut usize) -> Meaning<'s> {
    let KeyName { attribute_namespace, element_namespace, local, prefixed } = key;
    if place.names_attribute(attribute_namespace, local) {
        return Meaning::Attribute;
    }
    let child = place.child(element_namespace, local);
    match child {
        Some(child) if place.names_child(element_namespace, local) => Meaning::Element(child),
        // where anything may stand, what has no prefix is an attribute if it can be
        Some(child) if prefixed || place.attribute(attribute_namespace, local).is_none() => {
            Meaning::Element(child)
        }
        Some(_) => Meaning::Attribute,
        None if prefixed => Meaning::Element(Place::nowhere()),
        None => {
            *guesses += 1;
            if *guesses > GUESSES_MAX { Meaning::Attribute } else { similar(place, local) }
        }
    }
}

/// Returns the meaning of the known key that is most similar to an unknown one.
fn similar<'s>(place: &Place<'s>, local: &str) -> Meaning<'s> {
    let keys: Vec<(&str, bool)> =
        place.keys().filter(|(ns, ..)| ns.is_empty()).map(|(_, key, child)| (key, child)).collect();
    let found = closest(local, keys.iter().map(|(key, _)| *key));
    match found.and_then(|found| keys.iter().find(|(key, _)| *key == found)) {
        Some((_, true)) => Meaning::Element(Place::nowhere()),
        Some((_, false)) | None => Meaning::Attribute,
    }
}

/// Whether `value` is an attribute at a place, so that the text needs another key.
pub(super) fn has_value_attribute(place: &Place<'_>) -> bool {
    place.names_attribute("", "value")
}

/// The prefix that a key declares: `Some(None)` for the default namespace.
pub(super) fn declared_prefix(key: &str) -> Option<Option<&str>> {
    match key.strip_prefix("xmlns")? {
        "" => Some(None),
        rest => rest.strip_prefix(':').map(Some),
    }
}
