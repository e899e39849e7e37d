//! Finding a host by its name, and connecting to it over TCP.

use super::super::trace::{Stage, Trace};
use crate::error::{Error, ErrorKind, Result};
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Time limits for resolving a name, and for all its addresses together to answer. A host on the other side
/// of the world takes a third of a second.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most addresses of a name that are tried.
const ADDRESSES_MAX: usize = 16;

/// Keepalive of the kernel: after `IDLE` s of silence it probes the peer, again every `INTERVAL` s, and gives
/// up after `COUNT` probes: 25 s. Unacknowledged data are given up as late.
const KEEPALIVE_IDLE: u32 = 10;
const KEEPALIVE_INTERVAL: u32 = 5;
const KEEPALIVE_COUNT: u32 = 3;
const UNACKNOWLEDGED_MS: u32 = 25_000;

/// A port of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Server {
    /// The host's name or address, an IPv6 address without its brackets.
    pub(in super::super) host: String,
    /// The port.
    pub(in super::super) port: u16,
}

impl Server {
    /// Finds the host and connects; the stream does not block.
    ///
    /// # Errors
    /// The name is not known, or none of its addresses answers.
    pub(super) fn connect(&self, trace: &mut Trace) -> Result<TcpStream> {
        let addresses = trace.stage(Stage::Resolve, |said| {
            let addresses = self.resolve()?;
            *said = addresses.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", ");
            Ok(addresses)
        })?;
        trace.stage(Stage::Connect, |said| {
            let stream = self.connect_to(&addresses)?;
            *said = stream.peer_addr().map(|a| a.to_string()).unwrap_or_default();
            Ok(stream)
        })
    }

    /// The system's resolver has no deadline, so it runs in a thread that may be left behind.
    fn resolve(&self) -> Result<Vec<SocketAddr>> {
        let (tell, told) = mpsc::sync_channel(1);
        let (host, port) = (self.host.clone(), self.port);
        std::thread::spawn(move || {
            let found = (host.as_str(), port).to_socket_addrs();
            let found = found.map(|all| all.take(ADDRESSES_MAX).collect::<Vec<_>>());
            // nobody waits any more if it took too long
            let _ = tell.send(found);
        });
        let host = &self.host;
        let fail = |kind, message| {
            Error::new(kind, message)
                .hint("look for a typo in the name, or write the host's address")
        };
        match told.recv_timeout(RESOLVE_TIMEOUT) {
            Ok(Ok(mut addresses)) if !addresses.is_empty() => {
                addresses.dedup();
                Ok(addresses)
            }
            Ok(Ok(_)) => Err(fail(ErrorKind::Io, format!("the host {host} has no address"))),
            Ok(Err(error)) => {
                let message = format!("the host {host} cannot be found: {error}");
                Err(fail(ErrorKind::Io, message))
            }
            Err(_) => {
                let message = format!("the host {host} was not found within {RESOLVE_TIMEOUT:?}");
                Err(fail(ErrorKind::Timeout, message))
            }
        }
    }

    /// Tries the addresses one after the other, so that a host with a dead one is still reached.
    fn connect_to(&self, addresses: &[SocketAddr]) -> Result<TcpStream> {
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        let mut failed = None;
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            if share.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(address, share).and_then(prepared) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = Some((*address, error)),
            }
        }
        Err(match failed {
            Some((address, error)) => cannot_connect(&self.host, address, &error),
            None => {
                let text = format!("{} has no address that could be tried", self.host);
                Error::new(ErrorKind::Io, text)
            }
        })
    }
}

/// A stream that does not block, sends at once, and notices when its peer has gone.
fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    setsockopt(&stream, sockopt::KeepAlive, &true)?;
    setsockopt(&stream, sockopt::TcpKeepIdle, &KEEPALIVE_IDLE)?;
    setsockopt(&stream, sockopt::TcpKeepInterval, &KEEPALIVE_INTERVAL)?;
    setsockopt(&stream, sockopt::TcpKeepCount, &KEEPALIVE_COUNT)?;
    setsockopt(&stream, sockopt::TcpUserTimeout, &UNACKNOWLEDGED_MS)?;
    Ok(stream)
}

fn cannot_connect(host: &str, address: SocketAddr, error: &io::Error) -> Error {
    let mut outer = Error::system(&address.to_string(), error);
    outer.message = format!("cannot connect to {host} at {}", outer.message);
    outer.hint(match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there: start libvirtd-tls.socket or libvirtd-tcp.socket (virtproxyd's \
             with modular daemons), or reach the host over ssh, such as qemu+ssh://root@host/system"
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "a firewall may drop the packets: open TCP 16514 (tls) or 16509 (tcp), or use ssh"
        }
        _ => "see whether the host is up and can be reached from here",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::net::TcpListener;

    fn connect(host: &str, port: u16) -> Result<TcpStream> {
        Server { host: host.to_owned(), port }.connect(&mut Trace::default())
    }

    #[test]
    fn every_address_of_a_name_is_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // localhost may be ::1 first, where nothing listens
        let stream = connect("localhost", port).unwrap();
        assert!(stream.nodelay().unwrap());
        drop(listener);
        let error = connect("127.0.0.1", port).unwrap_err();
        assert!(error.message.contains("127.0.0.1"), "{error}");
        assert!(error.hint.as_deref().unwrap().contains("nothing listens there"));
    }

    #[test]
    fn an_address_of_either_family_needs_no_resolver() {
        let server = |host: &str| Server { host: host.to_owned(), port: 1 }.resolve().unwrap();
        assert_eq!(server("::1"), ["[::1]:1".parse().unwrap()]);
        assert_eq!(server("127.0.0.1"), ["127.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn a_name_that_nobody_knows_is_refused_with_a_way_out() {
        // RFC 6761: never a host
        let error = connect("no-such-host.invalid", 1).unwrap_err();
        assert!(error.message.contains("no-such-host.invalid"), "{error}");
        assert!(error.hint.is_some());
    }
}
