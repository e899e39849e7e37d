//! The part of a lock that all users of a machine share: a name among the abstract sockets, which one
//! process has at a time, whoever it belongs to, and which goes with that process. Directories that
//! several users write to would let one put something in the other's way; here the worst is that
//! somebody sits on the name, and then nothing is changed and it is said who does.

use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket};
use nix::unistd::{Uid, User};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

/// An abstract name that this process has.
#[derive(Debug)]
pub(super) struct Name {
    _listener: UnixListener,
}

fn full(name: &str) -> String {
    format!("virt-lock-{name}")
}

/// Takes a name; `None` if another process has it.
///
/// # Errors
/// There are no such names to be had here.
pub(super) fn take(name: &str) -> io::Result<Option<Name>> {
    let address = SocketAddr::from_abstract_name(full(name))?;
    // it listens, so that others can ask whose it is
    match UnixListener::bind_addr(&address) {
        Ok(listener) => Ok(Some(Name { _listener: listener })),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(e) => Err(e),
    }
}

/// Describes the holder of a name, as far as the system knows.
pub(super) fn holder(name: &str) -> Option<String> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let asking = socket(AddressFamily::Unix, SockType::Stream, flags, None).ok()?;
    connect(asking.as_raw_fd(), &UnixAddr::new_abstract(full(name).as_bytes()).ok()?).ok()?;
    let of = getsockopt(&asking, PeerCredentials).ok()?;
    let user = User::from_uid(Uid::from_raw(of.uid())).ok().flatten().map(|user| user.name);
    let user = user.unwrap_or_else(|| of.uid().to_string());
    match of.pid() {
        // of another container
        0 => Some(format!("a process of user {user}")),
        pid => Some(format!("pid {pid} of user {user}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_name_is_had_once_and_its_holder_is_known() {
        let name = format!("test-{}", std::process::id());
        assert_eq!(holder(&name), None);
        let first = take(&name).unwrap().unwrap();
        assert!(take(&name).unwrap().is_none());
        let said = holder(&name).unwrap();
        assert!(said.starts_with(&format!("pid {} of user ", std::process::id())), "{said}");
        drop(first);
        assert!(take(&name).unwrap().is_some());
    }
}
