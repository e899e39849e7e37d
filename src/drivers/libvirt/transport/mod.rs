//! Streams to a daemon: a unix socket, TCP, TLS over it, or a program that passes bytes on.
//!
//! A stream never blocks once it is open; opening one has a deadline and says in a [`Trace`] what
//! it did. Nothing here knows what the bytes mean.
//!
//! - `child.rs`: a program whose standard input and output lead to a daemon: ssh, or one of the user's
//! - `ssh.rs`: arguments of ssh, and the command for the other host's shell
//! - `stream.rs`: the `Stream` trait, and sockets as streams
//! - `tcp.rs`: finding a host by its name, and connecting to it over TCP
//! - `tls.rs`: TLS over a TCP stream
//! - `unix.rs`: connecting to a unix socket

mod child;
mod ssh;
mod stream;
mod tcp;
mod tls;
mod unix;

pub(super) use child::Program;
pub(super) use ssh::{Proxy, SshHost, fault, remote_command};
pub(super) use stream::Stream;
pub(super) use tcp::Server;

use super::trace::{Stage, Trace};
use crate::error::Result;
use crate::pki;
use std::path::PathBuf;

/// Address of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostAddress {
    /// A unix socket of this host.
    Unix(PathBuf),
    /// TCP in the clear.
    Tcp(Server),
    /// TLS over TCP.
    Tls {
        /// The server, by the name that its certificate has to have.
        server: Server,
        /// Places of our certificate and of the trusted authorities.
        files: pki::Files,
        /// Whether the server's certificate is checked.
        verify: bool,
    },
    /// A program whose standard input and output lead to the daemon.
    Program(Program),
}

impl HostAddress {
    /// Opens a stream.
    ///
    /// # Errors
    /// The host cannot be found or reached, or it does not let us in.
    pub(super) fn open(&self, trace: &mut Trace) -> Result<Box<dyn Stream>> {
        match self {
            Self::Unix(path) => trace.stage(Stage::Connect, |said| {
                *said = path.display().to_string();
                let stream: Box<dyn Stream> = Box::new(unix::connect(path)?);
                Ok(stream)
            }),
            Self::Tcp(server) => Ok(Box::new(server.connect(trace)?)),
            Self::Tls { server, files, verify } => {
                let credentials = trace.stage(Stage::Certificates, |said| {
                    *said = files.ca.display().to_string();
                    pki::client(files, *verify)
                })?;
                let tcp = server.connect(trace)?;
                let tls =
                    trace.stage(Stage::Tls, |said| tls::open(tcp, server, &credentials, said))?;
                Ok(Box::new(tls))
            }
            Self::Program(program) => trace.stage(Stage::Start, |said| {
                *said = program.shown();
                let stream: Box<dyn Stream> = Box::new(program.spawn()?);
                Ok(stream)
            }),
        }
    }

    /// The way in a few words.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Unix(path) => format!("by {}", path.display()),
            Self::Tcp(Server { host, port }) => format!("by tcp to {host} port {port}"),
            Self::Tls { server: Server { host, port }, verify, .. } => {
                let unchecked = if *verify { "" } else { ", its certificate unchecked" };
                format!("by tls to {host} port {port}{unchecked}")
            }
            Self::Program(program) => format!("by {}", program.shown()),
        }
    }

    /// The host's name as a person wrote it; `localhost` for one of this host.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Unix(_) => "localhost",
            Self::Tcp(server) | Self::Tls { server, .. } => &server.host,
            Self::Program(program) => program.host().unwrap_or("localhost"),
        }
    }

    /// The host that ssh leads to.
    pub(super) fn ssh_host(&self) -> Option<&str> {
        match self {
            Self::Program(program) => program.host(),
            Self::Unix(_) | Self::Tcp(_) | Self::Tls { .. } => None,
        }
    }

    /// Whether anybody between here and the host can read along.
    pub(super) fn is_in_the_clear(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Whether a person may be asked something before the first byte comes back.
    pub(super) fn may_ask(&self) -> bool {
        matches!(self, Self::Program(_))
    }
}
