//! Connections: accepted, bounded in number and time, answered once and closed.

use super::request::Request;
use super::response::{Response, Status};
use super::routes;
use crate::controller::ControllerStatus;
use crate::drivers::CancelToken;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// What is known now; asked once a request.
pub type Snapshot = Arc<dyn Fn() -> ControllerStatus + Send + Sync>;

/// How long it may take until the server notices that it is to stop.
const TICK: Duration = Duration::from_millis(200);

/// How long the rest of what a client sends is read after the answer: closing before that would
/// have the answer thrown away at the client.
const LINGER: Duration = Duration::from_secs(1);

/// Most bytes of that rest.
const LINGER_MAX: u64 = 64 * 1024;

/// How long a request's head may take when others wait for its place.
const HEAD: Duration = Duration::from_secs(1);

/// What one server takes upon itself.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections that are served at once; others wait in the system's queue.
    connections: usize,
    /// How long a request may take to come, and its answer to go.
    deadline: Duration,
}

/// A browser opens up to six connections, some of them only in case it needs them.
const LIMITS: Limits = Limits { connections: 16, deadline: Duration::from_secs(10) };

/// A server at work; it ends by the [`CancelToken`] that it was given.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Server {
    /// Where it listens: the port that it got, if it was to take any.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has stopped.
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
    let stop = stop.clone();
    let serve = move || accept(&listener, address.ip(), &snapshot, &stop, limits);
    let thread = thread::Builder::new().name("status page".to_owned()).spawn(serve)?;
    Ok(Server { address, thread })
}

/// Takes connections until `stop`; returns when the last of them is done.
fn accept(
    listener: &TcpListener,
    ours: IpAddr,
    snapshot: &Snapshot,
    stop: &CancelToken,
    limits: Limits,
) {
    let slots = Slots::new(limits.connections);
    thread::scope(|scope| {
        while !stop.is_stopped() {
            let Some(slot) = slots.take() else {
                if is_waiting(listener, Duration::ZERO) {
                    slots.free_slowest();
                }
                continue;
            };
            let Some(stream) = next(listener) else { continue };
            let until = Instant::now() + limits.deadline;
            let head = Some(slots.reads_head());
            let connection = Connection { stream, until, stop, head };
            let work = move || {
                let _slot = slot;
                // a client that has gone is its own affair
                let _ = connection.serve(ours, snapshot, limits.deadline);
            };
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                // no thread to be had: the connection is dropped, and the next one may fare better
                stop.wait(TICK);
            }
        }
    });
}

/// Whether somebody connects within that time.
fn is_waiting(listener: &TcpListener, time: Duration) -> bool {
    let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO);
    poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], time).is_ok_and(|n| n > 0)
}

/// The next connection, if one comes within a tick.
fn next(listener: &TcpListener) -> Option<TcpStream> {
    if !is_waiting(listener, TICK) {
        return None;
    }
    match listener.accept() {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            if error.kind() != ErrorKind::WouldBlock {
                // out of descriptors, most likely: it would fail again at once
                thread::sleep(TICK);
            }
            None
        }
    }
}

/// How many connections may still be served.
#[derive(Debug)]
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
    /// The connections whose request has not come yet, the oldest first.
    heads: Mutex<Vec<Arc<Head>>>,
}

/// A request that is on its way.
#[derive(Debug)]
struct Head {
    since: Instant,
    /// Whether it is read no further, since others wait for its place.
    is_over: AtomicBool,
}

impl Slots {
    fn new(connections: usize) -> Self {
        let (freed, heads) = (Condvar::new(), Mutex::default());
        Self { free: Mutex::new(connections), freed, heads }
    }

    /// Notes that a request begins to come, as long as its connection holds on to this.
    fn reads_head(&self) -> Arc<Head> {
        let head = Arc::new(Head { since: Instant::now(), is_over: AtomicBool::new(false) });
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.retain(|head| Arc::strong_count(head) > 1);
        heads.push(Arc::clone(&head));
        head
    }

    /// Ends the request that has been coming for the longest time, if that is too long.
    fn free_slowest(&self) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.retain(|head| Arc::strong_count(head) > 1 && !head.is_over.load(Ordering::Relaxed));
        if let Some(head) = heads.first().filter(|head| head.since.elapsed() >= HEAD) {
            head.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// A place, if one is free within a tick.
    fn take(&self) -> Option<Slot<'_>> {
        let waited = self.freed.wait_timeout_while(self.lock(), TICK, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Slot(self))
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, given back in the end.
struct Slot<'a>(&'a Slots);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.freed.notify_one();
    }
}

/// A stream whose reads and writes end by a deadline, or when the server is to stop.
struct Connection<'a> {
    stream: TcpStream,
    until: Instant,
    stop: &'a CancelToken,
    /// Until the request is there.
    head: Option<Arc<Head>>,
}

impl Connection<'_> {
    /// Answers one request.
    fn serve(mut self, ours: IpAddr, snapshot: &Snapshot, deadline: Duration) -> io::Result<()> {
        let request = match self.request(ours) {
            Ok(request) => request,
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(Status::Timeout),
            Err(error) => return Err(error),
        };
        let bytes = match request {
            Ok(request) => {
                routes::answer(&request, &snapshot(), SystemTime::now()).bytes(request.with_body)
            }
            Err(status) => Response::refusal(status).bytes(true),
        };
        // it is no longer one that is slow to come
        self.head = None;
        self.until = Instant::now() + deadline;
        self.write_all(&bytes)?;
        self.stream.shutdown(Shutdown::Write)?;
        self.until = Instant::now() + LINGER;
        io::copy(&mut self.take(LINGER_MAX), &mut io::sink()).map(drop)
    }

    /// The request, or why it is refused.
    fn request(&mut self, ours: IpAddr) -> io::Result<Result<Request, Status>> {
        let mut head = Vec::with_capacity(1024);
        let mut piece = [0; 1024];
        loop {
            match self.read(&mut piece)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => head.extend(piece.iter().take(read)),
            }
            if let Some(answer) = Request::parse(&head, ours).transpose() {
                return Ok(answer);
            }
        }
    }

    /// The time that the next wait may take.
    fn patience(&self) -> io::Result<Duration> {
        if self.stop.is_stopped() {
            // not Interrupted, which would have it tried again
            return Err(ErrorKind::ConnectionAborted.into());
        }
        if self.head.as_ref().is_some_and(|head| head.is_over.load(Ordering::Relaxed)) {
            return Err(ErrorKind::TimedOut.into());
        }
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left.min(TICK)),
        }
    }
}

impl Read for Connection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.set_read_timeout(Some(self.patience()?))?;
            match self.stream.read(buffer) {
                Err(error) if is_a_wait(&error) => {}
                done => return done,
            }
        }
    }
}

impl Write for Connection<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.stream.set_write_timeout(Some(self.patience()?))?;
            match self.stream.write(bytes) {
                Err(error) if is_a_wait(&error) => {}
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn is_a_wait(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::controller::{Listening, Sources};
    use std::net::Ipv4Addr;

    const SHORT: Limits = Limits { connections: 2, deadline: Duration::from_millis(400) };

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
    fn whoever_is_slow_to_ask_gives_way_to_the_next() {
        let limits = Limits { connections: 3, deadline: Duration::from_secs(60) };
        let stop = CancelToken::default();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = start(any, Arc::new(status), &stop, limits).unwrap();
        let connect = || TcpStream::connect(server.address()).unwrap();
        let mut slow: Vec<TcpStream> = (0..12).map(|_| connect()).collect();
        for stream in &mut slow {
            let _ = stream.write_all(b"GET /hea");
        }
        let begun = Instant::now();
        let mut next = connect();
        next.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
        assert!(read(next).starts_with("HTTP/1.1 200 "));
        assert!(begun.elapsed() < limits.deadline / 2, "{:?}", begun.elapsed());
        stop.stop();
        server.join();
    }

    #[test]
    fn idle_and_slow_clients_are_cut_off_and_others_served() {
        let stop = CancelToken::default();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = start(any, Arc::new(status), &stop, SHORT).unwrap();
        let silent = TcpStream::connect(server.address()).unwrap();
        let mut slow = TcpStream::connect(server.address()).unwrap();
        let drip = thread::spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(20) && slow.write_all(b"G").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
            begun.elapsed()
        });
        // both places are taken until the deadline
        let mut third = TcpStream::connect(server.address()).unwrap();
        let begun = Instant::now();
        third.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
        assert!(read(third).starts_with("HTTP/1.1 200 "));
        assert!(begun.elapsed() > SHORT.deadline / 2, "{:?}", begun.elapsed());
        assert!(read(silent).starts_with("HTTP/1.1 408 "));
        assert!(drip.join().unwrap() < Duration::from_secs(10));
        stop.stop();
        server.join();
    }
}
