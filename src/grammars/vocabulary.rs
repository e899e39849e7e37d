//! Vocabulary of messages about manifests, in XML and in TOML, with facts about libvirt's names.

use super::prefixes::prefix_of;
use super::secrets::{is_secret_name, secret_place};
use relaxng::Vocabulary;
use xmltree::Element;

/// Manifests in XML.
#[derive(Clone, Copy, Debug)]
pub struct Xml;

/// Manifests in TOML: an element is a key with a table, or with its text; an attribute is a key, too.
#[derive(Clone, Copy, Debug)]
pub struct Toml;

/// Hint for a root in a namespace.
const NO_NAMESPACE: &str = "remove the xmlns attribute: libvirt's own elements are in no namespace";

impl Vocabulary for Xml {
    fn usual_prefix(&self, namespace: &str) -> Option<&'static str> {
        prefix_of(namespace)
    }

    fn no_namespace(&self) -> &'static str {
        NO_NAMESPACE
    }

    fn is_secret(&self, element: &Element, attribute: Option<&str>) -> bool {
        is_secret(element, attribute)
    }
}

impl Vocabulary for Toml {
    fn has_keys(&self) -> bool {
        true
    }

    fn element(&self, name: &str) -> String {
        name.to_owned()
    }

    fn element_word(&self) -> &'static str {
        "key"
    }

    fn attribute_word(&self) -> &'static str {
        "key"
    }

    // TOML does without our own prefix
    fn unprefixed<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix("virt:").unwrap_or(name)
    }

    fn attribute_skeleton(&self, name: &str) -> String {
        format!("{name} = \"…\"")
    }

    fn element_skeleton(&self, name: &str, attributes: &[String], _: bool, _: bool) -> String {
        if attributes.is_empty() {
            return format!("{name} = …");
        }
        let keys: Vec<String> = attributes.iter().map(|k| self.attribute_skeleton(k)).collect();
        format!("{name} = {{ {} }}", keys.join(", "))
    }

    fn text(&self, name: &str, text: &str) -> String {
        format!("{name} = \"{text}\"")
    }

    fn missing_text(&self, _: &str) -> Option<String> {
        None
    }

    fn as_text(&self, name: &str, text: &str) -> String {
        format!("write {}", self.text(name, text))
    }

    fn with_attribute(&self, name: &str, attribute: &str, value: &str) -> String {
        format!("{name}.{attribute} = \"{value}\"")
    }

    fn with_unit(&self, name: &str, number: &str, unit: &str) -> String {
        format!("{name} = {{ unit = \"{unit}\", value = {number} }}")
    }

    fn as_attribute(&self, _: &str, name: &str, value: &str) -> String {
        format!("it takes one value: {name} = \"{value}\"")
    }

    fn as_element(&self, name: &str) -> String {
        format!("it is a table here: {name} = {{ … }}")
    }

    fn no_text(&self, name: &str) -> Option<String> {
        Some(format!("it is a table: {name} = {{ … }}"))
    }

    fn empty(&self, name: &str) -> String {
        format!("write {name} = true, or false to leave it out")
    }

    fn lacks(&self, around: &str, child: &str) -> String {
        format!("{around} lacks the key {child}")
    }

    fn declaration(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    fn usual_prefix(&self, namespace: &str) -> Option<&'static str> {
        prefix_of(namespace)
    }

    fn no_namespace(&self) -> &'static str {
        NO_NAMESPACE
    }

    fn is_secret(&self, element: &Element, attribute: Option<&str>) -> bool {
        is_secret(element, attribute)
    }
}

/// Whether the value of this attribute, or else the text of the element, must not be shown.
fn is_secret(e: &Element, attribute: Option<&str>) -> bool {
    let local = e.name.local.as_str();
    match attribute {
        Some(name) => is_secret_name(name) || secret_place(None, local, Some(name)).is_some(),
        // entries of SMBIOS have names without a slash
        None => {
            is_secret_name(local)
                || local == "entry" && e.attr("name").is_none_or(|name| name.contains('/'))
        }
    }
}
