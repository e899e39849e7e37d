//! Comparison of one desired resource with the host's: its merged definitions.

use super::decision::Context;
use crate::model::{DesiredResource, Kind, ObservedResource};
use crate::reconcile::diff::difference::{ChangeCause, Side};
use crate::reconcile::diff::others::{Left, overlay_beside_others};
use crate::reconcile::diff::overlay::Overlay;
use crate::reconcile::ownership::identity::{fill_macs, set_uuid};
use crate::reconcile::ownership::redact::is_secret;
use xmltree::{Element, NodeRef, Path};

/// Desired state of one resource, with its comparison.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) kind: Kind,
    pub(super) definition: NodeRef<'a>,
    pub(super) ignore: &'a [Path],
}

impl<'a> Asked<'a> {
    pub(super) fn of(desired: &'a DesiredResource) -> Self {
        let DesiredResource { id, definition, settings, .. } = desired;
        Self { kind: id.kind, definition: definition.root(), ignore: &settings.ignore }
    }
}

/// Merges the manifest into a definition. Where no earlier manifest is known, nothing is removed; `others`
/// are the entries that were kept for that reason.
pub(super) fn compare(
    context: Context<'_>,
    side: Side,
    asked: Asked<'_>,
    host: &Element,
    last: Option<&Element>,
    others: &[String],
) -> Left {
    let Asked { kind, definition, ignore } = asked;
    let mut left =
        overlay_beside_others(kind, side, host, definition.as_element(), last, ignore, others);
    if context.capabilities.read_only {
        // a secret that is not shown is not one that is missing
        left.overlay.changes.retain(|change| !is_secret(&change.path));
    }
    left
}

/// Merges the manifest into the definition for the next boot; a transient resource has only the running one.
pub(super) fn next_boot(
    context: Context<'_>,
    desired: &DesiredResource,
    host: &ObservedResource,
    last: Option<&Element>,
    others: &[String],
) -> Left {
    let mut left = match (&host.persistent, &host.live) {
        (Some(persistent), _) => compare(
            context,
            Side::NextBoot,
            Asked::of(desired),
            persistent.as_element(),
            last,
            others,
        ),
        (None, Some(live)) => {
            let mut live = live.to_element();
            live.remove_attr("id");
            compare(context, Side::NextBoot, Asked::of(desired), &live, last, others)
        }
        (None, None) => {
            let merged = desired.definition.to_element();
            let overlay = Overlay { merged, changes: Vec::new(), touched: Vec::new() };
            Left { overlay, others: Vec::new() }
        }
    };
    let merged = &mut left.overlay.merged;
    set_uuid(merged, host.uuid);
    fill_macs(merged, desired.id.kind, host.uuid, context.capabilities.domain.mac_prefix);
    left
}

/// Drift if the applied manifest asked for the same, else an edit.
pub(super) fn cause_of(applied: bool) -> ChangeCause {
    if applied { ChangeCause::Drift } else { ChangeCause::Manifest }
}
