//! Watchers of a test host, and the events that they get.

use super::state_file::StateFile;
use crate::drivers::cancel::TICK;
use crate::drivers::host::Stamp;
use crate::drivers::{CancelToken, EventSink};
use crate::model::{Affect, Call, DomainOp, DriverEvent, EventKind, NetworkOp, Op, ResourceId};
use diagnostics::SourceId;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use xmltree::{Limits, parse};

/// How often the state file is looked at for what other processes have changed.
const LOOK: Duration = Duration::from_millis(500);

/// All who watch a host.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Watching>);

/// All who watch a host, and how much of it they know.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    sinks: Vec<(u64, EventSink)>,
    next: u64,
    /// Version of the state file at the last event.
    known: Option<Stamp>,
}

impl Watchers {
    /// Holds them still while the host is changed, so that they hear of changes in their order.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Watching> {
        // a watcher that a panic kept from an event is one that missed it: no harm to the others
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `events` what happens until `stop` says so or nobody takes it.
    pub(crate) fn watch(&self, state: Option<&StateFile>, events: &EventSink, stop: &CancelToken) {
        let number = self.lock().add(state, events.clone());
        let mut looked = Instant::now();
        while !stop.wait(TICK) {
            let mut watching = self.lock();
            if looked.elapsed() >= LOOK {
                watching.look(state);
                looked = Instant::now();
            }
            if !watching.has(number) {
                break;
            }
        }
        self.lock().sinks.retain(|(other, _)| *other != number);
    }
}

impl Watching {
    fn add(&mut self, state: Option<&StateFile>, sink: EventSink) -> u64 {
        if self.sinks.is_empty() {
            self.known = state.and_then(StateFile::stamp);
        }
        self.next += 1;
        if sink.send(DriverEvent::Resync).is_continue() {
            self.sinks.push((self.next, sink));
        }
        self.next
    }

    /// Whether the events of this watcher are still read.
    fn has(&self, number: u64) -> bool {
        self.sinks.iter().any(|(other, _)| *other == number)
    }

    fn tell(&mut self, event: &DriverEvent) {
        self.sinks.retain(|(_, sink)| sink.send(event.clone()).is_continue());
    }

    /// Tells them if another process has changed the state file.
    pub(crate) fn look(&mut self, state: Option<&StateFile>) {
        if self.sinks.is_empty() {
            return;
        }
        let now = state.and_then(StateFile::stamp);
        if now != self.known {
            self.known = now;
            self.tell(&DriverEvent::Resync);
        }
    }

    /// Tells them what a call that was carried out did to an object, and whether the host still has
    /// it. The state file, if there is one, has it by now.
    pub(crate) fn happened(
        &mut self,
        call: &Call,
        id: &ResourceId,
        is_left: bool,
        state: Option<&StateFile>,
    ) {
        if self.sinks.is_empty() {
            return;
        }
        self.known = state.and_then(StateFile::stamp);
        for what in what_happened(&call.op) {
            if what == EventKind::Undefined && !is_left {
                continue;
            }
            self.tell(&DriverEvent::Changed { id: id.clone(), what });
        }
        if !is_left {
            self.tell(&DriverEvent::Gone(id.clone()));
        }
    }
}

/// Returns the events of libvirt's drivers for an operation; where they have none, `Updated`.
fn what_happened(op: &Op) -> Vec<EventKind> {
    match op {
        Op::Domain(op) => match op {
            // libvirt tells of a new name as of a new definition
            DomainOp::Define { .. } | DomainOp::Rename { .. } => vec![EventKind::Defined],
            DomainOp::Undefine { .. } => vec![EventKind::Undefined],
            DomainOp::Create { paused: false } => vec![EventKind::Started],
            DomainOp::Create { paused: true } => vec![EventKind::Started, EventKind::Suspended],
            DomainOp::Shutdown | DomainOp::Destroy => vec![EventKind::Stopped],
            DomainOp::Suspend => vec![EventKind::Suspended],
            DomainOp::Resume => vec![EventKind::Resumed],
            DomainOp::Attach { xml, affect: Affect::Live | Affect::Both } => {
                vec![EventKind::DeviceAdded(alias(xml))]
            }
            DomainOp::Detach { xml, affect: Affect::Live | Affect::Both } => {
                vec![EventKind::DeviceRemoved(alias(xml))]
            }
            DomainOp::Attach { affect: Affect::Config, .. }
            | DomainOp::Detach { affect: Affect::Config, .. }
            | DomainOp::Update { .. }
            | DomainOp::DiscardSaved
            | DomainOp::SetAutostart { .. }
            | DomainOp::SetMetadata { .. }
            | DomainOp::SetMemory { .. }
            | DomainOp::SetVcpus { .. }
            | DomainOp::Pin { .. }
            | DomainOp::AddIoThread { .. }
            | DomainOp::DeleteIoThread { .. }
            | DomainOp::Tune { .. }
            | DomainOp::SetLifecycle { .. }
            | DomainOp::SetMemoryStatsPeriod { .. } => vec![EventKind::Updated],
        },
        Op::Network(op) => match op {
            NetworkOp::Define { .. } => vec![EventKind::Defined],
            NetworkOp::Undefine => vec![EventKind::Undefined],
            NetworkOp::Create => vec![EventKind::Started],
            NetworkOp::Destroy => vec![EventKind::Stopped],
            NetworkOp::SetAutostart { .. }
            | NetworkOp::SetMetadata { .. }
            | NetworkOp::Update { .. } => vec![EventKind::Updated],
        },
        // it has none of them
        Op::Pool(_) | Op::Volume(_) => Vec::new(),
    }
}

/// The device's alias; this host gives none, so what it is where the caller gave none.
fn alias(xml: &str) -> String {
    let Ok(device) = parse(SourceId::NONE, xml, &Limits::default()) else { return String::new() };
    let given = device.child("alias").and_then(|alias| alias.attr("name"));
    given.unwrap_or(&device.name.local).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use crate::drivers::{CancelToken, Driver as _, EventSink, ExecContext, MockDriver, MockHost};
    use crate::model::{
        Affect, Call, DomainOp, DriverEvent, EventKind, Kind, ResourceId, Scope, Target,
        UndefineKeep,
    };
    use std::ops::ControlFlow;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    const LATER: Duration = Duration::from_secs(20);

    fn host(state: Option<PathBuf>) -> Arc<MockDriver> {
        Arc::new(MockDriver::open(MockHost::Default, state).unwrap())
    }

    fn watch(driver: &Arc<MockDriver>) -> (Receiver<DriverEvent>, CancelToken) {
        let (sender, receiver) = channel();
        let sink = EventSink::new(move |event| match sender.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        });
        let stop = CancelToken::default();
        let (driver, of_thread) = (Arc::clone(driver), stop.clone());
        std::thread::spawn(move || driver.watch(&sink, &of_thread));
        assert_eq!(receiver.recv_timeout(LATER).unwrap(), DriverEvent::Resync);
        (receiver, stop)
    }

    fn run(driver: &MockDriver, op: DomainOp) {
        let id = ResourceId::new(Kind::Domain, "test");
        let uuid = driver.observe(&Scope::all()).unwrap().resources.get(&id).unwrap().uuid;
        let call = Call { target: Target { id, uuid }, op: op.into() };
        assert_eq!(driver.execute(&[call], &ExecContext::default()), [crate::model::Outcome::Done]);
    }

    fn told(receiver: &Receiver<DriverEvent>) -> String {
        match receiver.recv_timeout(LATER).unwrap() {
            DriverEvent::Changed { id, what } => format!("{id} {what}"),
            DriverEvent::Gone(id) => format!("{id} gone"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_done_here_is_told() {
        let driver = host(None);
        let (receiver, stop) = watch(&driver);
        let nic = |alias: &str| {
            let mac = "<mac address='52:54:00:00:00:07'/>";
            format!("<interface type='user'>{mac}{alias}</interface>")
        };
        let (attach, detach) = (nic("<alias name='ua-x'/>"), nic(""));
        run(&driver, DomainOp::Attach { xml: attach, affect: Affect::Both });
        run(&driver, DomainOp::Detach { xml: detach, affect: Affect::Live });
        run(&driver, DomainOp::SetAutostart { on: true });
        run(&driver, DomainOp::Undefine { keep: UndefineKeep::Nothing });
        run(&driver, DomainOp::Destroy);
        for expected in [
            "device added: ua-x",
            "device removed: interface",
            "updated",
            "undefined",
            "stopped",
            "gone",
        ] {
            assert_eq!(told(&receiver), format!("domain/test {expected}"));
        }
        stop.stop();
        // the sender goes with its thread
        assert!(receiver.recv_timeout(LATER).is_err());
        assert!(driver.observe(&Scope::all()).is_ok());
    }

    #[test]
    fn what_another_process_does_is_one_resync() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state.xml");
        let (ours, theirs) = (host(Some(state.clone())), host(Some(state)));
        let (receiver, _stop) = watch(&ours);
        run(&ours, DomainOp::Suspend);
        assert_eq!(told(&receiver), "domain/test suspended");
        run(&theirs, DomainOp::Resume);
        assert_eq!(told(&receiver), "Resync");
        // noticed before it is overwritten, however fast that is
        run(&theirs, DomainOp::Suspend);
        run(&ours, DomainOp::Resume);
        assert_eq!(told(&receiver), "Resync");
        assert_eq!(told(&receiver), "domain/test resumed");
        assert!(receiver.recv_timeout(super::LOOK * 3).is_err());
    }

    #[test]
    fn a_reader_who_is_gone_or_slow_holds_nobody_up() {
        let driver = host(None);
        let (slow, _stop) = watch(&driver);
        let (gone, _) = watch(&driver);
        drop(gone);
        for _ in 0..100 {
            run(&driver, DomainOp::SetAutostart { on: true });
        }
        // and misses nothing
        for _ in 0..100 {
            assert_eq!(told(&slow), "domain/test updated");
        }
        run(&driver, DomainOp::Suspend);
        let what = EventKind::Suspended;
        let id = ResourceId::new(Kind::Domain, "test");
        assert_eq!(slow.recv_timeout(LATER).unwrap(), DriverEvent::Changed { id, what });
    }
}
