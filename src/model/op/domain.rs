//! Operations on domains.

use super::affect::{Affect, MetadataKind};
use super::kind::OpKind;
use crate::model::{LifecycleAction, LifecycleEvent, Tuning, TuningParameter};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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

/// An operation on a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DomainOp {
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
}

impl DomainOp {
    /// Returns the operation without its arguments.
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
        }
    }

    /// Returns the document that is sent with it, if it has one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Define { xml }
            | Self::Attach { xml, .. }
            | Self::Detach { xml, .. }
            | Self::Update { xml, .. } => Some(xml),
            Self::SetMetadata { kind, value, .. } => kind.document(value.as_deref()),
            Self::Undefine { .. }
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
