//! All objects of a host as a value, and a change to one of them.

use super::errors::fault;
use super::post_parse;
use crate::error::{ErrorCode, ErrorDomain, Result};
use crate::model::{
    Detail, Kind, Observed, ObservedResource, ResourceId, Scope, Snapshot, State, Target, Uuid,
};
use std::collections::{BTreeMap, BTreeSet};
use xmltree::{Document, Element, Path};

/// All objects of a host: what is defined and what runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    /// By kind and name.
    pub(crate) objects: BTreeMap<ResourceId, Object>,
}

/// A domain or a network.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Its UUID, which both definitions carry.
    pub(crate) uuid: Uuid,
    /// Definition for the next boot; `None` if the object is transient.
    pub(crate) persistent: Option<Element>,
    /// Definition of the running instance; `None` if it is not active. One of the two is always there.
    pub(crate) live: Option<Element>,
    /// Current state.
    pub(crate) state: State,
    /// libvirt's number for why.
    pub(crate) reason: i32,
    /// Whether it starts with the host.
    pub(crate) autostart: bool,
    /// Whether it has a saved memory image.
    pub(crate) managed_save: bool,
    /// The names of its snapshots and checkpoints.
    pub(crate) snapshots: Vec<String>,
    pub(crate) checkpoints: Vec<String>,
}

/// A change that an operation makes: what the object becomes; `None` if it is gone.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) id: ResourceId,
    pub(crate) object: Option<Object>,
    /// Its name before, if it gets another.
    pub(crate) was: Option<ResourceId>,
}

impl Change {
    /// A change of an object that keeps its name.
    pub(crate) fn of(id: ResourceId, object: Option<Object>) -> Self {
        Self { id, object, was: None }
    }
}

impl Store {
    /// Takes a new object in under the name in its definition.
    pub(crate) fn add(&mut self, kind: Kind, object: Object) -> Result<()> {
        let name = object.definition().and_then(|d| d.child_text("name")).unwrap_or_default();
        self.check_identity(kind, &name, object.uuid)?;
        let message = format!("{kind} '{name}' is there twice");
        let id = ResourceId::new(kind, name);
        match self.commit(Change::of(id, Some(object))).object {
            None => Ok(()),
            Some(_) => Err(fault(ErrorCode::OPERATION_FAILED, ErrorDomain::TEST, message)),
        }
    }

    /// Makes a change and returns the one that takes it back.
    pub(crate) fn commit(&mut self, change: Change) -> Change {
        if let Some(was) = change.was {
            let before = self.objects.remove(&was);
            if let Some(object) = change.object {
                self.objects.insert(change.id.clone(), object);
            }
            return Change { id: was, object: before, was: Some(change.id) };
        }
        let before = match change.object {
            Some(object) => self.objects.insert(change.id.clone(), object),
            None => self.objects.remove(&change.id),
        };
        Change::of(change.id, before)
    }

    /// The object with the target's kind and UUID.
    pub(crate) fn find(&self, target: &Target) -> Result<(&ResourceId, &Object)> {
        let kind = target.id.kind;
        let here =
            |(id, object): &(&ResourceId, &Object)| id.kind == kind && object.uuid == target.uuid;
        // The name leads there at once; it is the UUID that decides.
        let by_name = self.objects.get_key_value(&target.id).filter(here);
        by_name.or_else(|| self.objects.iter().find(here)).ok_or_else(|| {
            let (uuid, name) = (target.uuid, &target.id.name);
            let message = format!("no {kind} with matching uuid '{uuid}' ({name})");
            fault(super::errors::absent(kind), ErrorDomain::TEST, message)
        })
    }

    /// Refuses a name that exists with another UUID, and a UUID that exists with another name.
    pub(crate) fn check_identity(&self, kind: Kind, name: &str, uuid: Uuid) -> Result<()> {
        let taken =
            self.objects.iter().filter(|(id, _)| id.kind == kind).find_map(|(id, o)| {
                match (id.name == name, o.uuid == uuid) {
                    (true, false) => {
                        Some(format!("{kind} '{name}' already exists with uuid {}", o.uuid))
                    }
                    (false, true) => {
                        Some(format!("{kind} '{}' is already defined with uuid {uuid}", id.name))
                    }
                    _ => None,
                }
            });
        match taken {
            Some(message) => {
                let domain = super::errors::parser_of(kind);
                Err(fault(ErrorCode::OPERATION_FAILED, domain, message))
            }
            None => Ok(()),
        }
    }

    /// The lowest id above those of the running domains.
    fn next_id(&self) -> u32 {
        let id = |o: &Object| o.live.as_ref()?.attr("id")?.parse::<u32>().ok();
        self.objects.values().filter_map(id).max().map_or(1, |n| n.saturating_add(1))
    }

    /// Returns the observed state.
    pub(crate) fn observe(&self, scope: &Scope) -> Observed {
        let seen = self.objects.iter().filter(|(id, _)| scope.includes(id));
        let resources = seen.map(|(id, o)| (id.clone(), o.observed(id, scope.detail)));
        Observed { resources: resources.collect(), ..Observed::default() }
    }
}

impl Object {
    /// A new object from the document that defines it. Fills in what libvirt fills in.
    pub(crate) fn defined(kind: Kind, mut definition: Element, store: &Store) -> Result<Self> {
        let uuid = post_parse::identity(kind, &mut definition)?;
        match kind {
            Kind::Domain => post_parse::domain(&mut definition)?,
            Kind::Network => post_parse::network(&mut definition, |name| free_bridge(name, store))?,
            Kind::Pool | Kind::Volume => {
                let message = "this driver has no storage";
                return Err(fault(ErrorCode::NO_SUPPORT, ErrorDomain::STORAGE, message));
            }
        }
        Ok(Self {
            uuid,
            persistent: Some(definition),
            live: None,
            state: State::Shutoff,
            reason: 0,
            autostart: false,
            managed_save: false,
            snapshots: Vec::new(),
            checkpoints: Vec::new(),
        })
    }

    /// Starts it from its persistent definition, if it has one.
    pub(crate) fn start(&mut self, store: &Store, state: State, reason: i32) {
        let mut live = self.persistent.clone();
        if let Some(domain) = live.as_mut().filter(|e| e.is(Kind::Domain.as_str())) {
            domain.set_attr("id", store.next_id().to_string());
        }
        self.live = live;
        self.state = state;
        self.reason = reason;
        self.managed_save = false;
    }

    /// Stops it. A transient one is gone then.
    pub(crate) fn stop(mut self, reason: i32) -> Option<Self> {
        self.live = None;
        self.state = State::Shutoff;
        self.reason = reason;
        self.persistent.is_some().then_some(self)
    }

    /// Whether it runs.
    pub(crate) fn is_active(&self) -> bool {
        self.live.is_some()
    }

    fn definition(&self) -> Option<&Element> {
        self.persistent.as_ref().or(self.live.as_ref())
    }

    fn observed(&self, id: &ResourceId, detail: Detail) -> ObservedResource {
        let full = detail == Detail::Full;
        let snapshot = |name: &String| Snapshot { name: name.clone(), ..Snapshot::default() };
        ObservedResource {
            persistent: self.persistent.clone().filter(|_| full).map(Document::from),
            live: self.live.clone().filter(|_| full).map(Document::from),
            state: self.state,
            reason: self.reason,
            autostart: self.autostart,
            is_persistent: self.persistent.is_some(),
            managed_save: self.managed_save,
            snapshots: self.snapshots.iter().filter(|_| full).map(snapshot).collect(),
            checkpoints: self.checkpoints.iter().filter(|_| full).cloned().collect(),
            ..ObservedResource::unread(id.clone(), self.uuid)
        }
    }
}

/// The bridge that the network of this name has, else the first that no network has.
fn free_bridge(name: &str, store: &Store) -> String {
    let bridge = Path { steps: Vec::new(), attribute: Some("name".to_owned()) };
    let name_of = |e: &Element| e.child("bridge").and_then(|b| bridge.value(b));
    let networks = store.objects.iter().filter(|(id, _)| id.kind.connects_guests());
    let mut taken = BTreeSet::new();
    for (id, network) in networks {
        for definition in [&network.persistent, &network.live].into_iter().flatten() {
            match name_of(definition) {
                Some(bridge) if id.name == name => return bridge,
                Some(bridge) => drop(taken.insert(bridge)),
                None => {}
            }
        }
    }
    let mut names = (0_u32..).map(|n| format!("virbr{n}"));
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}
