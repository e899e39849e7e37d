//! Guests that do not shut down: the wait ends, and force is used only where it was asked for.

use crate::support::site::{Site, converge, observe, plan_for};
use crate::support::{Recording, trial};
use libtest_mimic::Trial;
use std::sync::mpsc::SyncSender;
use virt::diag::{ErrorCode, Result};
use virt::drivers::{Driver, Stop, TestDriver, TestHost};
use virt::model::{
    Call, Capabilities, DriverEvent, Kind, Observed, Op, OpKind, Outcome, ResourceId, Scope, State,
};
use virt::reconcile::{Options, Status};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("faults/waits/a_deaf_guest_fails_the_step", || deaf(false)),
        trial("faults/waits/a_deaf_guest_is_destroyed_where_asked", || deaf(true)),
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

    fn execute(&self, batch: &[Call]) -> Vec<Outcome> {
        let one = |call: &Call| match call.op {
            Op::Shutdown => Outcome::Done,
            _ => self.0.execute(std::slice::from_ref(call)).pop().unwrap(),
        };
        batch.iter().map(one).collect()
    }

    fn watch(&self, events: &SyncSender<DriverEvent>, stop: &Stop) -> Result<()> {
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
    let driver = Deaf(Recording::new(TestDriver::open(TestHost::Default, None).unwrap()));
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    site.write("vm.toml", &manifest("stopped"));
    let (_, report) = converge(&driver, &site.load(), &Options::default());
    let state = observe(&driver).resources[&ResourceId::new(Kind::Domain, "vm")].state;
    let destroyed = driver.0.calls().iter().any(|(c, _)| c.op.kind() == OpKind::Destroy);
    assert_eq!((report.is_done(), destroyed), (force, force));
    assert_eq!(state, if force { State::Shutoff } else { State::Running });
    if !force {
        let timed_out =
            |s: &Status| matches!(s, Status::Failed(e) if e.code == ErrorCode::OPERATION_TIMEOUT);
        assert_eq!(report.count(timed_out), 1);
        // nothing was forced, and the next run asks again
        assert!(!plan_for(&driver, &site.load(), &Options::default()).is_empty());
    }
}
