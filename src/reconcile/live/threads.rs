//! I/O threads of a running domain.

use super::verdict::{LiveContext, Verdict};
use crate::model::DomainOp;
use crate::reconcile::diff::difference::Edit;
use crate::reconcile::plan::step::StepAction;
use std::collections::BTreeSet;
use xmltree::Element;

/// Most I/O threads that are counted; libvirt's own numbers have no bound.
const MOST: u32 = 1024;

/// Adds the I/O threads that a running domain lacks, and removes those that nothing uses.
pub(super) fn io_threads(context: LiveContext<'_>) -> Verdict {
    let (have, want) = (ids(context.live.as_element()), ids(context.next_boot.as_element()));
    let (Some(have), Some(want)) = (have, want) else {
        return Verdict::waits("the number of I/O threads cannot be read");
    };
    let mut actions = Vec::new();
    for id in have.difference(&want) {
        if let Some(user) = user(context.live.as_element(), *id) {
            return Verdict::waits(format!("I/O thread {id} is used by {user}"));
        }
        actions.push(StepAction::Call(DomainOp::DeleteIoThread { id: *id }.into()));
    }
    let added = want.difference(&have);
    actions.extend(added.map(|id| StepAction::Call(DomainOp::AddIoThread { id: *id }.into())));
    let about_threads = |path: &xmltree::Path| {
        let pattern = path.pattern();
        pattern == "iothreads" || pattern == "iothreadids" || pattern == "iothreadids/iothread"
    };
    let changes = context.overlay.changes.iter().enumerate();
    let with = changes.filter(|(_, c)| {
        c.path.attribute.is_none() && about_threads(&c.path) && has_only_ids(&c.edit)
    });
    Verdict::Live(actions, with.map(|(n, _)| n).collect())
}

/// Whether an addition has nothing of its threads but their numbers. Polling is set by another call.
fn has_only_ids(edit: &Edit) -> bool {
    let Edit::Add(added) = edit else { return true };
    let is_id = |e: &Element| {
        e.attributes.iter().all(|a| a.name.written() == "id") && e.elements().next().is_none()
    };
    match added.is("iothreadids") {
        true => added.elements().all(is_id),
        false => is_id(added) || added.is("iothreads"),
    }
}

/// Returns the ids of a domain's I/O threads: those that are written, and free ones from 1 on for the rest.
fn ids(domain: &Element) -> Option<BTreeSet<u32>> {
    let listed = domain.child("iothreadids").into_iter().flat_map(Element::elements);
    let mut ids: BTreeSet<u32> =
        listed.map(|e| e.attr("id")?.parse().ok()).collect::<Option<_>>()?;
    let count = match domain.child_text("iothreads") {
        Some(text) => text.parse::<u32>().ok().filter(|n| *n <= MOST)?,
        None => 0,
    };
    let mut missing = usize::try_from(count).ok()?.saturating_sub(ids.len());
    for id in 1.. {
        if missing == 0 {
            break;
        }
        missing -= usize::from(ids.insert(id));
    }
    Some(ids)
}

/// The device that runs on that I/O thread.
fn user(live: &Element, id: u32) -> Option<String> {
    let id = id.to_string();
    let devices = live.child("devices").into_iter().flat_map(Element::elements);
    let mut on_it =
        devices.filter(|d| d.child("driver").and_then(|d| d.attr("iothread")) == Some(&id));
    on_it.next().map(|device| {
        let target = device.child("target").and_then(|t| t.attr("dev")).unwrap_or_default();
        format!("{} {target}", device.name.local).trim_end().to_owned()
    })
}
