//! Operations on networks.

use super::affect::{Affect, MetadataKind};
use super::kind::OpKind;
use serde::{Deserialize, Serialize};

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

/// An operation on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NetworkOp {
    /// Makes `xml` the object's persistent definition.
    Define {
        /// The whole document.
        xml: String,
    },
    /// Removes the persistent definition.
    Undefine,
    /// Starts it from its persistent definition.
    Create,
    /// Stops it at once.
    Destroy,
    /// Sets whether it starts with the host.
    SetAutostart {
        /// The new setting.
        on: bool,
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
    Update {
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

impl NetworkOp {
    /// Returns the operation without its arguments.
    pub fn kind(&self) -> OpKind {
        match self {
            Self::Define { .. } => OpKind::Define,
            Self::Undefine => OpKind::Undefine,
            Self::Create => OpKind::Create,
            Self::Destroy => OpKind::Destroy,
            Self::SetAutostart { .. } => OpKind::SetAutostart,
            Self::SetMetadata { .. } => OpKind::SetMetadata,
            Self::Update { .. } => OpKind::NetworkUpdate,
        }
    }

    /// Returns the document that is sent with it, if it has one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Define { xml } | Self::Update { xml, .. } => Some(xml),
            Self::SetMetadata { kind, value, .. } => kind.document(value.as_deref()),
            Self::Undefine | Self::Create | Self::Destroy | Self::SetAutostart { .. } => None,
        }
    }
}
