//! Parties of an authentication, with helpers of all methods: quick calls, and refusals.

use crate::drivers::Environment;
use crate::drivers::libvirt::connection::Request;
use crate::drivers::libvirt::timeouts;
use crate::error::{Error, ErrorKind};
use crate::model::Uri;
use libvirt_rpc::Procedure;

/// Parties of an authentication: the connection that the client asks for.
#[derive(Clone, Copy, Debug)]
pub(in crate::drivers::libvirt) struct Who<'a> {
    /// Requested connection, with its `auth` and `authfile`.
    pub(in crate::drivers::libvirt) uri: &'a Uri,
    /// Whether the bytes go over a network in the clear.
    pub(in crate::drivers::libvirt) is_plain_tcp: bool,
    /// The server's host as auth.conf has it: `localhost` for a unix socket.
    pub(in crate::drivers::libvirt) host: &'a str,
    /// Places of files, and the prompt for credentials.
    pub(in crate::drivers::libvirt) env: &'a Environment,
}

/// Returns the error of an authentication that the server, or this client, refuses.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Denied, message)
}

/// A quick call without arguments.
pub(super) fn quick(procedure: Procedure) -> Request {
    Request { procedure, args: Vec::new(), time: timeouts::QUICK }
}
