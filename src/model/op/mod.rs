//! Operations as data: what a plan holds and a driver carries out.
//!
//! - `affect.rs`: arguments that operations of several kinds have
//! - `domain.rs`: operations on domains
//! - `kind.rs`: names of operations
//! - `network.rs`: operations on networks
//! - `storage.rs`: operations on storage pools and volumes

mod affect;
mod domain;
mod kind;
mod network;
mod storage;

pub use affect::{Affect, MetadataKind};
pub use domain::{DomainOp, Pinned, UndefineKeep};
pub use kind::OpKind;
pub use network::{NetworkCommand, NetworkOp, NetworkSection};
pub use storage::{PoolOp, VolumeOp};

use super::{Kind, ResourceId, Uuid};
use crate::error::Error;
use serde::{Deserialize, Serialize};

/// The object an operation is for. Drivers find it by UUID; the name is for people and logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// An operation, by the kind of its object. Adding one fails to compile until every driver answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// On a domain.
    Domain(DomainOp),
    /// On a network.
    Network(NetworkOp),
    /// On a storage pool.
    Pool(PoolOp),
    /// On a storage volume.
    Volume(VolumeOp),
}

impl Op {
    /// Returns the operation without its arguments.
    pub fn kind(&self) -> OpKind {
        match self {
            Self::Domain(op) => op.kind(),
            Self::Network(op) => op.kind(),
            Self::Pool(op) => op.kind(),
            Self::Volume(op) => op.kind(),
        }
    }

    /// Returns the kind of the objects that it is for.
    pub fn object_kind(&self) -> Kind {
        match self {
            Self::Domain(_) => Kind::Domain,
            Self::Network(_) => Kind::Network,
            Self::Pool(_) => Kind::Pool,
            Self::Volume(_) => Kind::Volume,
        }
    }

    /// Returns the document that is sent with it, if it has one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Domain(op) => op.document(),
            Self::Network(op) => op.document(),
            Self::Pool(op) => op.document(),
            Self::Volume(op) => op.document(),
        }
    }

    /// Returns the definition that it gives its object, if it gives one.
    pub fn definition(&self) -> Option<&str> {
        match self {
            Self::Domain(DomainOp::Define { xml })
            | Self::Network(NetworkOp::Define { xml })
            | Self::Pool(PoolOp::Define { xml })
            | Self::Volume(VolumeOp::Create { xml }) => Some(xml),
            Self::Domain(_) | Self::Network(_) | Self::Pool(_) | Self::Volume(_) => None,
        }
    }

    /// Returns the same definition to be changed.
    pub fn definition_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Domain(DomainOp::Define { xml })
            | Self::Network(NetworkOp::Define { xml })
            | Self::Pool(PoolOp::Define { xml })
            | Self::Volume(VolumeOp::Create { xml }) => Some(xml),
            Self::Domain(_) | Self::Network(_) | Self::Pool(_) | Self::Volume(_) => None,
        }
    }

    /// Whether it is the operation of this name.
    pub fn is(&self, kind: OpKind) -> bool {
        self.kind() == kind
    }

    /// Whether it ends a running instance, or asks the guest to end it.
    pub fn ends(&self) -> bool {
        self.is(OpKind::Destroy) || self.is(OpKind::Shutdown)
    }
}

impl From<DomainOp> for Op {
    fn from(op: DomainOp) -> Self {
        Self::Domain(op)
    }
}

impl From<NetworkOp> for Op {
    fn from(op: NetworkOp) -> Self {
        Self::Network(op)
    }
}

impl From<PoolOp> for Op {
    fn from(op: PoolOp) -> Self {
        Self::Pool(op)
    }
}

impl From<VolumeOp> for Op {
    fn from(op: VolumeOp) -> Self {
        Self::Volume(op)
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
