//! Canonical form of a record: the bytes that its signature and its checksum cover. All of the element is in
//! them, names with their namespaces, so that nothing that is read can be changed or moved.

use crate::model::NAMESPACE;
use crate::reconcile::ownership::record::{PREVIOUS, SIGNATURE, SUM, digest};
use crate::reconcile::plan::afterwards::NOTE;
use xmltree::{Attribute, Element};

/// Returns the checksum of a record: a digest of its canonical form, which shows damage where there is no
/// key.
pub(super) fn sum(record: &Element) -> String {
    digest(&canonical(record))
}

/// Returns the canonical form of a record without its signature and checksum, and without the notes of a
/// running instance, which are added later. The version before is covered by its own signature and checksum,
/// so that no older one takes its place, and a damaged one is known by itself.
pub(super) fn canonical(record: &Element) -> Vec<u8> {
    let mut out = Vec::new();
    let is_ours = |e: &Element, name: &str| {
        e.name.namespace.as_deref() == Some(NAMESPACE) && e.name.local == name
    };
    head(record, &mut out, |a| {
        a.name.namespace.is_none() && [SIGNATURE, SUM].contains(&a.name.local.as_str())
    });
    for child in record.elements() {
        if is_ours(child, PREVIOUS) {
            for name in [SIGNATURE, SUM] {
                part(child.attr(name).unwrap_or_default().as_bytes(), &mut out);
            }
        } else if !is_ours(child, NOTE) {
            whole(child, &mut out);
        }
    }
    out
}

fn whole(element: &Element, out: &mut Vec<u8>) {
    head(element, out, |_| false);
    element.elements().for_each(|child| whole(child, out));
    part(b"end", out);
}

/// The name of an element, its attributes in order and its text.
fn head(element: &Element, out: &mut Vec<u8>, without: impl Fn(&Attribute) -> bool) {
    part(element.name.uri().as_bytes(), out);
    part(element.name.local.as_bytes(), out);
    let said = element.attributes.iter().filter(|a| !without(a));
    let mut said: Vec<(&str, &str, &str)> =
        said.map(|a| (a.name.uri(), a.name.local.as_str(), a.value.as_str())).collect();
    said.sort_unstable();
    part(&(said.len() as u64).to_be_bytes(), out);
    for (namespace, name, value) in said {
        [namespace, name, value].into_iter().for_each(|text| part(text.as_bytes(), out));
    }
    // a host may break the line
    part(element.text().split_whitespace().collect::<String>().as_bytes(), out);
}

/// A part with its length before it, so that none runs into the next.
fn part(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend(bytes);
}
