//! Operations as data: what a plan holds and a driver carries out.

use super::{LifecycleAction, LifecycleEvent, ResourceId, Tuning, TuningParameter, Uuid};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The object an operation is for. Drivers find it by UUID; the name is for people and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its identity.
    pub id: ResourceId,
    /// Its UUID: the host's, or the one its definition is about to give it.
    pub uuid: Uuid,
}

/// One operation on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The object.
    pub target: Target,
    /// Operation of the call.
    pub op: Op,
}

/// Which of an object's definitions an operation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Affect {
    /// The running instance.
    Live,
    /// The next boot.
    Config,
    /// Both in one call.
    Both,
}

impl Affect {
    /// libvirt's flags: LIVE is 1, CONFIG is 2.
    pub fn flags(self) -> u32 {
        match self {
            Self::Live => 1,
            Self::Config => 2,
            Self::Both => 3,
        }
    }
}

/// Treatment of a domain's state files when it is undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum UndefineKeep {
    /// The host has none, or cannot tell: no flags.
    Nothing,
    /// NVRAM and TPM state stay on the host; a saved memory image makes it fail.
    State,
    /// NVRAM and TPM state stay; a saved memory image and what the host knows of snapshots and
    /// checkpoints are removed.
    Firmware,
    /// All of that is removed.
    Remove,
}

/// Part of the metadata that `SetMetadata` sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MetadataKind {
    /// The description.
    Description,
    /// The title.
    Title,
    /// The element of a namespace, written with the prefix `key`.
    Element {
        /// The prefix.
        key: String,
        /// The namespace.
        uri: String,
    },
}

/// Command of `virNetworkUpdate` in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NetworkCommand {
    /// Changes an entry.
    Modify,
    /// Removes an entry.
    Delete,
    /// Adds an entry at the end.
    AddLast,
}

impl NetworkCommand {
    /// libvirt's number.
    pub fn number(self) -> u32 {
        match self {
            Self::Modify => 1,
            Self::Delete => 2,
            Self::AddLast => 3,
        }
    }
}

/// A section of a network that can be changed while it is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NetworkSection {
    /// `<host>` in `<dhcp>`.
    IpDhcpHost,
    /// `<range>` in `<dhcp>`.
    IpDhcpRange,
    /// `<interface>` in `<forward>`.
    ForwardInterface,
    /// `<portgroup>`.
    Portgroup,
    /// `<host>` in `<dns>`.
    DnsHost,
    /// `<txt>` in `<dns>`.
    DnsTxt,
    /// `<srv>` in `<dns>`.
    DnsSrv,
}

impl NetworkSection {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::IpDhcpHost,
        Self::IpDhcpRange,
        Self::ForwardInterface,
        Self::Portgroup,
        Self::DnsHost,
        Self::DnsTxt,
        Self::DnsSrv,
    ];

    /// libvirt's number.
    pub fn number(self) -> u32 {
        match self {
            Self::IpDhcpHost => 4,
            Self::IpDhcpRange => 5,
            Self::ForwardInterface => 7,
            Self::Portgroup => 9,
            Self::DnsHost => 10,
            Self::DnsTxt => 11,
            Self::DnsSrv => 12,
        }
    }
}

/// Threads of a domain that are pinned to processors of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Pinned {
    /// A virtual processor.
    Vcpu(u32),
    /// The emulator's own threads.
    Emulator,
    /// An I/O thread.
    IoThread(u32),
}

/// An operation. Adding one fails to compile until every driver answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// Makes `xml` the object's persistent definition.
    Define {
        /// The whole document.
        xml: String,
    },
    /// Removes the persistent definition.
    Undefine {
        /// Treatment of its state files.
        keep: UndefineKeep,
    },
    /// Starts it from its persistent definition.
    Create {
        /// Whether a domain's processors stay stopped.
        paused: bool,
    },
    /// Asks the guest to shut down (ACPI); returns at once.
    Shutdown,
    /// Stops it at once, as pulling the plug does.
    Destroy,
    /// Stops a domain's processors.
    Suspend,
    /// Lets a domain's processors run again.
    Resume,
    /// Sets whether it starts with the host.
    SetAutostart {
        /// The new setting.
        on: bool,
    },
    /// Adds a device.
    Attach {
        /// The device's element.
        xml: String,
        /// Where.
        affect: Affect,
    },
    /// Removes a device.
    Detach {
        /// The device's element, as the definition that is changed has it.
        xml: String,
        /// Where.
        affect: Affect,
    },
    /// Changes a device.
    Update {
        /// The device's whole element, changed.
        xml: String,
        /// Where.
        affect: Affect,
    },
    /// Sets the current memory (the balloon).
    SetMemory {
        /// KiB.
        kib: u64,
        /// Where.
        affect: Affect,
    },
    /// Sets the number of virtual processors in use.
    SetVcpus {
        /// How many.
        count: u32,
        /// Where.
        affect: Affect,
    },
    /// Says on which of the host's processors something runs, while the domain does.
    Pin {
        /// What.
        what: Pinned,
        /// The host's processors.
        cpus: BTreeSet<u32>,
    },
    /// Gives a running domain one more I/O thread.
    AddIoThread {
        /// Its number.
        id: u32,
    },
    /// Takes an I/O thread that nothing uses from a running domain.
    DeleteIoThread {
        /// Its number.
        id: u32,
    },
    /// Sets limits and weights of a running domain.
    Tune {
        /// Of what.
        what: Tuning,
        /// The parameters that change.
        parameters: Vec<TuningParameter>,
    },
    /// Says what follows when a running guest powers off, reboots or crashes.
    SetLifecycle {
        /// When it does what.
        event: LifecycleEvent,
        /// Action that follows.
        action: LifecycleAction,
    },
    /// Sets how often a running guest's balloon tells statistics.
    SetMemoryStatsPeriod {
        /// In seconds; 0 is never.
        seconds: u32,
    },
    /// Throws away the saved image that a domain would resume from.
    DiscardSaved,
    /// Gives a domain that is shut off another name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Sets title, description or a metadata element.
    SetMetadata {
        /// Which.
        kind: MetadataKind,
        /// The text or element; `None` removes it.
        value: Option<String>,
        /// Where.
        affect: Affect,
    },
    /// Changes an entry of a network's section.
    NetworkUpdate {
        /// Add, change or remove.
        command: NetworkCommand,
        /// In which section.
        section: NetworkSection,
        /// Which `<ip>` element, counted from 0; -1 where none is meant.
        parent: i32,
        /// The entry's element.
        xml: String,
        /// Where.
        affect: Affect,
    },
}

/// The name of an operation without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is documented on Op")]
pub enum OpKind {
    Define,
    Undefine,
    Create,
    Shutdown,
    Destroy,
    Suspend,
    Resume,
    SetAutostart,
    Attach,
    Detach,
    Update,
    SetMemory,
    SetVcpus,
    Pin,
    AddIoThread,
    DeleteIoThread,
    Tune,
    SetLifecycle,
    SetMemoryStatsPeriod,
    DiscardSaved,
    Rename,
    SetMetadata,
    NetworkUpdate,
}

impl OpKind {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Define,
        Self::Undefine,
        Self::Create,
        Self::Shutdown,
        Self::Destroy,
        Self::Suspend,
        Self::Resume,
        Self::SetAutostart,
        Self::Attach,
        Self::Detach,
        Self::Update,
        Self::SetMemory,
        Self::SetVcpus,
        Self::Pin,
        Self::AddIoThread,
        Self::DeleteIoThread,
        Self::Tune,
        Self::SetLifecycle,
        Self::SetMemoryStatsPeriod,
        Self::DiscardSaved,
        Self::Rename,
        Self::SetMetadata,
        Self::NetworkUpdate,
    ];

    /// The word for it in plans and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Define => "define",
            Self::Undefine => "undefine",
            Self::Create => "create",
            Self::Shutdown => "shutdown",
            Self::Destroy => "destroy",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::SetAutostart => "autostart",
            Self::Attach => "attach",
            Self::Detach => "detach",
            Self::Update => "update",
            Self::SetMemory => "set-memory",
            Self::SetVcpus => "set-vcpus",
            Self::Pin => "pin",
            Self::AddIoThread => "add-iothread",
            Self::DeleteIoThread => "delete-iothread",
            Self::Tune => "tune",
            Self::SetLifecycle => "set-lifecycle",
            Self::SetMemoryStatsPeriod => "set-memory-stats-period",
            Self::DiscardSaved => "discard-saved-image",
            Self::Rename => "rename",
            Self::SetMetadata => "set-metadata",
            Self::NetworkUpdate => "network-update",
        }
    }
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Op {
    /// Which operation it is.
    pub fn kind(&self) -> OpKind {
        match self {
            Self::Define { .. } => OpKind::Define,
            Self::Undefine { .. } => OpKind::Undefine,
            Self::Create { .. } => OpKind::Create,
            Self::Shutdown => OpKind::Shutdown,
            Self::Destroy => OpKind::Destroy,
            Self::Suspend => OpKind::Suspend,
            Self::Resume => OpKind::Resume,
            Self::SetAutostart { .. } => OpKind::SetAutostart,
            Self::Attach { .. } => OpKind::Attach,
            Self::Detach { .. } => OpKind::Detach,
            Self::Update { .. } => OpKind::Update,
            Self::SetMemory { .. } => OpKind::SetMemory,
            Self::SetVcpus { .. } => OpKind::SetVcpus,
            Self::Pin { .. } => OpKind::Pin,
            Self::AddIoThread { .. } => OpKind::AddIoThread,
            Self::DeleteIoThread { .. } => OpKind::DeleteIoThread,
            Self::Tune { .. } => OpKind::Tune,
            Self::SetLifecycle { .. } => OpKind::SetLifecycle,
            Self::SetMemoryStatsPeriod { .. } => OpKind::SetMemoryStatsPeriod,
            Self::DiscardSaved => OpKind::DiscardSaved,
            Self::Rename { .. } => OpKind::Rename,
            Self::SetMetadata { .. } => OpKind::SetMetadata,
            Self::NetworkUpdate { .. } => OpKind::NetworkUpdate,
        }
    }

    /// The document that is sent with it, if it has one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Define { xml }
            | Self::Attach { xml, .. }
            | Self::Detach { xml, .. }
            | Self::Update { xml, .. }
            | Self::NetworkUpdate { xml, .. } => Some(xml),
            Self::SetMetadata { kind: MetadataKind::Element { .. }, value, .. } => value.as_deref(),
            Self::SetMetadata { kind: MetadataKind::Title | MetadataKind::Description, .. }
            | Self::Undefine { .. }
            | Self::Create { .. }
            | Self::Shutdown
            | Self::Destroy
            | Self::Suspend
            | Self::Resume
            | Self::SetAutostart { .. }
            | Self::SetMemory { .. }
            | Self::SetVcpus { .. }
            | Self::Pin { .. }
            | Self::AddIoThread { .. }
            | Self::DeleteIoThread { .. }
            | Self::Tune { .. }
            | Self::SetLifecycle { .. }
            | Self::SetMemoryStatsPeriod { .. }
            | Self::DiscardSaved
            | Self::Rename { .. } => None,
        }
    }
}

/// Outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The host carried it out.
    Done,
    /// The host, or the driver before it asked the host, did not carry it out.
    Refused(Error),
    /// Never sent, without effect. Of kind [`NotSent`](crate::error::ErrorKind::NotSent) where an earlier call
    /// of the same object was not done, else of what kept it from the host.
    NotSent(Error),
    /// Sent without an answer: it may or may not have been carried out. Read again; never
    /// send it again blindly.
    Unknown(Error),
}
