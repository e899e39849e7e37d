//! Guests that do not shut down: the wait ends, and force is used only where it was asked for.

use crate::support::site::{Site, converge, observe, plan_for};
use crate::support::{Recording, trial};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use virt::drivers::{CancelToken, Driver, EventSink, ExecContext, MockDriver, MockHost};
use virt::error::{ErrorKind, Result};
use virt::model::{
    Answer, Call, Capabilities, Effect, Kind, Observed, OpKind, Outcome, Query, ResourceId, Scope,
    State,
};
use virt::reconcile::{Event, Options, Status, SystemClock, apply_until};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("faults/waits/a_deaf_guest_fails_the_step", || deaf(false)),
        trial("faults/waits/a_deaf_guest_is_destroyed_where_asked", || deaf(true)),
        trial("faults/waits/a_stop_ends_the_wait_and_skips_the_rest", stopped),
        trial("faults/waits/a_stop_within_a_batch_sends_no_more", stopped_within_a_batch),
        trial("faults/waits/a_stop_leaves_nothing_down_that_was_to_be_started_again", || {
            stopped_when_down(1);
            stopped_when_down(16);
        }),
    ]
}

/// A host whose guests do not hear that they should shut down.
struct Deaf<D>(D);

impl<D: Driver> Driver for Deaf<D> {
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
        let one = |call: &Call| match call.op.kind() {
            OpKind::Shutdown => Outcome::Done,
            _ => self
                .0
                .execute(std::slice::from_ref(call), &context.without_progress())
                .pop()
                .unwrap(),
        };
        batch.iter().map(one).collect()
    }

    fn watch(&self, events: &EventSink, stop: &CancelToken) -> Result<()> {
        self.0.watch(events, stop)
    }
}

fn deaf(force: bool) {
    let manifest = |power: &str| {
        format!(
            "[[domain]]\ntype = \"test\"\nname = \"vm\"\nmemory = 65536\nos.type = \"hvm\"\n\
             [domain.reconcile]\npower = \"{power}\"\nstop = {{ timeout = \"30s\", force = {force} }}\n"
        )
    };
    let site = Site::new(&[("vm.toml", &manifest("running"))]);
    let driver = Deaf(Recording::new(MockDriver::open(MockHost::Default, None).unwrap()));
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    site.write("vm.toml", &manifest("stopped"));
    let (_, report) = converge(&driver, &site.load(), &Options::default());
    let state = observe(&driver).resources[&ResourceId::new(Kind::Domain, "vm")].state;
    let destroyed = driver.0.calls().iter().any(|(c, _)| c.op.kind() == OpKind::Destroy);
    assert_eq!((report.is_done(), destroyed), (force, force));
    assert_eq!(state, if force { State::Shutoff } else { State::Running });
    if !force {
        let timed_out = |s: &Status| matches!(s, Status::Failed(e) if e.kind == ErrorKind::Timeout);
        assert_eq!(report.count(timed_out), 1);
        // nothing was forced, and the next run asks again
        assert!(!plan_for(&driver, &site.load(), &Options::default()).is_empty());
    }
}

/// Stops a run while it waits for a guest, and another step is to follow.
fn stopped() {
    let manifest = |power: &str, memory: u32| {
        format!(
            "[[domain]]\ntype = \"test\"\nname = \"vm\"\nmemory = {memory}\nos.type = \"hvm\"\n\
             [domain.reconcile]\npower = \"{power}\"\nallow = [\"restart\"]\n"
        )
    };
    let site = Site::new(&[("vm.toml", &manifest("running", 65536))]);
    let driver = Deaf(Recording::new(MockDriver::open(MockHost::Default, None).unwrap()));
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    site.write("vm.toml", &manifest("running", 131_072));
    let plan = plan_for(&driver, &site.load(), &Options::default());
    let (stop, begun) = (CancelToken::default(), Instant::now());
    let waits =
        |event: &Event<'_>| matches!(event, Event::Started(s) if s.action.as_str() == "wait");
    let report = apply_until(&plan, &driver, &SystemClock, 16, &stop, &mut |event| {
        if waits(&event) {
            stop.stop();
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(report.stopped && !report.is_done());
    assert!(report.steps.iter().any(|s| s.status == Status::Done));
    // the wait, and the start after it
    assert_eq!(report.count(|s| *s == Status::Skipped), 3, "{report:?}");
}

/// Stops a run within a batch: what is under way is completed, nothing more is sent, and each step is
/// reported once.
fn stopped_within_a_batch() {
    let guests: String = (0..8)
        .map(|n| {
            format!(
                "[[domain]]\ntype = \"test\"\nname = \"g{n}\"\nmemory = 65536\nos.type = \"hvm\"\n"
            )
        })
        .collect();
    let site = Site::new(&[("all.toml", &guests)]);
    let driver = MockDriver::open(MockHost::Default, None).unwrap();
    let plan = plan_for(&driver, &site.load(), &Options::default());
    let stop = CancelToken::default();
    let (mut started, mut finished) = (Vec::new(), 0);
    let report = apply_until(&plan, &driver, &SystemClock, 16, &stop, &mut |event| match event {
        Event::Started(step) => started.push(step.id),
        Event::Finished(_, Status::Done) => {
            finished += 1;
            if finished == 3 {
                stop.stop();
            }
        }
        Event::Finished(..) => {}
    });
    assert!(report.stopped);
    assert_eq!((finished, report.count(|s| *s == Status::Done)), (3, 3), "{report:?}");
    assert_eq!(started.iter().collect::<BTreeSet<_>>().len(), started.len());
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    assert!(plan_for(&driver, &site.load(), &Options::default()).is_empty());
}

/// Stops a run when a network and a guest on another one are down, to be started again.
fn stopped_when_down(parallel: usize) {
    let manifest = |prefix: u32, memory: u32| {
        format!(
            "[[network]]\nname = \"net\"\nip = {{ address = \"10.9.0.1\", prefix = {prefix} }}\n\
             [[domain]]\ntype = \"test\"\nname = \"vm\"\nmemory = {memory}\nos.type = \"hvm\"\n\
             [[domain]]\ntype = \"test\"\nname = \"guest\"\nmemory = 65536\nos.type = \"hvm\"\n\
             [[domain.devices.interface]]\ntype = \"network\"\nsource.network = \"net\"\n\
             mac.address = \"52:54:00:00:00:01\"\n"
        )
    };
    for (id, end) in [
        (ResourceId::new(Kind::Network, "net"), "destroy"),
        (ResourceId::new(Kind::Domain, "vm"), "wait"),
    ] {
        let site = Site::new(&[("all.toml", &manifest(24, 65_536))]);
        let driver = MockDriver::open(MockHost::Default, None).unwrap();
        assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
        site.write("all.toml", &manifest(25, 131_072));
        let allow = [Effect::Restart, Effect::NetworkRestart].into();
        let options = Options { allow, ..Options::default() };
        let plan = plan_for(&driver, &site.load(), &options);
        let stop = CancelToken::default();
        let report =
            apply_until(&plan, &driver, &SystemClock, parallel, &stop, &mut |event| match event {
                Event::Finished(s, _) if s.target.id == id && s.action.as_str() == end => {
                    stop.stop();
                }
                _ => {}
            });
        assert!(stop.is_stopped(), "{id}: never got there: {report:?}");
        let observed = observe(&driver);
        assert_eq!(observed.resources[&id].state, State::Running, "{id}");
        // where its cards are is where its definition has them
        let guest = &observed.resources[&ResourceId::new(Kind::Domain, "guest")];
        let nic = guest.live.as_ref().unwrap().root().descend(&["devices", "interface", "source"]);
        assert_eq!(nic.unwrap().attr("network"), Some("net"), "{id} {parallel}");
    }
}
