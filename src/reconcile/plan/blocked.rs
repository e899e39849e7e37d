//! Blocked resources: those that cannot be reconciled on this host or in this run.

use super::decide::uuid_conflict;
use super::held::{judged, warning};
use super::renames::{hindrance, renamed, set_aside};
use super::types::Options;
use crate::model::domain::Domain;
use crate::model::{
    Capabilities, Desired, DesiredResource, Observed, ObservedResource, Power, ResourceId, Uuid,
};
use crate::reconcile::moves::unread;
use crate::reconcile::ownership::doubts::{said_by_another, unowned};
use crate::reconcile::ownership::identity::{derived_uuid, uuid_in};
use crate::reconcile::ownership::record::owner_record_of;
use diagnostics::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::sync::Arc;
use xmltree::NodeRef;

/// Most missing things for which similar names are looked up: further problems get no suggestion.
const LOOKS_MAX: usize = 200;

/// Returns the blocked resources, each with its reason, and the problems to show. A resource that needs a
/// blocked one which is not on the host is blocked, too.
pub(crate) fn hold_back(
    desired: &Desired,
    observed: &Observed,
    capabilities: &Capabilities,
    options: &Options,
) -> (BTreeMap<ResourceId, String>, Diagnostics) {
    let blocked = desired.blocked.clone();
    let mut found =
        Conflicts { desired, observed, options, blocked, diagnostics: Diagnostics::default() };
    for resource in desired.resources.values() {
        let host = observed.resources.get(&resource.id);
        // as with all that is wrong with manifests, it does not matter which of them are selected
        if found.refused(resource, host) || !found.selected(&resource.id) {
            continue;
        }
        if found.unsupported(resource, capabilities) || found.elsewhere(resource, host) {
            continue;
        }
        match host {
            None if observed.unknown.contains_key(&resource.id) => found.silent(&resource.id),
            None => found.uuid(resource),
            Some(host) => found.host(resource, host),
        }
    }
    found.kept();
    found.needs();
    (found.blocked, found.diagnostics)
}

/// Blocks the resources that need one which is blocked by now.
pub(crate) fn hold_dependants(
    desired: &Desired,
    observed: &Observed,
    options: &Options,
    blocked: BTreeMap<ResourceId, String>,
) -> (BTreeMap<ResourceId, String>, Diagnostics) {
    let diagnostics = Diagnostics::default();
    let mut found = Conflicts { desired, observed, options, blocked, diagnostics };
    found.needs();
    (found.blocked, found.diagnostics)
}

struct Conflicts<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    options: &'a Options,
    blocked: BTreeMap<ResourceId, String>,
    diagnostics: Diagnostics,
}

impl Conflicts<'_> {
    fn selected(&self, id: &ResourceId) -> bool {
        self.options.only.is_empty() || self.options.only.contains(id)
    }

    fn hold(&mut self, id: &ResourceId, reason: &str) {
        self.blocked.insert(id.clone(), reason.to_owned());
    }

    /// Blocks a resource with content that its grammar refuses and the host does not hold. Refused content
    /// that the host holds gives a warning only.
    fn refused(&mut self, desired: &DesiredResource, host: Option<&ObservedResource>) -> bool {
        let is_selected = self.selected(&desired.id);
        let is_silent = self.observed.unknown.contains_key(&desired.id);
        if desired.refused.is_empty() || is_silent && !is_selected {
            return false;
        }
        let host = host.or_else(|| renamed(self.desired, desired, self.observed, self.options));
        let mut reason = None;
        for (refused, is_held) in judged(desired, host) {
            if is_held {
                self.diagnostics.extend(is_selected.then(|| warning(refused)));
            } else {
                self.diagnostics.push(refused.problem.clone());
                reason.get_or_insert(&refused.reason);
            }
        }
        if let Some(reason) = reason {
            self.hold(&desired.id, reason);
        }
        reason.is_some()
    }

    /// The driver has no objects of its kind.
    fn unsupported(&mut self, desired: &DesiredResource, capabilities: &Capabilities) -> bool {
        let (id, kind) = (&desired.id, desired.id.kind);
        if capabilities.has(kind) {
            return false;
        }
        self.diagnostics.push(
            Diagnostic::error(
                "unsupported-kind",
                format!("{id} cannot be there: the driver does not support {kind}s"),
            )
            .at(desired.span)
            .address(id.to_string())
            .hint("take it out of this host's manifests, or choose other hosts for it"),
        );
        self.hold(id, &format!("the driver does not support {kind}s"));
        true
    }

    /// Another host may have it, or is about to let it go, and it is not made or started here.
    fn elsewhere(&mut self, desired: &DesiredResource, host: Option<&ObservedResource>) -> bool {
        let (id, options) = (&desired.id, self.options);
        if host.is_some_and(|host| host.state.is_active()) {
            return false;
        }
        let owner_record = host
            .and_then(owner_record_of)
            .filter(|owner_record| owner_record.set == self.desired.set);
        let moving = owner_record.and_then(|owner_record| owner_record.moving.as_ref());
        let comes = options.crossing.arriving.contains_key(id);
        let unfinished = moving
            .map(|moving| &moving.from)
            .filter(|from| !comes && !options.assume_absent.contains(*from));
        let blocked = options.crossing.blocked.get(id).cloned();
        let Some(blocked) = blocked.or_else(|| unfinished.map(|from| unread(from))) else {
            return false;
        };
        self.diagnostics.push(
            Diagnostic::error(blocked.code, format!("{id} is not started here"))
                .at(desired.span)
                .address(id.to_string())
                .detail(blocked.reason.clone())
                .hint(blocked.hint),
        );
        self.hold(id, &blocked.reason);
        true
    }

    /// Blocks the removal of objects that no manifest wants here any more, but another host has a part in.
    fn kept(&mut self) {
        for (id, reason) in &self.options.crossing.kept {
            if self.selected(id) && self.observed.resources.contains_key(id) {
                self.diagnostics.push(
                    Diagnostic::error("move-refused", format!("{id} is not removed"))
                        .address(id.to_string())
                        .detail(reason.clone())
                        .hint(format!("virt delete {id} --host … deletes it anyway")),
                );
                self.blocked.insert(id.clone(), reason.clone());
            }
        }
    }

    /// Blocks an object that does not answer.
    fn silent(&mut self, id: &ResourceId) {
        let why = self.observed.unknown.get(id).map_or("", |unknown| unknown.why.as_str());
        let span = self.desired.resources.get(id).map(|resource| resource.span);
        let problem = Diagnostic::warning("no-answer", format!("{id} does not answer"))
            .address(id.to_string())
            .detail(why.to_owned())
            .hint("it and what needs it are left alone until it answers");
        self.diagnostics.push(Diagnostic { span, ..problem });
        self.hold(id, "it does not answer");
    }

    /// An object of that name is there: it must be ours, and be the same one.
    fn host(&mut self, desired: &DesiredResource, host: &ObservedResource) {
        match owner_record_of(host) {
            Some(owner_record) if owner_record.set == self.desired.set => {}
            Some(owner_record) if self.options.adopt_from.contains(&owner_record.set) => {}
            Some(owner_record) => return self.not_of_set(desired, Some(&owner_record.set), host),
            None if self.takes_from_doubted(host) => {}
            None if said_by_another(host, &self.desired.set) => {
                let set = host.record.doubt.as_ref().map(|doubt| doubt.set.as_str());
                return self.not_of_set(desired, set, host);
            }
            None if self.options.adopt || desired.settings.adopt => {}
            None => return self.not_of_set(desired, None, host),
        }
        let Some(wanted) = uuid_conflict(desired, host).filter(|_| !desired.settings.replace)
        else {
            return;
        };
        self.diagnostics.push(
            Diagnostic::error(
                "uuid-differs",
                format!("{} has another UUID on the host", desired.id),
            )
            .at(uuid_span(desired))
            .address(desired.id.to_string())
            .detail(format!("found {wanted}; the host's object has {}", host.uuid))
            .hint(
                "take the <uuid> out of the manifest, or write the host's; replace = true \
                 re-creates the object",
            ),
        );
        self.hold(&desired.id, "its UUID differs from the host's");
    }

    /// Whether a record that is not believed names a set whose objects are taken over.
    fn takes_from_doubted(&self, host: &ObservedResource) -> bool {
        let doubt = host.record.doubt.as_ref();
        doubt.is_some_and(|doubt| self.options.adopt_from.contains(&doubt.set))
    }

    /// Objects of somebody else are shown and left alone.
    fn not_of_set(
        &mut self,
        desired: &DesiredResource,
        owner: Option<&str>,
        host: &ObservedResource,
    ) {
        let id = &desired.id;
        let doubt = host.record.doubt.as_ref();
        let (what, detail, hint) = match owner {
            Some(set) => (
                "owned by another set",
                match doubt {
                    Some(doubt) => format!("the set \"{set}\" may own it: {}", doubt.describe()),
                    None => format!("the set \"{set}\" owns it"),
                },
                format!(
                    "rename this one; or pass --adopt-from {set}, or release it from that set \
                     with virt release {id}, once its manifests no longer name it"
                ),
            ),
            None => (
                "not managed",
                unowned(host),
                format!(
                    "pass --adopt (with --only {id} for just this one), or write adopt = true in its manifest"
                ),
            ),
        };
        self.diagnostics.push(
            Diagnostic::error("not-owned", format!("{id} is on the host and {what}"))
                .at(desired.span)
                .address(id.to_string())
                .detail(detail)
                .hint(hint),
        );
        self.hold(id, &format!("it is on the host and {what}"));
    }

    /// A UUID that another object of the same kind has cannot be defined again: most likely the
    /// object was renamed, in its manifest or on the host.
    fn uuid(&mut self, desired: &DesiredResource) {
        let arrival = self.options.crossing.arriving.get(&desired.id).and_then(|a| a.old.as_ref());
        let uuid = arrival.map(|old| old.uuid).or_else(|| uuid_in(desired.definition.as_element()));
        let uuid = uuid.unwrap_or_else(|| {
            derived_uuid(&self.desired.set, self.options.host.as_deref(), &desired.id)
        });
        if arrival.is_none()
            && let Some(host) = set_aside(self.desired, desired, self.observed, self.options)
        {
            return self.set_aside(desired, host);
        }
        if arrival.is_none()
            && let Some(host) = renamed(self.desired, desired, self.observed, self.options)
        {
            return self.rename(desired, host);
        }
        let others = self.observed.resources.iter().map(|(id, o)| (id, o.uuid));
        let silent = self.observed.unknown.iter().map(|(id, o)| (id, o.uuid));
        let same = |(id, of): &(&ResourceId, Uuid)| *of == uuid && id.kind == desired.id.kind;
        let Some((other, _)) = others.chain(silent).find(same) else { return };
        self.diagnostics.push(
            Diagnostic::error("uuid-taken", format!("the UUID of {} is taken", desired.id))
                .at(uuid_span(desired))
                .address(desired.id.to_string())
                .detail(format!("{other} on the host has {uuid}"))
                .hint("a name is an identity: rename the object on the host to match, or give this one a <uuid> of its own"),
        );
        self.hold(&desired.id, "its UUID is taken");
    }

    /// Blocks a resource that somebody has renamed on the host, for some reason.
    fn set_aside(&mut self, desired: &DesiredResource, host: &ObservedResource) {
        self.diagnostics.push(
            Diagnostic::error("set-aside", format!("{} was renamed on the host", desired.id))
                .at(desired.span)
                .address(desired.id.to_string())
                .detail(format!("it is {} there, with the same UUID", host.id))
                .hint(format!(
                    "virsh domrename {} {} takes that back; for a new one beside it write a <uuid> of its \
                     own into the manifest",
                    host.id.name, desired.id.name
                )),
        );
        self.hold(&desired.id, &format!("it was renamed to {} on the host", host.id));
    }

    /// Renames an object that is there under another name, if its state allows that.
    fn rename(&mut self, desired: &DesiredResource, host: &ObservedResource) {
        let Some(why) = hindrance(host) else { return };
        self.diagnostics.push(
            Diagnostic::error(
                "cannot-rename",
                format!("{} is {} on the host", desired.id, host.id),
            )
            .at(desired.definition.root().child("name").map_or(desired.span, NodeRef::text_span))
            .address(desired.id.to_string())
            .detail("their UUID is the same")
            .hint(why),
        );
        self.hold(&desired.id, "it is on the host under another name");
    }

    /// Blocks a resource that needs something which is neither in the manifests nor on the host, and in turn
    /// those that need it.
    fn needs(&mut self) {
        let (desired, mut hints) = (self.desired, BTreeMap::new());
        let mut dependants: BTreeMap<&ResourceId, Vec<&Arc<DesiredResource>>> = BTreeMap::new();
        for resource in desired.resources.values() {
            for needed in &resource.depends_on {
                dependants.entry(needed).or_default().push(resource);
            }
        }
        // each is looked at again only when something that it needs was held back
        let mut open: Vec<&Arc<DesiredResource>> = desired.resources.values().collect();
        while !open.is_empty() {
            let found: Vec<(&Arc<DesiredResource>, &ResourceId)> =
                open.iter().filter_map(|r| Some((*r, self.lacking(r)?))).collect();
            for (resource, missing) in &found {
                self.lacks(resource, missing, &mut hints);
            }
            let next = found.iter().filter_map(|(r, _)| dependants.get(&r.id)).flatten();
            let next: BTreeMap<&ResourceId, &Arc<DesiredResource>> =
                next.map(|r| (&r.id, *r)).collect();
            open = next.into_values().collect();
        }
    }

    /// The first thing that a resource needs and will not be there.
    fn lacking<'r>(&self, resource: &'r DesiredResource) -> Option<&'r ResourceId> {
        if self.blocked.contains_key(&resource.id) || !self.selected(&resource.id) {
            return None;
        }
        resource.depends_on.iter().find(|d| {
            let planned = self.desired.resources.contains_key(d)
                && self.selected(d)
                && !self.blocked.contains_key(d);
            !planned && (!self.answers(d) || self.is_wrong(d) || self.stays_down(resource, d))
        })
    }

    /// Whether a resource is blocked for a fault of its manifest.
    fn is_wrong(&self, id: &ResourceId) -> bool {
        let is_refused = |r: &Arc<DesiredResource>| !r.refused.is_empty();
        self.blocked.contains_key(id) && self.desired.resources.get(id).is_some_and(is_refused)
    }

    /// Whether the host has the object, and could read it.
    fn answers(&self, id: &ResourceId) -> bool {
        self.observed.resources.contains_key(id)
    }

    /// Whether a guest could not be started, since its network is not and will not be.
    fn stays_down(&self, resource: &DesiredResource, needed: &ResourceId) -> bool {
        let state = |id: &ResourceId| self.observed.resources.get(id).map(|h| h.state.is_active());
        let starts = matches!(resource.settings.power, Power::Running | Power::Paused)
            && resource.id.kind.is_guest()
            && state(&resource.id) != Some(true);
        let is_down = needed.kind.connects_guests() && state(needed) == Some(false);
        starts && is_down && self.blocked.contains_key(needed)
    }

    /// Blocks a resource that lacks something. `hints` caches the suggestion for each missing thing, found
    /// among all names.
    fn lacks(
        &mut self,
        resource: &DesiredResource,
        missing: &ResourceId,
        hints: &mut BTreeMap<ResourceId, String>,
    ) {
        let reason = if self.observed.unknown.contains_key(missing) {
            format!("it needs {missing}, which does not answer")
        } else if self.blocked.contains_key(missing) {
            format!("it needs {missing}, which is blocked")
        } else if self.desired.resources.contains_key(missing) {
            self.diagnostics.push(
                Diagnostic::error("not-selected", format!("{} needs {missing}", resource.id))
                    .at(resource.span)
                    .address(resource.id.to_string())
                    .detail("found in the manifests, but not on the host, and --only leaves it out")
                    .hint(format!("add --only {missing}")),
            );
            format!("it needs {missing}, which --only leaves out")
        } else {
            let mut networks = Domain::new(resource.definition.root()).networks();
            let span = networks.find(|(id, _)| id == missing).map_or(resource.span, |(_, s)| s);
            let looks = hints.len() < LOOKS_MAX;
            let hint = hints.get(missing).cloned().unwrap_or_else(|| {
                let known = self.desired.resources.keys().chain(self.observed.resources.keys());
                let names = known.filter(|id| id.kind == missing.kind).map(|id| id.name.as_str());
                match looks.then(|| diagnostics::closest(&missing.name, names)).flatten() {
                    Some(close) => format!("did you mean {}/{close}?", missing.kind),
                    None => format!("add a manifest for {missing}, or define it on the host first"),
                }
            });
            if looks {
                hints.insert(missing.clone(), hint.clone());
            }
            self.diagnostics.push(
                Diagnostic::error("missing-reference", format!("{} needs {missing}", resource.id))
                    .at(span)
                    .address(resource.id.to_string())
                    .detail("found neither in the manifests nor on the host")
                    .hint(hint),
            );
            format!("it needs {missing}, which is neither in the manifests nor on the host")
        };
        self.blocked.insert(resource.id.clone(), reason);
    }
}

fn uuid_span(desired: &DesiredResource) -> diagnostics::Span {
    desired.definition.root().child("uuid").map_or(desired.span, NodeRef::text_span)
}
