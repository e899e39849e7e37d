//! Events: a connection of their own on which the server reports changes, reopened whenever it is lost.

use super::connection::{Connection, Request, wait_until};
use super::connections::Dial;
use super::timeouts;
use crate::drivers::CancelToken;
use crate::drivers::cancel::{Outbox, TICK, pause};
use crate::error::{Error, ErrorCode, ErrorKind, Result};
use crate::model::{DriverEvent, EventKind, Kind, ResourceId};
use libvirt_rpc::{
    DomainHandle, Event, Malformed, NetworkHandle, Procedure, domain_event, network_event, to_bytes,
};
use std::sync::mpsc::SyncSender;
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
    events: &SyncSender<DriverEvent>,
    stop: &CancelToken,
) -> Result<()> {
    let mut outbox = Outbox::new(events.clone());
    let mut wait = pace.first;
    let mut lost = false;
    while !stop.is_stopped() && !outbox.is_closed() {
        let begun = Instant::now();
        let error = match register(dial) {
            Ok(mut connection) => {
                outbox.send(DriverEvent::Resync);
                lost = false;
                let Some(error) = follow(&mut connection, &mut outbox, stop) else { break };
                error
            }
            Err(NotWatched::Refused(error)) => return Err(error),
            Err(NotWatched::Lost(error)) => error,
        };
        tracing::debug!(%error, ?wait, "no events");
        if !lost {
            outbox.send(DriverEvent::Lost(error));
            lost = true;
        }
        // a connection that breaks again and again is opened ever more seldom, even if it always answers
        // first
        if begun.elapsed() > pace.most {
            wait = pace.first;
        }
        if pause(wait, &mut outbox, stop) {
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
            let message = "this host does not tell what happens on it";
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

/// Passes events on, until nobody takes them (`None`) or the connection fails.
fn follow(connection: &mut Connection, outbox: &mut Outbox, stop: &CancelToken) -> Option<Error> {
    while !stop.is_stopped() && !outbox.is_closed() {
        let arrived = connection.take_events();
        for event in arrived.events {
            match told(event) {
                Ok(event) => outbox.send(event),
                Err(error) => return Some(error),
            }
        }
        if arrived.missed {
            outbox.send(DriverEvent::Resync);
        }
        if let Some(error) = connection.failure() {
            return Some(error.clone());
        }
        outbox.flush();
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
                3 => "it was told to",
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
    use super::*;
    use libvirt_rpc::{Encode, Header, Packet, PacketKind};
    use std::sync::mpsc::{Receiver, channel, sync_channel};
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
    fn watch(
        scripts: Vec<Script>,
        room: usize,
    ) -> (Receiver<DriverEvent>, CancelToken, JoinHandle<Result<()>>) {
        let scripts = Mutex::new(scripts.into_iter());
        let dial: Dial = Arc::new(move || match scripts.lock().unwrap().next() {
            Some(script) => Ok(fake_server::connection(script)),
            None => Err(fake_server::refusal(ErrorCode::SYSTEM_ERROR)),
        });
        let (sender, receiver) = sync_channel(room);
        let stop = CancelToken::default();
        let of_thread = stop.clone();
        let watch = move || super::watch(&dial, &QUICK, &sender, &of_thread);
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
        let (receiver, stop, thread) = watch(
            vec![script(move |server| {
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
            })],
            64,
        );
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
    fn a_flood_with_nobody_reading_is_one_resync() {
        let (done, flooded) = channel::<()>();
        let (go, on) = channel::<()>();
        let (receiver, stop, thread) = watch(
            vec![script(move |server| {
                registered(server);
                for _ in 0..FLOOD / 100 {
                    server.write(&domain("web", 2).repeat(100));
                }
                // all is read when the first is answered, and handed on when the second is
                for _ in 0..2 {
                    let ping = Header::keepalive(libvirt_rpc::PING);
                    server.send(&Packet { header: ping, payload: Vec::new() });
                    server.packet();
                }
                done.send(()).unwrap();
                let _ = on.recv_timeout(LATER);
                server.write(&domain("web", 5));
                let _ = on.recv_timeout(LATER);
            })],
            8,
        );
        flooded.recv_timeout(LATER).unwrap();
        let mut all = vec![told(&receiver)];
        while all.iter().filter(|event| *event == "resync").count() < 2 {
            all.push(told(&receiver));
        }
        // the first resync, what there was room for, and one for all the rest
        assert_eq!(all.len(), 9, "{all:?}");
        go.send(()).unwrap();
        assert_eq!(told(&receiver), "domain/web stopped");
        drop(go);
        stop.stop();
        assert!(thread.join().unwrap().is_ok());
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
        let (receiver, stop, thread) = watch(vec![malformed, closed, hangs_up, back], 64);
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
        let (receiver, stop, thread) = watch(vec![hangs_up(), hangs_up()], 64);
        for _ in 0..2 {
            assert_eq!(told(&receiver), "resync");
            assert!(told(&receiver).contains("closed the connection"));
        }
        assert!(receiver.recv_timeout(QUICK.most * 5).is_err());
        drop(receiver);
        // the server sends no event, so the thread ends only when it is stopped
        stop.stop();
        assert!(thread.join().unwrap().is_ok());
        let (receiver, _stop, thread) = watch(vec![hangs_up()], 64);
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
        let (receiver, _stop, thread) = watch(vec![refuses], 64);
        let error = thread.join().unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(receiver.recv().is_err());
    }
}
