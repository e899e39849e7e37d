//! A driver under test, and a host to say things to it shortly.

use crate::support::Needs;
use crate::support::ops;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use virt::drivers::{Driver, ExecContext};
use virt::error::{ErrorCode, ErrorKind};
use virt::model::{
    Call, Kind, NetworkOp, ObservedResource, Op, OpKind, Outcome, ResourceId, Scope, State, Target,
    Uuid, Version,
};
use xmltree::Element;

/// Opens a driver that may keep files in the directory it is given.
type Open = dyn Fn(&Path) -> Box<dyn Driver> + Send + Sync;

/// Takes a snapshot of that name of a domain that is off, on the host that keeps files in the directory.
type Snapshot = dyn Fn(&Path, &Subjected<'_>, &str) + Send + Sync;

/// Known deviation of a driver of libvirt's from the rules. Planning and applying do not rely on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deviation {
    /// The QEMU driver defines a domain with one MAC address twice.
    MacsMayRepeat,
    /// The test driver gives the time of day as the processor time of every domain.
    CpuTimeIsTheClock,
    /// The test driver's SetMemory takes either live or config, not both in one call.
    MemoryIsSetInOnePlace,
}

/// Need of a rule that not every driver meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Devices come and go. libvirt before 9.1 puts no network card on the USB, where guests
    /// without an operating system let it go.
    Devices,
    /// A call that sets titles, descriptions and metadata.
    Metadata,
    /// A call that updates a section of a network.
    NetworkUpdate,
    /// A network that was redefined while it ran starts as the new one.
    NextStart,
    /// Guests that shut down on request, without an operating system.
    GuestsThatObey,
    /// Means beside the driver to take snapshots: no call does.
    Snapshots,
}

/// Missing ability of a driver, with the reason: a rule that needs it is ignored there. A rule fails where a
/// driver has an ability that is listed as missing, or lacks an unlisted one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lack {
    pub(crate) need: Need,
    /// First version that has it; `None` if all lack it.
    pub(crate) before: Option<Version>,
    pub(crate) why: &'static str,
}

/// A kind of driver that the suite runs on.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// The domain type that its hosts start.
    domain_type: &'static str,
    /// Reason for which it cannot run here.
    pub(crate) needs: Needs,
    deviations: &'static [Deviation],
    lacks: &'static [Lack],
    open: Box<Open>,
    snapshot: Option<Arc<Snapshot>>,
}

impl Subject {
    /// A driver that `open` opens, and that keeps all rules.
    pub(crate) fn new(
        name: &'static str,
        domain_type: &'static str,
        needs: Needs,
        open: impl Fn(&Path) -> Box<dyn Driver> + Send + Sync + 'static,
    ) -> Self {
        let open = Box::new(open);
        Self { name, domain_type, needs, deviations: &[], lacks: &[], open, snapshot: None }
    }

    /// Returns the driver with other means to take a snapshot.
    pub(crate) fn with_snapshots(
        self,
        take: impl Fn(&Path, &Subjected<'_>, &str) + Send + Sync + 'static,
    ) -> Self {
        Self { snapshot: Some(Arc::new(take)), ..self }
    }

    /// Returns the driver with known deviations.
    pub(crate) fn but(self, deviations: &'static [Deviation]) -> Self {
        Self { deviations, ..self }
    }

    /// Returns the driver with known missing abilities.
    pub(crate) fn without(self, lacks: &'static [Lack]) -> Self {
        Self { lacks, ..self }
    }

    pub(crate) fn open(&self) -> Host {
        let directory = tempfile::tempdir().unwrap();
        let driver = (self.open)(directory.path());
        let Self { domain_type, deviations, lacks, .. } = *self;
        let snapshot = self.snapshot.clone();
        Host { driver, domain_type, deviations, lacks, directory, snapshot }
    }
}

/// An open driver.
pub(crate) struct Host {
    pub(crate) driver: Box<dyn Driver>,
    domain_type: &'static str,
    deviations: &'static [Deviation],
    lacks: &'static [Lack],
    directory: TempDir,
    snapshot: Option<Arc<Snapshot>>,
}

impl Host {
    /// A domain's document: `extra` stands behind the parts that every domain needs.
    pub(crate) fn domain(&self, name: &str, extra: &str) -> Subjected<'_> {
        let (kind, uuid) = (self.domain_type, uuid_of(name));
        let xml = format!(
            "<domain type='{kind}'><name>{name}</name><uuid>{uuid}</uuid>\
             <memory unit='MiB'>64</memory><vcpu>2</vcpu><os><type>hvm</type></os>{extra}</domain>"
        );
        Subjected { host: self, id: ResourceId::new(Kind::Domain, name), uuid, xml }
    }

    /// A network's document; it is isolated, so that it starts anywhere.
    pub(crate) fn network(&self, name: &str, extra: &str) -> Subjected<'_> {
        let uuid = uuid_of(name);
        let xml = format!("<network><name>{name}</name><uuid>{uuid}</uuid>{extra}</network>");
        Subjected { host: self, id: ResourceId::new(Kind::Network, name), uuid, xml }
    }

    pub(crate) fn supports(&self, kind: Kind, op: OpKind) -> bool {
        self.driver.capabilities().unwrap().supports(kind, op)
    }

    /// Whether the host is of a libvirt that was seen to lack things: 9.0.0 did, 11.3.0 did not.
    pub(crate) fn is_old(&self) -> bool {
        self.driver.capabilities().unwrap().version < Version::new(9, 1, 0)
    }

    /// Returns the reason for which a rule with this need does not apply here, by the driver's table.
    pub(crate) fn lacks(&self, need: Need) -> Option<&'static str> {
        let version = self.driver.capabilities().unwrap().version;
        let here =
            |lack: &&Lack| lack.need == need && lack.before.is_none_or(|before| version < before);
        self.lacks.iter().find(here).map(|lack| lack.why)
    }

    /// Whether the host has the ability after all.
    pub(crate) fn has(&self, need: Need) -> bool {
        match need {
            Need::Devices => {
                let ops = [OpKind::Attach, OpKind::Detach, OpKind::Update];
                ops.iter().all(|op| self.supports(Kind::Domain, *op)) && !self.is_old()
            }
            Need::Metadata => self.supports(Kind::Domain, OpKind::SetMetadata),
            Need::NetworkUpdate => self.supports(Kind::Network, OpKind::NetworkUpdate),
            Need::NextStart => {
                let old = self.network("turns", "");
                let new = self.network("turns", "<domain name='new'/>");
                old.define().start();
                new.define().done(NetworkOp::Destroy).start();
                let turned = new.live().child("domain").is_some();
                new.done(NetworkOp::Destroy).done(NetworkOp::Undefine);
                turned
            }
            Need::Snapshots => self.snapshot.is_some(),
            // only a guest that exists in name alone does
            Need::GuestsThatObey => {
                let is_test = |uri: &str| uri.starts_with("test:");
                self.driver.name() == "test" || self.driver.uri().is_some_and(is_test)
            }
        }
    }

    pub(crate) fn deviates(&self, deviation: Deviation) -> bool {
        self.deviations.contains(&deviation)
    }
}

/// Returns the UUID that the suite gives to the object of this name.
pub(crate) fn uuid_of(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

/// One object of a host, there or not yet.
pub(crate) struct Subjected<'a> {
    host: &'a Host,
    pub(crate) id: ResourceId,
    pub(crate) uuid: Uuid,
    pub(crate) xml: String,
}

impl Subjected<'_> {
    pub(crate) fn call(&self, op: impl Into<Op>) -> Call {
        Call { target: Target { id: self.id.clone(), uuid: self.uuid }, op: op.into() }
    }

    fn run(&self, op: Op) -> Outcome {
        let mut outcomes = self.host.driver.execute(&[self.call(op)], &ExecContext::default());
        assert_eq!(outcomes.len(), 1);
        outcomes.pop().unwrap()
    }

    /// Carries `op` out.
    #[track_caller]
    pub(crate) fn done(&self, op: impl Into<Op>) -> &Self {
        let op = op.into();
        let shown = format!("{op:?}");
        let outcome = self.run(op);
        assert!(outcome == Outcome::Done, "{shown}: {outcome:?}");
        self
    }

    /// Asserts that `op` is refused by the host with one of these codes, or by the driver before it asks the
    /// host, and that nothing changed.
    #[track_caller]
    pub(crate) fn refused(&self, op: impl Into<Op>, codes: &[ErrorCode]) {
        let op = op.into();
        let shown = format!("{op:?}");
        let before = format!("{:?}", self.look());
        match self.run(op) {
            Outcome::Refused(e) => {
                let by_driver = [ErrorKind::Invalid, ErrorKind::Unsupported].contains(&e.kind);
                assert!(e.is_any(codes) || by_driver, "{shown}: {e:?}");
            }
            outcome => panic!("{shown}: {outcome:?}"),
        }
        let after = format!("{:?}", self.look());
        assert_eq!(before, after, "{shown} was refused and changed something");
    }

    pub(crate) fn define(&self) -> &Self {
        self.done(ops::define(self.id.kind, self.xml.as_str()))
    }

    /// Takes a snapshot by other means than the driver.
    pub(crate) fn snapshot(&self, name: &str) -> &Self {
        let take = self.host.snapshot.as_ref().expect("the rule needs it");
        take(self.host.directory.path(), self, name);
        self
    }

    pub(crate) fn start(&self) -> &Self {
        self.done(ops::create(self.id.kind, false))
    }

    pub(crate) fn look(&self) -> Option<ObservedResource> {
        self.host.driver.observe(&Scope::all()).unwrap().resources.remove(&self.id)
    }

    #[track_caller]
    pub(crate) fn seen(&self) -> ObservedResource {
        self.look().expect("the host has it")
    }

    #[track_caller]
    pub(crate) fn config(&self) -> Element {
        self.seen().persistent.expect("it is persistent").into_element()
    }

    #[track_caller]
    pub(crate) fn live(&self) -> Element {
        self.seen().live.expect("it is active").into_element()
    }

    #[track_caller]
    pub(crate) fn is(&self, state: State) -> &Self {
        assert_eq!(self.seen().state, state);
        self
    }
}
