//! A host at which faults strike, and an edit of manifests that is to be applied to it.

use super::scenarios::{SCENARIOS, Scenario};
use crate::support::site::{Site, converge, observe, plan_for};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock};
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext, MockDriver, MockHost};
use virt::error::Result;
use virt::manifest::Loaded;
use virt::model::{
    Answer, Call, Capabilities, DomainOp, Kind, Observed, OpKind, Outcome, Query, ResourceId,
    Scope, Target,
};
use virt::reconcile::{Options, Plan};
use xmltree::write_compact;

/// Reaction of guests to the request to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guests {
    /// Off when the request is answered.
    Obedient,
    /// Off when the host is read for the third time after that.
    Slow,
    /// No reaction.
    Deaf,
}

/// Built-in test host with slow guests, and a record of its calls.
pub(super) struct Host {
    driver: MockDriver,
    guests: Guests,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Calls that arrived, with their outcomes.
    calls: Vec<(Call, Outcome)>,
    reads: usize,
    /// Guests that are shutting down, and how often the host is read before they are off.
    leaving: Vec<(Target, usize)>,
}

impl Host {
    pub(super) fn new(guests: Guests) -> Self {
        let driver = MockDriver::open(MockHost::Default, None).unwrap();
        Self { driver, guests, state: Mutex::default() }
    }

    /// The host of a scenario, before anything was applied to it.
    fn of(scenario: &Scenario) -> Self {
        if scenario.node.is_empty() {
            return Self::new(Guests::Obedient);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), scenario.node).unwrap();
        let driver = MockDriver::open(MockHost::File(file.path().to_owned()), None).unwrap();
        Self { driver, ..Self::new(Guests::Obedient) }
    }

    /// The calls since this was last asked, and how often the host was read meanwhile.
    pub(super) fn take(&self) -> (Vec<(Call, Outcome)>, usize) {
        let mut state = self.state.lock().unwrap();
        (std::mem::take(&mut state.calls), std::mem::take(&mut state.reads))
    }

    /// Lets guests that are shutting down finish.
    pub(super) fn calm_down(&self) {
        while self.state.lock().unwrap().leaving.iter().any(|(_, reads)| *reads < usize::MAX / 2) {
            observe(self);
        }
    }

    fn one(&self, call: &Call) -> Outcome {
        let waits = match (self.guests, call.op.kind()) {
            (Guests::Slow, OpKind::Shutdown) => Some(2),
            (Guests::Deaf, OpKind::Shutdown) => Some(usize::MAX),
            _ => None,
        };
        let mut state = self.state.lock().unwrap();
        if let Some(reads) = waits {
            // a repeated request counts once
            if state.leaving.iter().all(|(target, _)| *target != call.target) {
                state.leaving.push((call.target.clone(), reads));
            }
            return Outcome::Done;
        }
        if call.op.is(OpKind::Destroy) {
            state.leaving.retain(|(target, _)| *target != call.target);
        }
        drop(state);
        self.driver.execute(std::slice::from_ref(call), &ExecContext::default()).pop().unwrap()
    }
}

impl Driver for Host {
    fn name(&self) -> &'static str {
        self.driver.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.driver.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        let mut state = self.state.lock().unwrap();
        state.reads += 1;
        state.leaving.retain_mut(|(target, reads)| {
            if *reads > 0 {
                *reads -= 1;
                return true;
            }
            self.driver.execute(
                &[Call { target: target.clone(), op: DomainOp::Shutdown.into() }],
                &ExecContext::default(),
            );
            false
        });
        self.driver.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.driver.query(query)
    }

    /// Executes calls one by one: drivers around this one keep the order of a batch.
    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let one = |call: &Call| {
            if context.is_cancelled() {
                return Outcome::NotSent(ExecContext::cancelled());
            }
            let outcome = self.one(call);
            self.state.lock().unwrap().calls.push((call.clone(), outcome.clone()));
            outcome
        };
        batch.iter().map(one).collect()
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.driver.watch(events, stop)
    }
}

/// Edit, and its result when nothing goes wrong.
pub(super) struct Case {
    pub(super) scenario: &'static Scenario,
    /// The manifests that were applied last.
    pub(super) before: Loaded,
    pub(super) loaded: Loaded,
    pub(super) options: Options,
    /// Calls that made the host before the edit.
    history: Vec<Call>,
    pub(super) plan: Plan,
    /// The calls and the reads of an apply without a fault.
    pub(super) calls: Vec<Call>,
    pub(super) reads: usize,
    /// The host as it is to be, whatever happens on the way.
    pub(super) wanted: Inventory,
    /// The running instances that the plan leaves alone.
    running: Inventory,
}

/// Lasting state of a host, by object.
pub(super) type Inventory = BTreeMap<ResourceId, String>;

/// Operations that take something away from a guest or from the host.
pub(super) const DISRUPTIVE: [OpKind; 6] = [
    OpKind::Undefine,
    OpKind::Shutdown,
    OpKind::Destroy,
    OpKind::Suspend,
    OpKind::Detach,
    OpKind::DiscardSaved,
];

/// Returns all edits.
pub(super) fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| SCENARIOS.iter().map(Case::new).collect())
}

/// Between them the edits lead to every operation, of each kind of resource that takes it, and to a
/// wait.
pub(super) fn every_kind_of_step_is_met() {
    let met: BTreeSet<(Kind, OpKind)> = cases()
        .iter()
        .flat_map(|case| &case.calls)
        .map(|call| (call.target.id.kind, call.op.kind()))
        .collect();
    let capabilities = Host::new(Guests::Obedient).capabilities().unwrap();
    let operations_of = |kind| capabilities.operations(kind).iter().map(move |op| (kind, *op));
    let operations: BTreeSet<(Kind, OpKind)> =
        Kind::ALL.into_iter().flat_map(operations_of).collect();
    // no plan changes a network's title or description while it runs
    let unused = [(Kind::Network, OpKind::SetMetadata)];
    let missing: Vec<_> = operations.difference(&met).filter(|op| !unused.contains(op)).collect();
    assert!(missing.is_empty(), "no step of any case is {missing:?}");
    let waits = |case: &Case| case.reads > 0;
    assert!(cases().iter().any(waits), "no step of any case waits");
}

impl Case {
    fn new(scenario: &'static Scenario) -> Self {
        let options = (scenario.options)();
        let load = |text| Site::new(&[("all.toml", text)]).load();
        let host = Host::of(scenario);
        let before = load(scenario.before);
        assert!(converge(&host, &before, &Options::default()).1.is_done(), "{}", scenario.name);
        host.execute(&(scenario.by_hand)(), &ExecContext::default());
        let history = host.take().0.into_iter().map(|(call, _)| call).collect();
        let mut case = Self {
            scenario,
            plan: plan_for(&host, &before, &Options::default()),
            before,
            loaded: load(scenario.after),
            options,
            history,
            calls: Vec::new(),
            reads: 0,
            wanted: Inventory::new(),
            running: Inventory::new(),
        };
        let host = case.host();
        case.plan = plan_for(&host, &case.loaded, &case.options);
        assert!(case.plan.refusals.is_empty(), "{}: {:?}", scenario.name, case.plan.refusals);
        host.take();
        let report = crate::support::site::walk(&case.plan, &host);
        assert!(report.is_done(), "{}: {report:?}", scenario.name);
        let (calls, reads) = host.take();
        case.calls = calls.into_iter().map(|(call, _)| call).collect();
        case.reads = reads;
        case.wanted = inventory(&observe(&host));
        let mut running = instances(&observe(&case.host()));
        running.retain(|id, _| !case.is_disrupted(id));
        Self { running, ..case }
    }

    /// The host as it is before the edit is applied.
    pub(super) fn host(&self) -> Host {
        let host = Host::of(self.scenario);
        let outcomes = host.execute(&self.history, &ExecContext::default());
        assert!(outcomes.iter().all(|o| *o == Outcome::Done), "{outcomes:?}");
        host.take();
        Host { guests: self.scenario.guests, ..host }
    }

    /// Whether the plan has this.
    fn has(&self, id: &ResourceId, op: OpKind) -> bool {
        self.calls.iter().any(|call| call.target.id == *id && call.op.kind() == op)
    }

    fn is_disrupted(&self, id: &ResourceId) -> bool {
        DISRUPTIVE.into_iter().any(|op| op != OpKind::Detach && self.has(id, op))
    }

    /// Holds calls to the plan as it was approved: nobody is stopped and nothing removed beyond it.
    #[track_caller]
    pub(super) fn approved(&self, calls: &[(Call, Outcome)], after: &str) {
        for (call, _) in calls {
            let kind = call.op.kind();
            let approved = !DISRUPTIVE.contains(&kind) || self.has(&call.target.id, kind);
            assert!(approved, "{after}: {kind} {} was never planned", call.target.id);
        }
    }

    /// Checks the host against its desired state: nothing is lost or doubled, no guest was started anew.
    #[track_caller]
    pub(super) fn is_as_wanted(&self, host: &dyn Driver, after: &str) {
        let observed = observe(host);
        let found = inventory(&observed);
        for (id, wanted) in &self.wanted {
            let there = found.get(id).map_or("nothing", String::as_str);
            assert!(there == wanted, "{after}: {id} is\n{there}\nand not\n{wanted}");
        }
        assert_eq!(found.len(), self.wanted.len(), "{after}: there is more than there was");
        let uuids: BTreeSet<_> = observed.resources.values().map(|r| (r.id.kind, r.uuid)).collect();
        assert_eq!(uuids.len(), found.len(), "{after}: two objects have one UUID");
        let now = instances(&observed);
        for (id, instance) in &self.running {
            assert_eq!(now.get(id), Some(instance), "{after}: {id} is another instance");
        }
    }
}

impl Case {
    /// Checks the host for properties that hold whoever else changed it: the desired objects are there, once,
    /// and a stranger's are unchanged.
    #[track_caller]
    pub(super) fn is_whole(&self, host: &dyn Driver, after: &str) {
        let observed = observe(host);
        let found = inventory(&observed);
        let uuids: BTreeSet<_> = observed.resources.values().map(|r| (r.id.kind, r.uuid)).collect();
        assert_eq!(uuids.len(), found.len(), "{after}: two objects have one UUID");
        for (id, wanted) in &self.wanted {
            // a name may be a matter of dispute, and the UUID tells all the same
            let uuid = |line: &String| line.split(' ').next().map(str::to_owned);
            let known = || found.values().find(|line| uuid(line) == uuid(wanted));
            let there = found.get(id).or_else(known);
            assert!(there.is_some(), "{after}: {id} is lost");
            let ours = self.loaded.desired.resources.contains_key(id);
            assert!(ours || there == Some(wanted), "{after}: {id} is a stranger's, and changed");
        }
    }
}

/// Returns the lasting state of the objects, without the ids of running instances.
pub(super) fn inventory(observed: &Observed) -> Inventory {
    let line = |r: &virt::model::ObservedResource| {
        let persistent = r
            .persistent
            .as_ref()
            .map(xmltree::Document::as_element)
            .map(timeless)
            .unwrap_or_default();
        let live = r.live.clone().map(|mut live| {
            live.to_mut().remove_attr("id");
            timeless(live.as_element())
        });
        let saved = r.managed_save;
        format!("{} {:?} {} {saved}\n{persistent}\n{live:?}", r.uuid, r.state, r.autostart)
    };
    observed.resources.iter().map(|(id, r)| (id.clone(), line(r))).collect()
}

/// Returns a definition without the time of its record, which a watch writes down.
fn timeless(definition: &xmltree::Element) -> String {
    let mut definition = definition.clone();
    for mark in definition.child_mut("metadata").into_iter().flat_map(|m| m.elements_mut()) {
        mark.remove_attr("at");
    }
    write_compact(&definition)
}

/// The ids of running domains.
fn instances(observed: &Observed) -> Inventory {
    let domains = observed.resources.values().filter(|r| r.id.kind == Kind::Domain);
    let id =
        |r: &virt::model::ObservedResource| Some(r.live.as_ref()?.root().attr("id")?.to_owned());
    domains.filter_map(|r| Some((r.id.clone(), id(r)?))).collect()
}
