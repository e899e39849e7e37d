//! Events: a connection of their own on which the server reports changes, reopened whenever it is lost.

use super::connection::{Connection, Request, wait_until};
use super::connections::Dial;
use super::timeouts;
use crate::drivers::cancel::TICK;
use crate::drivers::{CancelToken, EventSink};
use crate::error::{Error, ErrorCode, ErrorKind, Result};
use crate::model::{DriverEvent, EventKind, Kind, ResourceId};
use libvirt_rpc::{
    DomainHandle, Event, Malformed, NetworkHandle, Procedure, domain_event, network_event, to_bytes,
};
use std::time::{Duration, Instant};

/// Delays before a lost host is called again: the first, and the longest.
#[derive(Debug)]
pub(super) struct Pace {
    first: Duration,
    most: Duration,
}

/// A daemon that is restarted answers after a second or so; one that is down for long is not
/// bothered more than twice a minute.
pub(super) const PACE: Pace = Pace { first: Duration::from_secs(1), most: Duration::from_secs(30) };

/// Passes the server's events to `events`, until `stop` is set or nobody takes them.
///
/// # Errors
/// The server does not tell anybody what happens.
pub(super) fn watch(
    dial: &Dial,
    pace: &Pace,
    events: &EventSink,
    stop: &CancelToken,
) -> Result<()> {
    let mut wait = pace.first;
    let mut lost = false;
    while !stop.is_stopped() {
        let begun = Instant::now();
        let error = match register(dial) {
            Ok(mut connection) => {
                if events.send(DriverEvent::Resync).is_break() {
                    break;
                }
                lost = false;
                let Some(error) = follow(&mut connection, events, stop) else { break };
                error
            }
            Err(NotWatched::Refused(error)) => return Err(error),
            Err(NotWatched::Lost(error)) => error,
        };
        tracing::debug!(%error, ?wait, "no events");
        if !lost && events.send(DriverEvent::Lost(error)).is_break() {
            break;
        }
        lost = true;
        // one that breaks again and again is called less and less, even if it always answers first
        if begun.elapsed() > pace.most {
            wait = pace.first;
        }
        if stop.wait(wait) {
            break;
        }
        wait = pace.most.min(wait * 2);
    }
    Ok(())
}

/// Reason for which a host is not watched.
enum NotWatched {
    /// The host does not report events, and never will.
    Refused(Error),
    /// The host cannot be reached.
    Lost(Error),
}

impl From<Error> for NotWatched {
    fn from(error: Error) -> Self {
        Self::Lost(error)
    }
}

impl From<Malformed> for NotWatched {
    fn from(malformed: Malformed) -> Self {
        Self::Lost(malformed.into())
    }
}

/// Opens a connection and registers for all events that the host has. Only a domain's lifecycle is required:
/// drivers without networks have no events of them, and some have none of devices.
fn register(dial: &Dial) -> Result<Connection, NotWatched> {
    let mut connection = dial()?;
    connection.listen();
    let of_domains = |event: i32| {
        let args = to_bytes(&(event, None::<DomainHandle>))?;
        quick(Procedure::CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, args)
    };
    let network_args = to_bytes(&(network_event::LIFECYCLE, None::<NetworkHandle>))?;
    let requests = vec![
        of_domains(domain_event::LIFECYCLE)?,
        of_domains(domain_event::DEVICE_ADDED)?,
        of_domains(domain_event::DEVICE_REMOVED)?,
        of_domains(domain_event::DEVICE_REMOVAL_FAILED)?,
        quick(Procedure::CONNECT_NETWORK_EVENT_REGISTER_ANY, network_args)?,
        quick(Procedure::CONNECT_REGISTER_CLOSE_CALLBACK, Vec::new())?,
    ];
    let replies = connection.call_all(requests)?;
    match replies.into_iter().next() {
        Some(Err(error)) if error.is_any(FINAL) => {
            let message = "this host sends no events";
            let outer = Error::new(ErrorKind::Unsupported, message);
            Err(NotWatched::Refused(outer.caused_by(error)))
        }
        Some(Err(error)) => Err(error.into()),
        _ => Ok(connection),
    }
}

/// Answers that would be the same if it were asked again.
const FINAL: &[ErrorCode] = &[
    ErrorCode::NO_SUPPORT,
    ErrorCode::OPERATION_DENIED,
    ErrorCode::ACCESS_DENIED,
    ErrorCode::INVALID_ARG,
];

fn quick(procedure: Procedure, args: Vec<u8>) -> Result<Request, Malformed> {
    Ok(Request { procedure, args, time: timeouts::QUICK })
}

/// Hands on what comes, until there is nobody to tell (`None`) or nothing comes any more.
fn follow(connection: &mut Connection, events: &EventSink, stop: &CancelToken) -> Option<Error> {
    while !stop.is_stopped() {
        let arrived = connection.take_events();
        for event in arrived.events {
            let flow = match told(event) {
                Ok(event) => events.send(event),
                Err(error) => return Some(error),
            };
            if flow.is_break() {
                return None;
            }
        }
        if arrived.missed && events.send(DriverEvent::Resync).is_break() {
            return None;
        }
        if let Some(error) = connection.failure() {
            return Some(error.clone());
        }
        wait_until(connection, Instant::now() + TICK);
    }
    None
}

/// Converts an event to the driver's type.
///
/// # Errors
/// The event is that there will be no more.
fn told(event: Event) -> Result<DriverEvent> {
    let changed = |kind, name, what| DriverEvent::Changed { id: ResourceId::new(kind, name), what };
    let of_domain = |domain: DomainHandle, what| changed(Kind::Domain, domain.name, what);
    Ok(match event {
        Event::Domain { domain, event, .. } => match life_of_domain(event) {
            // a running domain would only lose its definition
            EventKind::Undefined if domain.id < 0 => {
                DriverEvent::Gone(ResourceId::new(Kind::Domain, domain.name))
            }
            what => of_domain(domain, what),
        },
        Event::Network { network, event, .. } => {
            changed(Kind::Network, network.name, life_of_network(event))
        }
        Event::DeviceAdded { domain, alias } => of_domain(domain, EventKind::DeviceAdded(alias)),
        Event::DeviceRemoved { domain, alias } => {
            of_domain(domain, EventKind::DeviceRemoved(alias))
        }
        Event::DeviceRemovalFailed { domain, alias } => {
            of_domain(domain, EventKind::DeviceRemovalFailed(alias))
        }
        Event::ConnectionClosed { reason } => {
            let why = match reason {
                0 => "it failed",
                1 => "the other side closed it",
                2 => "the other side is silent",
                3 => "a client requested it",
                _ => "it does not say why",
            };
            let message = format!("libvirt has lost its connection to the hypervisor: {why}");
            return Err(Error::new(ErrorKind::Protocol, message));
        }
    })
}

/// Converts a virDomainEventType.
fn life_of_domain(event: i32) -> EventKind {
    match event {
        0 => EventKind::Defined,
        1 => EventKind::Undefined,
        2 => EventKind::Started,
        3 => EventKind::Suspended,
        4 => EventKind::Resumed,
        5 => EventKind::Stopped,
        6 => EventKind::ShutDown,
        7 => EventKind::PmSuspended,
        8 => EventKind::Crashed,
        _ => EventKind::Updated,
    }
}

/// Converts a virNetworkEventLifecycleType.
fn life_of_network(event: i32) -> EventKind {
    match event {
        0 => EventKind::Defined,
        1 => EventKind::Undefined,
        2 => EventKind::Started,
        3 => EventKind::Stopped,
        _ => EventKind::Updated,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::fake_server::{self, Server, written};
    use super::super::transport::Stream;
    use super::*;
    use libvirt_rpc::{Encode, Header, Packet, PacketKind};
    use std::io::Read as _;
    use std::ops::ControlFlow;
    use std::os::fd::{AsFd as _, BorrowedFd};
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Arc, Mutex};
    use std::thread::JoinHandle;
    use uuid::Uuid;

    const LATER: Duration = Duration::from_secs(20);
    const FLOOD: usize = 100_000;
    const QUICK: Pace = Pace { first: Duration::from_millis(10), most: Duration::from_millis(40) };

    type Script = Box<dyn FnOnce(&mut Server) + Send>;

    fn script(body: impl FnOnce(&mut Server) + Send + 'static) -> Script {
        Box::new(body)
    }

    /// Watches a host that answers one call after the other with these; then it is not there.
    fn watch(scripts: Vec<Script>) -> (Receiver<DriverEvent>, CancelToken, JoinHandle<Result<()>>) {
        let scripts = Mutex::new(scripts.into_iter());
        let dial: Dial = Arc::new(move || match scripts.lock().unwrap().next() {
            Some(script) => Ok(fake_server::connection(script)),
            None => Err(fake_server::refusal(ErrorCode::SYSTEM_ERROR)),
        });
        let (sender, receiver) = channel();
        let sink = EventSink::new(move |event| match sender.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        });
        let stop = CancelToken::default();
        let of_thread = stop.clone();
        let watch = move || super::watch(&dial, &QUICK, &sink, &of_thread);
        (receiver, stop, std::thread::spawn(watch))
    }

    /// Lets a client register for everything.
    fn registered(server: &mut Server) {
        for number in 0..6 {
            let call = server.call();
            let close = call.procedure == Procedure::CONNECT_REGISTER_CLOSE_CALLBACK;
            if close {
                server.reply(call, &());
            } else {
                server.reply(call, &number);
            };
        }
    }

    fn message(procedure: i32, event: &impl Encode) -> Vec<u8> {
        let call = Header::call(Procedure(procedure), 1);
        let header = Header { kind: PacketKind::MESSAGE, ..call };
        written(&Packet { header, payload: to_bytes(event).unwrap() })
    }

    fn domain(name: &str, event: i32) -> Vec<u8> {
        let id = if event == 1 { -1 } else { 1 };
        let domain = DomainHandle { name: name.into(), uuid: Uuid::nil(), id };
        message(318, &(0, domain, event, 0))
    }

    fn told(receiver: &Receiver<DriverEvent>) -> String {
        match receiver.recv_timeout(LATER).unwrap() {
            DriverEvent::Changed { id, what } => format!("{id} {what}"),
            DriverEvent::Gone(id) => format!("{id} gone"),
            DriverEvent::Resync => "resync".to_owned(),
            DriverEvent::Lost(error) => format!("lost: {error}"),
        }
    }

    #[test]
    fn events_are_told_in_their_order_and_unknown_ones_are_not() {
        let (stay, leave) = channel::<()>();
        let (receiver, stop, thread) = watch(vec![script(move |server| {
            // one may come before the last registration is answered
            server.write(&domain("early", 0));
            registered(server);
            for event in [0, 2, 3, 4, 77, 5, 1] {
                server.write(&domain("web", event));
            }
            server.write(&message(319, &(0, "what no one asked for")));
            let web = DomainHandle { name: "web".into(), uuid: Uuid::nil(), id: 1 };
            for procedure in [354, 367, 333] {
                server.write(&message(procedure, &(0, web.clone(), "net0")));
            }
            let lan = NetworkHandle { name: "lan".into(), uuid: Uuid::nil() };
            for event in [2, 3, 1] {
                server.write(&message(315, &(0, lan.clone(), event, 0)));
            }
            let _ = leave.recv_timeout(LATER);
        })]);
        for expected in [
            "resync",
            "domain/early defined",
            "domain/web defined",
            "domain/web started",
            "domain/web suspended",
            "domain/web resumed",
            "domain/web updated",
            "domain/web stopped",
            "domain/web gone",
            "domain/web device added: net0",
            "domain/web device removal failed: net0",
            "domain/web device removed: net0",
            "network/lan started",
            "network/lan stopped",
            "network/lan undefined",
        ] {
            assert_eq!(told(&receiver), expected);
        }
        stop.stop();
        assert!(thread.join().unwrap().is_ok());
        drop(stay);
    }

    #[test]
    fn a_flood_arrives_whole_and_in_order() {
        let (stay, leave) = channel::<()>();
        let (receiver, stop, thread) = watch(vec![script(move |server| {
            registered(server);
            let names: Vec<String> = (0..FLOOD).map(|number| format!("web-{number}")).collect();
            for some in names.chunks(1000) {
                let bytes: Vec<u8> = some.iter().flat_map(|name| domain(name, 2)).collect();
                server.write(&bytes);
            }
            let _ = leave.recv_timeout(LATER);
        })]);
        assert_eq!(told(&receiver), "resync");
        for number in 0..FLOOD {
            assert_eq!(told(&receiver), format!("domain/web-{number} started"));
        }
        assert!(receiver.try_recv().is_err());
        drop(stay);
        stop.stop();
        assert!(thread.join().unwrap().is_ok());
    }

    /// A peer whose bytes are there faster than anybody reads; then it closes.
    #[derive(Debug)]
    struct Fast(UnixStream, std::io::Cursor<Vec<u8>>);

    impl Stream for Fast {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1.read(buffer)
        }

        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }

        fn fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    #[test]
    fn a_peer_that_is_faster_than_its_reader_waits() {
        // the other end is gone, so that there always is something to read
        let (readable, _) = UnixStream::pair().unwrap();
        let bytes = (0..10_000).flat_map(|number| domain(&number.to_string(), 2)).collect();
        let mut connection = Connection::new(Box::new(Fast(readable, std::io::Cursor::new(bytes))));
        connection.listen();
        let (sender, receiver) = channel();
        let sink = EventSink::new(move |event| match sender.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        });
        let error = follow(&mut connection, &sink, &CancelToken::default()).unwrap();
        assert!(error.to_string().contains("closed the connection"));
        for number in 0..10_000 {
            assert_eq!(told(&receiver), format!("domain/{number} started"));
        }
        assert!(receiver.try_recv().is_err());
    }

    #[test]
    fn what_breaks_is_called_again() {
        let malformed = script(|server| {
            registered(server);
            server.write(&domain("web", 2));
            server.write(&message(318, &(0, 1)));
            server.write(&domain("never", 2));
            server.packet();
        });
        let closed = script(|server| {
            registered(server);
            server.write(&message(362, &1));
            server.packet();
        });
        let hangs_up = script(|server| {
            server.call();
        });
        let back = script(|server| {
            registered(server);
            server.write(&domain("web", 5));
            server.packet();
        });
        let (receiver, stop, thread) = watch(vec![malformed, closed, hangs_up, back]);
        assert_eq!(told(&receiver), "resync");
        assert_eq!(told(&receiver), "domain/web started");
        assert!(told(&receiver).contains("cannot be understood"));
        assert_eq!(told(&receiver), "resync");
        assert!(told(&receiver).contains("the other side closed it"));
        assert_eq!(told(&receiver), "resync");
        assert_eq!(told(&receiver), "domain/web stopped");
        stop.stop();
        assert!(thread.join().unwrap().is_ok());
    }

    #[test]
    fn a_host_that_is_not_there_is_lost_once_and_a_reader_who_leaves_ends_it() {
        let hangs_up = || script(registered);
        let (receiver, stop, thread) = watch(vec![hangs_up(), hangs_up()]);
        for _ in 0..2 {
            assert_eq!(told(&receiver), "resync");
            assert!(told(&receiver).contains("closed the connection"));
        }
        assert!(receiver.recv_timeout(QUICK.most * 5).is_err());
        drop(receiver);
        // the server sends no event, so the thread ends only when it is stopped
        stop.stop();
        assert!(thread.join().unwrap().is_ok());
        let (receiver, _stop, thread) = watch(vec![hangs_up()]);
        drop(receiver);
        assert!(thread.join().unwrap().is_ok());
    }

    #[test]
    fn a_host_that_tells_nothing_is_not_watched() {
        let refuses = script(|server| {
            server.serve(|procedure, _| match procedure {
                Procedure::CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY => {
                    Err(fake_server::refusal(ErrorCode::NO_SUPPORT))
                }
                _ => Ok(Vec::new()),
            });
        });
        let (receiver, _stop, thread) = watch(vec![refuses]);
        let error = thread.join().unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(receiver.recv().is_err());
    }
}
