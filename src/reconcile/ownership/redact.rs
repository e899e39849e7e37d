//! Secrets in definitions: their form in displays and in storage. The table of [`diagnostics`] has the places
//! that hold one.

use crate::grammars::{SecretPlace, secret_place};
use diagnostics::{REDACTED, conceal, conceal_name};
use xmltree::{Element, Node, Path};

/// The secret that is at `path`.
fn place_of(path: &Path) -> Option<&'static SecretPlace> {
    let local = |name: &'_ str| name.rsplit(':').next().unwrap_or_default().to_owned();
    let mut names = path.steps.iter().rev().map(|s| local(&s.name));
    let element = names.next().unwrap_or_default();
    let within = names.next().unwrap_or_default();
    secret_place(Some(&within), &element, path.attribute.as_deref())
}

/// The value at `path` as it may be shown.
pub(crate) fn presented(path: &Path, value: &str) -> String {
    let of_source = path.steps.last().is_some_and(|s| s.name == "source");
    match place_of(path) {
        Some(_) => REDACTED.to_owned(),
        None if of_source && path.attribute.as_deref() == Some("name") => conceal_name(value),
        None => conceal(value).into_owned(),
    }
}

/// Whether the value at `path` is a secret and nothing else.
pub(crate) fn is_secret(path: &Path) -> bool {
    place_of(path).is_some_and(|place| place.is_only)
}

/// The element as it may be shown.
pub(crate) fn presentable(element: &Element) -> Element {
    let mut copy = element.clone();
    veil(&mut copy, "");
    copy
}

fn veil(element: &mut Element, within: &str) {
    let name = element.name.local.clone();
    for attribute in &mut element.attributes {
        let local = attribute.name.local.as_str();
        attribute.value = match secret_place(Some(within), &name, Some(local)) {
            Some(_) => REDACTED.to_owned(),
            None if (name.as_str(), local) == ("source", "name") => conceal_name(&attribute.value),
            None => conceal(&attribute.value).into_owned(),
        };
    }
    if secret_place(Some(within), &name, None).is_some() {
        element.set_text(REDACTED);
    }
    for child in &mut element.children {
        match child {
            Node::Element(child) => veil(child, &name),
            Node::Text(text) => text.value = conceal(&text.value).into_owned(),
        }
    }
}

/// Returns the element with its secrets redacted.
pub(crate) fn redacted(element: &Element) -> Element {
    with_secrets(element, REDACTED)
}

/// The element with something else in the place of each of its secrets.
pub(crate) fn with_secrets(element: &Element, secret: &str) -> Element {
    let mut copy = element.clone();
    replace(&mut copy, secret);
    copy
}

/// The element with its secrets left out.
pub(crate) fn without_secrets(element: &Element) -> Element {
    let mut copy = element.clone();
    remove(&mut copy);
    copy
}

/// Returns the places of secrets in the element, each by its path.
pub(crate) fn secret_places(root: &Element) -> Vec<String> {
    let mut found = Vec::new();
    places(root, "", &mut found);
    found
}

/// Whether the attribute, or without one the text, of an element of this name is a secret and nothing else.
fn is_only_secret(element: &str, attribute: Option<&str>) -> bool {
    secret_place(None, element, attribute).is_some_and(|place| place.is_only)
}

fn places(element: &Element, at: &str, found: &mut Vec<String>) {
    let join = |name: String| if at.is_empty() { name } else { format!("{at}/{name}") };
    let attributes = element.attributes.iter().map(|a| a.name.local.as_str());
    let secret = attributes.filter(|name| is_only_secret(&element.name.local, Some(name)));
    found.extend(secret.map(|name| join(format!("@{name}"))));
    for child in element.elements() {
        let name = child.name.local.as_str();
        let path = join(child.name.written());
        if is_only_secret(name, None) {
            found.push(path);
        } else {
            let alike = element.children_named(name).count();
            let number = element.children_named(name).position(|e| std::ptr::eq(e, child));
            let number = number.filter(|_| alike > 1).map(|n| format!("[{}]", n + 1));
            places(child, &(path + &number.unwrap_or_default()), found);
        }
    }
}

/// Whether the element has a secret anywhere.
pub(crate) fn has_secret(element: &Element) -> bool {
    let name = element.name.local.as_str();
    element.attributes.iter().any(|a| is_only_secret(name, Some(&a.name.local)))
        || is_only_secret(name, None)
        || element.elements().any(has_secret)
}

fn replace(element: &mut Element, secret: &str) {
    let name = element.name.local.clone();
    for attribute in &mut element.attributes {
        if is_only_secret(&name, Some(&attribute.name.local)) {
            secret.clone_into(&mut attribute.value);
        }
    }
    if is_only_secret(&name, None) {
        element.set_text(secret);
    }
    element.elements_mut().for_each(|e| replace(e, secret));
}

fn remove(element: &mut Element) {
    let name = element.name.local.clone();
    element.attributes.retain(|a| !is_only_secret(&name, Some(&a.name.local)));
    element.remove_elements(|e| is_only_secret(&e.name.local, None));
    element.elements_mut().for_each(remove);
}
