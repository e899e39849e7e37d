//! What must not be shown, logged or stored: passwords in definitions.

use crate::xml::{Element, Path};

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "(sensitive)";

/// Attributes that hold a secret, on whatever element.
const ATTRIBUTES: &[&str] = &["passwd", "password"];

/// Elements whose text is a secret.
const ELEMENTS: &[&str] = &["cookie"];

/// Attributes that may hold a secret beside all else: arguments and variables that are handed to QEMU as
/// they are, and queries of URLs. They are sent, compared and remembered like any value, but not shown.
const PRIVATE: &[(&str, &str)] = &[("arg", "value"), ("env", "value"), ("source", "query")];

/// Whether the value at `path` is not to be shown.
pub(crate) fn is_private(path: &Path) -> bool {
    let last = path.steps.last().map(|s| s.name.rsplit(':').next().unwrap_or_default());
    let attribute = path.attribute.as_deref();
    is_secret(path) || PRIVATE.iter().any(|(e, a)| last == Some(*e) && attribute == Some(*a))
}

/// The element as it may be shown.
pub(crate) fn presentable(element: &Element) -> Element {
    let mut copy = redacted(element);
    veil(&mut copy);
    copy
}

fn veil(element: &mut Element) {
    let name = element.name.local.clone();
    for attribute in &mut element.attributes {
        let is_it = |(e, a): &(&str, &str)| *e == name && *a == attribute.name.local;
        if PRIVATE.iter().any(is_it) {
            REDACTED.clone_into(&mut attribute.value);
        }
    }
    element.elements_mut().for_each(veil);
}

/// Whether the value at `path` is a secret.
pub(crate) fn is_secret(path: &Path) -> bool {
    match &path.attribute {
        Some(attribute) => ATTRIBUTES.contains(&attribute.as_str()),
        None => path.steps.last().is_some_and(|s| ELEMENTS.contains(&s.name.as_str())),
    }
}

/// The element with its secrets blotted out.
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

/// Where there are secrets in the element, each by its path.
pub(crate) fn secret_places(root: &Element) -> Vec<String> {
    let mut found = Vec::new();
    places(root, "", &mut found);
    found
}

fn places(element: &Element, at: &str, found: &mut Vec<String>) {
    let join = |name: String| if at.is_empty() { name } else { format!("{at}/{name}") };
    let attributes = element.attributes.iter().map(|a| a.name.local.as_str());
    found.extend(
        attributes.filter(|name| ATTRIBUTES.contains(name)).map(|name| join(format!("@{name}"))),
    );
    for child in element.elements() {
        let name = child.name.local.as_str();
        let path = join(child.name.written());
        if ELEMENTS.contains(&name) {
            found.push(path);
        } else {
            let alike = element.children_named(name).count();
            let number = element.children_named(name).position(|e| std::ptr::eq(e, child));
            let number = number.filter(|_| alike > 1).map(|n| format!("[{}]", n + 1));
            places(child, &(path + &number.unwrap_or_default()), found);
        }
    }
}

/// Whether there is a secret anywhere in the element.
pub(crate) fn has_secret(element: &Element) -> bool {
    element.attributes.iter().any(|a| ATTRIBUTES.contains(&a.name.local.as_str()))
        || ELEMENTS.contains(&element.name.local.as_str())
        || element.elements().any(has_secret)
}

fn replace(element: &mut Element, secret: &str) {
    for attribute in &mut element.attributes {
        if ATTRIBUTES.contains(&attribute.name.local.as_str()) {
            secret.clone_into(&mut attribute.value);
        }
    }
    if ELEMENTS.contains(&element.name.local.as_str()) {
        element.set_text(secret);
    }
    element.elements_mut().for_each(|e| replace(e, secret));
}

fn remove(element: &mut Element) {
    element.attributes.retain(|a| !ATTRIBUTES.contains(&a.name.local.as_str()));
    element.remove_elements(|e| ELEMENTS.contains(&e.name.local.as_str()));
    element.elements_mut().for_each(remove);
}
