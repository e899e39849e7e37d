//! Live changes: differences between a manifest and a running instance as operations, as far as the host
//! accepts them, and a reason for each that waits.
//!
//! The rows are those of libvirt 11.3's QEMU driver, of libxl, and of the test hosts, from its
//! sources and from trials; a host that refuses one says so when it is asked, and the definition
//! for the next boot is already right by then.
//!
//! - `address.rs`: a free PCI address for a device that is plugged in
//! - `devices.rs`: devices: which can be plugged in and out while running, and which of their fields can be changed
//! - `sections.rs`: sections of a network: entries that virNetworkUpdate adds, changes and removes
//! - `settings.rs`: fields beside devices: memory, processors, titles, actions
//! - `split.rs`: groups taken apart, so that each field changes by itself
//! - `threads.rs`: I/O threads of a running domain
//! - `tuning.rs`: fields that are parameters of a call: shares, quotas, limits and weights
//! - `verdict.rs`: `LiveContext` and verdicts: the input and output of a live change

mod address;
mod devices;
mod sections;
mod settings;
mod split;
mod threads;
mod tuning;
mod verdict;

use super::diff::overlay::Overlay;
use super::plan::afterwards::{Note, key};
use super::plan::step::StepAction;
use crate::model::{
    Capabilities, DomainOp, Effect, Kind, NetworkCommand, NetworkOp, Op, OpKind, Tuning,
    TuningParameter,
};
use crate::reconcile::kinds::rules;
use address::Places;
pub(crate) use address::pin_address;
pub(crate) use settings::why_at_boot;
use split::pieces;
use std::collections::{BTreeMap, BTreeSet};
use verdict::{LiveContext, Verdict};
use xmltree::Element;

/// Operations on the running instance and the changes that they make.
#[derive(Clone, Debug)]
pub(crate) struct LiveChange {
    /// Calls and the waits after them.
    pub(crate) actions: Vec<StepAction>,
    /// Effect on the guest.
    pub(crate) effect: Effect,
    /// Indices of the changes it covers.
    pub(crate) covers: Vec<usize>,
    /// Identifier of the change from one run to the next.
    pub(crate) key: String,
    /// Message about the part that the guest still owes, if an earlier run asked for it.
    pub(crate) asked: Option<String>,
}

impl LiveChange {
    fn new(actions: Vec<StepAction>, covers: Vec<usize>) -> Self {
        let ops = actions.iter().filter_map(|action| match action {
            StepAction::Call(op) => Some(op),
            StepAction::Wait { .. } => None,
        });
        let key = key(ops);
        Self { actions, effect: Effect::Live, covers, key, asked: None }
    }

    /// Whether the change removes something, so that there is nothing to be put back.
    pub(crate) fn takes_away(&self) -> bool {
        let takes = |action: &StepAction| match action {
            StepAction::Call(op) => matches!(
                op,
                Op::Domain(DomainOp::Detach { .. } | DomainOp::DeleteIoThread { .. })
                    | Op::Network(NetworkOp::Update { command: NetworkCommand::Delete, .. })
            ),
            StepAction::Wait { .. } => false,
        };
        self.actions.iter().any(takes)
    }
}

/// Changes that can be made while the instance runs, and those that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// Live changes, in the order in which they are made.
    pub(crate) changes: Vec<LiveChange>,
    /// Reasons of the changes that wait, with their indices.
    pub(crate) waits: Vec<(usize, String)>,
    /// Indices of changes that only write the running value in another form.
    equal: Vec<usize>,
    /// Verdicts by the index of the change, once all of them are judged.
    known: BTreeMap<usize, Known>,
    /// Devices that are plugged in, with the address that they have got.
    pub(crate) placed: Vec<(Element, Element)>,
}

/// Verdict on one change.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The number of the live change that brings it about.
    covering: Option<usize>,
    /// Index among those that wait.
    waits: Option<usize>,
    is_equal: bool,
}

impl Live {
    /// Builds the lookup table of verdicts.
    pub(crate) fn index(&mut self) {
        let mut known: BTreeMap<usize, Known> = BTreeMap::new();
        for (at, change) in self.changes.iter().enumerate() {
            for n in &change.covers {
                known.entry(*n).or_default().covering.get_or_insert(at);
            }
        }
        for (at, (n, _)) in self.waits.iter().enumerate() {
            known.entry(*n).or_default().waits.get_or_insert(at);
        }
        for n in &self.equal {
            known.entry(*n).or_default().is_equal = true;
        }
        self.known = known;
    }

    fn known(&self, n: usize) -> Known {
        self.known.get(&n).copied().unwrap_or_default()
    }

    /// Removes I/O thread steps that are planned already from `actions`, and returns the change that has
    /// them: each thread comes or goes once, however often the definition says so.
    fn thread_changes(&mut self, actions: &mut Vec<StepAction>) -> Option<&mut LiveChange> {
        let is_thread = |action: &StepAction| {
            action.calls(OpKind::AddIoThread) || action.calls(OpKind::DeleteIoThread)
        };
        let known = self.changes.iter_mut().find(|change| {
            actions.iter().any(|action| is_thread(action) && change.actions.contains(action))
        })?;
        actions.retain(|action| !known.actions.contains(action));
        Some(known)
    }

    /// Takes account of the running instance's notes: a refused change waits, and one that its guest owes is
    /// requested again. Returns the notes that still hold.
    pub(crate) fn heed(&mut self, notes: &[Note]) -> Vec<Note> {
        let mut kept = Vec::new();
        for change in std::mem::take(&mut self.changes) {
            match notes.iter().find(|note| note.key == change.key) {
                Some(note) if note.again => {
                    self.changes.push(LiveChange { asked: Some(note.why.clone()), ..change });
                }
                Some(note) => {
                    self.waits.extend(change.covers.into_iter().map(|n| (n, note.why.clone())));
                    kept.push(note.clone());
                }
                None => self.changes.push(change),
            }
        }
        self.index();
        kept
    }

    /// Returns the live change that covers the change of that index.
    pub(crate) fn covering(&self, n: usize) -> Option<&LiveChange> {
        self.changes.get(self.known(n).covering?)
    }

    /// Whether the change of that index only writes the running value in another form.
    pub(crate) fn is_equal(&self, n: usize) -> bool {
        self.known(n).is_equal
    }

    /// Returns the reason for which the change of that index waits.
    pub(crate) fn why(&self, n: usize) -> Option<&str> {
        self.waits.get(self.known(n).waits?).map(|(_, why)| why.as_str())
    }
}

/// The operations that bring the changes of `overlay` about on the running instance. `overlay` is of
/// the manifest on the running definition `live`; `next_boot` is what the host will start from.
pub(crate) fn live_changes(
    kind: Kind,
    overlay: &Overlay,
    live: &Element,
    next_boot: &Element,
    capabilities: &Capabilities,
) -> Live {
    let context =
        LiveContext { overlay, live: live.node(), next_boot: next_boot.node(), capabilities };
    let mut found = Live::default();
    let mut places = Places::of(context);
    let mut tunings: Vec<(Tuning, Vec<TuningParameter>, Vec<usize>)> = Vec::new();
    // changes that an earlier one covers
    let mut covered: BTreeSet<usize> = BTreeSet::new();
    for n in 0..overlay.changes.len() {
        if covered.contains(&n) {
            continue;
        }
        match judge(kind, context, &mut places, n) {
            Ok((mut actions, mut covers, tuned)) => {
                covers.push(n);
                if !actions.is_empty() {
                    covered.extend(&covers);
                }
                if let Some(known) = found.thread_changes(&mut actions) {
                    known.covers.extend(&covers);
                    if actions.is_empty() && tuned.is_empty() {
                        continue;
                    }
                }
                for (what, parameters) in tuned {
                    match tunings.iter_mut().find(|(w, _, _)| *w == what) {
                        Some((_, all, of)) => {
                            all.extend(parameters);
                            of.extend(&covers);
                        }
                        None => tunings.push((what, parameters, covers.clone())),
                    }
                }
                if actions.is_empty() && !tunings.iter().any(|(_, _, of)| of.contains(&n)) {
                    found.equal.push(n);
                }
                // an entry that is taken out and put back makes room for others in between
                let parts = if rules(kind).changes_one_by_one {
                    actions.into_iter().map(|action| vec![action]).collect()
                } else if actions.is_empty() {
                    Vec::new()
                } else {
                    vec![actions]
                };
                let parts = parts.into_iter();
                found.changes.extend(parts.map(|part| LiveChange::new(part, covers.clone())));
            }
            Err(why) => found.waits.push((n, why)),
        }
    }
    for (what, parameters, covers) in tunings {
        let actions = vec![StepAction::Call(DomainOp::Tune { what, parameters }.into())];
        found.changes.push(LiveChange::new(actions, covers));
    }
    found.placed = places.given;
    // removals free what additions need: addresses, names, slots
    found.changes.sort_by_key(|change| change.actions.first().map_or(2, priority));
    found.index();
    found
}

type Judged = (Vec<StepAction>, Vec<usize>, Vec<(Tuning, Vec<TuningParameter>)>);

/// Combines the verdicts on the parts of one change: all of them are live, or it waits.
fn judge(
    kind: Kind,
    context: LiveContext<'_>,
    places: &mut Places,
    n: usize,
) -> Result<Judged, String> {
    let (mut actions, mut covers, mut tuned) = (Vec::new(), Vec::new(), Vec::new());
    let change = context.overlay.changes.get(n).ok_or_else(String::new)?;
    for piece in pieces(kind, change, context.live.as_element()) {
        let verdict = match (kind, piece.path.steps.first().map(|s| s.name.as_str())) {
            (Kind::Domain, Some("devices")) => devices::device(context, places, n, &piece),
            (Kind::Domain, _) => settings::setting(context, &piece),
            (Kind::Network, _) => sections::section(context, &piece),
            (Kind::Pool | Kind::Volume, _) => {
                Verdict::Waits(format!("a {kind} takes no change while it is in use"))
            }
        };
        match verdict {
            Verdict::Live(more, with) => {
                // equal actions of several parts are done once
                for action in more {
                    if !actions.contains(&action) {
                        actions.push(action);
                    }
                }
                covers.extend(with);
            }
            Verdict::Tune(what, parameters) => {
                supported(kind, context.capabilities, OpKind::Tune)?;
                tuned.push((what, parameters));
            }
            Verdict::Waits(why) => return Err(why),
        }
    }
    for action in &actions {
        if let StepAction::Call(op) = action {
            supported(kind, context.capabilities, op.kind())?;
        }
    }
    Ok((actions, covers, tuned))
}

fn supported(kind: Kind, capabilities: &Capabilities, op: OpKind) -> Result<(), String> {
    match capabilities.supports(kind, op) {
        true => Ok(()),
        false => Err(format!("this host has no {op} for a running {kind}")),
    }
}

/// Returns the rank of a change among those of an object. Dependencies of devices are added before them, and
/// removed after them.
fn priority(action: &StepAction) -> u8 {
    let is_controller = |xml: &str| xml.starts_with("<controller");
    let StepAction::Call(op) = action else { return 2 };
    match op {
        Op::Domain(DomainOp::Detach { xml, .. }) => u8::from(is_controller(xml)),
        Op::Network(NetworkOp::Update { command: NetworkCommand::Delete, .. }) => 0,
        Op::Domain(DomainOp::Attach { xml, .. }) if is_controller(xml) => 3,
        Op::Domain(DomainOp::Attach { .. }) => 4,
        Op::Network(NetworkOp::Update { command: NetworkCommand::AddLast, .. }) => 4,
        Op::Domain(_) | Op::Network(_) | Op::Pool(_) | Op::Volume(_) => 2,
    }
}
