//! A program whose standard input and output lead to a daemon: ssh, or one of the user's.

use super::ssh;
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Result};
use diagnostics::excerpt;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes of a program's standard error that are kept: the last lines have the reason for its end.
const SAID_MAX: usize = 4096;

/// Time that a program has to end by itself once its input is closed, before it is killed.
const END: Duration = Duration::from_millis(500);

/// Interval between looks at it meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Program {
    /// The program: a path, or a name that is searched for in `PATH`.
    pub(in super::super) program: String,
    /// Arguments of the program.
    pub(in super::super) arguments: Vec<String>,
    /// The host that it leads to, if it is ssh.
    pub(in super::super) ssh_host: Option<String>,
}

impl Program {
    /// The host that it leads to, if that is known.
    pub(super) fn host(&self) -> Option<&str> {
        self.ssh_host.as_deref()
    }

    /// Returns the program and its arguments, for people.
    pub(super) fn shown(&self) -> String {
        match &self.ssh_host {
            Some(host) => format!("{} to {host}", self.program),
            None => self.program.clone(),
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// There is no such program, or it cannot be started.
    pub(super) fn spawn(&self) -> Result<ChildStream> {
        let fail = |error: io::Error| {
            let mut outer = Error::system(&self.program, &error);
            outer.message = format!("cannot start {}", outer.message);
            outer.hint(match error.kind() {
                io::ErrorKind::NotFound => "install it, or name another one with ?command=/PATH",
                _ => "it has to be a program that this user may run",
            })
        };
        let (ours, theirs) = UnixStream::pair().map_err(fail)?;
        ours.set_nonblocking(true).map_err(fail)?;
        let output = theirs.try_clone().map_err(fail)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(OwnedFd::from(theirs))
            .stdout(OwnedFd::from(output))
            .stderr(Stdio::piped());
        let mut process = command.spawn().map_err(fail)?;
        let said = Arc::default();
        let listener = process.stderr.take().map(|stderr| keep_last(stderr, Arc::clone(&said)));
        Ok(ChildStream { socket: ours, process, program: self.clone(), said, listener })
    }
}

/// Reads the program's standard error until it ends, so that it never waits for a reader.
fn keep_last(
    mut stderr: impl io::Read + Send + 'static,
    said: Arc<Mutex<VecDeque<u8>>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = stderr.read(&mut buffer) {
            let mut kept = said.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(buffer.get(..n).unwrap_or_default());
            let surplus = kept.len().saturating_sub(SAID_MAX);
            kept.drain(..surplus);
        }
    })
}

/// A running program; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct ChildStream {
    socket: UnixStream,
    process: Child,
    program: Program,
    said: Arc<Mutex<VecDeque<u8>>>,
    /// Thread that reads its standard error.
    listener: Option<JoinHandle<()>>,
}

impl ChildStream {
    /// Waits a moment for it to end.
    fn ended(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + END;
        loop {
            match self.process.try_wait() {
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }

    /// Returns the last lines of its standard error, a few at most, the latest first.
    fn said(&self) -> Vec<String> {
        // its last words may still be on their way; a program that it left behind may hold them up
        let deadline = Instant::now() + END;
        while self.listener.as_ref().is_some_and(|l| !l.is_finished()) && Instant::now() < deadline
        {
            std::thread::sleep(LOOK);
        }
        let mut kept = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(kept.make_contiguous()).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let first = lines.len().saturating_sub(4);
        // the last line says why
        lines.into_iter().skip(first).rev().map(excerpt).collect()
    }
}

impl Stream for ChildStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut self.socket, buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut self.socket, bytes)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn last_words(&mut self) -> Option<Error> {
        let status = self.ended();
        let name = &self.program.program;
        let how = match status {
            Some(status) => format!("{name} ended with {status}"),
            None => format!("{name} closed its output and still runs"),
        };
        let said = self.said();
        let message = match said.is_empty() {
            true => format!("{how} and said nothing"),
            false => format!("{how} and said: {}", said.join(" / ")),
        };
        let error = Error::new(ErrorKind::Io, message);
        Some(match (&self.program.ssh_host, status) {
            (Some(host), _) => error.hint(ssh::fault(host, &said.join("\n")).1),
            (None, _) => {
                error.hint("run the program by hand: it has to pass bytes to libvirt's socket")
            }
        })
    }
}

impl Drop for ChildStream {
    fn drop(&mut self) {
        // end of input is how both ssh and a helper learn that they are done
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        if self.ended().is_none() {
            // a process that has become another user's is not ours to end, nor to wait for
            if self.process.kill().is_ok() {
                let _ = self.process.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn shell(script: &str) -> Program {
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        Program { program: "/bin/sh".into(), arguments, ssh_host: None }
    }

    fn read(stream: &mut ChildStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 100];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return bytes,
                Ok(n) => bytes.extend_from_slice(buffer.get(..n).unwrap()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(LOOK),
                Err(e) => panic!("{e}"),
            }
        }
    }

    #[test]
    fn bytes_pass_both_ways_and_the_last_words_are_kept() {
        let mut stream =
            shell("read a; echo got $a; echo one >&2; echo two >&2; exit 3").spawn().unwrap();
        assert_eq!(stream.write(b"x\n").unwrap(), 2);
        assert_eq!(read(&mut stream), b"got x\n");
        let words = stream.last_words().unwrap();
        assert!(words.message.contains("exit status: 3 and said: two / one"), "{words}");
    }

    #[test]
    fn much_said_is_neither_waited_for_nor_kept() {
        let mut stream = shell("yes | head -c 1000000 >&2; echo; echo why >&2").spawn().unwrap();
        assert_eq!(read(&mut stream), b"\n");
        assert!(stream.last_words().unwrap().message.contains("and said: why"));
        assert!(stream.said.lock().unwrap().len() <= SAID_MAX);
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let stream = shell("exec 0</dev/null; sleep 100").spawn().unwrap();
        let pid = stream.process.id();
        drop(stream);
        assert!(!std::path::Path::new(&format!("/proc/{pid}/exe")).exists());
        let missing = Program { program: "/nonexistent/ssh".into(), ..shell("") };
        let error = missing.spawn().unwrap_err();
        assert!(error.message.starts_with("cannot start /nonexistent/ssh"), "{error}");
        assert!(error.hint.as_deref().unwrap().contains("install it"));
    }
}
