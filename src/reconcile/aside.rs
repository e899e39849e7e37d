//! Cards of running guests while their network is down: they are put aside on a network that is there
//! for nothing else, and back. A tap that its bridge has lost does not come back by itself, and
//! nothing shows that it is lost; a card that is aside says so, so that an interrupted restart is
//! finished by the next run.

use super::changes::{Action, Otherwise, ResourceChange, StepAction, Until};
use super::decide::{Decision, DraftStep};
use crate::diag::Span;
use crate::model::{
    Affect, Capabilities, Effect, Hypervisor, Kind, NAMESPACE, Observed, ObservedResource, Op,
    OpKind, PREFIX, ResourceId, Target, UndefineKeep, Uuid,
};
use crate::xml::{Element, Name, write, write_compact};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a network may take until the host says that it is active.
const START: Duration = Duration::from_secs(30);

/// A card of a running guest.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    /// The guest.
    pub(crate) guest: Target,
    /// The card as it runs.
    element: Element,
}

/// Cards of running domains by the network they are on: those that name it, and those that are on its
/// bridge.
pub(crate) fn cards(observed: &Observed) -> BTreeMap<String, Vec<Card>> {
    let networks = observed.resources.values().filter(|h| h.id.kind == Kind::Network);
    let bridges: BTreeMap<&str, &str> =
        networks.filter_map(|h| Some((bridge_of(h)?, h.id.name.as_str()))).collect();
    let mut cards: BTreeMap<String, Vec<Card>> = BTreeMap::new();
    for host in observed.resources.values().filter(|h| h.id.kind == Kind::Domain) {
        let devices = host.live.as_ref().and_then(|live| live.child("devices"));
        for element in devices.into_iter().flat_map(|d| d.children_named("interface")) {
            let source = |name| element.child("source").and_then(|s| s.attr(name));
            let network = match element.attr("type") {
                Some("network") => source("network"),
                Some("bridge") => source("bridge").and_then(|bridge| bridges.get(bridge).copied()),
                _ => None,
            };
            let Some(network) = network else { continue };
            let guest = Target { id: host.id.clone(), uuid: host.uuid };
            let card = Card { guest, element: element.clone() };
            cards.entry(network.to_owned()).or_default().push(card);
        }
    }
    cards
}

/// The guests of these cards, each once.
pub(crate) fn guests(cards: &[Card]) -> Vec<String> {
    let names: BTreeSet<&str> = cards.iter().map(|c| c.guest.id.name.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

fn bridge_of(network: &ObservedResource) -> Option<&str> {
    network.live.as_ref()?.child("bridge")?.attr("name")
}

/// A network's restart with the cards on it put aside and back.
pub(crate) fn restart(
    network: &ObservedResource,
    cards: &[Card],
    capabilities: &Capabilities,
    steps: Vec<DraftStep>,
) -> Vec<DraftStep> {
    let effect = Effect::NetworkRestart;
    if cards.is_empty() || !can_move(network, capabilities) {
        return steps;
    }
    let aside = Aside::of(network);
    let call = |target: &Target, op| DraftStep {
        target: target.clone(),
        action: StepAction::Call(op),
        effect,
    };
    let update = |card: &Card, element: &Element| {
        call(&card.guest, Op::Update { xml: write_compact(element), affect: Affect::Live })
    };
    let mut all = vec![
        call(&aside.target, Op::Define { xml: write(&aside.definition(&network.id)) }),
        call(&aside.target, Op::Create { paused: false }),
    ];
    all.extend(cards.iter().map(|card| update(card, &aside.put(card))));
    all.extend(steps);
    all.extend(cards.iter().map(|card| update(card, &plain(&card.element))));
    all.extend(aside.removal(effect, true));
    all
}

/// Whether cards can be put aside: of a network with a bridge of its own, where running cards can be
/// moved.
fn can_move(network: &ObservedResource, capabilities: &Capabilities) -> bool {
    let moves = matches!(capabilities.hypervisor, Hypervisor::Qemu | Hypervisor::Test);
    moves && capabilities.supports(Kind::Domain, OpKind::Update) && bridge_of(network).is_some()
}

/// What an interrupted restart has left: networks to put cards aside, with the cards that are still
/// on them.
pub(crate) fn left_behind(
    observed: &Observed,
    cards: &BTreeMap<String, Vec<Card>>,
) -> Vec<Decision> {
    let networks = observed.resources.values().filter(|h| h.id.kind == Kind::Network);
    let left = networks.filter_map(|aside| Some((aside, home_of(aside)?)));
    left.map(|(aside, home)| {
        let target = Target { id: aside.id.clone(), uuid: aside.uuid };
        let mut steps: Vec<DraftStep> = cards
            .get(&aside.id.name)
            .into_iter()
            .flatten()
            // one that asked for a bridge has found its way by that
            .filter(|card| card.element.attr("type") == Some("network"))
            .map(|card| {
                let mut element = plain(&card.element);
                element.child_or_new("source").set_attr("network", home.as_str());
                let op = Op::Update { xml: write_compact(&element), affect: Affect::Live };
                let action = StepAction::Call(op);
                DraftStep { target: card.guest.clone(), action, effect: Effect::Live }
            })
            .collect();
        steps.extend(
            Aside { target, bridge: String::new() }.removal(Effect::None, aside.state.is_active()),
        );
        let change = ResourceChange {
            action: Action::Delete,
            reason: format!("left by an interrupted restart of network/{home}"),
            ..ResourceChange::nothing(aside.id.clone(), Span::NONE)
        };
        Decision { change, steps, refusal: None }
    })
    .collect()
}

/// The network whose cards are put aside on this one.
fn home_of(network: &ObservedResource) -> Option<String> {
    let definition = network.persistent.as_ref().or(network.live.as_ref())?;
    let aside = definition.child("metadata")?.elements().find(|e| is_aside(e))?;
    aside.attr("of").map(str::to_owned)
}

fn is_aside(element: &Element) -> bool {
    element.name.local == "aside" && element.name.namespace.as_deref() == Some(NAMESPACE)
}

/// The network on which cards are put aside.
struct Aside {
    target: Target,
    bridge: String,
}

impl Aside {
    /// Its names follow from the network's UUID, so that a second run meets the same.
    fn of(network: &ObservedResource) -> Self {
        let mark: String = network.uuid.simple().to_string().chars().take(8).collect();
        let id = ResourceId::new(Kind::Network, format!("virt-aside-{mark}"));
        let uuid = Uuid::new_v5(&network.uuid, b"aside");
        Self { target: Target { id, uuid }, bridge: format!("vaside{mark}") }
    }

    fn definition(&self, home: &ResourceId) -> Element {
        let note = Element::named(Name::qualified(PREFIX, NAMESPACE, "aside"))
            .with_attr("of", home.name.clone());
        Element::new("network")
            .with_child(Element::new("name").with_text(self.target.id.name.clone()))
            .with_child(Element::new("uuid").with_text(self.target.uuid.to_string()))
            .with_child(Element::new("metadata").with_child(note))
            .with_child(Element::new("bridge").with_attr("name", self.bridge.clone()))
    }

    /// The card on this network.
    fn put(&self, card: &Card) -> Element {
        let mut element = plain(&card.element);
        let source = element.child_or_new("source");
        match card.element.attr("type") {
            Some("bridge") => source.set_attr("bridge", self.bridge.clone()),
            _ => {
                source.remove_attr("portgroup");
                source.set_attr("network", self.target.id.name.clone());
            }
        }
        element
    }

    fn removal(&self, effect: Effect, is_active: bool) -> Vec<DraftStep> {
        let destroy = is_active.then_some(Op::Destroy);
        let ops = destroy.into_iter().chain([Op::Undefine { keep: UndefineKeep::Nothing }]);
        let step =
            |op| DraftStep { target: self.target.clone(), action: StepAction::Call(op), effect };
        ops.map(step).collect()
    }
}

/// The card without what only an instance has.
fn plain(card: &Element) -> Element {
    let mut card = card.clone();
    if let Some(source) = card.child_mut("source") {
        source.remove_attr("portid");
        if source.attr("network").is_some() {
            source.remove_attr("bridge");
        }
    }
    card
}

/// The wait until what was started is active.
pub(crate) fn wait_until_active() -> StepAction {
    StepAction::Wait { until: Until::Active, timeout: START, otherwise: Otherwise::Fail }
}
