//! Fingerprint of the host's state that a plan relies on.

use super::nic_migration;
use super::step::Step;
use crate::model::{Observed, ResourceId};
use crate::reconcile::ownership::record::digest;
use std::collections::BTreeSet;
use xmltree::{Document, Element, write_compact};

/// Digests the host's state of the resources with these steps, and the guests on the networks that they take
/// down: a saved plan is stale if it has changed.
pub fn fingerprint(observed: &Observed, steps: &[Step]) -> String {
    let ids: BTreeSet<&ResourceId> = steps.iter().map(|s| &s.target.id).collect();
    digest((there(observed, ids) + &nic_migration::cut_off(observed, steps)).as_bytes())
}

fn there<'a>(observed: &Observed, ids: impl IntoIterator<Item = &'a ResourceId>) -> String {
    let mut text = String::new();
    for id in ids {
        text.push_str(&id.to_string());
        if let Some(host) = observed.resources.get(id) {
            let persistent = host.persistent.as_ref().map(Document::as_element);
            let definition = persistent.map(write_compact).unwrap_or_default();
            text.push_str(&format!("{}{:?}{}{definition}", host.uuid, host.state, host.autostart));
            let live = host.live.as_ref().map(Document::as_element);
            text.push_str(&live.map(running).unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

/// Returns the parts of a running instance that a plan relies on: its identity, and all that may be changed
/// in it, without values that the guest and time change.
fn running(live: &Element) -> String {
    let mut live = live.clone();
    // guests on a network come and go; a balloon moves slowly
    live.remove_attr("connections");
    live.remove_elements(|e| e.is("currentMemory"));
    for device in live.child_mut("devices").into_iter().flat_map(Element::elements_mut) {
        for target in device.elements_mut().filter(|e| e.is("target")) {
            // an agent that answers, and a tray that is open
            target.remove_attr("state");
            target.remove_attr("tray");
        }
    }
    write_compact(&live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, ObservedResource, State, Uuid};
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    fn there_with(live: &str) -> String {
        let live = parse(SourceId::NONE, live, &Limits::default()).expect("it is sound");
        let id = ResourceId::new(Kind::Domain, "web");
        let resource = ObservedResource {
            state: State::Running,
            is_persistent: true,
            live: Some(live.into()),
            ..ObservedResource::unread(id.clone(), Uuid::default())
        };
        let observed =
            Observed { resources: [(id.clone(), resource)].into(), ..Observed::default() };
        there(&observed, [&id])
    }

    #[test]
    fn a_plan_is_stale_once_something_else_runs() {
        let domain = |id: u32, memory: u32, source: &str, tray: &str| {
            format!(
                "<domain id='{id}'><currentMemory>{memory}</currentMemory><devices>\
                 <disk><source file='{source}'/><target dev='vdb' {tray}/></disk></devices></domain>"
            )
        };
        let planned = there_with(&domain(1, 1024, "/old", ""));
        // changes by the guest itself
        assert_eq!(planned, there_with(&domain(1, 2048, "/old", "tray='open'")));
        assert_ne!(planned, there_with(&domain(2, 1024, "/old", "")), "another instance");
        assert_ne!(planned, there_with(&domain(1, 1024, "/precious", "")), "another disk");
    }
}
