//! Events that came on a connection and wait to be taken.

use libvirt_rpc::{Event, Malformed, Procedure};
use std::collections::VecDeque;

/// Events that wait before a connection is read no further, so that the server waits with the rest.
const EVENTS_ENOUGH: usize = 1024;

/// Most events that wait. One read adds up to 2,048 (64 KiB of the shortest packets), so that there
/// are more only while the reply to a call is awaited, which has to be read; then the host is looked
/// at whole instead.
const EVENTS_MAX: usize = 4096;

/// Longest message of an event. Names are those of files, of 255 bytes at the most, and aliases are
/// as short; what is longer is nothing to keep a thousand of.
const EVENT_SIZE: usize = 4096;

/// Events that came on a connection and wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    pub(super) events: VecDeque<Event>,
    /// Whether more events came than could be kept.
    pub(super) missed: bool,
}

impl Arrived {
    /// Whether they should be taken before more is read.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= EVENTS_ENOUGH
    }

    /// Keeps an event, if there is room for it and anybody can use it.
    pub(super) fn accept(&mut self, procedure: Procedure, message: &[u8]) -> Result<(), Malformed> {
        match Event::decode(procedure, message)? {
            None => {}
            Some(_) if self.events.len() >= EVENTS_MAX || message.len() > EVENT_SIZE => {
                self.missed = true;
            }
            Some(event) => self.events.push_back(event),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::model::Uuid;
    use libvirt_rpc::{DomainHandle, to_bytes};

    #[test]
    fn what_is_kept_of_a_connection_is_bounded() {
        let mut arrived = Arrived::default();
        let web = |name: &str| DomainHandle { name: name.into(), uuid: Uuid::nil(), id: 1 };
        let event = to_bytes(&(0, web("web"), 2, 0)).unwrap();
        for _ in 0..EVENTS_MAX + 1 {
            arrived.accept(Procedure(318), &event).unwrap();
        }
        assert_eq!((arrived.events.len(), arrived.missed), (EVENTS_MAX, true));
        let mut arrived = Arrived::default();
        let long = to_bytes(&(0, web(&"x".repeat(EVENT_SIZE)), 2, 0)).unwrap();
        arrived.accept(Procedure(318), &long).unwrap();
        assert_eq!((arrived.events.len(), arrived.missed), (0, true));
    }
}
