//! Names of operations.

use std::fmt;

/// The name of an operation without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is documented on the operations of its kinds")]
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
    Delete,
}

impl OpKind {
    /// All of them.
    pub const ALL: [Self; 24] = [
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
        Self::Delete,
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
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
