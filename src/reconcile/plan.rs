//! Desired and observed in, a plan out: a pure function.

use super::changes::{Options, Plan, Refusal, ResourceChange, StepAction};
use super::decide::{self, Context, Decision};
use super::graph;
use super::ownership::{Mark, digest, read_mark};
use crate::diag::{Diagnostic, Diagnostics};
use crate::model::domain::Domain;
use crate::model::{
    Capabilities, Desired, DesiredResource, Kind, Observed, ObservedResource, Op, OpKind,
    ResourceId,
};
use crate::xml::{Element, write_compact};
use std::collections::{BTreeMap, BTreeSet};

/// Works out what would make the host match.
pub fn plan(
    desired: &Desired,
    observed: &Observed,
    capabilities: &Capabilities,
    options: &Options,
) -> Plan {
    let mut p = Planner {
        desired,
        observed,
        capabilities,
        options,
        diagnostics: Diagnostics::default(),
        held_back: desired.held_back.clone(),
        refusals: Vec::new(),
        decisions: Vec::new(),
        users: users(observed),
    };
    p.hold_back_what_lacks_something();
    for resource in desired.resources.values() {
        p.resource(resource);
    }
    let orphans = p.orphans();
    p.remove(&orphans);
    p.finish(orphans)
}

struct Planner<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    capabilities: &'a Capabilities,
    options: &'a Options,
    diagnostics: Diagnostics,
    held_back: BTreeMap<ResourceId, String>,
    refusals: Vec<Refusal>,
    decisions: Vec<Decision>,
    /// Running domains by the network they use.
    users: BTreeMap<String, Vec<String>>,
}

impl<'a> Planner<'a> {
    fn selected(&self, id: &ResourceId) -> bool {
        self.options.only.is_empty() || self.options.only.contains(id)
    }

    fn context(&self, id: &ResourceId) -> Context<'_> {
        let users = (id.kind == Kind::Network).then(|| self.users.get(&id.name)).flatten();
        Context {
            set: &self.desired.set,
            capabilities: self.capabilities,
            options: self.options,
            users: users.map_or(&[], Vec::as_slice),
        }
    }

    /// A resource that needs what is neither in the manifests nor on the host is held back, and so
    /// is, in turn, what needs that resource.
    fn hold_back_what_lacks_something(&mut self) {
        loop {
            let mut found = Vec::new();
            for resource in self.desired.resources.values() {
                if self.held_back.contains_key(&resource.id) {
                    continue;
                }
                let missing = resource.depends_on.iter().find(|d| {
                    let planned =
                        self.desired.resources.contains_key(d) && !self.held_back.contains_key(d);
                    !planned && !self.observed.resources.contains_key(d)
                });
                found.extend(missing.map(|m| (resource, m.clone())));
            }
            if found.is_empty() {
                return;
            }
            for (resource, missing) in found {
                self.lacks(resource, &missing);
            }
        }
    }

    fn lacks(&mut self, resource: &DesiredResource, missing: &ResourceId) {
        let reason = if self.desired.resources.contains_key(missing)
            || self.held_back.contains_key(missing)
        {
            format!("it needs {missing}, which is held back")
        } else {
            let mut networks = Domain::new(&resource.definition).networks();
            let span = networks.find(|(id, _)| id == missing).map_or(resource.span, |(_, s)| s);
            let known = self.desired.resources.keys().chain(self.observed.resources.keys());
            let names = known.filter(|id| id.kind == missing.kind).map(|id| id.name.as_str());
            let hint = match crate::diag::closest(&missing.name, names) {
                Some(close) => format!("did you mean {}/{close}?", missing.kind),
                None => format!("add a manifest for {missing}, or define it on the host first"),
            };
            self.diagnostics.push(
                Diagnostic::error("missing-reference", format!("{} needs {missing}", resource.id))
                    .at(span)
                    .address(resource.id.to_string())
                    .detail("found neither in the manifests nor on the host")
                    .hint(hint),
            );
            format!("it needs {missing}, which is neither in the manifests nor on the host")
        };
        self.held_back.insert(resource.id.clone(), reason);
    }

    fn resource(&mut self, desired: &'a DesiredResource) {
        let id = &desired.id;
        if !self.selected(id) || self.held_back.contains_key(id) || self.options.delete.contains(id)
        {
            return;
        }
        let decision = match self.observed.resources.get(id) {
            None => self.uuid_is_free(desired).then(|| decide::create(self.context(id), desired)),
            Some(host) => self.existing(desired, host),
        };
        let Some(mut decision) = decision else { return };
        self.check_supported(&mut decision);
        self.refusals.extend(decision.refusal.take());
        self.decisions.push(decision);
    }

    fn existing(
        &mut self,
        desired: &'a DesiredResource,
        host: &ObservedResource,
    ) -> Option<Decision> {
        let mark = mark_on(host);
        let adopt = match &mark {
            Some(mark) if mark.set == self.desired.set => false,
            Some(mark) => {
                self.not_ours(desired, Some(&mark.set));
                return None;
            }
            None if self.options.adopt || desired.settings.adopt => true,
            None => {
                self.not_ours(desired, None);
                return None;
            }
        };
        if let Some(wanted) = decide::uuid_conflict(desired, host) {
            if desired.settings.replace {
                return Some(decide::replace(
                    self.context(&desired.id),
                    desired,
                    host,
                    mark.as_ref(),
                ));
            }
            let span = desired.definition.child("uuid").map_or(desired.span, Element::text_span);
            self.diagnostics.push(
                Diagnostic::error("uuid-differs", format!("{} has another UUID on the host", desired.id))
                    .at(span)
                    .address(desired.id.to_string())
                    .detail(format!("found {wanted}; the host's object has {}", host.uuid))
                    .hint("take the <uuid> out of the manifest, or write the host's; replace = true makes the object anew"),
            );
            self.hold(&desired.id, "its UUID differs from the host's");
            return None;
        }
        Some(decide::update(self.context(&desired.id), desired, host, adopt))
    }

    /// Objects of somebody else are shown and left alone.
    fn not_ours(&mut self, desired: &DesiredResource, owner: Option<&str>) {
        let id = &desired.id;
        let (detail, hint) = match owner {
            Some(set) => (
                format!("the set \"{set}\" owns it"),
                "rename this one, or take it out of that set's manifests first".to_owned(),
            ),
            None => (
                "nobody owns it: it was made by hand or by another tool".to_owned(),
                format!(
                    "pass --adopt (with --only {id} for just this one), or write adopt = true in its manifest"
                ),
            ),
        };
        self.diagnostics.push(
            Diagnostic::error("not-owned", format!("{id} is on the host and not ours"))
                .at(desired.span)
                .address(id.to_string())
                .detail(detail)
                .hint(hint),
        );
        self.hold(id, "it is on the host and not ours");
    }

    fn hold(&mut self, id: &ResourceId, reason: &str) {
        self.held_back.insert(id.clone(), reason.to_owned());
    }

    /// A UUID that another object of the same kind has cannot be defined again: most likely the
    /// object was renamed in its manifest.
    fn uuid_is_free(&mut self, desired: &DesiredResource) -> bool {
        let Some(uuid) = super::identity::uuid_in(&desired.definition) else { return true };
        let mut others = self.observed.resources.values();
        let Some(other) = others.find(|o| o.uuid == uuid && o.id.kind == desired.id.kind) else {
            return true;
        };
        let span = desired.definition.child("uuid").map_or(desired.span, Element::text_span);
        self.diagnostics.push(
            Diagnostic::error("uuid-taken", format!("the UUID of {} is taken", desired.id))
                .at(span)
                .address(desired.id.to_string())
                .detail(format!("{} on the host has {uuid}", other.id))
                .hint("a name is an identity: rename the object on the host first, or give it another UUID"),
        );
        self.hold(&desired.id, "its UUID is taken");
        false
    }

    fn check_supported(&mut self, decision: &mut Decision) {
        let kind = decision.change.id.kind;
        let ops = || {
            decision.steps.iter().filter_map(|s| match &s.action {
                StepAction::Call(op) => Some(op),
                StepAction::Wait { .. } => None,
            })
        };
        let mut lacks = |what: String| {
            self.refusals.push(Refusal {
                id: Some(decision.change.id.clone()),
                reason: format!("the host cannot {what}"),
                hint: "take what needs it out of the manifest, or connect to another host"
                    .to_owned(),
            });
        };
        let missing: BTreeSet<OpKind> =
            ops().map(Op::kind).filter(|op| !self.capabilities.supports(kind, *op)).collect();
        if !missing.is_empty() {
            let words: Vec<&str> = missing.iter().map(|op| op.word()).collect();
            lacks(format!("{} a {kind}", words.join(", ")));
        }
        let paused = ops().any(|op| *op == Op::Create { paused: true });
        if paused && kind == Kind::Domain && !self.capabilities.creates_paused {
            lacks(format!("start a {kind} paused"));
        }
    }

    /// Objects of this set that no manifest names.
    fn orphans(&self) -> Vec<ResourceId> {
        // where objects are deleted by name, no manifest was asked about the others
        if !self.options.delete.is_empty() {
            return Vec::new();
        }
        let ours = self
            .observed
            .resources
            .values()
            .filter(|host| mark_on(host).is_some_and(|mark| mark.set == self.desired.set));
        ours.map(|host| host.id.clone())
            .filter(|id| {
                !self.desired.resources.contains_key(id) && !self.desired.held_back.contains_key(id)
            })
            .filter(|id| self.selected(id))
            .collect()
    }

    fn remove(&mut self, orphans: &[ResourceId]) {
        for id in &self.options.delete {
            match self.observed.resources.get(id) {
                None => {}
                Some(host) => match mark_on(host) {
                    None if !self.options.adopt => self.refusals.push(Refusal {
                        id: Some(id.clone()),
                        reason: "nobody owns it: it was made by hand or by another tool".to_owned(),
                        hint: "pass --adopt to delete it all the same".to_owned(),
                    }),
                    Some(mark) if !self.desired.set.is_empty() && mark.set != self.desired.set => {
                        self.refusals.push(Refusal {
                            id: Some(id.clone()),
                            reason: format!("the set \"{}\" owns it", mark.set),
                            hint: "delete it with that set's manifests".to_owned(),
                        });
                    }
                    mark => self.delete(id, mark.as_ref(), "asked for"),
                },
            }
        }
        if !self.options.prune || orphans.is_empty() || !self.may_prune(orphans) {
            return;
        }
        for id in orphans {
            let mark = self.observed.resources.get(id).and_then(mark_on);
            self.delete(id, mark.as_ref(), "no manifest names it any more");
        }
    }

    fn delete(&mut self, id: &ResourceId, mark: Option<&Mark>, reason: &str) {
        if let Some(host) = self.observed.resources.get(id) {
            let mut decision = decide::delete(self.context(id), host, mark, reason);
            self.refusals.extend(decision.refusal.take());
            self.decisions.push(decision);
        }
    }

    /// Pruning never follows from a source that is empty or could not be read, and takes no more
    /// than a fifth of the set unless the number is given.
    fn may_prune(&mut self, orphans: &[ResourceId]) -> bool {
        let ours = orphans.len() + self.decisions.len();
        let most = self.options.max_prune.unwrap_or((ours / 5).max(1));
        let refusal = if self.desired.resources.is_empty() {
            Some((
                format!(
                    "no manifest was found, and that never means to delete {} objects",
                    orphans.len()
                ),
                "virt delete removes objects by name".to_owned(),
            ))
        } else if !self.desired.complete {
            Some((
                "some manifests could not be read, so what they name is not known".to_owned(),
                "mend them first".to_owned(),
            ))
        } else if orphans.len() > most {
            Some((
                format!(
                    "{} of {ours} objects of the set would be deleted; at most {most} are without being asked",
                    orphans.len()
                ),
                format!("pass --max-prune {}", orphans.len()),
            ))
        } else {
            None
        };
        let Some((reason, hint)) = refusal else { return true };
        self.refusals.push(Refusal {
            id: None,
            reason: format!("nothing is pruned: {reason}"),
            hint,
        });
        false
    }

    fn finish(mut self, orphans: Vec<ResourceId>) -> Plan {
        let mut depends_on: BTreeMap<ResourceId, Vec<ResourceId>> = self
            .desired
            .resources
            .iter()
            .map(|(id, r)| (id.clone(), r.depends_on.clone()))
            .collect();
        for decision in &self.decisions {
            // what is deleted has no manifest: it depended on the networks it uses
            let definition = decision.change.before.as_ref();
            depends_on.entry(decision.change.id.clone()).or_insert_with(|| {
                let networks = definition.into_iter().flat_map(|d| Domain::new(d).networks());
                networks.map(|(id, _)| id).collect()
            });
        }
        let steps = graph::order(&self.decisions, &depends_on);
        let ids: BTreeSet<&ResourceId> = steps.iter().map(|s| &s.target.id).collect();
        let fingerprint = fingerprint(self.observed, ids.iter().copied());
        let pruned = self.options.prune && self.refusals.is_empty();
        // with a part of the manifests nobody can say what the others name
        let told = self.desired.complete && !pruned;
        self.diagnostics.sort();
        let mut changes: Vec<ResourceChange> =
            self.decisions.into_iter().map(|d| d.change).collect();
        changes.sort_by(|a, b| a.id.cmp(&b.id));
        Plan {
            set: self.desired.set.clone(),
            changes,
            steps,
            refusals: self.refusals,
            diagnostics: self.diagnostics,
            held_back: self.held_back,
            orphans: if told { orphans } else { Vec::new() },
            fingerprint,
        }
    }
}

/// What the host has of these resources, as one digest: a saved plan is stale if it has changed.
pub fn fingerprint<'a>(
    observed: &Observed,
    ids: impl IntoIterator<Item = &'a ResourceId>,
) -> String {
    let mut text = String::new();
    for id in ids {
        text.push_str(&id.to_string());
        if let Some(host) = observed.resources.get(id) {
            let definition = host.persistent.as_ref().map(write_compact).unwrap_or_default();
            text.push_str(&format!("{}{:?}{}{definition}", host.uuid, host.state, host.autostart));
        }
        text.push('\n');
    }
    digest(text.as_bytes())
}

/// The mark on an object, wherever it is.
pub(crate) fn mark_on(host: &ObservedResource) -> Option<Mark> {
    host.persistent.as_ref().or(host.live.as_ref()).and_then(read_mark)
}

fn users(observed: &Observed) -> BTreeMap<String, Vec<String>> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for host in observed.resources.values().filter(|h| h.id.kind == Kind::Domain) {
        for (network, _) in host.live.iter().flat_map(|live| Domain::new(live).networks()) {
            users.entry(network.name).or_default().push(host.id.name.clone());
        }
    }
    users
}
