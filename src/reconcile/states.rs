//! States of an object: its last applied manifest, its next boot and its running instance. Waiting changes
//! are worked out from the last two each time and stored nowhere.

use super::diff::difference::{Change, IgnoredDifference, Side};
use super::diff::ignored::ignored;
use super::diff::normalize::{drop_implied, only_at_boot};
use super::diff::others::is_noted;
use super::diff::overlay::overlay;
use super::kinds::rules;
use super::live::live_changes;
use super::ownership::identity::with_macs;
use super::ownership::record::{owner_record_of, running_record_of, without_owner_record};
use super::ownership::redact::presented;
use super::plan::decide::Layers;
use super::status::runs_as_asked;
use crate::model::{Capabilities, Kind, ObservedResource, OwnerRecord, ResourceId};
use jiff::Timestamp;
use xmltree::{Document, Element, NodeRef, Path};

/// An object in its states, as far as they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct States {
    /// Object.
    pub id: ResourceId,
    /// Whether its last applied manifest is known.
    pub has_manifest: bool,
    /// Whether the object has a definition for the next boot.
    pub has_next_boot: bool,
    /// Whether the object is running.
    pub has_running: bool,
    /// Time at which that manifest was planned to be applied, if known.
    pub applied_at: Option<Timestamp>,
    /// The fields that differ.
    pub rows: Vec<StateRow>,
    /// Differences that are not counted, each with the side that was compared with the manifest.
    pub ignored: Vec<(Side, IgnoredDifference)>,
}

/// A field that is not the same in all states. Secrets are blotted out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRow {
    /// Field of the definition, or `power`, `autostart`.
    pub path: Path,
    /// Value in the last applied manifest; `None` if it has none.
    pub manifest: Option<String>,
    /// Value at the next boot.
    pub next_boot: Option<String>,
    /// Value in the running instance.
    pub running: Option<String>,
    /// Reason for the difference.
    pub reason: Reason,
    /// Reason for which it cannot be changed while it runs, if that is why it waits.
    pub why: Option<String>,
}

/// Reason for which a field differs between states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Changed by somebody since the manifest was applied.
    ChangedOnHost,
    /// Changed by somebody in the running instance only.
    ChangedWhileRunning,
    /// Defined, while the running instance was started before.
    Waits,
    /// Blocked by something on the host.
    Blocked,
}

impl Reason {
    /// The reason in JSON, which stays as it is.
    pub fn as_str(self, kind: Kind) -> &'static str {
        match self {
            Self::Blocked => "held back",
            other => other.describe(kind),
        }
    }

    /// The reason for people.
    pub fn describe(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::ChangedOnHost, _) => "changed on the host",
            (Self::Blocked, _) => "blocked",
            (Self::ChangedWhileRunning, _) => "changed on the host while it runs",
            (Self::Waits, kind) => rules(kind).waits,
        }
    }
}

/// Lists the differences between the states of an object; with `explain`, the ignored ones, too.
pub fn states(host: &ObservedResource, capabilities: &Capabilities, explain: bool) -> States {
    let owner_record = owner_record_of(host);
    let applied = owner_record.and_then(OwnerRecord::applied);
    let layers = Layers::of(host);
    let held = applied.as_ref().map(|applied| layers.fields(applied)).unwrap_or_default();
    let there = host.persistent.as_ref().or(host.live.as_ref());
    let applied = applied.map(|applied| match there {
        Some(there) => layers.fit(&applied, there.as_element()).into_owned(),
        None => applied,
    });
    let found = Compared::of(host, capabilities, owner_record, applied.as_ref());
    let mut rows =
        owner_record.map(|owner_record| settings(host, owner_record)).unwrap_or_default();
    rows.extend(found.rows());
    rows.extend(held.into_iter().map(|field| StateRow {
        path: field.path,
        manifest: field.after,
        next_boot: field.before.clone().filter(|_| host.persistent.is_some()),
        running: field.before.filter(|_| host.live.is_some()),
        reason: Reason::Blocked,
        why: field.why,
    }));
    let ignore = owner_record.map_or(&[][..], |m| &m.ignore);
    let passed_over = match &applied {
        Some(applied) if explain => passed_over(host.id.kind, &found, applied, ignore),
        _ => Vec::new(),
    };
    States {
        id: host.id.clone(),
        has_manifest: applied.is_some(),
        has_next_boot: found.next_boot.is_some(),
        has_running: found.running.is_some(),
        applied_at: owner_record.and_then(|m| m.at),
        rows,
        ignored: passed_over,
    }
}

/// Lists the ignored differences of either side; for the running instance only those that the definition does
/// not have.
fn passed_over(
    kind: Kind,
    found: &Compared<'_>,
    applied: &Element,
    ignore: &[Path],
) -> Vec<(Side, IgnoredDifference)> {
    let of = |side, definition: Option<&Element>| {
        definition.map(|d| ignored(kind, side, d, applied, ignore)).unwrap_or_default()
    };
    let next_boot = of(Side::NextBoot, found.next_boot.map(NodeRef::as_element));
    let mut running = of(Side::Running, found.running.map(NodeRef::as_element));
    running.retain(|u| !next_boot.contains(u));
    let on = |side| move |u| (side, u);
    let both = next_boot.into_iter().map(on(Side::NextBoot));
    both.chain(running.into_iter().map(on(Side::Running))).collect()
}

/// Lists the differences in settings beside the definition.
fn settings(host: &ObservedResource, owner_record: &OwnerRecord) -> Vec<StateRow> {
    let word = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let row = |name: &str, manifest: String, next_boot, running| StateRow {
        path: Path::parse(name).unwrap_or_default(),
        manifest: Some(manifest),
        next_boot,
        running,
        reason: Reason::ChangedOnHost,
        why: None,
    };
    let mut rows = Vec::new();
    if let Some(power) = owner_record.power.filter(|power| !runs_as_asked(host, *power)) {
        let state = Some(host.state.to_string());
        rows.push(row("power", power.as_str().to_owned(), None, state));
    }
    if let Some(on) = owner_record.autostart.filter(|on| *on != host.autostart) {
        rows.push(row("autostart", word(on), Some(word(host.autostart)), None));
    }
    rows
}

/// The states compared with each other.
struct Compared<'a> {
    next_boot: Option<NodeRef<'a>>,
    running: Option<NodeRef<'a>>,
    /// The manifest with the next boot.
    defined: Vec<Change>,
    /// Differences between the manifest and the running instance.
    live: Vec<Change>,
    /// Differences between the next boot and the running instance.
    waiting: Vec<Change>,
    /// Whether the running instance was started from the last applied manifest.
    is_current: bool,
    /// Reasons for which fields of the running instance wait.
    whys: Vec<(Path, String)>,
}

impl<'a> Compared<'a> {
    fn of(
        host: &'a ObservedResource,
        capabilities: &Capabilities,
        owner_record: Option<&OwnerRecord>,
        applied: Option<&Element>,
    ) -> Self {
        let kind = host.id.kind;
        let ignore = owner_record.map_or(&[][..], |m| &m.ignore);
        let next_boot = host.persistent.as_ref();
        let running = host.live.as_ref().filter(|_| host.state.is_active());
        let others = owner_record.map_or(&[][..], |m| &m.others);
        let laid = |side, there: &Element, want: &Element, last: Option<&Element>| {
            let mut laid = overlay(kind, side, there, want, last, ignore);
            laid.changes.retain(|change| !is_noted(change, others));
            laid
        };
        // a running instance keeps the mark that it was started with
        let begun = running.and_then(|_| running_record_of(host));
        let begun_with = begun.and_then(OwnerRecord::applied);
        let defined = next_boot.zip(applied);
        let defined =
            defined.map(|(there, want)| laid(Side::NextBoot, there.as_element(), want, Some(want)));
        let known =
            applied.zip(next_boot).map(|(applied, there)| with_macs(applied, there.as_element()));
        let on_running = running.zip(known.as_deref().or(applied));
        let on_running = on_running
            .map(|(there, want)| laid(Side::Running, there.as_element(), want, Some(want)));
        let whys = match (&on_running, running, next_boot) {
            (Some(overlay), Some(running), Some(next_boot)) => {
                let live = live_changes(
                    kind,
                    overlay,
                    running.as_element(),
                    next_boot.as_element(),
                    capabilities,
                );
                let path = |n: usize| overlay.changes.get(n).map(|c| c.path.clone());
                live.waits.into_iter().filter_map(|(n, why)| Some((path(n)?, why))).collect()
            }
            _ => Vec::new(),
        };
        let mut live = on_running.map(|o| o.changes).unwrap_or_default();
        let same = begun.zip(owner_record).is_some_and(|(b, m)| m.boots_as.contains(&b.digest));
        if let (Some(begun_with), Some(applied), false) = (&begun_with, applied, same) {
            // values that it shows in another form are compared with those it was started from
            let since = laid(Side::NextBoot, begun_with, applied, Some(begun_with)).changes;
            live.extend(since.into_iter().filter(|c| only_at_boot(&c.path)));
        }
        let waiting = running.zip(next_boot).map(|(running, next_boot)| {
            laid(
                Side::Running,
                running.as_element(),
                &without_owner_record(next_boot.as_element()),
                begun_with.as_ref(),
            )
            .changes
        });
        let mut waiting = waiting.unwrap_or_default();
        if let Some(applied) = applied {
            drop_implied(applied, &mut waiting);
        }
        let is_current = begun
            .zip(owner_record)
            .is_some_and(|(b, owner_record)| b.digest == owner_record.digest);
        Self {
            next_boot: next_boot.map(Document::root),
            running: running.map(Document::root),
            defined: defined.map(|o| o.changes).unwrap_or_default(),
            live,
            waiting,
            is_current,
            whys,
        }
    }

    /// A row for each path that differs anywhere.
    fn rows(&self) -> Vec<StateRow> {
        let mut paths: Vec<&Path> = Vec::new();
        for change in self.defined.iter().chain(&self.live).chain(&self.waiting) {
            if !paths.contains(&&change.path) {
                paths.push(&change.path);
            }
        }
        paths.into_iter().map(|path| self.row(path)).collect()
    }

    /// Builds the row of a path: where a comparison found no difference, both its states have the same value.
    fn row(&self, path: &Path) -> StateRow {
        let lists = [&self.defined, &self.live, &self.waiting];
        let [defined, live, waiting] = lists.map(|list| list.iter().find(|c| c.path == *path));
        let manifest = defined.or(live).and_then(|c| c.after.clone());
        let next_boot = match (defined, waiting) {
            (Some(c), _) => c.before.clone(),
            (None, Some(c)) => c.after.clone(),
            (None, None) => manifest.clone(),
        };
        let running = match (live, waiting) {
            (Some(c), _) | (None, Some(c)) => c.before.clone(),
            (None, None) => manifest.clone(),
        };
        let reason = match (defined, live) {
            (Some(_), _) => Reason::ChangedOnHost,
            (None, Some(_)) if self.is_current => Reason::ChangedWhileRunning,
            (None, _) => Reason::Waits,
        };
        let why = self.whys.iter().find(|(p, _)| p == path && reason == Reason::Waits);
        let show = |value: Option<String>, is_there: bool| {
            value.filter(|_| is_there).map(|value| presented(path, &value))
        };
        StateRow {
            path: path.clone(),
            manifest: show(manifest, true),
            next_boot: show(next_boot, self.next_boot.is_some()),
            running: show(running, self.running.is_some()),
            reason,
            why: why.map(|(_, why)| why.clone()),
        }
    }
}
