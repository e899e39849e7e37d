//! Connecting to a unix socket.

use crate::error::{Error, Result};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect as connect_fd, socket,
};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time limit for a daemon to accept a connection. It queues a thousand before it makes one wait, so this is
/// time to restart in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval between tries while the queue is full.
const CONNECT_RETRY: Duration = Duration::from_millis(20);

/// Connects; the stream does not block.
///
/// # Errors
/// No daemon listens there, or not for this user.
pub(super) fn connect(path: &Path) -> Result<UnixStream> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    let fail = |errno: Errno| cannot_connect(path, errno);
    let address = UnixAddr::new(path).map_err(fail)?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(fail)?;
    loop {
        match connect_fd(fd.as_raw_fd(), &address) {
            Ok(()) => return Ok(fd.into()),
            Err(Errno::EAGAIN | Errno::EINTR) if Instant::now() < deadline => {
                std::thread::sleep(CONNECT_RETRY);
            }
            Err(errno) => return Err(fail(errno)),
        }
    }
}

fn cannot_connect(path: &Path, errno: Errno) -> Error {
    let mut error = Error::system(&path.display().to_string(), &errno.into());
    error.message = format!("cannot connect to libvirt at {}", error.message);
    error.hint(match errno {
        Errno::ENOENT | Errno::ECONNREFUSED => {
            "start the daemon (systemctl start virtqemud.socket, or libvirtd), or name \
             another socket with ?socket=PATH"
        }
        Errno::EACCES | Errno::EPERM => {
            "run as root or as a member of the group libvirt, use a session URI, or only look \
             (--read-only)"
        }
        _ => "look into the daemon's log",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_socket_that_is_not_there_is_refused_with_a_way_out() {
        let error = connect(Path::new("/nonexistent/sock")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Io);
        assert!(error.hint.as_deref().unwrap().contains("start the daemon"));
    }
}
