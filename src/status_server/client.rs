//! One connection, which never blocks: its request comes piece by piece, and so does its answer go.

use super::request::Request;
use super::response::Status;
use nix::poll::{PollFd, PollFlags};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// Limit on the bytes after a request that are read and dropped.
const REST_MAX: usize = 64 * 1024;

/// Bytes read at once.
const PIECE: usize = 4 * 1024;

/// Stage of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The request is incomplete.
    Asks,
    /// The request waits for an answer.
    Waits,
    /// The answer is being sent.
    Answered,
    /// The answer was sent, and further bytes are read and dropped.
    Leaves,
    /// The connection can be closed.
    Over,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    stage: Stage,
    /// Start of this stage, or last progress of the answer.
    since: Instant,
    progress: Instant,
    head: Vec<u8>,
    asked: Option<Result<Request, Status>>,
    answer: Vec<u8>,
    /// Bytes of the answer that were sent, or of the rest that were read.
    passed: usize,
}

impl Client {
    /// Time for which further bytes of a client are read after the answer: closing earlier would
    /// make the client drop the answer.
    pub(super) const LINGER: Duration = Duration::from_secs(1);

    /// Takes a new connection.
    ///
    /// # Errors
    /// The system does not let it be read without waiting.
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let now = Instant::now();
        let (head, answer) = (Vec::new(), Vec::new());
        let (stage, asked, passed) = (Stage::Asks, None, 0);
        Ok(Self { stream, stage, since: now, progress: now, head, asked, answer, passed })
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Time spent in this stage.
    pub(super) fn takes(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Time without progress of the answer.
    pub(super) fn stalls(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.progress)
    }

    /// Event to poll for; `None` where the server has to act.
    pub(super) fn wants(&self) -> Option<PollFlags> {
        match self.stage {
            Stage::Asks | Stage::Leaves => Some(PollFlags::POLLIN),
            Stage::Answered => Some(PollFlags::POLLOUT),
            Stage::Waits | Stage::Over => None,
        }
    }

    pub(super) fn poll_fd(&self, wants: PollFlags) -> PollFd<'_> {
        PollFd::new(self.stream.as_fd(), wants)
    }

    /// The request, or the status by which it is refused.
    pub(super) fn asked(&self) -> Option<&Result<Request, Status>> {
        self.asked.as_ref()
    }

    /// Reads or writes as far as possible without blocking.
    pub(super) fn go_on(&mut self, ours: IpAddr) {
        let done = match self.stage {
            Stage::Asks => self.read_head(ours),
            Stage::Answered => self.write(),
            Stage::Leaves => self.read_rest(),
            Stage::Waits | Stage::Over => Ok(()),
        };
        self.end_unless_well(done);
    }

    /// Ends the connection on an error: a client that has gone is not reported.
    fn end_unless_well(&mut self, done: io::Result<()>) {
        let waits = |kind| matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted);
        if done.is_err_and(|error| !waits(error.kind())) {
            self.end();
        }
    }

    /// Sends the bytes, and nothing after them.
    pub(super) fn answer(&mut self, bytes: Vec<u8>) {
        self.answer = bytes;
        self.asked = None;
        self.head = Vec::new();
        self.enter(Stage::Answered);
        let done = self.write();
        self.end_unless_well(done);
    }

    /// Marks the connection as over.
    pub(super) fn end(&mut self) {
        self.enter(Stage::Over);
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.passed = 0;
        self.since = Instant::now();
        self.progress = self.since;
    }

    fn read_head(&mut self, ours: IpAddr) -> io::Result<()> {
        let mut piece = [0; PIECE];
        loop {
            match self.stream.read(&mut piece)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => self.head.extend(piece.iter().take(read)),
            }
            if let Some(asked) = Request::parse(&self.head, ours).transpose() {
                self.asked = Some(asked);
                self.enter(Stage::Waits);
                return Ok(());
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        // once: who reads fast is not to hold up the others
        match self.stream.write(self.answer.get(self.passed..).unwrap_or_default())? {
            0 => return Err(ErrorKind::WriteZero.into()),
            written => self.passed += written,
        }
        self.progress = Instant::now();
        if self.passed < self.answer.len() {
            return Ok(());
        }
        self.answer = Vec::new();
        self.stream.shutdown(Shutdown::Write)?;
        self.enter(Stage::Leaves);
        Ok(())
    }

    fn read_rest(&mut self) -> io::Result<()> {
        let mut piece = [0; PIECE];
        while self.passed < REST_MAX {
            match self.stream.read(&mut piece)? {
                0 => break,
                read => self.passed += read,
            }
        }
        self.end();
        Ok(())
    }
}
