//! Limit on the size of a host's answers.

use super::Connection;
use crate::error::{Error, ErrorKind, Result};

/// Bytes that a host may still send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    left: usize,
    most: usize,
}

impl Connection {
    /// Limits the results to this number of bytes from now on, or lifts the limit.
    pub(in crate::drivers::libvirt) fn limit_results(&mut self, bytes: Option<usize>) {
        self.room = bytes.map(|most| Room { left: most, most });
    }

    pub(super) fn take_room(&mut self, bytes: usize) -> Result<()> {
        if let Some(Room { left, most }) = &mut self.room {
            *left = left.checked_sub(bytes).ok_or_else(|| too_much(*most))?;
        }
        Ok(())
    }
}

/// A host whose inventory is larger than this process is to take up: it is not read in part.
pub(in crate::drivers::libvirt) fn too_much(most: usize) -> Error {
    let limit = most.div_ceil(1 << 20);
    let text = format!("the inventory of the host takes more memory than it may: {limit} MiB");
    Error::new(ErrorKind::Denied, text)
        .hint("if it has that many guests, --max-inventory MIB allows more")
}

/// Returns the error of an answer that is not accepted: too large, or malformed, with `error` as its cause.
pub(super) fn or_not_understood(error: Error) -> Error {
    if error.kind == ErrorKind::Denied {
        return error;
    }
    Error::new(ErrorKind::Protocol, "libvirt's answer cannot be understood")
        .caused_by(error)
        .hint("is this the socket of a libvirt daemon?")
}
