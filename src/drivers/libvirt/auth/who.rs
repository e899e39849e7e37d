//! Who asks to be let in where, and what both the ways and the choice among them need: quick calls, and
//! refusals.

use crate::drivers::Environment;
use crate::drivers::libvirt::connection::Request;
use crate::drivers::libvirt::timeouts;
use crate::error::{Error, ErrorKind};
use crate::model::Uri;
use libvirt_rpc::Procedure;

/// Who connects to what, as far as authentication asks.
#[derive(Clone, Copy, Debug)]
pub(in crate::drivers::libvirt) struct Who<'a> {
    /// What was asked for, with its `auth` and `authfile`.
    pub(in crate::drivers::libvirt) uri: &'a Uri,
    /// Whether the bytes go over a network in the clear.
    pub(in crate::drivers::libvirt) is_plain_tcp: bool,
    /// The server's host as auth.conf has it: `localhost` for a unix socket.
    pub(in crate::drivers::libvirt) host: &'a str,
    /// Where files are, and who can be asked.
    pub(in crate::drivers::libvirt) env: &'a Environment,
}

/// We are not let in, or do not want to be.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Denied, message)
}

/// A quick call without arguments.
pub(super) fn quick(procedure: Procedure) -> Request {
    Request { procedure, args: Vec::new(), time: timeouts::QUICK }
}
