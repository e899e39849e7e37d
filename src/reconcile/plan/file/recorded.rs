//! Packed records in the definitions of a plan, unpacked for reviewers, since they will count as applied.

use crate::model::Kind;
use crate::reconcile::diff::difference::Side;
use crate::reconcile::diff::overlay::overlay;
use crate::reconcile::ownership::record::{SIGNATURE, SUM, read_owner_record};
use crate::reconcile::ownership::records;
use crate::reconcile::ownership::redact::presentable;
use crate::reconcile::without_owner_record;
use diagnostics::SourceId;
use xmltree::{Attribute, Element, Limits, parse, write};

/// Attributes that say nothing to people: they tell versions apart.
const DIGESTS: [&str; 5] = ["digest", "at", "boots_as", SIGNATURE, SUM];

/// Returns the lines: a record's settings, and its manifest where that differs from the definition. The
/// earlier version is the host's, whatever the definition has.
pub fn recorded(kind: Kind, xml: &str) -> Vec<String> {
    let Ok(definition) = parse(SourceId::NONE, xml, &Limits::default()) else { return Vec::new() };
    let mut lines = Vec::new();
    for element in records::elements(&definition) {
        let told = element.attributes.iter().filter(|a| !DIGESTS.contains(&a.name.local.as_str()));
        let told: Vec<String> =
            told.map(|a| format!("{} {}", a.name.local, a.value.replace('\n', " "))).collect();
        lines.push(format!("{}: {}", element.name.local, told.join(", ")));
    }
    let Some(record) = read_owner_record(&definition) else { return lines };
    let Some(applied) = record.applied() else {
        lines.push("its manifest cannot be read".to_owned());
        return lines;
    };
    let defined = without_owner_record(&definition);
    let applied = without_owner_record(&applied);
    // a new definition is the manifest with more in it, and one that was there has it merged in
    let is_defined = || {
        let other = overlay(kind, Side::NextBoot, &defined, &applied, None, &record.ignore);
        other.changes.is_empty()
    };
    if !holds(&defined, &applied) && !is_defined() {
        lines.push("its manifest, which is not what is defined:".to_owned());
        let manifest = write(&presentable(&applied));
        lines.extend(manifest.lines().map(|line| format!("  {line}")));
    }
    lines
}

/// Whether an element is the other one with nothing but more in it, in the same order.
fn holds(whole: &Element, part: &Element) -> bool {
    let mut children = whole.elements();
    let attribute =
        |a: &Attribute| whole.attributes.iter().any(|w| w.name == a.name && w.value == a.value);
    whole.name == part.name
        && whole.text() == part.text()
        && part.attributes.iter().all(attribute)
        && part.elements().all(|child| children.any(|there| holds(there, child)))
}
