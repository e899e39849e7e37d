//! Values and elements in a few words, for people.

use super::diff::normalize::Unit;
use super::ownership::redact::presentable;
use xmltree::{Element, write_compact};

/// A value with the unit that it is in, if it is a quantity.
pub(super) fn with_unit(value: &str, element: &Element, unit: Option<Unit>) -> String {
    match (unit, element.attr("unit")) {
        (Some(Unit::KiB), None) => format!("{value} KiB"),
        (Some(Unit::MiB), None) => format!("{value} MiB"),
        (Some(_), Some(unit)) => format!("{value} {unit}"),
        _ => value.to_owned(),
    }
}

/// An element in one line, without its secrets; its text where there is nothing else. It is whole:
/// only who shows it beside another one knows where they differ.
pub(super) fn summary(element: &Element) -> String {
    let shown = presentable(element);
    let bare = shown.attributes.is_empty() && shown.elements().next().is_none();
    match shown.text() {
        text if bare && !text.is_empty() => text,
        _ => write_compact(&shown),
    }
}
