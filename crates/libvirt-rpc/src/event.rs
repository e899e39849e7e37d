//! Events: messages that a server sends unasked to a client that has registered for them.

use super::xdr::{Malformed, from_bytes};
use super::{DomainHandle, NetworkHandle, Procedure};

/// Domain events that a client can register for: virDomainEventID.
pub mod domain_event {
    /// A domain comes, goes, starts or stops.
    pub const LIFECYCLE: i32 = 0;
    /// A running domain has lost a device.
    pub const DEVICE_REMOVED: i32 = 15;
    /// A running domain has got a device.
    pub const DEVICE_ADDED: i32 = 19;
    /// Refusal of a running domain to release a device.
    pub const DEVICE_REMOVAL_FAILED: i32 = 22;
}

/// Network events that a client can register for: virNetworkEventID.
pub mod network_event {
    /// A network comes, goes, starts or stops.
    pub const LIFECYCLE: i32 = 0;
}

/// Event of a server. The number of the registration, which comes first in most messages, is left out: a
/// client that registers once for each event has no use for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Lifecycle event of a domain.
    Domain {
        /// The domain; its id is -1 if it does not run.
        domain: DomainHandle,
        /// Sort of the event: virDomainEventType.
        event: i32,
        /// More on the event, numbered by event.
        detail: i32,
    },
    /// Lifecycle event of a network.
    Network {
        /// The network.
        network: NetworkHandle,
        /// Sort of the event: virNetworkEventLifecycleType.
        event: i32,
        /// More on the event; libvirt has no numbers for it yet.
        detail: i32,
    },
    /// A running domain has got a device.
    DeviceAdded {
        /// The domain.
        domain: DomainHandle,
        /// The device's alias in the running definition.
        alias: String,
    },
    /// A running domain has lost a device.
    DeviceRemoved {
        /// The domain.
        domain: DomainHandle,
        /// The alias that the device had.
        alias: String,
    },
    /// Refusal of a running domain to release a device.
    DeviceRemovalFailed {
        /// The domain.
        domain: DomainHandle,
        /// The device's alias.
        alias: String,
    },
    /// The server has lost its own connection to the hypervisor.
    ConnectionClosed {
        /// Reason: virConnectCloseReason.
        reason: i32,
    },
}

impl Event {
    /// The event in a message of `procedure`; `None` for one that this build has no use for.
    ///
    /// # Errors
    /// The message is not what its procedure says.
    pub fn decode(procedure: Procedure, message: &[u8]) -> Result<Option<Self>, Malformed> {
        let device = || from_bytes::<(i32, DomainHandle, String)>(message);
        Ok(Some(match procedure.0 {
            315 => {
                let (_, network, event, detail) =
                    from_bytes::<(i32, NetworkHandle, i32, i32)>(message)?;
                Self::Network { network, event, detail }
            }
            318 => {
                let (_, domain, event, detail) =
                    from_bytes::<(i32, DomainHandle, i32, i32)>(message)?;
                Self::Domain { domain, event, detail }
            }
            333 => {
                let (_, domain, alias) = device()?;
                Self::DeviceRemoved { domain, alias }
            }
            354 => {
                let (_, domain, alias) = device()?;
                Self::DeviceAdded { domain, alias }
            }
            362 => Self::ConnectionClosed { reason: from_bytes(message)? },
            367 => {
                let (_, domain, alias) = device()?;
                Self::DeviceRemovalFailed { domain, alias }
            }
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::to_bytes;
    use uuid::Uuid;

    /// Recorded event of libvirtd 11.3 when a domain was defined: 318 with its registration first.
    const DEFINED: &[u8] = b"\0\0\0\x03\0\0\0\x03ev1\0\
        \x97\xf8\xb5\xd6\xac\x5b\x43\x61\xb3\x96\xba\xa1\xfc\x4d\x93\x7a\
        \xff\xff\xff\xff\0\0\0\0\0\0\0\0";

    fn handle() -> DomainHandle {
        let uuid = Uuid::parse_str("97f8b5d6-ac5b-4361-b396-baa1fc4d937a").unwrap();
        DomainHandle { name: "ev1".into(), uuid, id: -1 }
    }

    fn decoded(procedure: i32, message: &[u8]) -> Result<Option<Event>, Malformed> {
        Event::decode(Procedure(procedure), message)
    }

    #[test]
    fn messages_are_what_a_server_sends() {
        let defined = Event::Domain { domain: handle(), event: 0, detail: 0 };
        assert_eq!(decoded(318, DEFINED).unwrap(), Some(defined));
        let device = to_bytes(&(7, handle(), "net0")).unwrap();
        let (domain, alias) = (handle(), "net0".to_owned());
        for (procedure, event) in [
            (354, Event::DeviceAdded { domain: domain.clone(), alias: alias.clone() }),
            (333, Event::DeviceRemoved { domain: domain.clone(), alias: alias.clone() }),
            (367, Event::DeviceRemovalFailed { domain, alias }),
        ] {
            assert_eq!(decoded(procedure, &device).unwrap(), Some(event));
        }
        let network = NetworkHandle { name: "lan".into(), uuid: handle().uuid };
        let message = to_bytes(&(7, network.clone(), 2, 0)).unwrap();
        let started = Event::Network { network, event: 2, detail: 0 };
        assert_eq!(decoded(315, &message).unwrap(), Some(started));
        let closed = Event::ConnectionClosed { reason: 1 };
        assert_eq!(decoded(362, b"\0\0\0\x01").unwrap(), Some(closed));
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused_and_what_is_unknown_is_not_read() {
        let device = to_bytes(&(7, handle(), "net0")).unwrap();
        let network = NetworkHandle { name: "lan".into(), uuid: handle().uuid };
        let network = to_bytes(&(7, network, 2, 0)).unwrap();
        let messages = [
            (318, DEFINED),
            (315, &network),
            (333, &device),
            (354, &device),
            (367, &device),
            (362, &[0; 4]),
        ];
        for (procedure, message) in messages {
            for end in 0..message.len() {
                assert!(decoded(procedure, message.split_at(end).0).is_err(), "{procedure} {end}");
            }
            let longer = [message, &[0; 4]].concat();
            assert!(decoded(procedure, &longer).is_err(), "{procedure}");
        }
        assert_eq!(decoded(319, DEFINED).unwrap(), None);
        assert_eq!(decoded(-1, &[1]).unwrap(), None);
    }
}
