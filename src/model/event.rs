//! What a host tells of its own accord.

use super::ResourceId;
use crate::error::Error;
use std::fmt;

/// What a host tells of its own accord. It says where to look again, never what is there: by the
/// time it is read the host may have moved on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverEvent {
    /// Something happened to an object.
    Changed {
        /// The object.
        id: ResourceId,
        /// What happened.
        what: EventKind,
    },
    /// An object is gone. Not every host says so: one that is left without its definition
    /// ([`EventKind::Undefined`]) may end with its running instance.
    Gone(ResourceId),
    /// From here on the host is listened to, and what was before may have been missed: look at all
    /// of it. It comes first, after every time that the host was lost, and where its report has a gap.
    Resync,
    /// The host is lost, and is called until it answers; then a [`Resync`](Self::Resync) comes.
    Lost(Error),
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was defined, or redefined.
    Defined,
    /// Its definition is gone; it is there only as long as it is active.
    Undefined,
    /// It was started.
    Started,
    /// A domain's processors were stopped.
    Suspended,
    /// A domain's processors go on.
    Resumed,
    /// The guest has shut down; it is stopped next.
    ShutDown,
    /// It is stopped, for whatever reason.
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
    /// Something else about it changed.
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
