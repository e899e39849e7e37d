//! Comparison of the manifest with the running instance.

use super::compare::{Asked, cause_of, compare};
use super::decision::Context;
use super::nics::Nics;
use crate::model::{DesiredResource, Effect, Kind, ObservedResource, OpKind, Power, memory_kib};
use crate::reconcile::diff::compare::fits;
use crate::reconcile::diff::difference::{Change, ChangeCause, Edit, Side};
use crate::reconcile::diff::normalize::only_at_boot;
use crate::reconcile::diff::others::Left;
use crate::reconcile::diff::overlay::Overlay;
use crate::reconcile::live::{Live, LiveChange, live_changes, why_at_boot};
use crate::reconcile::ownership::record::{WantedRecord, owner_record_of, running_record_of};
use crate::reconcile::plan::afterwards::{Notes, may_be_missing, notes};
use crate::reconcile::plan::path_index::PathIndex;
use crate::reconcile::plan::step::{NOT_MOVED, StepAction, Until};
use std::borrow::Cow;
use std::collections::HashSet;
use xmltree::{Element, NodeRef, Path};

/// Comparison of the manifest with the running instance, and its live changes.
#[derive(Debug, Default)]
pub(super) struct Running {
    pub(super) changes: Vec<Change>,
    /// Index of the paths of the changes.
    index: PathIndex,
    pub(super) live: Live,
    /// Entries of others in it, which are kept.
    pub(super) others: Vec<String>,
    /// Whether the instance was started from the manifest as it is now: then starting it again
    /// would most likely change nothing.
    pub(super) is_current: bool,
    /// Notes on the instance about changes that it did not take.
    pub(super) notes: Notes,
}

/// Facts from the ownership record of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The manifest that was applied last.
    pub(super) last: Option<NodeRef<'a>>,
    /// Whether the last applied manifest equals the present one.
    pub(super) is_defined: bool,
    /// Entries of others in lists that the manifest governs.
    pub(super) others: &'a [String],
    /// Fields that the manifest no longer has, and that the host fills in again for the next boot.
    pub(super) filled: &'a [Path],
}

impl Running {
    pub(super) fn of(
        context: Context<'_>,
        desired: &DesiredResource,
        host: &ObservedResource,
        known: Known<'_>,
        wanted: &WantedRecord,
        next_boot: &Overlay,
    ) -> Self {
        let Some(live) = host.live.as_ref().filter(|_| host.state.is_active()) else {
            return Self::default();
        };
        let live = with_empty_drives(live.as_element());
        let live = live.as_ref();
        let Known { last, is_defined, others, filled } = known;
        let nics = Nics::of(desired.definition.as_element(), live, &next_boot.merged);
        // without the last manifest what differs is drift, whichever copy of it is asked
        let last = last.map(|last| match last.is_same(desired.definition.root()) {
            true => nics.manifest.as_ref(),
            false => last.as_element(),
        });
        // a definition takes its mark along when it is started
        let begun = running_record_of(host);
        let own = owner_record_of(host);
        let is_current = begun.is_some_and(|m| wanted.is(m));
        let started_as = begun.map(|m| m.digest.as_str());
        let started_from = begun.filter(|_| !is_current).and_then(|m| match own {
            // then the manifest of both has been unpacked
            Some(own) if std::ptr::eq(own, m) => last.map(Cow::Borrowed),
            Some(_) | None => m.applied().map(Cow::Owned),
        });
        // once it is defined for the next boot, only the instance itself knows what it should lose
        let last = started_from.as_deref().filter(|_| is_defined).or(last);
        let asked = Asked { definition: nics.manifest.node(), ..Asked::of(desired) };
        let Left { overlay: mut laid, others } =
            compare(context, Side::Running, asked, live, last, others);
        // a version in between may have been brought about live, and taken back since
        if let Some(between) = own
            .and_then(|m| m.previous.as_deref())
            .filter(|m| !wanted.is(m) && Some(m.digest.as_str()) != started_as)
            .and_then(|m| m.applied())
        {
            let more =
                compare(context, Side::Running, asked, &laid.merged, Some(&between), &others);
            laid.take_away(more.overlay);
        }
        // a start removes nothing that the next boot has as well
        let stays = |c: &Change| {
            let gone = is_defined && c.after.is_none();
            let later = gone.then(|| c.path.find(&next_boot.merged)).flatten();
            let same = match &c.path.attribute {
                Some(name) => later.and_then(|e| e.attr_written(name)) == c.before.as_deref(),
                None => later.is_some() && later == c.path.find(live),
            };
            filled.contains(&c.path) || later.is_some() && same
        };
        laid.changes.retain(|change| !stays(change));
        if lands_on_reboot(context, desired) {
            laid.changes.retain(|change| change.path.pattern() != "on_reboot");
        }
        if is_current {
            laid.changes.retain(|change| !is_left_out(change, live, &nics.manifest));
        }
        give_the_next_boots_macs(&mut laid.changes, live, &next_boot.merged);
        let mut by_call =
            live_changes(desired.id.kind, &laid, live, &next_boot.merged, context.capabilities);
        let mut notes = notes(live);
        notes.kept = by_call.heed(&notes.there);
        if is_current {
            await_balloon(&mut by_call, live);
        }
        let mut changes = laid.changes;
        for renamed in nics.renamed {
            let why = "the MAC address of an interface is fixed while it runs".to_owned();
            by_call.waits.push((changes.len(), why));
            changes.push(renamed);
        }
        if let Some(started_from) = started_from {
            // values that a running instance shows in another form are compared with those it was started
            // from
            let asked = Asked::of(desired);
            let since = compare(context, Side::NextBoot, asked, &started_from, None, &[]);
            let since = since.overlay.changes.into_iter().filter(|c| only_at_boot(&c.path));
            // what no manifest has changed in the definition since the start was in it then
            let same = own.is_some_and(|m| {
                started_as.is_some_and(|d| d == m.digest || m.boots_as.iter().any(|b| b == d))
            });
            let index = PathIndex::of(next_boot.changes.iter().map(|c| &c.path));
            let is_new = |change: &Change| {
                let near = index.near(&change.path).into_iter();
                let mut near = near.filter_map(|n| next_boot.changes.get(n));
                !same || near.any(|c| is_about(&c.path, &change.path))
            };
            // a text that has what runs, as it runs, asks for nothing new
            let mut known: Vec<(Path, bool)> = Vec::new();
            let mut runs_so = |change: &Change| {
                let steps = change.path.steps.iter().take(1).cloned().collect();
                let root = Path { steps, attribute: None };
                // changes in one element are asked about once: there may be thousands
                if let Some((_, fits)) = known.iter().find(|(path, _)| *path == root) {
                    return *fits;
                }
                let both = root.find(&nics.manifest).zip(root.find(live));
                let fits = both.is_some_and(|(w, l)| fits(Side::NextBoot, &root, l, w));
                known.push((root, fits));
                fits
            };
            changes.extend(since.filter(|c| is_new(c) && !runs_so(c)));
        }
        let index = PathIndex::of(changes.iter().map(|c| &c.path));
        by_call.index();
        Self { changes, index, live: by_call, others, is_current, notes }
    }

    pub(super) fn covering(&self, n: usize) -> Option<&LiveChange> {
        self.live.covering(n)
    }

    /// Returns the indices of the running instance's changes that a change of the definition is about: one
    /// side may have to add a group of which the other has a part.
    fn about<'a>(&'a self, change: &'a Change) -> impl Iterator<Item = usize> + 'a {
        let near = self.index.near(&change.path).into_iter();
        near.filter(|n| self.changes.get(*n).is_some_and(|c| is_about(&c.path, &change.path)))
    }

    /// Returns the effect of a change of the definition on a running guest.
    pub(super) fn effect(&self, change: &Change) -> Effect {
        let seen = self.about(change).filter(|n| !self.live.is_equal(*n));
        let effect = |n| self.covering(n).map_or(Effect::NextBoot, |l| l.effect);
        seen.map(effect).max().unwrap_or(Effect::None)
    }

    /// Returns the reason for which a change of the definition waits, if it does.
    pub(super) fn why(&self, change: &Change) -> Option<String> {
        let late = |n| {
            let c: Option<&Change> = self.changes.get(n);
            c.filter(|c| only_at_boot(&c.path)).map(|c| why_at_boot(&c.path))
        };
        let mut about = self.about(change);
        about.find_map(|n| self.live.why(n).or_else(|| late(n))).map(str::to_owned)
    }

    /// Returns the cause of the running instance's differences, where the definition has none.
    pub(super) fn origin(&self) -> ChangeCause {
        cause_of(self.is_current)
    }

    /// Whether the guest was asked for a device and has not released it: a start settles that.
    pub(super) fn keeps_a_device(&self) -> bool {
        self.live.changes.iter().any(|change| change.asked.is_some() && change.takes_away())
    }

    /// Returns the changes that only a start can make.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Change> {
        let open = |n: usize| self.covering(n).is_none() && !self.live.is_equal(n);
        self.changes.iter().enumerate().filter(move |(n, _)| open(*n)).map(|(_, c)| c)
    }
}

/// Whether one of two paths leads to the same place as the other, or into it.
fn is_about(one: &Path, other: &Path) -> bool {
    one.covers(other) || other.covers(one)
}

/// Whether waiting changes are to be applied when the guest reboots by itself. Then the manifest's own action
/// on a reboot does not hold while it runs.
pub(super) fn lands_on_reboot(context: Context<'_>, desired: &DesiredResource) -> bool {
    let settings = &desired.settings;
    settings.apply_on_reboot
        && settings.power == Power::Running
        && can_set_lifecycle(context, desired)
}

/// Whether the action on a reboot can be changed while the guest runs.
pub(super) fn can_set_lifecycle(context: Context<'_>, desired: &DesiredResource) -> bool {
    let supports = context.capabilities.supports(Kind::Domain, OpKind::SetLifecycle);
    desired.id.kind.is_guest() && supports
}

/// The running definition in which an empty drive is one without a source: libvirt leaves the number
/// of the medium that was ejected.
fn with_empty_drives(live: &Element) -> Cow<'_, Element> {
    let is_empty = |source: &Element| {
        let says = |name: &str| !matches!(name, "index" | "startupPolicy");
        source.is("source")
            && source.elements().next().is_none()
            && !source.attributes.iter().any(|a| says(&a.name.written()))
    };
    let is_drive =
        |d: &Element| d.is("disk") && matches!(d.attr("device"), Some("cdrom" | "floppy"));
    let mut devices = live.child("devices").into_iter().flat_map(Element::elements);
    // most have none, and a definition is not copied for nothing
    if !devices.any(|d| is_drive(d) && d.elements().any(is_empty)) {
        return Cow::Borrowed(live);
    }
    let mut live = live.clone();
    let devices = live.child_mut("devices").into_iter().flat_map(Element::elements_mut);
    for drive in devices.filter(|d| is_drive(d)) {
        drive.remove_elements(is_empty);
    }
    Cow::Owned(live)
}

/// Whether a change is about a medium that may be missing, and was when the instance was started from
/// this very manifest: the drive is empty with the manifest's leave.
fn is_left_out(change: &Change, live: &Element, manifest: &Element) -> bool {
    let Some(steps) = change.path.steps.get(..2) else { return false };
    let drive = Path { steps: steps.to_vec(), attribute: None };
    let source = |root| drive.find(root).and_then(|d: &Element| d.child("source"));
    let may_be_missing = source(manifest).is_some_and(may_be_missing) && source(live).is_none();
    let field = change.path.steps.get(2).map(|s| s.name.as_str());
    drive.pattern() == "devices/disk"
        && may_be_missing
        && matches!(field, Some("source" | "driver"))
}

/// A guest was asked for its balloon when it was started from this very definition. As long as it has
/// all of its memory it has not heard of that.
fn await_balloon(by_call: &mut Live, live: &Element) {
    let kib = |name: &str| {
        let memory = live.child(name)?;
        memory_kib(&memory.text(), memory.attr("unit")).ok()
    };
    let (Some(most), Some(now)) = (kib("memory"), kib("currentMemory")) else { return };
    let is_balloon = |action: &StepAction| match action {
        StepAction::Wait { until: Until::Memory { kib }, .. } => now == most && *kib < most,
        StepAction::Wait { .. } | StepAction::Call(_) => false,
    };
    for change in by_call.changes.iter_mut().filter(|c| c.actions.iter().any(is_balloon)) {
        change.asked.get_or_insert_with(|| NOT_MOVED.to_owned());
    }
}

/// Gives an interface that is plugged in now the MAC address of the next boot.
fn give_the_next_boots_macs(changes: &mut [Change], live: &Element, next_boot: &Element) {
    let macs = |root: &Element| -> Vec<String> {
        let devices = root.child("devices");
        let nics = devices.into_iter().flat_map(|d| d.children_named("interface"));
        nics.filter_map(|i| Some(i.child("mac")?.attr("address")?.to_owned())).collect()
    };
    let there: HashSet<String> = macs(live).into_iter().collect();
    let mut free = macs(next_boot).into_iter().filter(|mac| !there.contains(mac));
    for change in changes {
        if let Edit::Add(nic) = &mut change.edit
            && nic.is("interface")
            && nic.child("mac").is_none()
            && let Some(mac) = free.next()
        {
            nic.push(Element::new("mac").with_attr("address", mac));
        }
    }
}
