//! Many calls on one connection, all together or independently.

use super::waiting::{wait, wait_at_most};
use super::{Completion, Connection, Reply, Request, SERVED_AT_ONCE, WINDOW};
use crate::error::{Error, ErrorKind, Result};
use libvirt_rpc::{Decode, from_bytes};
use std::time::{Duration, Instant};

/// Result of one of several independent calls.
#[derive(Debug)]
pub(in crate::drivers::libvirt) enum Answer {
    /// Answer of the server.
    Said(Result<Vec<u8>>),
    /// The server works on it, and says nothing.
    Late(Error),
    /// Not reached: the server works on others that are late.
    NotReached,
}

impl Connection {
    /// Sends `requests` through the window and returns the server's answers, in order.
    ///
    /// # Errors
    /// The connection failed, or one was not answered in time.
    pub(in crate::drivers::libvirt) fn call_all(
        &mut self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Vec<u8>>>> {
        let mut replies: Vec<Result<Vec<u8>>> = Vec::new();
        replies.resize_with(requests.len(), || Ok(Vec::new()));
        let mut requests = requests.into_iter().enumerate();
        loop {
            self.fill(&mut requests);
            if !self.is_busy() {
                return Ok(replies);
            }
            wait(&mut [&mut *self]);
            while let Some(Completion { ticket, reply }) = self.take() {
                let reply = match reply {
                    Reply::Done(result) => Ok(result),
                    Reply::Refused(error) => Err(error),
                    Reply::Unsent(error) | Reply::Lost(error) => return Err(self.give_up_on(error)),
                };
                if let Some(slot) = replies.get_mut(ticket) {
                    *slot = reply;
                }
            }
        }
    }

    /// Sends independent requests. After a time `lull` without any reply, those that the server works on
    /// count as late, and the rest as not reached.
    ///
    /// # Errors
    /// The connection failed.
    pub(in crate::drivers::libvirt) fn call_each(
        &mut self,
        requests: Vec<Request>,
        lull: Duration,
    ) -> Result<Vec<Answer>> {
        let mut answers: Vec<Answer> = Vec::new();
        answers.resize_with(requests.len(), || Answer::NotReached);
        let mut requests = requests.into_iter().enumerate();
        loop {
            self.fill(&mut requests);
            if !self.is_busy() {
                return Ok(answers);
            }
            // a process that was stopped hears first what has come meanwhile
            let now = Instant::now();
            wait_at_most(self, self.progress + lull);
            while let Some(Completion { ticket, reply }) = self.take() {
                let answer = match reply {
                    Reply::Done(result) => Answer::Said(Ok(result)),
                    Reply::Refused(error) => Answer::Said(Err(error)),
                    Reply::Lost(error) if self.broken.is_none() => Answer::Late(error),
                    Reply::Unsent(error) | Reply::Lost(error) => return Err(self.give_up_on(error)),
                };
                if let Some(slot) = answers.get_mut(ticket) {
                    *slot = answer;
                }
            }
            if !self.pending.is_empty() && now.saturating_duration_since(self.progress) >= lull {
                for ticket in self.abandon() {
                    let text = format!("it did not answer within {lull:?}");
                    let late = Error::new(ErrorKind::Timeout, text);
                    if let Some(slot) = answers.get_mut(ticket) {
                        *slot = Answer::Late(late);
                    }
                }
                return Ok(answers);
            }
        }
    }

    /// Submits as many as fit into the window; each has its place as its ticket.
    fn fill(&mut self, requests: &mut impl Iterator<Item = (usize, Request)>) {
        while self.has_room(WINDOW) {
            let Some((ticket, request)) = requests.next() else { return };
            self.submit(ticket, request);
        }
    }

    /// Ends the connection where a read over it has failed: the other calls belong to that.
    fn give_up_on(&mut self, error: Error) -> Error {
        self.fail(&error);
        self.completions.clear();
        error
    }

    /// Waits for no reply any more; gives the tickets of the calls that the server works on. It takes
    /// them in their order, so those are the first.
    fn abandon(&mut self) -> Vec<usize> {
        let served = SERVED_AT_ONCE.saturating_sub(self.abandoned.len());
        let pending = std::mem::take(&mut self.pending);
        let worked_on = pending.values().take(served).map(|p| p.ticket).collect();
        self.abandoned.extend(pending.into_iter().map(|(serial, p)| (serial, p.procedure)));
        worked_on
    }

    /// Sends one request and reads its result.
    ///
    /// # Errors
    /// The server's, or the connection's.
    pub(in crate::drivers::libvirt) fn call<R: Decode>(&mut self, request: Request) -> Result<R> {
        let replies = self.call_all(vec![request])?;
        let reply = replies.into_iter().next().unwrap_or_else(|| Ok(Vec::new()))?;
        Ok(from_bytes(&reply)?)
    }
}
