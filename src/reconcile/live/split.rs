//! A change taken apart: an element that only groups others is added or removed piece by piece.

use crate::model::Kind;
use crate::reconcile::diff::difference::{Change, Edit};
use crate::reconcile::diff::normalize::{key_of, label};
use xmltree::{Element, Path, Step};

/// Elements that only group others, by the names of their path.
const GROUPS: &[(Kind, &str)] = &[
    (Kind::Domain, "cputune"),
    (Kind::Domain, "memtune"),
    (Kind::Domain, "blkiotune"),
    (Kind::Domain, "blkiotune/device"),
    (Kind::Domain, "iothreadids"),
    (Kind::Domain, "iothreadids/iothread"),
    (Kind::Domain, "iothreadids/iothread/poll"),
    (Kind::Domain, "metadata"),
    (Kind::Domain, "devices/disk/iotune"),
    (Kind::Network, "metadata"),
    (Kind::Network, "dns"),
    (Kind::Network, "ip/dhcp"),
];

/// The change in pieces, each a change by itself; most are one.
pub(super) fn pieces(kind: Kind, change: &Change, live: &Element) -> Vec<Change> {
    let pattern = change.path.pattern();
    let group = change.path.attribute.is_none()
        && GROUPS.iter().any(|(k, group)| *k == kind && *group == pattern);
    let whole = match &change.edit {
        Edit::Add(element) => Some(element),
        Edit::Remove => change.path.find(live),
        Edit::Set => None,
    };
    let has_pieces = |e: &&Element| e.elements().next().is_some() || e.is("poll");
    let Some(whole) = whole.filter(|e| group && has_pieces(e)) else {
        return vec![change.clone()];
    };
    // an I/O thread is something by itself, too
    let itself = (pattern == "iothreadids/iothread").then(|| change.clone());
    let known = key_of(change.path.steps.iter().rev().nth(1).map_or("", |s| &s.name), whole);
    let is_key =
        |name: &str| known.as_ref().is_some_and(|(path, _)| path.strip_prefix('@') == Some(name));
    let attributes =
        whole.attributes.iter().filter(|a| !is_key(&a.name.written())).map(|a| Change {
            path: change.path.at(&a.name.written()),
            edit: match change.edit {
                Edit::Remove => Edit::Remove,
                Edit::Add(_) | Edit::Set => Edit::Set,
            },
            ..change.clone()
        });
    let elements = whole.elements().filter(|e| !e.is("path")).flat_map(|child| {
        let edit = match change.edit {
            Edit::Remove => Edit::Remove,
            Edit::Add(_) | Edit::Set => Edit::Add(child.clone()),
        };
        let piece = Change { path: below(&change.path, whole, child), edit, ..change.clone() };
        pieces(kind, &piece, live)
    });
    itself.into_iter().chain(attributes).chain(elements).collect()
}

/// The path of `child` below the element `whole`: by its key, or by its number where there are more.
fn below(parent: &Path, whole: &Element, child: &Element) -> Path {
    let name = parent.steps.last().map_or("domain", |s| s.name.as_str());
    let key = key_of(name, child)
        .filter(|(path, _)| !path.is_empty() && !path.contains('+'))
        .map(|(path, value)| (path.to_owned(), value));
    let alike = || whole.elements().filter(|e| e.name == child.name);
    let ordinal = (key.is_none() && alike().count() > 1)
        .then(|| alike().position(|e| std::ptr::eq(e, child)).map(|n| n + 1))
        .flatten();
    parent.join(Step { name: label(child), key, ordinal })
}
