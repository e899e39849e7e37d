//! Server loop: one thread polls all connections, answers requests, and bounds their number and
//! time.
//!
//! A connection that is silent costs a place among many and nothing else: what has come whole is
//! answered first, and when places run out the oldest silent ones go.

use super::client::{Client, Stage};
use super::response::{Response, Status};
use super::routes;
use crate::controller::ControllerStatus;
use crate::drivers::CancelToken;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// Snapshot of the status, taken once per request.
pub type Snapshot = Arc<dyn Fn() -> ControllerStatus + Send + Sync>;

/// Time until the server notices a stop or an expired deadline.
const TICK: Duration = Duration::from_millis(200);

/// Time for a request's head to come when many are on their way, and for an answer to make progress
/// when others wait for its place.
const PRESSED: Duration = Duration::from_secs(1);

/// Limit on connections that are accepted before the others are served again.
const ACCEPTED: usize = 64;

/// Limits of one server.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Open connections, silent ones included.
    clients: usize,
    /// Pages and the like that are being sent at once, since each is held in memory.
    answers: usize,
    /// Time for a request to come, and for its answer to go.
    deadline: Duration,
}

/// Limits in use: a browser opens up to six connections, some of them only in case it needs them. A
/// watch reserves descriptors for this many (`cli/descriptors.rs`).
const LIMITS: Limits = Limits { clients: 96, answers: 16, deadline: Duration::from_secs(10) };

/// A running server; the [`CancelToken`] that it was given ends it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Server {
    /// Address of the server, with the actual port if any was allowed.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the server has stopped.
    pub fn join(self) {
        // a panic has been said by the thread itself
        let _ = self.thread.join();
    }
}

/// Serves status page and metrics at `address`, on threads of its own, until `stop`.
pub fn serve(address: SocketAddr, snapshot: Snapshot, stop: &CancelToken) -> io::Result<Server> {
    start(address, snapshot, stop, LIMITS).map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => "another program listens there; name another port",
            ErrorKind::AddrNotAvailable => "this machine has no such address; try 127.0.0.1:9177",
            ErrorKind::PermissionDenied => "ports below 1024 are for root; name a higher one",
            _ => "try 127.0.0.1:9177",
        };
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error} ({advice})"))
    })
}

fn start(
    address: SocketAddr,
    snapshot: Snapshot,
    stop: &CancelToken,
    limits: Limits,
) -> io::Result<Server> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let room = Room { listener, ours: address.ip(), snapshot, limits, clients: Vec::new() };
    let stop = stop.clone();
    let thread =
        thread::Builder::new().name("status page".to_owned()).spawn(move || room.run(&stop))?;
    Ok(Server { address, thread })
}

/// Open connections.
struct Room {
    listener: TcpListener,
    ours: IpAddr,
    snapshot: Snapshot,
    limits: Limits,
    /// Clients, the oldest first.
    clients: Vec<Client>,
}

impl Room {
    fn run(mut self, stop: &CancelToken) {
        let (mut patience, mut accepts) = (TICK, true);
        while !stop.is_stopped() {
            self.poll(patience, accepts);
            accepts = self.accept();
            patience = if self.answer() { Duration::ZERO } else { TICK };
            self.end_late();
            self.clients.retain(|client| !client.is_over());
        }
    }

    /// Polls all connections, and lets each client do what it can.
    fn poll(&mut self, patience: Duration, accepts: bool) {
        let time = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
        let wants = if accepts { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut fds = vec![PollFd::new(self.listener.as_fd(), wants)];
        let awake = self.clients.iter().filter_map(|c| c.wants().map(|wants| c.poll_fd(wants)));
        fds.extend(awake);
        if poll(&mut fds, time).is_err() {
            // a signal, or no memory for it: the next round may fare better
            return;
        }
        let ready = fds.iter().skip(1).map(|fd| fd.revents().is_some_and(|r| !r.is_empty()));
        let ready: Vec<bool> = ready.collect();
        let awake = self.clients.iter_mut().filter(|client| client.wants().is_some());
        for (client, _) in awake.zip(ready).filter(|(_, ready)| *ready) {
            client.go_on(self.ours);
        }
    }

    /// Accepts a connection; returns whether there may be more. Where places run out, the oldest
    /// that has not sent a request yet is dropped.
    fn accept(&mut self) -> bool {
        for _ in 0..ACCEPTED {
            if self.clients.len() >= self.limits.clients && !self.drop_oldest() {
                return false;
            }
            match self.listener.accept() {
                Ok((stream, _)) => {
                    let Ok(mut client) = Client::new(stream) else { continue };
                    // most have asked by now, and are no longer among those that may have to go
                    client.go_on(self.ours);
                    self.clients.push(client);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                // out of descriptors, most likely: it would fail again at once
                Err(_) => return self.drop_oldest(),
            }
        }
        true
    }

    /// Drops the oldest silent client, or else one that was answered; returns whether there was
    /// one.
    fn drop_oldest(&mut self) -> bool {
        let of = |stage: Stage| self.clients.iter().position(|client| client.stage() == stage);
        let Some(oldest) = of(Stage::Asks).or_else(|| of(Stage::Leaves)) else { return false };
        let mut client = self.clients.remove(oldest);
        if client.stage() == Stage::Asks {
            client.answer(Response::refusal(Status::Timeout).bytes(true));
        }
        true
    }

    /// Answers requests, of pages at most one, so that short answers never wait for many; returns
    /// whether another one can be answered at once.
    fn answer(&mut self) -> bool {
        let waits = |client: &&mut Client| client.stage() == Stage::Waits;
        for client in self.clients.iter_mut().filter(waits) {
            let short = match client.asked() {
                Some(Err(status)) => Response::refusal(*status).bytes(true),
                Some(Ok(request)) if request.path == routes::HEALTH => {
                    routes::answer(request, &(self.snapshot)(), SystemTime::now())
                        .bytes(request.with_body)
                }
                Some(Ok(_)) | None => continue,
            };
            client.answer(short);
        }
        if self.count(Stage::Answered) >= self.limits.answers {
            return false;
        }
        let mut waiting = self.clients.iter_mut().filter(|c| c.stage() == Stage::Waits);
        let Some(client) = waiting.next() else { return false };
        let more = waiting.next().is_some();
        if let Some(Ok(request)) = client.asked() {
            let answer = routes::answer(request, &(self.snapshot)(), SystemTime::now());
            let bytes = answer.bytes(request.with_body);
            client.answer(bytes);
        }
        more
    }

    /// Drops slow connections: a head sooner when many are on their way, an answer when others
    /// wait.
    fn end_late(&mut self) {
        let now = Instant::now();
        let deadline = self.limits.deadline;
        let pressed = |yes: bool| if yes { PRESSED.min(deadline) } else { deadline };
        let head = pressed(self.count(Stage::Asks) > self.limits.answers);
        let stall = pressed(self.count(Stage::Waits) > 0);
        for client in &mut self.clients {
            match client.stage() {
                Stage::Asks if client.takes(now) >= head => {
                    client.answer(Response::refusal(Status::Timeout).bytes(true));
                }
                Stage::Answered if client.takes(now) >= deadline || client.stalls(now) >= stall => {
                    client.end();
                }
                Stage::Leaves if client.takes(now) >= Client::LINGER => client.end(),
                Stage::Asks | Stage::Waits | Stage::Answered | Stage::Leaves | Stage::Over => {}
            }
        }
    }

    fn count(&self, stage: Stage) -> usize {
        self.clients.iter().filter(|client| client.stage() == stage).count()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::controller::{Listening, Sources};
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpStream};

    fn status() -> ControllerStatus {
        let sources = Sources {
            paths: Vec::new(),
            listening: Listening::Notified,
            loaded: SystemTime::UNIX_EPOCH,
            resources: 0,
            problems: 0,
            stale: None,
            loads: 1,
        };
        let started = SystemTime::UNIX_EPOCH;
        ControllerStatus { set: String::new(), started, sources, hosts: [].into() }
    }

    fn read(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        // a reset after the answer is none of the test's
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn whoever_has_asked_is_answered_beside_those_who_do_not() {
        let stop = CancelToken::default();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = start(any, Arc::new(status), &stop, LIMITS).unwrap();
        let address = server.address();
        let healthy = || {
            let begun = Instant::now();
            loop {
                let mut next = TcpStream::connect(address).unwrap();
                let asked = next.write_all(b"GET /healthz HTTP/1.0\r\n\r\n");
                let answer = read(next);
                // until its words have come it may have to give way like the others
                if asked.is_ok() && !answer.is_empty() || begun.elapsed() > LIMITS.deadline / 2 {
                    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
                    break;
                }
            }
            // before any of the others is cut off, however busy the machine is
            assert!(begun.elapsed() < LIMITS.deadline / 2, "{:?}", begun.elapsed());
        };
        // more at once than there are places
        let crowd: Vec<TcpStream> =
            (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
        healthy();
        drop(crowd);
        let end = Instant::now() + Duration::from_secs(4);
        thread::scope(|scope| {
            // each comes back as soon as it is cut off
            for _ in 0..64 {
                scope.spawn(|| {
                    while Instant::now() < end {
                        let Ok(mut slow) = TcpStream::connect(address) else { continue };
                        let _ = slow.write_all(b"GET /");
                        slow.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                        while Instant::now() < end {
                            match slow.read(&mut [0; 64]) {
                                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                                _ => break,
                            }
                        }
                    }
                });
            }
            while Instant::now() < end {
                healthy();
                thread::sleep(Duration::from_millis(100));
            }
        });
        stop.stop();
        server.join();
    }

    #[test]
    fn answers_that_nobody_reads_give_way() {
        let limits = Limits { clients: 8, answers: 2, deadline: Duration::from_secs(60) };
        let stop = CancelToken::default();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let much = || {
            let mut status = status();
            status.set = "s".repeat(16 << 20);
            status
        };
        let server = start(any, Arc::new(much), &stop, limits).unwrap();
        let ask = |path: &str| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
            stream
        };
        let unread: Vec<TcpStream> = (0..4).map(|_| ask("/status.json")).collect();
        let begun = Instant::now();
        assert!(read(ask("/healthz")).starts_with("HTTP/1.1 200 "));
        assert!(read(ask("/favicon.svg")).starts_with("HTTP/1.1 200 "));
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        drop(unread);
        stop.stop();
        server.join();
    }

    #[test]
    fn idle_and_slow_clients_are_cut_off() {
        let short = Limits { deadline: Duration::from_millis(400), ..LIMITS };
        let stop = CancelToken::default();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = start(any, Arc::new(status), &stop, short).unwrap();
        let silent = TcpStream::connect(server.address()).unwrap();
        let mut slow = TcpStream::connect(server.address()).unwrap();
        let drip = thread::spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(20) && slow.write_all(b"G").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
            begun.elapsed()
        });
        assert!(read(silent).starts_with("HTTP/1.1 408 "));
        assert!(drip.join().unwrap() < Duration::from_secs(10));
        stop.stop();
        server.join();
    }
}
