//! Events that a host sends unasked.

use super::Rule;
use super::subject::{Host, Subjected};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use virt::drivers::{CancelToken, EventSink};
use virt::model::{DomainOp, DriverEvent, EventKind, NetworkOp, UndefineKeep};

pub(super) const RULES: &[Rule] = &[
    ("a_domains_life_is_told", None, a_domains_life),
    ("a_networks_life_is_told", None, a_networks_life),
    ("watching_ends_when_it_is_told_to", None, ends),
];

/// Time after which all events must have come.
const SOON: Duration = Duration::from_secs(20);

/// Returns a sink, and the receiver of its events.
fn sink() -> (EventSink, Receiver<DriverEvent>) {
    let (sender, receiver) = channel();
    let sink = EventSink::new(move |event| match sender.send(event) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    (sink, receiver)
}

/// Runs `body` while the host is watched; it starts when the host is listened to.
fn watched(host: &Host, body: impl FnOnce(&Receiver<DriverEvent>)) {
    let (sink, receiver) = sink();
    let stop = CancelToken::default();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let sink = sink;
            host.driver.watch(&sink, &stop)
        });
        // a test that fails here would wait for the watcher otherwise
        let ends = OnDrop(&stop);
        assert_eq!(receiver.recv_timeout(SOON), Ok(DriverEvent::Resync));
        body(&receiver);
        drop(ends);
        watcher.join().unwrap().unwrap();
    });
}

struct OnDrop<'a>(&'a CancelToken);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Waits for these events of an object, in this order. A driver may send more in between, for example that a
/// started guest goes on.
#[track_caller]
fn tells(receiver: &Receiver<DriverEvent>, object: &Subjected<'_>, expected: &[EventKind]) {
    let mut seen = Vec::new();
    let mut left = expected.iter().peekable();
    while let Some(next) = left.peek() {
        match receiver.recv_timeout(SOON) {
            Ok(DriverEvent::Changed { id, what }) if id == object.id => {
                if what == **next {
                    left.next();
                }
                seen.push(what);
            }
            // gone is what an object without a definition is that does not run
            Ok(DriverEvent::Gone(id)) if id == object.id => {
                assert_eq!(**next, EventKind::Undefined, "gone after {seen:?}");
                assert!(object.look().is_none());
                left.next();
            }
            // others share the host
            Ok(DriverEvent::Changed { .. } | DriverEvent::Gone(_)) => {}
            other => panic!("{other:?} after {seen:?}, not {next:?}"),
        }
    }
}

fn undefine() -> DomainOp {
    DomainOp::Undefine { keep: UndefineKeep::Nothing }
}

fn a_domains_life(host: &Host) {
    let web = host.domain("told", "");
    let silent = host.domain("silent", "");
    watched(host, |receiver| {
        web.define();
        tells(receiver, &web, &[EventKind::Defined]);
        web.start().done(DomainOp::Suspend).done(DomainOp::Resume).done(DomainOp::Destroy);
        let life =
            [EventKind::Started, EventKind::Suspended, EventKind::Resumed, EventKind::Stopped];
        tells(receiver, &web, &life);
        // a domain that is undefined while it runs is not gone
        web.start().done(undefine());
        tells(receiver, &web, &[EventKind::Started, EventKind::Undefined]);
        web.define().done(DomainOp::Destroy).done(undefine());
        tells(receiver, &web, &[EventKind::Defined, EventKind::Stopped, EventKind::Undefined]);
    });
    // nobody receives events any more
    silent.define().done(undefine());
}

fn a_networks_life(host: &Host) {
    let lan = host.network("told", "<bridge name='virt-told'/>");
    watched(host, |receiver| {
        lan.define().start().done(NetworkOp::Destroy).done(NetworkOp::Undefine);
        let life =
            [EventKind::Defined, EventKind::Started, EventKind::Stopped, EventKind::Undefined];
        tells(receiver, &lan, &life);
    });
}

fn ends(host: &Host) {
    watched(host, |_| {});
    // a reader who leaves is noticed when there is something to tell
    let (unread, receiver) = sink();
    drop(receiver);
    host.driver.watch(&unread, &CancelToken::default()).unwrap();
    let (sink, receiver) = sink();
    let stop = CancelToken::default();
    stop.stop();
    host.driver.watch(&sink, &stop).unwrap();
    drop(sink);
    while let Ok(event) = receiver.try_recv() {
        assert_eq!(event, DriverEvent::Resync);
    }
    assert_eq!(receiver.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
}
