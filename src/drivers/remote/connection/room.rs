//! How much a host may answer, where that has a limit.

use super::Connection;
use crate::diag::{Error, ErrorKind, Result};

impl Connection {
    /// Takes so many bytes of results from now on and no more, or as many as come.
    pub(in crate::drivers::remote) fn limit_results(&mut self, bytes: Option<usize>) {
        self.room = bytes;
    }

    pub(super) fn take_room(&mut self, bytes: usize) -> Result<()> {
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(bytes).ok_or_else(too_much)?;
        }
        Ok(())
    }
}

/// A host whose inventory is larger than this process is to take up: it is not read in part.
pub(in crate::drivers::remote) fn too_much() -> Error {
    let text = "the inventory of the host takes more memory than it may";
    Error::new(ErrorKind::Denied, text)
        .hint("if it has that many guests, --max-inventory MIB allows more")
}

/// Why no answer is taken any more: it is too much, or it is none.
pub(super) fn or_not_understood(error: Error) -> Error {
    if error.kind == ErrorKind::Denied {
        return error;
    }
    Error::new(ErrorKind::Protocol, "libvirt's answer cannot be understood")
        .caused_by(error)
        .hint("is this the socket of a libvirt daemon?")
}
