//! One connection: requests out, replies in, matched by serial, each with a deadline.
//!
//! Nothing here blocks but [`wait`], which polls reading and writing of any number of connections
//! together. Writing without reading would deadlock: a daemon stops reading a client that has five
//! calls unanswered, and resumes when it could write a reply.
//!
//! A peer that is silent while it owes an answer, or while it is to tell of events, is asked whether
//! it is still there. That takes one of the five calls that a daemon works on, so it is asked only
//! while one of them is free.
//!
//! - `calls.rs`: many calls on one connection, all together or each for itself
//! - `room.rs`: limits on the size of answers
//! - `waiting.rs`: waiting for any number of connections together

mod calls;
mod room;
mod waiting;

pub(super) use calls::Answer;
pub(super) use room::too_much;
pub(super) use waiting::{wait, wait_until};

use super::event_queue::Arrived;
use super::send_buffer::Outgoing;
use super::transport::Stream;
use crate::error::{Error, ErrorKind, Result};
use libvirt_rpc::{
    FrameReader, Header, PING, PONG, Packet, PacketKind, Procedure, Program, RemoteError, Status,
    from_bytes,
};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

/// Most outstanding quick calls. A daemon works on five of them; the rest waits in its socket's buffer, which
/// hides the latency of a link: 128 reach within a tenth of the best.
pub(super) const WINDOW: usize = 128;

/// Bytes read at once, and how often before the deadlines are looked at again.
const READ_SIZE: usize = 64 << 10;
const READS_MAX: usize = 64;

/// Longest silence of a peer that owes an answer until it is pinged, and its time to reply: together 25 s, as
/// long as libvirt's own keepalive takes to give up.
const PATIENCE: Patience =
    Patience { silence: Duration::from_secs(10), answer: Duration::from_secs(15) };

/// Longest silence of a peer, and its time to reply to a ping.
#[derive(Clone, Copy, Debug)]
struct Patience {
    silence: Duration,
    answer: Duration,
}

/// Calls of a client that a daemon works on at once (`max_client_requests`); it does not read a
/// question while all of them are taken.
pub(super) const SERVED_AT_ONCE: usize = 5;

/// A call ready to be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) procedure: Procedure,
    pub(super) args: Vec<u8>,
    /// Time limit of the answer.
    pub(super) time: Duration,
}

/// Result of a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// The server carried it out; the result in XDR.
    Done(Vec<u8>),
    /// The server refused it.
    Refused(Error),
    /// Incompletely written, so the server cannot have carried it out.
    Unsent(Error),
    /// Completely written, without a reply: it may or may not have been carried out.
    Lost(Error),
}

/// A request that is over. The ticket is the caller's own number for it.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) ticket: usize,
    pub(super) reply: Reply,
}

/// A call that was submitted and is not over.
#[derive(Debug)]
struct Pending {
    ticket: usize,
    procedure: Procedure,
    /// Number of the connection's bytes that are written once this request is.
    end: u64,
    /// Time limit of the answer, and its deadline.
    time: Duration,
    deadline: Instant,
}

/// A stream to a server, and the calls on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    frames: FrameReader,
    outgoing: Outgoing,
    serial: u32,
    /// Pending requests by serial.
    pending: BTreeMap<u32, Pending>,
    /// Calls whose deadline passed: their replies, should they come, are dropped.
    abandoned: BTreeMap<u32, Procedure>,
    completions: VecDeque<Completion>,
    /// Limits of silence; none before the peer has authenticated us, as a person may be asked for a password
    /// until then.
    patience: Option<Patience>,
    /// Bytes of results that are still accepted, if there is a limit.
    room: Option<room::Room>,
    /// Events that came; `None` as long as nobody listens, and they are dropped.
    events: Option<Arrived>,
    /// Time at which a reply, or a part of one, last came while one was owed.
    progress: Instant,
    /// Time at which data last came while an answer was owed, and time of the ping since then.
    heard: Instant,
    asked: Option<Instant>,
    /// Reason for which nothing more can be sent.
    broken: Option<Error>,
}

impl Connection {
    /// A connection over `stream`, which does not block.
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            frames: FrameReader::default(),
            outgoing: Outgoing::default(),
            serial: 0,
            pending: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            completions: VecDeque::new(),
            patience: None,
            events: None,
            progress: Instant::now(),
            room: None,
            heard: Instant::now(),
            asked: None,
            broken: None,
        }
    }

    /// Enables keepalive.
    pub(super) fn notice_silence(&mut self) {
        self.patience = Some(PATIENCE);
    }

    /// Keeps events from now on, and pings a silent peer also while it owes no answer.
    pub(super) fn listen(&mut self) {
        self.events.get_or_insert_default();
    }

    /// The events that have come since this was last asked.
    pub(super) fn take_events(&mut self) -> Arrived {
        self.events.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Returns the reason for which nothing comes any more, if so.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.broken.as_ref()
    }

    /// Whether calls can be sent: for an idle connection, whether the server is still there. One that
    /// owes a reply nobody waits for any more is not used again, as the call still holds one of the
    /// server's slots.
    pub(super) fn is_usable(&mut self) -> bool {
        if self.broken.is_none() && self.pending.is_empty() {
            self.receive();
            return self.broken.is_none() && self.abandoned.is_empty();
        }
        self.broken.is_none()
    }

    /// Whether another call fits into a window of that many.
    pub(super) fn has_room(&self, window: usize) -> bool {
        self.pending.is_empty()
            || (self.pending.len() + self.abandoned.len() < window && !self.outgoing.is_full())
    }

    /// Whether a reply is pending, or a completion is to be taken.
    pub(super) fn is_busy(&self) -> bool {
        !self.pending.is_empty() || !self.completions.is_empty()
    }

    /// Queues a call; [`wait`] sends it.
    pub(super) fn submit(&mut self, ticket: usize, request: Request) {
        let Request { procedure, args, time } = request;
        if let Some(error) = &self.broken {
            let reply = Reply::Unsent(error.clone());
            self.completions.push_back(Completion { ticket, reply });
            return;
        }
        if self.pending.is_empty() {
            self.heard = Instant::now();
            self.progress = self.heard;
            self.asked = None;
        }
        let serial = self.serial;
        self.serial = serial.wrapping_add(1);
        let packet = Packet { header: Header::call(procedure, serial), payload: args };
        let end = match self.outgoing.push(&packet) {
            Ok(end) => end,
            Err(malformed) => {
                let reply = Reply::Unsent(malformed.into());
                self.completions.push_back(Completion { ticket, reply });
                return;
            }
        };
        let pending = Pending { ticket, procedure, end, time, deadline: Instant::now() + time };
        self.pending.insert(serial, pending);
    }

    /// The next request that is over.
    pub(super) fn take(&mut self) -> Option<Completion> {
        self.completions.pop_front()
    }

    /// Writes as much as the stream takes.
    fn send(&mut self) {
        // a request that was reported as unsent must stay so
        if self.broken.is_some() {
            return;
        }
        if let Err(error) = self.outgoing.send(self.stream.as_mut()) {
            self.fail_writing(&error);
        }
    }

    fn fail_writing(&mut self, error: &std::io::Error) {
        // the server may have answered before it went away
        self.receive();
        self.fail_over("the connection to libvirt failed", Some(error));
    }

    /// The stream is of no use any more.
    fn fail_over(&mut self, message: &str, error: Option<&std::io::Error>) {
        if self.broken.is_some() {
            return;
        }
        let outer = lost(message);
        let outer = match (self.stream.last_words(), error) {
            (Some(words), _) => {
                let hint = words.hint.clone();
                let outer = outer.caused_by(words);
                match hint {
                    Some(hint) => outer.hint(hint),
                    None => outer,
                }
            }
            (None, Some(error)) => outer.caused_by(io_error(error)),
            (None, None) => outer,
        };
        self.fail(&outer);
    }

    /// Reads the data that have come, and answers or dispatches each packet.
    fn receive(&mut self) {
        let mut buffer = [0; READ_SIZE];
        for _ in 0..READS_MAX {
            // a reply is never left behind events
            let full =
                self.pending.is_empty() && self.events.as_ref().is_some_and(Arrived::is_full);
            if self.broken.is_some() || full {
                return;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => self.fail_over(self.closed(), None),
                Ok(n) => {
                    self.heard = Instant::now();
                    self.asked = None;
                    self.frames.feed(buffer.get(..n).unwrap_or_default());
                    self.take_packets();
                    if self.frames.is_inside_packet() {
                        self.progress = self.heard;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // it went away before it read all that was sent
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => {
                    self.fail_over(self.closed(), Some(&e));
                }
                Err(e) => self.fail_over("the connection to libvirt failed", Some(&e)),
            }
        }
    }

    /// Returns the message for a peer that hangs up.
    fn closed(&self) -> &'static str {
        if self.frames.is_inside_packet() {
            "libvirt closed the connection in the middle of a packet"
        } else {
            "libvirt closed the connection"
        }
    }

    fn take_packets(&mut self) {
        let result = loop {
            match self.frames.take() {
                Ok(Some(packet)) => {
                    if let Err(error) = self.accept(packet) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(malformed) => break Err(malformed.into()),
            }
        };
        if let Err(error) = result {
            self.fail(&room::or_not_understood(error));
        }
    }

    fn accept(&mut self, packet: Packet) -> Result<()> {
        let Packet { header, payload } = packet;
        match (header.program, header.kind) {
            (Program::REMOTE, PacketKind::MESSAGE) => match &mut self.events {
                Some(arrived) => Ok(arrived.accept(header.procedure, &payload)?),
                None => Ok(()),
            },
            (Program::REMOTE, PacketKind::REPLY) => self.accept_reply(header, payload),
            (Program::KEEPALIVE, PacketKind::MESSAGE) => {
                // a peer that asks and does not read gets no further answers
                if header.procedure == PING && !self.outgoing.is_full() {
                    self.outgoing
                        .push(&Packet { header: Header::keepalive(PONG), payload: Vec::new() })?;
                }
                Ok(())
            }
            _ => Err(protocol(format!("a packet that no client expects: {header:?}"))),
        }
    }

    fn accept_reply(&mut self, header: Header, payload: Vec<u8>) -> Result<()> {
        let Header { serial, procedure, status, .. } = header;
        let expected = match self.pending.get(&serial) {
            Some(pending) if self.outgoing.is_written(pending.end) => pending.procedure,
            Some(_) => return Err(protocol(format!("a reply before its call: {header:?}"))),
            None => match self.abandoned.remove(&serial) {
                Some(expected) if expected == procedure => return Ok(()),
                _ => return Err(protocol(format!("a reply to no call: {header:?}"))),
            },
        };
        if procedure != expected {
            let text = format!("a reply of {procedure:?} to a call of {expected:?}");
            return Err(protocol(text));
        }
        let reply = match status {
            Status::OK => {
                self.take_room(payload.len())?;
                Reply::Done(payload)
            }
            Status::ERROR => Reply::Refused(from_bytes::<RemoteError>(&payload)?.into()),
            other => return Err(protocol(format!("a reply with status {}", other.0))),
        };
        if let Some(Pending { ticket, .. }) = self.pending.remove(&serial) {
            self.progress = Instant::now();
            self.completions.push_back(Completion { ticket, reply });
        }
        Ok(())
    }

    fn next_deadline(&self) -> Option<Instant> {
        let of_calls = self.pending.values().map(|pending| pending.deadline).min();
        of_calls.into_iter().chain(self.end_of_silence()).min()
    }

    /// Returns the time at which a silent peer is pinged, or given up.
    fn end_of_silence(&self) -> Option<Instant> {
        let owed = self.pending.len() + self.abandoned.len();
        let waits = !self.pending.is_empty() || self.events.is_some();
        let patience = self.patience.filter(|_| waits && self.broken.is_none())?;
        match self.asked {
            Some(asked) => Some(asked + patience.answer),
            None => (owed < SERVED_AT_ONCE).then(|| self.heard + patience.silence),
        }
    }

    /// Asks a silent peer whether it is there, or gives it up.
    fn break_silence(&mut self, now: Instant) {
        if self.end_of_silence().is_none_or(|end| now < end) {
            return;
        }
        if self.asked.is_some() {
            let silent = now.saturating_duration_since(self.heard).as_secs();
            let message = format!("the host is gone: nothing has come from it for {silent} s");
            let error = Error::new(ErrorKind::Timeout, message);
            return self.fail(&error.hint("see whether the host is up and reachable"));
        }
        self.asked = Some(now);
        if let Err(malformed) =
            self.outgoing.push(&Packet { header: Header::keepalive(PING), payload: Vec::new() })
        {
            self.fail(&malformed.into());
        }
    }

    /// Gives up on calls whose time is over.
    fn expire(&mut self, now: Instant) {
        self.break_silence(now);
        let late: Vec<u32> =
            self.pending.iter().filter(|(_, p)| p.deadline <= now).map(|(s, _)| *s).collect();
        for serial in late {
            let Some(pending) = self.pending.get(&serial) else { return };
            let Pending { procedure, time, .. } = pending;
            let text = format!("libvirt did not answer {procedure:?} within {time:?}");
            let error = Error::new(ErrorKind::Timeout, text);
            if !self.outgoing.is_written(pending.end) {
                // the server does not even read: half a request cannot be taken back
                self.fail(&error);
                return;
            }
            if let Some(Pending { ticket, procedure, .. }) = self.pending.remove(&serial) {
                self.abandoned.insert(serial, procedure);
                self.completions.push_back(Completion { ticket, reply: Reply::Lost(error) });
            }
        }
    }

    /// Ends the connection: nothing more is sent, and every call on it is over.
    fn fail(&mut self, error: &Error) {
        if self.broken.is_some() {
            return;
        }
        self.broken = Some(error.clone());
        for Pending { ticket, end, .. } in std::mem::take(&mut self.pending).into_values() {
            let error = error.clone();
            let reply = if self.outgoing.is_written(end) {
                Reply::Lost(error)
            } else {
                Reply::Unsent(error)
            };
            self.completions.push_back(Completion { ticket, reply });
        }
    }
}

fn lost(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

fn protocol(message: String) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

fn io_error(error: &std::io::Error) -> Error {
    Error::system("socket", error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::super::fake_server::{self, Server, connection, done, event, written};
    use super::*;
    use crate::error::ErrorCode;
    use libvirt_rpc::to_bytes;
    use proptest::prelude::*;
    use std::os::fd::{AsFd as _, BorrowedFd};
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    const SOON: Duration = Duration::from_millis(60);
    const LATER: Duration = Duration::from_secs(20);

    fn request(time: Duration) -> Request {
        Request { procedure: Procedure::CONNECT_GET_TYPE, args: Vec::new(), time }
    }

    /// Waits for the next completion and describes it.
    fn outcome(connection: &mut Connection) -> (usize, &'static str) {
        loop {
            if let Some(Completion { ticket, reply }) = connection.take() {
                let word = match reply {
                    Reply::Done(_) => "done",
                    Reply::Refused(_) => "refused",
                    Reply::Unsent(_) => "unsent",
                    Reply::Lost(_) => "lost",
                };
                return (ticket, word);
            }
            assert!(connection.is_busy());
            wait(&mut [&mut *connection]);
        }
    }

    /// Checks the result of one call to a server that behaves as `script` says, and whether the connection
    /// can be used afterwards.
    fn check(expected: &str, usable: bool, script: impl FnOnce(&mut Server) + Send + 'static) {
        let mut connection = connection(script);
        connection.submit(7, request(Duration::from_millis(500)));
        assert_eq!(outcome(&mut connection), (7, expected));
        assert!(!connection.is_busy());
        // the server may still be on its way out
        let end = Instant::now() + LATER;
        while connection.is_usable() != usable && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(connection.is_usable(), usable);
    }

    #[test]
    fn a_whole_reply_counts_whatever_comes_before_or_after_it() {
        let (stay, leave) = mpsc::channel::<()>();
        check("done", true, move |server| {
            let call = server.call();
            for byte in written(&done(call, &"QEMU")) {
                server.write(&[byte]);
            }
            let _ = leave.recv_timeout(LATER);
        });
        drop(stay);
        check("done", false, |server| {
            let call = server.call();
            server.send(&event());
            server.reply(call, &"QEMU");
        });
        check("refused", false, |server| {
            let call = server.call();
            let error = fake_server::in_wire(&fake_server::refusal(ErrorCode::NO_DOMAIN));
            server.send(&Packet::refusal(call, &error).unwrap());
        });
    }

    #[test]
    fn a_call_without_a_whole_reply_is_lost() {
        check("lost", false, |server| {
            server.call();
        });
        check("lost", false, |server| {
            let call = server.call();
            let reply = written(&done(call, &"QEMU"));
            server.write(&reply[..reply.len() - 1]);
        });
        check("lost", false, |server| {
            let call = server.call();
            server.write(&written(&done(call, &"QEMU"))[..3]);
        });
    }

    #[test]
    fn a_server_that_breaks_the_protocol_is_not_listened_to() {
        let hangs_on = |packet: fn(Header) -> Packet| {
            check("lost", false, move |server| {
                let call = server.call();
                server.send(&packet(call));
                server.reply(call, &"QEMU");
                server.packet();
            });
        };
        hangs_on(|call| done(Header { serial: call.serial + 1, ..call }, &()));
        hangs_on(|call| done(Header { procedure: Procedure::AUTH_LIST, ..call }, &()));
        hangs_on(|call| done(Header { program: Program(0x1234_5678), ..call }, &()));
        hangs_on(|call| Packet { header: call.reply(Status(2)), payload: vec![] });
        hangs_on(|call| Packet { header: call.reply(Status::ERROR), payload: vec![0; 5] });
        hangs_on(|call| Packet { header: Header { kind: PacketKind(3), ..call }, payload: vec![] });
        check("lost", false, |server| {
            server.call();
            server.write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            server.packet();
        });
    }

    #[test]
    fn the_same_reply_twice_breaks_the_connection_and_not_the_call() {
        let mut connection = connection(|server| {
            let call = server.call();
            let twice = written(&done(call, &"QEMU")).repeat(2);
            server.write(&twice);
            server.packet();
        });
        connection.submit(1, request(LATER));
        assert_eq!(outcome(&mut connection), (1, "done"));
        assert!(!connection.is_usable());
    }

    #[test]
    fn replies_are_matched_by_serial_and_pings_answered() {
        let (told, pongs) = mpsc::channel();
        let mut connection = connection(move |server| {
            let calls = [server.call(), server.call(), server.call()];
            server.send(&Packet { header: Header::keepalive(PING), payload: vec![] });
            for (i, call) in calls.into_iter().enumerate().rev() {
                server.reply(call, &(i as u32));
            }
            told.send(server.packet().unwrap().header).unwrap();
        });
        let requests = (0..3).map(|_| request(LATER)).collect();
        let replies = connection.call_all(requests).unwrap();
        for (i, reply) in replies.into_iter().enumerate() {
            assert_eq!(reply.unwrap(), to_bytes(&(i as u32)).unwrap());
        }
        connection.send();
        assert_eq!(pongs.recv_timeout(LATER).unwrap(), Header::keepalive(PONG));
    }

    /// A connection to `script` whose patience is short.
    fn impatient(script: impl FnOnce(&mut Server) + Send + 'static) -> Connection {
        let mut connection = connection(script);
        connection.patience = Some(Patience { silence: SOON, answer: SOON });
        connection
    }

    #[test]
    fn a_silent_peer_is_asked_and_given_up_when_it_says_nothing() {
        let (tell, told) = mpsc::channel();
        let mut gone = impatient(move |server| {
            server.call();
            tell.send(server.packet().unwrap().header).unwrap();
            server.packet();
        });
        gone.submit(1, request(LATER));
        let begun = Instant::now();
        assert_eq!(outcome(&mut gone), (1, "lost"));
        assert!(begun.elapsed() < LATER / 2 && !gone.is_usable());
        assert_eq!(told.recv().unwrap(), Header::keepalive(PING));
        // a server that replies to pings may take its time
        let mut slow = impatient(|server| {
            let call = server.call();
            for _ in 0..3 {
                assert_eq!(server.packet().unwrap().header, Header::keepalive(PING));
                server.send(&Packet { header: Header::keepalive(PONG), payload: Vec::new() });
            }
            server.reply(call, &"QEMU");
            server.packet();
        });
        slow.submit(2, request(LATER));
        assert_eq!(outcome(&mut slow), (2, "done"));
        // a server that works on five calls does not read a ping
        let mut busy = impatient(|server| {
            let calls: Vec<Header> = (0..5).map(|_| server.call()).collect();
            std::thread::sleep(SOON * 4);
            calls.into_iter().for_each(|call| server.reply(call, &"QEMU"));
            assert!(server.packet().is_none(), "it was asked");
        });
        for ticket in 0..5 {
            busy.submit(ticket, request(LATER));
        }
        for _ in 0..5 {
            assert_eq!(outcome(&mut busy).1, "done");
        }
    }

    fn words(answers: Vec<Answer>) -> Vec<&'static str> {
        let word = |answer| match answer {
            Answer::Said(_) => "said",
            Answer::Late(_) => "late",
            Answer::NotReached => "not reached",
        };
        answers.into_iter().map(word).collect()
    }

    #[test]
    fn one_that_is_late_takes_the_others_along_or_not() {
        let calls = |time| vec![request(time), request(LATER)];
        let half_deaf = || {
            connection(|server| {
                server.call();
                let call = server.call();
                server.reply(call, &"QEMU");
                server.packet();
            })
        };
        let each = half_deaf().call_each(calls(LATER), SOON).unwrap();
        assert_eq!(words(each), ["late", "said"]);
        assert!(half_deaf().call_all(calls(SOON)).is_err());
    }

    #[test]
    fn what_a_server_has_not_come_to_is_not_late() {
        // it works on five calls of a client, and three of these wait for guests that are silent
        let mut connection = connection(|server| {
            let calls: Vec<Header> = (0..10).map(|_| server.call()).collect();
            for call in calls.into_iter().skip(4).take(3) {
                server.reply(call, &"QEMU");
            }
            server.packet();
        });
        let requests = (0..10).map(|_| request(LATER)).collect();
        let mut expected = ["said"; 10];
        expected[..4].fill("late");
        expected[7] = "late";
        expected[8..].fill("not reached");
        assert_eq!(words(connection.call_each(requests, SOON).unwrap()), expected);
        assert!(!connection.is_usable(), "it still owes replies");
    }

    #[test]
    fn a_peer_that_hangs_up_is_said_to_whether_it_has_read_or_not() {
        let said = |reads: bool| {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            let mut connection = Connection::new(Box::new(ours));
            connection.submit(1, request(LATER));
            connection.send();
            if reads {
                assert!(io::Read::read(&mut theirs, &mut [0; 4096]).unwrap() > 0);
            }
            drop(theirs);
            assert_eq!(outcome(&mut connection), (1, "lost"));
            connection.failure().unwrap().message.clone()
        };
        assert_eq!([said(true), said(false)], ["libvirt closed the connection"; 2]);
    }

    /// How long a machine may be busy with other things until a test of times gives up.
    const LULLS: [Duration; 4] =
        [SOON, SOON.saturating_mul(8), SOON.saturating_mul(32), SOON.saturating_mul(128)];

    #[test]
    fn a_slow_way_is_no_silence() {
        let slowly = |lull: Duration| {
            let (tell, longest) = mpsc::channel();
            let begun = Instant::now();
            let mut connection = connection(move |server| {
                let calls = [server.call(), server.call()];
                let (mut last, mut longest) = (begun, Duration::ZERO);
                for call in calls {
                    let reply = written(&done(call, &"x".repeat(400)));
                    for part in reply.chunks(reply.len() / 8) {
                        server.write(part);
                        longest = longest.max(last.elapsed());
                        last = Instant::now();
                        std::thread::sleep(lull / 6);
                    }
                }
                tell.send(longest).unwrap();
                server.packet();
            });
            let each = connection.call_each(vec![request(LATER), request(LATER)], lull).unwrap();
            let took = begun.elapsed();
            (words(each), took, longest.recv().unwrap())
        };
        // where the server itself was held up for so long, a longer time shows it
        let calm = LULLS.into_iter().find_map(|lull| {
            let (each, took, longest) = slowly(lull);
            (longest < lull / 2).then_some((lull, each, took))
        });
        let (lull, each, took) = calm.expect("the machine has no time for a test of times");
        assert!(took > lull * 2);
        assert_eq!(each, ["said"; 2]);
    }

    /// A stream whose reader does not run for a while once it has read something. The rest has come by
    /// then.
    #[derive(Debug)]
    struct Stopped {
        stream: UnixStream,
        server: UnixStream,
        rest: Vec<u8>,
    }

    impl Stream for Stopped {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = io::Read::read(&mut self.stream, buffer);
            if read.is_err() {
                std::thread::sleep(SOON * 2);
                io::Write::write_all(&mut self.server, &std::mem::take(&mut self.rest))?;
            }
            read
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            io::Write::write(&mut self.stream, bytes)
        }

        fn fd(&self) -> BorrowedFd<'_> {
            self.stream.as_fd()
        }
    }

    #[test]
    fn what_has_come_while_the_process_was_stopped_is_not_late() {
        let (stream, mut server) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut begin = written(&done(Header::call(Procedure::CONNECT_GET_TYPE, 0), &"QEMU"));
        let rest = begin.split_off(3);
        io::Write::write_all(&mut server, &begin).unwrap();
        let mut connection = Connection::new(Box::new(Stopped { stream, server, rest }));
        let each = connection.call_each(vec![request(LATER)], SOON).unwrap();
        assert_eq!(words(each), ["said"]);
    }

    #[test]
    fn a_late_reply_is_dropped_and_its_connection_rests_until_it_came() {
        let (go, wait_for) = mpsc::channel::<()>();
        let (stay, leave) = mpsc::channel::<()>();
        let mut connection = connection(move |server| {
            let call = server.call();
            let _ = wait_for.recv_timeout(LATER);
            server.reply(call, &"QEMU");
            let _ = leave.recv_timeout(LATER);
        });
        connection.submit(1, request(SOON));
        assert_eq!(outcome(&mut connection), (1, "lost"));
        assert!(!connection.is_usable());
        go.send(()).unwrap();
        let deadline = Instant::now() + LATER;
        while !connection.is_usable() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(connection.is_usable());
        assert!(connection.take().is_none());
        drop(stay);
    }

    #[test]
    fn a_peer_that_is_to_tell_of_events_is_asked_when_it_is_silent() {
        let (stay, leave) = mpsc::channel::<()>();
        let mut connection = connection(move |server| {
            assert_eq!(server.packet().unwrap().header, Header::keepalive(PING));
            server.send(&Packet { header: Header::keepalive(PONG), payload: vec![] });
            assert_eq!(server.packet().unwrap().header, Header::keepalive(PING));
            let _ = leave.recv_timeout(LATER);
        });
        connection.notice_silence();
        assert_eq!(connection.end_of_silence(), None);
        connection.listen();
        let ago = |time: Duration| Instant::now().checked_sub(time).unwrap();
        let tick = || Instant::now() + SOON;
        wait_until(&mut connection, tick());
        assert!(connection.asked.is_none());
        connection.heard = ago(PATIENCE.silence);
        wait_until(&mut connection, tick());
        assert!(connection.asked.is_some());
        let end = Instant::now() + LATER;
        while connection.asked.is_some() && Instant::now() < end {
            wait_until(&mut connection, tick());
        }
        assert!(connection.asked.is_none() && connection.failure().is_none());
        connection.heard = ago(PATIENCE.silence);
        wait_until(&mut connection, tick());
        connection.asked = Some(ago(PATIENCE.answer));
        wait_until(&mut connection, tick());
        assert!(connection.failure().unwrap().message.contains("the host is gone"));
        drop(stay);
    }

    #[test]
    fn a_flood_of_events_does_not_outlast_the_deadline() {
        check("lost", false, |server| {
            server.call();
            let flood = written(&event()).repeat(500);
            let end = Instant::now() + Duration::from_secs(2);
            while Instant::now() < end {
                server.write(&flood);
            }
        });
    }

    #[test]
    fn a_server_that_does_not_read_gets_half_a_request_at_most() {
        let (stay, leave) = mpsc::channel::<()>();
        let mut connection = connection(move |_| {
            let _ = leave.recv_timeout(LATER);
        });
        connection.submit(1, request(LATER));
        connection.submit(2, Request { args: vec![0; 8 << 20], ..request(SOON) });
        connection.submit(3, request(LATER));
        let mut all = [(); 3].map(|()| outcome(&mut connection));
        all.sort_unstable();
        assert_eq!(all, [(1, "lost"), (2, "unsent"), (3, "unsent")]);
        assert!(!connection.is_usable());
        drop(stay);
    }

    #[test]
    fn calls_and_replies_larger_than_the_buffers_do_not_deadlock() {
        const CALLS: usize = 40;
        let mut connection = connection(|server| {
            // as libvirtd does: it reads five, then no more before it could write a reply
            for _ in 0..CALLS / 5 {
                let calls = [(); 5].map(|()| server.call());
                for call in calls {
                    server.reply(call, &"x".repeat(300_000));
                }
            }
        });
        let requests =
            (0..CALLS).map(|_| Request { args: vec![0; 300_000], ..request(LATER) }).collect();
        let replies = connection.call_all(requests).unwrap();
        assert!(replies.iter().all(|reply| reply.as_ref().unwrap().len() == 300_004));
    }

    #[test]
    fn what_is_too_long_is_not_sent() {
        let mut connection = connection(|server| {
            server.packet();
        });
        connection.submit(1, Request { args: vec![0; 33_554_432], ..request(LATER) });
        assert_eq!(outcome(&mut connection), (1, "unsent"));
        assert!(connection.is_usable());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_a_server_sends_a_call_that_was_sent_ends(
            noise in prop::collection::vec(any::<u8>(), 0..80),
            at in 0usize..40,
            cut in 0usize..80,
        ) {
            let mut connection = connection(move |server| {
                let call = server.call();
                let mut bytes = written(&done(call, &"QEMU"));
                let at = at.min(bytes.len());
                bytes.splice(at.., noise);
                server.write(&bytes[..cut.min(bytes.len())]);
            });
            connection.submit(1, request(LATER));
            let (ticket, word) = outcome(&mut connection);
            prop_assert_eq!(ticket, 1);
            prop_assert_ne!(word, "unsent");
            prop_assert!(!connection.is_busy());
        }
    }
}
