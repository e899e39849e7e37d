//! Status of an object on the host by itself: its owner, and whether it is still as it was applied last. No
//! manifests are needed: the ownership record has the last one.

use super::diff::difference::Side;
use super::diff::others::is_noted;
use super::diff::overlay::overlay;
use super::ownership::identity::with_macs;
use super::ownership::record::owner_record_of;
use super::ownership::redact::presentable;
use super::plan::decide::Layers;
use crate::model::{Doubt, ObservedResource, Power, State};
use xmltree::{Document, Element};

/// Relation of an object to its last applied manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Unchanged since it was applied.
    InSync,
    /// Unchanged since it was applied, with changes that wait for the next boot or start.
    Pending,
    /// Changed since.
    Drifted,
    /// Active and out of order: a disk failed, or it crashed and is kept.
    Outage,
    /// Owned, but its last applied manifest cannot be read; or it does not answer.
    Unknown,
    /// Owned by nobody.
    Unmanaged,
}

impl Sync {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InSync => "in sync",
            Self::Pending => "pending",
            Self::Drifted => "drifted",
            Self::Outage => "outage",
            Self::Unknown => "unknown",
            Self::Unmanaged => "unmanaged",
        }
    }
}

/// Status of an object on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStatus {
    /// The set that owns it.
    pub owner: Option<String>,
    /// Reason for which its record is not believed, if so.
    pub doubt: Option<String>,
    /// Relation to its last applied manifest.
    pub sync: Sync,
    /// Fields of the next boot's definition that differ from that manifest.
    pub drifted: Vec<String>,
    /// Fields that differ only in the running instance.
    pub pending: Vec<String>,
}

/// Works out the status of an object.
pub fn status(host: &ObservedResource) -> ObjectStatus {
    let Some(owner_record) = owner_record_of(host) else {
        let none = Vec::new;
        return ObjectStatus {
            owner: None,
            doubt: host.record.doubt.as_ref().map(Doubt::describe),
            sync: Sync::Unmanaged,
            drifted: none(),
            pending: none(),
        };
    };
    let applied = owner_record.applied();
    let layers = Layers::of(host);
    let compare = |side: Side, definition: Option<&Element>| {
        let (Some(definition), Some(applied)) = (definition, &applied) else {
            return Vec::new();
        };
        let known = host.persistent.as_ref().filter(|_| side == Side::Running);
        let known = known.map(|next_boot| with_macs(applied, next_boot.as_element()));
        let applied = layers.fit(known.as_deref().unwrap_or(applied), definition);
        let mut changes =
            overlay(host.id.kind, side, definition, &applied, Some(&applied), &owner_record.ignore)
                .changes;
        changes.retain(|change| !is_noted(change, &owner_record.others));
        changes
    };
    let next = compare(Side::NextBoot, host.persistent.as_ref().map(Document::as_element));
    let running = compare(
        Side::Running,
        host.live.as_ref().filter(|_| host.state.is_active()).map(Document::as_element),
    );
    let mut drifted: Vec<String> = next.iter().map(|c| c.path.to_string()).collect();
    if owner_record.autostart.is_some_and(|on| on != host.autostart) {
        drifted.push("autostart".to_owned());
    }
    if owner_record.power.is_some_and(|power| !runs_as_asked(host, power)) {
        drifted.push("power".to_owned());
    }
    // a field whose disk runs on an overlay waits until that was committed
    let held = applied.as_ref().map(|applied| layers.fields(applied)).unwrap_or_default();
    let waiting = running.iter().map(|c| &c.path).chain(held.iter().map(|f| &f.path));
    let pending: Vec<String> =
        waiting.map(ToString::to_string).filter(|path| !drifted.contains(path)).collect();
    let sync = match (drifted.is_empty(), pending.is_empty()) {
        _ if host.outage().is_some() => Sync::Outage,
        _ if applied.is_none() => Sync::Unknown,
        (false, _) => Sync::Drifted,
        (true, false) => Sync::Pending,
        (true, true) => Sync::InSync,
    };
    ObjectStatus { owner: Some(owner_record.set.clone()), doubt: None, sync, drifted, pending }
}

/// Whether an object is up or down as its manifest has it.
pub(super) fn runs_as_asked(host: &ObservedResource, power: Power) -> bool {
    match power {
        Power::Running => host.state.is_active() && host.state != State::Paused,
        Power::Paused => host.state.is_active(),
        Power::Stopped => !host.state.is_active(),
        Power::Manual => true,
    }
}

/// The definition as people may see it: without secrets.
pub fn shown(definition: &Element) -> Element {
    presentable(definition)
}
