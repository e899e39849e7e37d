//! Arrangement of a TOML table's content into the places that it has in XML.

use relaxng::Place;
use xmltree::{Element, Name, Node};

/// Puts children in the order of the grammar; those that it does not know come last.
pub(super) fn sort(element: &mut Element, place: &Place<'_>) {
    if element.children.len() < 2 {
        return;
    }
    // elements of one name stay together
    let mut last: Option<(Name, usize)> = None;
    element.children.sort_by_cached_key(|node| match node {
        Node::Text(_) => (false, 0),
        Node::Element(e) => match &last {
            Some((name, order)) if *name == e.name => (true, *order),
            _ => {
                let order = place.order(e.name.uri(), &e.name.local);
                last = Some((e.name.clone(), order));
                (true, order)
            }
        },
    });
}

/// Where the settings of the reconciler stand in a document with this root: in its metadata, or in the root
/// itself where a kind has none.
pub(super) fn settings_place<'s>(root: &Place<'s>) -> Place<'s> {
    root.child("", "metadata").unwrap_or_else(|| root.clone())
}

/// Puts the settings of the reconciler where they stand in the XML form.
pub(super) fn attach_settings(root: &mut Element, settings: Vec<Node>, place: &Place<'_>) {
    if settings.is_empty() {
        return;
    }
    let holder = match place.child("", "metadata") {
        Some(_) => root.child_or_new("metadata"),
        None => root,
    };
    holder.children.extend(settings);
}
