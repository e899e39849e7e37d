//! Checks of the decorators, on which the other fault tests rely.

use crate::support::ops;
use crate::support::{Fault, Faulty, Recording, trial};
use libtest_mimic::Trial;
use virt::drivers::{Driver, ExecContext, MockDriver, MockHost};
use virt::model::{Call, DomainOp, Kind, Outcome, ResourceId, Scope, Target, Uuid};

pub(crate) fn trials() -> Vec<Trial> {
    Fault::ALL
        .into_iter()
        .map(|fault| trial(format!("faults/injected/{fault:?}"), move || falls(fault)))
        .collect()
}

/// Checks four calls on two objects with the fault at the second: the calls that arrived, and their outcomes.
fn falls(fault: Fault) {
    let uuid = Uuid::try_parse("6695eb01-f6a4-8304-79aa-97f2502e193f").unwrap();
    let domain = Target { id: ResourceId::new(Kind::Domain, "test"), uuid };
    let uuid = Uuid::try_parse("dd8fe884-6c02-601e-7551-cca97df1c5df").unwrap();
    let network = Target { id: ResourceId::new(Kind::Network, "default"), uuid };
    let on = |kind| ops::set_autostart(kind, true);
    let batch = [
        Call { target: domain.clone(), op: DomainOp::Suspend.into() },
        Call { target: domain.clone(), op: on(Kind::Domain) },
        Call { target: domain, op: DomainOp::Resume.into() },
        Call { target: network, op: on(Kind::Network) },
    ];
    let driver = Recording::new(MockDriver::open(MockHost::Default, None).unwrap());
    let faulty = Faulty::new(driver, fault, 1);
    assert!(!faulty.fired());
    let outcomes = faulty.execute(&batch, &ExecContext::default());
    assert!(faulty.fired());
    let outcome = |number: usize| match outcomes[number] {
        Outcome::Done => "done",
        Outcome::Refused(_) => "refused",
        Outcome::NotSent(_) => "not sent",
        Outcome::Unknown(_) => "unknown",
    };
    let said = [outcome(0), outcome(1), outcome(2), outcome(3)];
    let (expected, arrived) = match fault {
        Fault::Refuse => (["done", "refused", "not sent", "done"], vec![0, 3]),
        Fault::LoseBefore => (["done", "unknown", "not sent", "done"], vec![0, 3]),
        Fault::LoseAfter => (["done", "unknown", "not sent", "done"], vec![0, 1, 3]),
        Fault::CancelToken => (["done", "not sent", "not sent", "not sent"], vec![0]),
    };
    assert_eq!(said, expected);
    assert_eq!(faulty.observe(&Scope::all()).is_err(), fault == Fault::CancelToken);
    let calls: Vec<Call> = faulty.into_inner().calls().into_iter().map(|(call, _)| call).collect();
    let arrived: Vec<Call> = arrived.into_iter().map(|n: usize| batch[n].clone()).collect();
    assert_eq!(calls, arrived);
}
