//! Entries of others in a list that a manifest governs: those that were there before any manifest that had
//! them was known, as when an object is adopted. They are noted in the ownership record and stay until a
//! manifest that named them drops them.

use super::difference::{Change, ChangeCause, Edit, Side};
use super::normalize::governed;
use super::overlay::{Overlay, overlay};
use crate::model::Kind;
use xmltree::{Element, Path, Step};

/// Manifest merged into a definition, in which entries of others are kept.
pub(crate) struct Left {
    pub(crate) overlay: Overlay,
    /// Kept entries, by their [`name`].
    pub(crate) others: Vec<String>,
}

/// Merges `want` into `live` as [`overlay()`] does, and keeps entries of others: without a manifest that was
/// applied last all that the merge would remove, else those noted as `known`.
pub(crate) fn overlay_beside_others(
    kind: Kind,
    side: Side,
    live: &Element,
    want: &Element,
    last: Option<&Element>,
    ignore: &[Path],
    known: &[String],
) -> Left {
    let laid = overlay(kind, side, live, want, last, ignore);
    let is_others = |c: &&Change| is_noted(c, known) || last.is_none() && nobody_named(c);
    let stay: Vec<&Change> = laid.changes.iter().filter(is_others).collect();
    if stay.is_empty() {
        return Left { overlay: laid, others: Vec::new() };
    }
    let others = stay.iter().map(|change| name(change)).collect();
    let ignore: Vec<Path> =
        ignore.iter().cloned().chain(stay.iter().map(|change| change.path.clone())).collect();
    Left { overlay: overlay(kind, side, live, want, last, &ignore), others }
}

/// Whether a change would remove an entry that is noted as others'.
pub(crate) fn is_noted(change: &Change, known: &[String]) -> bool {
    nobody_named(change) && !known.is_empty() && known.contains(&name(change))
}

/// Whether a change removes an entry from a governed list that no manifest had.
fn nobody_named(change: &Change) -> bool {
    let mut steps = change.path.steps.iter().rev().map(|step| step.name.as_str());
    let (name, parent) = (steps.next().unwrap_or_default(), steps.next().unwrap_or("network"));
    let is_entry = change.path.attribute.is_none() && governed(parent, name);
    is_entry && change.edit == Edit::Remove && change.origin == ChangeCause::Drift
}

/// Returns a name for an entry that is unique wherever it stands: its path by keys, and its content where it
/// has none.
fn name(change: &Change) -> String {
    let is_numbered = change.path.steps.iter().any(|step| step.ordinal.is_some());
    let steps = change.path.steps.iter().map(|step| Step { ordinal: None, ..step.clone() });
    let path = Path { steps: steps.collect(), attribute: None };
    match change.before.as_deref().filter(|_| is_numbered || !has_key(&change.path)) {
        Some(content) => format!("{path} {}", content.replace('\n', " ")),
        None => path.to_string(),
    }
}

fn has_key(path: &Path) -> bool {
    path.steps.last().is_some_and(|step| step.key.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    fn guest(devices: &str) -> Element {
        let text = format!("<domain><devices>{devices}</devices></domain>");
        parse(SourceId::NONE, &text, &Limits::default()).expect("well-formed")
    }

    const A: &str = "<disk><target dev='vda'/></disk>";
    const B: &str = "<disk><target dev='vdb'/></disk>";
    const RNG: &str = "<rng model='virtio'><backend>/dev/random</backend></rng>";
    const RNG_2: &str = "<rng model='virtio'><backend>/dev/urandom</backend></rng>";

    fn merge_into(
        live: &Element,
        want: &Element,
        last: Option<&Element>,
        known: &[String],
    ) -> Left {
        overlay_beside_others(Kind::Domain, Side::NextBoot, live, want, last, &[], known)
    }

    #[test]
    fn what_nobody_named_stays_until_a_manifest_that_named_it_drops_it() {
        let (both, one) = (guest(&format!("{A}{B}")), guest(A));
        let adopted = merge_into(&both, &one, None, &[]);
        assert!(adopted.overlay.changes.is_empty());
        assert_eq!(adopted.overlay.merged, both);
        assert_eq!(adopted.others, ["devices/disk[target/@dev='vdb']"]);
        let again = merge_into(&both, &one, Some(&one), &adopted.others);
        assert!(again.overlay.changes.is_empty() && again.others == adopted.others);
        // a manifest names it, and nothing is noted any more
        let named = merge_into(&both, &both, Some(&one), &adopted.others);
        assert!(named.overlay.changes.is_empty() && named.others.is_empty());
        let dropped = merge_into(&both, &one, Some(&both), &adopted.others);
        assert_eq!((dropped.overlay.changes.len(), dropped.overlay.merged), (1, one.clone()));
        // later additions are not noted
        let drifted = merge_into(&both, &one, Some(&one), &[]);
        assert_eq!((drifted.overlay.changes.len(), drifted.others.len()), (1, 0));
    }

    #[test]
    fn entries_without_a_key_are_known_by_what_is_in_them() {
        let (both, one) = (guest(&format!("{RNG}{RNG_2}")), guest(RNG));
        let adopted = merge_into(&both, &one, None, &[]);
        assert_eq!((adopted.overlay.changes.len(), adopted.others.len()), (0, 1));
        let third = guest(&format!("{RNG}{}{RNG_2}", RNG.replace("random", "hwrng")));
        let later = merge_into(&third, &one, Some(&one), &adopted.others);
        assert_eq!(later.overlay.changes.len(), 1, "{:?}", later.overlay.changes);
        assert!(later.overlay.merged == both, "{:?}", later.overlay.merged);
    }
}
