//! Events that a host sends unasked.

use super::ResourceId;
use crate::error::Error;
use std::fmt;

/// Event that a host sends unasked. It says which object to read again, never its state: by the time it is
/// read the host may have moved on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverEvent {
    /// Change of an object.
    Changed {
        /// The object.
        id: ResourceId,
        /// Sort of the change.
        what: EventKind,
    },
    /// An object is gone. Not every host says so: one that is left without its definition
    /// ([`EventKind::Undefined`]) may end with its running instance.
    Gone(ResourceId),
    /// Start of the event stream: earlier events may have been missed, so all of the host has to be read. It
    /// comes first, after every loss of the host, and in place of events that nobody took in time.
    Resync,
    /// The host is lost, and is called until it answers; then a [`Resync`](Self::Resync) comes.
    Lost(Error),
}

/// Sort of an event on an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Defined, or redefined.
    Defined,
    /// Undefined; it exists only as long as it is active.
    Undefined,
    /// Started.
    Started,
    /// A domain's processors were stopped.
    Suspended,
    /// A domain's processors go on.
    Resumed,
    /// The guest has shut down; it is stopped next.
    ShutDown,
    /// Stopped, for any reason.
    Stopped,
    /// The guest has put itself to sleep.
    PmSuspended,
    /// The guest has crashed.
    Crashed,
    /// A running domain has got the device of that alias.
    DeviceAdded(String),
    /// A running domain has lost the device of that alias.
    DeviceRemoved(String),
    /// A running domain did not let the device of that alias go.
    DeviceRemovalFailed(String),
    /// Changed in another way.
    Updated,
}

impl EventKind {
    /// The word for it, without the device.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Defined => "defined",
            Self::Undefined => "undefined",
            Self::Started => "started",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::ShutDown => "shut down",
            Self::Stopped => "stopped",
            Self::PmSuspended => "pmsuspended",
            Self::Crashed => "crashed",
            Self::DeviceAdded(_) => "device added",
            Self::DeviceRemoved(_) => "device removed",
            Self::DeviceRemovalFailed(_) => "device removal failed",
            Self::Updated => "updated",
        }
    }

    /// The alias of the device that it is about.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::DeviceAdded(alias)
            | Self::DeviceRemoved(alias)
            | Self::DeviceRemovalFailed(alias) => Some(alias),
            Self::Defined
            | Self::Undefined
            | Self::Started
            | Self::Suspended
            | Self::Resumed
            | Self::ShutDown
            | Self::Stopped
            | Self::PmSuspended
            | Self::Crashed
            | Self::Updated => None,
        }
    }
}

impl fmt::Display for EventKind {
    /// The word, and the device if it is about one: `device added: net0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        self.device().map_or(Ok(()), |alias| write!(f, ": {}", diagnostics::escape(alias)))
    }
}
