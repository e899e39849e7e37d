//! Operations on storage pools and volumes.

use super::kind::OpKind;
use serde::{Deserialize, Serialize};

/// An operation on a storage pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PoolOp {
    /// Makes `xml` the pool's persistent definition.
    Define {
        /// The whole document.
        xml: String,
    },
    /// Removes the persistent definition.
    Undefine,
    /// Starts it from its persistent definition.
    Create,
    /// Stops it at once; its volumes stay.
    Destroy,
    /// Sets whether it starts with the host.
    SetAutostart {
        /// The new setting.
        on: bool,
    },
}

impl PoolOp {
    /// Returns the operation without its arguments.
    pub fn kind(&self) -> OpKind {
        match self {
            Self::Define { .. } => OpKind::Define,
            Self::Undefine => OpKind::Undefine,
            Self::Create => OpKind::Create,
            Self::Destroy => OpKind::Destroy,
            Self::SetAutostart { .. } => OpKind::SetAutostart,
        }
    }

    /// Returns the document that is sent with it, if it has one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Define { xml } => Some(xml),
            Self::Undefine | Self::Create | Self::Destroy | Self::SetAutostart { .. } => None,
        }
    }
}

/// An operation on a storage volume, which is there or not: nothing of it runs, and nothing starts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum VolumeOp {
    /// Creates it from `xml`.
    Create {
        /// The whole document.
        xml: String,
    },
    /// Deletes it with its data.
    Delete,
}

impl VolumeOp {
    /// Returns the operation without its arguments.
    pub fn kind(&self) -> OpKind {
        match self {
            Self::Create { .. } => OpKind::Create,
            Self::Delete => OpKind::Delete,
        }
    }

    /// Returns the document that is sent with it, if it has one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Create { xml } => Some(xml),
            Self::Delete => None,
        }
    }
}
