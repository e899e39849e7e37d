//! Proxy between `virt` and a libvirtd: it records every call and, on request, kills the caller or the
//! daemon, cuts the connection, or plays a daemon that is down.

use super::libvirtd::kill_daemon;
use libvirt_rpc::{FrameReader, Packet, PacketKind, Procedure, Program};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tempfile::TempDir;
use virt::error::{ErrorCode, ErrorDomain, ErrorLevel, VirError};

/// A daemon that has not answered by then hangs.
const SETTLE: Duration = Duration::from_secs(60);

/// Point of a call at which a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The call never reaches the daemon.
    Before,
    /// The daemon has carried it out and answered; the caller does not get the answer.
    After,
}

/// Sort of the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// The caller gets SIGKILL.
    Kill,
    /// The caller gets SIGTERM. The call and its answer pass all the same.
    Terminate,
    /// The daemon gets SIGKILL.
    KillDaemon,
    /// The caller loses the connection.
    Cut,
    /// The call is refused with this error's number, and the connection goes on.
    Refuse(i32),
}

/// A listening proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    directory: TempDir,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when a connection ends.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    calls: Vec<Procedure>,
    trap: Option<Trap>,
    /// Piece that is added to each definition of a domain, however it was sent.
    kept: Option<Kept>,
    connections: usize,
    closed: bool,
    /// Whether callers are turned away.
    down: bool,
    links: Vec<Weak<Link>>,
}

struct Trap {
    /// Number of changing calls that pass before it strikes.
    passing: usize,
    point: Point,
    strike: Strike,
}

/// Piece of a definition that the daemon is made to keep, and the text before it.
#[derive(Clone, Copy)]
struct Kept {
    behind: &'static str,
    piece: &'static str,
}

impl Proxy {
    /// Listens, and connects every caller to `upstream`.
    pub(crate) fn start(upstream: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("virt-proxy-").tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        let shared = Arc::new(Shared::default());
        let (upstream, of_thread) = (upstream.to_owned(), Arc::clone(&shared));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if of_thread.lock().closed {
                    return;
                }
                // a daemon that is not there cannot be called
                if let Ok(server) = UnixStream::connect(&upstream) {
                    relay(client.unwrap(), server, &of_thread);
                }
            }
        });
        Self { directory, shared }
    }

    /// Returns its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Lets `passing` calls that change the host pass, and strikes at the next.
    pub(crate) fn arm(&self, passing: usize, point: Point, strike: Strike) {
        self.shared.lock().trap = Some(Trap { passing, point, strike });
    }

    /// Makes the daemon keep a piece of the definitions of domains that are sent without it from now on, like
    /// one that ignores its removal.
    pub(crate) fn keep(&self, behind: &'static str, piece: &'static str) {
        self.shared.lock().kept = Some(Kept { behind, piece });
    }

    /// Whether a strike is still to come; there will be none after this.
    pub(crate) fn disarm(&self) -> bool {
        let mut state = self.shared.lock();
        state.kept = None;
        state.trap.take().is_some()
    }

    /// Cuts off all callers, and turns new ones away until [`Self::come_back`].
    pub(crate) fn go_down(&self) {
        let mut state = self.shared.lock();
        state.down = true;
        state.links.drain(..).filter_map(|link| link.upgrade()).for_each(|link| shut(&link.client));
    }

    /// Lets callers in again.
    pub(crate) fn come_back(&self) {
        self.shared.lock().down = false;
    }

    /// The calls that change the host, of those since this was last asked. Waits until the daemon
    /// has answered all it was asked, the callers that are gone included.
    pub(crate) fn take_changes(&self) -> Vec<Procedure> {
        let busy = |state: &mut State| state.connections > 0;
        let wait = self.shared.ended.wait_timeout_while(self.shared.lock(), SETTLE, busy);
        let (mut state, waited) = wait.unwrap();
        assert!(!waited.timed_out(), "the daemon does not answer");
        let calls = std::mem::take(&mut state.calls);
        calls.into_iter().filter(|call| changes(*call)).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        // only to wake the listener
        let _ = UnixStream::connect(self.socket());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// A procedure that is not in the table may do anything.
fn changes(procedure: Procedure) -> bool {
    procedure.row().is_none_or(|row| row.changes)
}

/// One caller's connection.
struct Link {
    client: UnixStream,
    server: UnixStream,
    shared: Arc<Shared>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Serials of the calls that the daemon has not answered.
    unanswered: HashSet<u32>,
    /// Call whose answer is held up, and the fault that follows.
    held: Option<(u32, Strike)>,
    /// The caller is gone, or was cut off.
    over: bool,
}

/// Passes packets both ways, in threads of their own.
fn relay(client: UnixStream, server: UnixStream, shared: &Arc<Shared>) {
    let progress = Mutex::default();
    let link = Arc::new(Link { client, server, shared: Arc::clone(shared), progress });
    let mut state = shared.lock();
    state.connections += 1;
    state.links.push(Arc::downgrade(&link));
    if state.down {
        shut(&link.client);
    }
    drop(state);
    let of_replies = Arc::clone(&link);
    std::thread::spawn(move || {
        each_packet(&of_replies.server, |packet| of_replies.reply(packet));
        of_replies.end();
    });
    std::thread::spawn(move || {
        each_packet(&link.client, |packet| link.call(packet));
        link.finish();
    });
}

impl Link {
    /// Passes a packet of the caller on; says whether to go on.
    fn call(&self, packet: &Packet) -> bool {
        let header = packet.header;
        if (header.program, header.kind) == (Program::REMOTE, PacketKind::CALL) {
            let strike = self.strikes_at(header.procedure);
            if let Some((_, Strike::Refuse(number))) = strike {
                return send(&self.client, &refused(packet, number));
            }
            if let Some((Point::Before, strike)) = strike {
                self.strike(strike);
                if strike != Strike::Terminate {
                    return false;
                }
            }
            let mut progress = self.progress.lock().unwrap();
            progress.unanswered.insert(header.serial);
            if let Some((Point::After, strike)) = strike {
                progress.held = Some((header.serial, strike));
            }
        }
        let kept = self.shared.lock().kept;
        match kept.filter(|_| header.procedure == Procedure::DOMAIN_DEFINE_XML_FLAGS) {
            Some(kept) => send(&self.server, &with_kept(packet, kept)),
            None => send(&self.server, packet),
        }
    }

    fn strikes_at(&self, procedure: Procedure) -> Option<(Point, Strike)> {
        let mut state = self.shared.lock();
        state.calls.push(procedure);
        let trap = state.trap.as_mut().filter(|_| changes(procedure))?;
        let Some(passing) = trap.passing.checked_sub(1) else {
            return state.trap.take().map(|trap| (trap.point, trap.strike));
        };
        trap.passing = passing;
        None
    }

    /// Passes a packet of the daemon on; says whether to go on.
    fn reply(&self, packet: &Packet) -> bool {
        let mut progress = self.progress.lock().unwrap();
        if packet.header.kind == PacketKind::REPLY {
            progress.unanswered.remove(&packet.header.serial);
        }
        if let Some((_, strike)) = progress.held.filter(|held| held.0 == packet.header.serial) {
            progress.over = strike != Strike::Terminate;
            progress.held = None;
            self.strike(strike);
        }
        if progress.over {
            return !progress.unanswered.is_empty();
        }
        drop(progress);
        send(&self.client, packet) || self.finish()
    }

    fn strike(&self, strike: Strike) {
        match strike {
            Strike::Kill => signal("-KILL", &self.client),
            Strike::Terminate => signal("-TERM", &self.client),
            Strike::KillDaemon => kill_daemon(&self.server),
            Strike::Cut => shut(&self.client),
            Strike::Refuse(_) => {} // a call that is refused has no answer to be kept back
        }
    }

    /// Lets the daemon finish the calls of a dead caller. Returns whether any is unanswered.
    fn finish(&self) -> bool {
        let mut progress = self.progress.lock().unwrap();
        progress.over = true;
        if progress.unanswered.is_empty() {
            shut(&self.server);
        }
        !progress.unanswered.is_empty()
    }

    fn end(&self) {
        shut(&self.client);
        shut(&self.server);
        self.shared.lock().connections -= 1;
        self.shared.ended.notify_all();
    }
}

/// Message of a refusal by the proxy, in a host's place.
pub(crate) const REFUSED: &str = "no, for my reasons";

/// An answer that refuses a call with this number.
fn refused(call: &Packet, number: i32) -> Packet {
    let vir = VirError {
        code: ErrorCode(number),
        domain: ErrorDomain::NONE,
        level: ErrorLevel::Error,
        str1: None,
        str2: None,
        str3: None,
        int1: 0,
        int2: 0,
    };
    Packet::refusal(call.header, &virt::drivers::libvirt::remote_error(&vir, REFUSED)).unwrap()
}

/// Returns the call with the piece in its document: a length, the text, zeros up to a whole word, flags.
fn with_kept(packet: &Packet, kept: Kept) -> Packet {
    let (length, rest) = packet.payload.split_at(4);
    let length = usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
    let (text, rest) = rest.split_at(length);
    let flags = &rest[rest.len() - 4..];
    let text = str::from_utf8(text).unwrap();
    let Kept { behind, piece } = kept;
    let text = text.replacen(behind, &format!("{behind}{piece}"), 1);
    let mut payload = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    payload.extend(text.bytes());
    payload.resize(payload.len().next_multiple_of(4), 0);
    payload.extend(flags);
    Packet { header: packet.header, payload }
}

/// Sends a signal to the caller at the other end.
fn signal(name: &str, client: &UnixStream) {
    let caller = getsockopt(client, PeerCredentials).unwrap().pid();
    let kill = Command::new("kill").args([name, &caller.to_string()]).status();
    assert!(kill.unwrap().success(), "virt is not there any more");
}

/// Gives every packet that arrives to `take`, until that says no or the stream ends.
fn each_packet(mut from: &UnixStream, mut take: impl FnMut(&Packet) -> bool) {
    let mut frames = FrameReader::default();
    let mut bytes = vec![0; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        frames.feed(&bytes[..n]);
        while let Some(packet) = frames.take().unwrap() {
            if !take(&packet) {
                return;
            }
        }
    }
}

fn send(mut to: &UnixStream, packet: &Packet) -> bool {
    let mut bytes = Vec::new();
    packet.write(&mut bytes).unwrap();
    to.write_all(&bytes).is_ok()
}

fn shut(stream: &UnixStream) {
    // the other side may have done so before
    let _ = stream.shutdown(Shutdown::Both);
}
