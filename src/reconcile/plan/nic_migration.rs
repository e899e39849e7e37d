//! Interfaces of running guests while their network is down: they are parked on a network made for that, and
//! taken back. A tap that its bridge has lost does not come back by itself, and nothing shows that it is
//! lost; a parked interface shows it, so that an interrupted restart is finished by the next run.

use super::decide::DraftStep;
use super::step::{Otherwise, Step, StepAction, Until};
use super::types::{Action, ResourceChange};
use crate::model::{
    Affect, Capabilities, DomainOp, Effect, Kind, NAMESPACE, NetworkOp, Observed, ObservedResource,
    Op, OpKind, PREFIX, ResourceId, Target, Uuid,
};
use diagnostics::{SourceId, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use xmltree::{Document, Element, Limits, Name, NodeRef, parse, write, write_compact};

/// Longest wait for a network to become active.
const START: Duration = Duration::from_secs(30);

/// The element in the metadata of a helper network that says whose it is.
pub(crate) const PARKED: &str = "aside";

/// The modes of forwarding in which libvirt makes a network's bridge.
const BRIDGE_MODES: [&str; 4] = ["nat", "none", "open", "route"];

/// Interface of a running guest.
#[derive(Clone, Debug)]
pub(crate) struct Nic {
    /// The guest.
    pub(crate) guest: Target,
    /// Interface, on the network or bridge where it belongs.
    home: Element,
    /// Whether the interface is parked.
    is_parked: bool,
}

impl Nic {
    /// Whether the interface is somewhere else, or gone, once these steps of its guest are done.
    pub(crate) fn leaves_by(&self, change: &ResourceChange, steps: &[DraftStep]) -> bool {
        if change.id != self.guest.id {
            return false;
        }
        let mac = |nic: &Element| {
            let mac = nic.child("mac").and_then(|mac| mac.attr("address"));
            mac.map(str::to_ascii_lowercase)
        };
        let place = |nic: &Element| {
            let source = nic.child("source");
            let name = |attribute| source.and_then(|s| s.attr(attribute)).map(str::to_owned);
            (name("network"), name("bridge"))
        };
        let (own, home) = (mac(&self.home), place(&self.home));
        let is_elsewhere = |nic: &Element| mac(nic) != own || place(nic) != home;
        let calls = steps.iter().filter_map(|step| match &step.action {
            StepAction::Call(op) => Some(op),
            StepAction::Wait { .. } => None,
        });
        calls.into_iter().any(|op| match op {
            Op::Domain(
                op @ (DomainOp::Update { xml, affect: Affect::Live | Affect::Both }
                | DomainOp::Detach { xml, affect: Affect::Live | Affect::Both }),
            ) => {
                let device = parse(SourceId::NONE, xml, &Limits::default()).ok();
                device.filter(|d| d.is("interface") && mac(d) == own).is_some_and(|device| {
                    matches!(op, DomainOp::Detach { .. }) || place(&device) != home
                })
            }
            op if op.ends() => change.after.as_ref().is_some_and(|after| {
                let devices = after.child("devices");
                devices.into_iter().flat_map(|d| d.children_named("interface")).all(is_elsewhere)
            }),
            _ => false,
        })
    }
}

/// Returns the interfaces of running domains by their network: those that name it, and those on its bridge. A
/// parked one counts as at home. A network whose bridge or devices are the host's own has none: they stay as
/// they are when it goes down.
pub(crate) fn nics(observed: &Observed) -> BTreeMap<String, Vec<Nic>> {
    let networks = || observed.resources.values().filter(|h| makes_its_bridge(h));
    let names: BTreeMap<&str, &ObservedResource> =
        networks().map(|network| (network.id.name.as_str(), network)).collect();
    let bridges: BTreeMap<&str, &ObservedResource> =
        networks().filter_map(|network| Some((bridge_of(network)?, network))).collect();
    let mut nics: BTreeMap<String, Vec<Nic>> = BTreeMap::new();
    for host in observed.resources.values().filter(|h| h.id.kind.is_guest()) {
        let devices = host.live.as_ref().and_then(|live| live.root().child("devices"));
        for element in devices.into_iter().flat_map(|d| d.children_named("interface")) {
            let source = |name| element.child("source").and_then(|s| s.attr(name));
            let network = match element.attr("type") {
                Some("network") => source("network").and_then(|name| names.get(name)),
                Some("bridge") => source("bridge").and_then(|bridge| bridges.get(bridge)),
                _ => None,
            };
            let Some(network) = network else { continue };
            let mut home = plain(element.as_element());
            let parked = home_of(network);
            if let Some(name) = &parked {
                let place = home.child_or_new("source");
                match element.attr("type") {
                    Some("network") => place.set_attr("network", name.as_str()),
                    _ => {
                        let bridge = names.get(name.as_str()).and_then(|n| bridge_defined(n));
                        place.put_attr("bridge", bridge);
                    }
                }
            }
            let guest = Target { id: host.id.clone(), uuid: host.uuid };
            let is_parked = parked.is_some();
            let name = parked.unwrap_or_else(|| network.id.name.clone());
            nics.entry(name).or_default().push(Nic { guest, home, is_parked });
        }
    }
    nics
}

/// Returns a digest of the guests on the networks that these steps take down: one that has joined since the
/// plan was made was not considered when it was allowed.
pub(crate) fn cut_off(observed: &Observed, steps: &[Step]) -> String {
    let down = |s: &&Step| s.action.calls(OpKind::Destroy);
    let down = steps.iter().filter(down).map(|step| &step.target.id);
    let down: BTreeSet<&ResourceId> = down.filter(|id| id.kind.connects_guests()).collect();
    if down.is_empty() {
        return String::new();
    }
    let nics = nics(observed);
    let of = |id: &&ResourceId| nics.get(&id.name).into_iter().flatten();
    let name = |nic: &Nic| {
        let mac = nic.home.child("mac").and_then(|mac| mac.attr("address"));
        format!("{} {}\n", nic.guest.id.name, mac.unwrap_or_default())
    };
    let names: BTreeSet<String> = down.iter().flat_map(of).map(name).collect();
    names.into_iter().collect()
}

/// Returns the guests of these interfaces, each once.
pub(crate) fn guests(nics: &[Nic]) -> Vec<String> {
    let names: BTreeSet<&str> = nics.iter().map(|c| c.guest.id.name.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Whether the object is a network that comes and goes with a bridge of its own.
fn makes_its_bridge(network: &ObservedResource) -> bool {
    let definition = network.live.as_ref().or(network.persistent.as_ref());
    network.id.kind.connects_guests()
        && definition.map(Document::as_element).is_none_or(makes_a_bridge)
}

/// Whether a network of this definition comes and goes with a bridge of its own.
pub(crate) fn makes_a_bridge(definition: &Element) -> bool {
    let forward = definition.child("forward");
    let mode = forward.map_or("none", |f| f.attr("mode").unwrap_or("nat"));
    BRIDGE_MODES.contains(&mode)
}

fn bridge_of(network: &ObservedResource) -> Option<&str> {
    network.live.as_ref()?.root().child("bridge")?.attr("name")
}

/// The bridge that it has, or will have.
fn bridge_defined(network: &ObservedResource) -> Option<&str> {
    let definition = network.live.as_ref().or(network.persistent.as_ref())?;
    definition.root().child("bridge")?.attr("name")
}

/// Returns the steps of a network's restart, with the interfaces on it parked and taken back.
pub(crate) fn restart(
    network: &ObservedResource,
    nics: &[Nic],
    observed: &Observed,
    capabilities: &Capabilities,
    steps: Vec<DraftStep>,
) -> Vec<DraftStep> {
    let effect = Effect::NetworkRestart;
    // a network that stays down cannot take them back
    let comes_up = steps.iter().any(|s| s.action.calls(OpKind::Create));
    if nics.is_empty() || !comes_up || !can_move(network, capabilities) {
        return steps;
    }
    let parked = Parked::of(network);
    let call = |target: &Target, op: Op| DraftStep::new(target, StepAction::Call(op), effect);
    let update = |nic: &Nic, element: &Element| {
        let op = DomainOp::Update { xml: write_compact(element), affect: Affect::Live };
        call(&nic.guest, op.into())
    };
    let mut all = Vec::new();
    // an interrupted run may have made it
    let there = observed.resources.get(&parked.target.id);
    if there.is_none() {
        let xml = write(&parked.definition(&network.id, nics));
        all.push(call(&parked.target, NetworkOp::Define { xml }.into()));
    }
    if there.is_none_or(|network| !network.state.is_active()) {
        all.push(call(&parked.target, NetworkOp::Create.into()));
    }
    let at_home = nics.iter().filter(|nic| !nic.is_parked);
    all.extend(at_home.map(|nic| update(nic, &parked.put(nic))));
    all.extend(steps);
    all.extend(nics.iter().map(|nic| update(nic, &nic.home)));
    all.extend(parked.removal(effect, true));
    all
}

/// Whether interfaces can be parked: for a network with a bridge of its own, where running ones can be moved.
fn can_move(network: &ObservedResource, capabilities: &Capabilities) -> bool {
    let moves = capabilities.domain.live.moves_interfaces;
    moves && capabilities.supports(Kind::Domain, OpKind::Update) && bridge_of(network).is_some()
}

/// Handles the remains of an interrupted restart: networks for parked interfaces, with those that are still
/// on them. They go home and the network is removed, if their home is selected and is up after the steps
/// `decided`. Returns the change of each network, with its steps.
pub(crate) fn left_behind(
    observed: &Observed,
    nics: &BTreeMap<String, Vec<Nic>>,
    decided: &[&DraftStep],
    selected: impl Fn(&ResourceId) -> bool,
) -> Vec<(ResourceChange, Vec<DraftStep>)> {
    let networks = observed.resources.values().filter(|h| h.id.kind.connects_guests());
    let left = networks.filter_map(|parked| Some((parked, home_of(parked)?)));
    let left = left.filter(|(parked, home)| {
        let home = ResourceId::new(Kind::Network, home.as_str());
        let there = observed.resources.get(&home);
        // a restart that is planned anew sees to them itself
        let restarts = steps_of(decided, &parked.id).next().is_some();
        selected(&home) && !restarts && there.is_some_and(|home| will_be_up(home, decided))
    });
    left.map(|(parked, home)| {
        let target = Target { id: parked.id.clone(), uuid: parked.uuid };
        let on_it = nics.get(&home).into_iter().flatten().filter(|nic| nic.is_parked);
        let mut steps: Vec<DraftStep> = on_it
            .map(|nic| {
                let xml = write_compact(&nic.home);
                let action =
                    StepAction::Call(DomainOp::Update { xml, affect: Affect::Live }.into());
                DraftStep::new(&nic.guest, action, Effect::Live)
            })
            .collect();
        let effect = if steps.is_empty() { Effect::None } else { Effect::Live };
        let parked = Parked { target, bridge: String::new() };
        let is_active =
            observed.resources.get(&parked.target.id).is_some_and(|n| n.state.is_active());
        steps.extend(parked.removal(Effect::None, is_active));
        let change = ResourceChange {
            action: Action::Delete,
            effect,
            reason: format!("left by an interrupted restart of network/{home}"),
            ..ResourceChange::nothing(parked.target.id, Span::NONE)
        };
        (change, steps)
    })
    .collect()
}

fn steps_of<'a>(
    decided: &'a [&DraftStep],
    id: &'a ResourceId,
) -> impl Iterator<Item = &'a DraftStep> {
    decided.iter().copied().filter(move |step| step.target.id == *id)
}

fn will_be_up(network: &ObservedResource, decided: &[&DraftStep]) -> bool {
    let turns = steps_of(decided, &network.id).filter_map(|step| match &step.action {
        action if action.calls(OpKind::Create) => Some(true),
        action if action.calls(OpKind::Destroy) => Some(false),
        StepAction::Call(_) | StepAction::Wait { .. } => None,
    });
    turns.last().unwrap_or_else(|| network.state.is_active())
}

/// Returns the network whose interfaces are parked on this one.
fn home_of(network: &ObservedResource) -> Option<String> {
    let definition = network.persistent.as_ref().or(network.live.as_ref())?;
    let parked = definition.root().child("metadata")?.elements().find(|e| is_parked(*e))?;
    parked.attr("of").map(str::to_owned)
}

fn is_parked(element: NodeRef<'_>) -> bool {
    element.name().local == PARKED && element.name().namespace.as_deref() == Some(NAMESPACE)
}

/// Network on which interfaces are parked.
struct Parked {
    target: Target,
    bridge: String,
}

impl Parked {
    /// Derives the names from the network's UUID, so that a second run finds the same network.
    fn of(network: &ObservedResource) -> Self {
        let owner_record: String = network.uuid.simple().to_string().chars().take(8).collect();
        let id = ResourceId::new(Kind::Network, format!("virt-aside-{owner_record}"));
        let uuid = Uuid::new_v5(&network.uuid, b"aside");
        Self { target: Target { id, uuid }, bridge: format!("vaside{owner_record}") }
    }

    /// Builds the definition, with the portgroups that interfaces name, so that a parked one still shows
    /// which is its own; these have no settings.
    fn definition(&self, home: &ResourceId, nics: &[Nic]) -> Element {
        let note = Element::named(Name::qualified(PREFIX, NAMESPACE, PARKED))
            .with_attr("of", home.name.clone());
        let portgroup = |nic: &Nic| Some(nic.home.child("source")?.attr("portgroup")?.to_owned());
        let portgroups: BTreeSet<String> = nics.iter().filter_map(portgroup).collect();
        let network = Element::new("network")
            .with_child(Element::new("name").with_text(self.target.id.name.clone()))
            .with_child(Element::new("uuid").with_text(self.target.uuid.to_string()))
            .with_child(Element::new("metadata").with_child(note))
            .with_child(Element::new("bridge").with_attr("name", self.bridge.clone()));
        portgroups.into_iter().fold(network, |network, name| {
            network.with_child(Element::new("portgroup").with_attr("name", name))
        })
    }

    /// Returns the interface as it is on this network.
    fn put(&self, nic: &Nic) -> Element {
        let mut element = nic.home.clone();
        let source = element.child_or_new("source");
        match nic.home.attr("type") {
            Some("bridge") => source.set_attr("bridge", self.bridge.clone()),
            _ => source.set_attr("network", self.target.id.name.clone()),
        }
        element
    }

    fn removal(&self, effect: Effect, is_active: bool) -> Vec<DraftStep> {
        let destroy = is_active.then_some(NetworkOp::Destroy);
        let ops = destroy.into_iter().chain([NetworkOp::Undefine]);
        let step =
            |op: NetworkOp| DraftStep::new(&self.target, StepAction::Call(op.into()), effect);
        ops.map(step).collect()
    }
}

/// Returns the interface without the parts that only an instance has.
fn plain(nic: &Element) -> Element {
    let mut nic = nic.clone();
    if let Some(source) = nic.child_mut("source") {
        source.remove_attr("portid");
        if source.attr("network").is_some() {
            source.remove_attr("bridge");
        }
    }
    nic
}

/// Returns the wait until a started network is active.
pub(crate) fn wait_until_active() -> StepAction {
    StepAction::Wait { until: Until::Active, timeout: START, otherwise: Otherwise::Fail }
}
