//! Waiting for any number of connections together.

use super::Connection;
use crate::error::Error;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::time::{Duration, Instant};

/// Sends and receives until at least one of `connections` has made progress or a deadline has
/// passed. Returns at once if a completion can be taken, more can be submitted than before, or
/// nothing is outstanding.
pub(in super::super) fn wait(connections: &mut [&mut Connection]) {
    wait_for(connections, None);
}

/// Waits for one connection, but no longer than until then.
pub(super) fn wait_at_most(connection: &mut Connection, until: Instant) {
    wait_for(&mut [connection], Some(until));
}

fn wait_for(connections: &mut [&mut Connection], until: Option<Instant>) {
    let mut made_room = false;
    for connection in connections.iter_mut() {
        let was_full = connection.outgoing.is_full();
        connection.send();
        made_room |= was_full && !connection.outgoing.is_full();
    }
    let idle = connections.iter().all(|c| c.pending.is_empty());
    if made_room || idle || connections.iter().any(|c| !c.completions.is_empty()) {
        return;
    }
    exchange(connections, until);
}

/// Sends and receives once, or until `until` if there is nothing to be done before.
pub(in super::super) fn wait_until(connection: &mut Connection, until: Instant) {
    connection.send();
    exchange(&mut [connection], Some(until));
}

fn exchange(connections: &mut [&mut Connection], until: Option<Instant>) {
    // what came in time is heard, however late this process is at it
    let now = Instant::now();
    let result = poll_all(connections, until);
    for (i, connection) in connections.iter_mut().enumerate() {
        match &result {
            Ok(ready) if ready.get(i) == Some(&true) => {
                connection.receive();
                connection.send();
            }
            Ok(_) => {}
            Err(errno) => connection.fail(&Error::system("poll", &(*errno).into())),
        }
        connection.expire(now);
    }
}

/// Returns which of `connections` can be read or written, or have failed; none when a deadline, or `until`,
/// has passed.
fn poll_all(connections: &[&mut Connection], until: Option<Instant>) -> Result<Vec<bool>, Errno> {
    let mut fds: Vec<PollFd<'_>> = connections
        .iter()
        .map(|c| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, c.broken.is_none());
            let writes = c.outgoing.is_waiting() || c.stream.has_output();
            flags.set(PollFlags::POLLOUT, c.broken.is_none() && writes);
            PollFd::new(c.stream.fd(), flags)
        })
        .collect();
    // the kernel does not see bytes that a stream has decrypted ahead
    let ahead = |c: &&mut Connection| c.broken.is_none() && c.stream.has_input();
    if connections.iter().any(&ahead) {
        return Ok(connections.iter().map(ahead).collect());
    }
    let deadline = connections.iter().filter_map(|c| c.next_deadline()).chain(until).min();
    let timeout = deadline.map_or(PollTimeout::NONE, |deadline| {
        // a millisecond more, so that the deadline has passed when the poll is over
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => {
            Ok(fds.iter().map(|fd| fd.revents().is_some_and(|r| !r.is_empty())).collect())
        }
        Err(errno) => Err(errno),
    }
}
