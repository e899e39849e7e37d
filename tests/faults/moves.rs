//! A fault at any call of a move between two hosts: never do both run the guest, and the next run goes on.

use crate::support::site::{FastClock, Site, observe};
use crate::support::{Fault, Faulty, trial};
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext, MockDriver, MockHost};
use virt::error::Result;
use virt::manifest::Loaded;
use virt::model::{
    Answer, Call, Capabilities, Kind, Observed, Outcome, Query, ResourceId, Scope, Uuid,
};
use virt::reconcile::moves::{
    Fleet, HostFacts, Party, Pools, Settled, Site as Place, plan_together, settle,
};
use virt::reconcile::{Crossroads, Event, Options, Plan, Report, apply_beside};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial("faults/moves/a_move_that_is_begun_and_taken_back", taken_back)];
    for fault in Fault::ALL {
        for host in [0, 1] {
            let name = format!("faults/moves/{fault:?}_on_{}", ["the_old", "the_new"][host]);
            trials.push(trial(name, move || every_call(fault, host)));
        }
    }
    trials
}

const HOSTS: [&str; 2] = ["a", "b"];

/// Manifests that want the guest on a host.
fn site(host: &str) -> Site {
    let site = Site::new(&[(
        "g.xml",
        &format!(
            "<domain type='test'><name>g</name><metadata><virt:reconcile \
             xmlns:virt='urn:virt:reconcile:1' autostart='yes'><stop timeout='1s' force='yes'/>\
             <hosts>{host}</hosts></virt:reconcile></metadata><memory unit='MiB'>64</memory>\
             <vcpu>1</vcpu><os><type>hvm</type></os><devices><disk type='file'>\
             <source file='/mnt/images/g'/><target dev='vda'/></disk>\
             <interface type='user'/></devices></domain>"
        ),
    )]);
    site.write(
        "virt.toml",
        "set = 'site'\nshared = ['/mnt/images']\n\
         hosts.a.connect = 'test:///a'\nhosts.b.connect = 'test:///b'\n",
    );
    site
}

fn id() -> ResourceId {
    ResourceId::new(Kind::Domain, "g")
}

/// A host that outlives the run.
#[derive(Clone)]
struct Kept(Arc<MockDriver>);

impl Kept {
    fn new() -> Self {
        Self(Arc::new(MockDriver::open(MockHost::Default, None).unwrap()))
    }

    fn guest(&self) -> Option<(Uuid, bool)> {
        let observed = observe(self);
        observed.resources.get(&id()).map(|guest| (guest.uuid, guest.state.is_active()))
    }
}

impl Driver for Kept {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.0.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.0.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.0.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        self.0.execute(batch, context)
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.0.watch(events, stop)
    }
}

/// Looks after each call whether both hosts run the guest.
struct Guarded<'a, D> {
    inner: &'a D,
    hosts: &'a [Kept; 2],
}

impl<D: Driver> Driver for Guarded<'_, D> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.inner.capabilities()
    }

    fn observe(&self, scope: &Scope) -> Result<Observed> {
        self.inner.observe(scope)
    }

    fn query(&self, query: &Query) -> Result<Answer> {
        self.inner.query(query)
    }

    fn execute(&self, batch: &[Call], context: &ExecContext<'_>) -> Vec<Outcome> {
        let outcomes = self.inner.execute(batch, context);
        let running = self.hosts.iter().filter(|h| h.guest().is_some_and(|g| g.1)).count();
        assert!(running < 2, "both run it after {batch:?}");
        outcomes
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.inner.watch(events, stop)
    }
}

/// Plans for both hosts, as a run does that finds them so.
fn plans(hosts: &[Kept; 2], loaded: &Loaded) -> Vec<Plan> {
    let (none, absent) = (Pools::new(), BTreeSet::new());
    let observed = hosts.each_ref().map(|h| observe(h));
    let facts = observed.each_ref().map(|o| HostFacts::of(o, &none, &loaded.shared));
    let places: Vec<Place<'_>> = loaded
        .fleet
        .iter()
        .zip(&facts)
        .map(|(h, f)| Place { name: &h.name, desired: &h.desired, facts: Some(f) })
        .collect();
    let set = &loaded.desired.set;
    let fleet =
        Fleet { set, prune: true, assume_absent: &absent, shared: &loaded.shared, only: None };
    let Settled { crossings, moves, .. } = settle(fleet, &places);
    let capabilities = hosts[0].capabilities().unwrap();
    let options = HOSTS.map(|name| Options {
        host: Some(name.to_owned()),
        prune: true,
        ..Options::default()
    });
    // no manifest at all on a host never means to prune; here the other one has it
    let parties: Vec<Party<'_>> = loaded
        .fleet
        .iter()
        .zip(&observed)
        .zip(&options)
        .map(|((host, observed), options)| Party {
            name: &host.name,
            desired: &host.desired,
            observed,
            pools: &none,
            capabilities: &capabilities,
            options,
        })
        .collect();
    let planned = plan_together(&parties, &crossings, &moves, &loaded.shared);
    planned.into_iter().map(|(_, plan)| plan).collect()
}

fn walk<A: Driver, B: Driver>(plans: &[Plan], a: &A, b: &B) -> Vec<Report> {
    let crossroads = Crossroads::default();
    let walkers = HOSTS.map(|name| crossroads.enter(name));
    let stop = CancelToken::default();
    let drivers: [&dyn Driver; 2] = [a, b];
    std::thread::scope(|scope| {
        let threads: Vec<_> = plans
            .iter()
            .zip(drivers)
            .zip(walkers)
            .map(|((plan, driver), walker)| {
                let stop = &stop;
                scope.spawn(move || {
                    let clock = FastClock::default();
                    let mut nobody = |_: Event<'_>| {};
                    apply_beside(plan, driver, &clock, (16, stop), &walker, &mut nobody)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// Two hosts of which the first runs the guest; other guests keep the set from being empty there.
fn started() -> ([Kept; 2], Uuid) {
    let hosts = [Kept::new(), Kept::new()];
    let loaded = with_others(&site("a")).load();
    let made = plans(&hosts, &loaded);
    assert!(walk(&made, &hosts[0], &hosts[1]).iter().all(Report::is_done));
    let (uuid, runs) = hosts[0].guest().unwrap();
    assert!(runs && hosts[1].guest().is_none());
    (hosts, uuid)
}

fn with_others(site: &Site) -> &Site {
    site.write(
        "stays.xml",
        "<domain type='test'><name>stays</name><metadata><virt:reconcile \
         xmlns:virt='urn:virt:reconcile:1' power='stopped'/></metadata>\
         <memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>",
    );
    site
}

fn every_call(fault: Fault, on: usize) {
    let site = site("b");
    let loaded = with_others(&site).load();
    for at in 0.. {
        let (hosts, uuid) = started();
        let made = plans(&hosts, &loaded);
        let faulty = Faulty::new(hosts[on].clone(), fault, at);
        let well = hosts[1 - on].clone();
        let (bad, good) =
            (Guarded { inner: &faulty, hosts: &hosts }, Guarded { inner: &well, hosts: &hosts });
        let reports = match on {
            0 => walk(&made, &bad, &good),
            _ => walk(&made, &good, &bad),
        };
        if !faulty.fired() {
            assert!(at > 2 && reports.iter().all(Report::is_done), "{at}: {reports:?}");
            return;
        }
        let words = format!("{fault:?} at call {at}: {reports:?}");
        let defined: Vec<Uuid> = hosts.iter().filter_map(|h| h.guest().map(|g| g.0)).collect();
        assert!(!defined.is_empty() && defined.iter().all(|u| *u == uuid), "{words}");
        if (on, at, fault) == (1, 0, Fault::Refuse) {
            assert_eq!(hosts[0].guest(), Some((uuid, true)), "it was not to be touched: {words}");
        }
        let again = walk(&plans(&hosts, &loaded), &hosts[0], &hosts[1]);
        assert!(again.iter().all(Report::is_done), "after {words}: {again:?}");
        moved(&hosts, uuid, &loaded, &words);
    }
}

/// The second host alone has the guest, and all is done.
#[track_caller]
fn moved(hosts: &[Kept; 2], uuid: Uuid, loaded: &Loaded, words: &str) {
    assert_eq!(hosts[0].guest(), None, "{words}");
    assert_eq!(hosts[1].guest(), Some((uuid, true)), "{words}");
    let autostart = observe(&hosts[1]).resources.get(&id()).unwrap().autostart;
    assert!(autostart, "{words}");
    let left: BTreeMap<_, _> =
        HOSTS.iter().zip(plans(hosts, loaded)).filter(|(_, plan)| !plan.is_empty()).collect();
    assert!(left.is_empty(), "{words}: {left:?}");
}

/// The manifests go back while the guest is on its way: it stays the one that it was.
fn taken_back() {
    let (there, back) = (site("b"), site("a"));
    let (there, back) = (with_others(&there).load(), with_others(&back).load());
    for at in 0..4 {
        let (hosts, uuid) = started();
        let made = plans(&hosts, &there);
        let faulty = Faulty::new(hosts[0].clone(), Fault::CancelToken, at);
        let guarded = Guarded { inner: &faulty, hosts: &hosts };
        walk(&made, &guarded, &Guarded { inner: &hosts[1], hosts: &hosts });
        let made = plans(&hosts, &back);
        let again = walk(&made, &hosts[0], &hosts[1]);
        assert!(again.iter().all(Report::is_done), "at {at}: {again:?}");
        assert_eq!(hosts[0].guest(), Some((uuid, true)), "at {at}");
        assert_eq!(hosts[1].guest(), None, "at {at}");
    }
}
