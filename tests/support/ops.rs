//! Operations by the kind of their object.

use virt::model::{DomainOp, Kind, NetworkOp, Op, PoolOp, UndefineKeep, VolumeOp};

/// Returns the operation that defines an object.
pub(crate) fn define(kind: Kind, xml: impl Into<String>) -> Op {
    let xml = xml.into();
    match kind {
        Kind::Domain => DomainOp::Define { xml }.into(),
        Kind::Network => NetworkOp::Define { xml }.into(),
        Kind::Pool => PoolOp::Define { xml }.into(),
        Kind::Volume => VolumeOp::Create { xml }.into(),
    }
}

/// Returns the operation that removes an object's definition.
pub(crate) fn undefine(kind: Kind, keep: UndefineKeep) -> Op {
    match kind {
        Kind::Domain => DomainOp::Undefine { keep }.into(),
        Kind::Network => NetworkOp::Undefine.into(),
        Kind::Pool => PoolOp::Undefine.into(),
        Kind::Volume => VolumeOp::Delete.into(),
    }
}

/// Returns the operation that starts an object.
pub(crate) fn create(kind: Kind, paused: bool) -> Op {
    match kind {
        Kind::Domain => DomainOp::Create { paused }.into(),
        Kind::Network => NetworkOp::Create.into(),
        Kind::Pool => PoolOp::Create.into(),
        Kind::Volume => panic!("nothing of a volume runs"),
    }
}

/// Returns the operation that stops an object.
pub(crate) fn destroy(kind: Kind) -> Op {
    match kind {
        Kind::Domain => DomainOp::Destroy.into(),
        Kind::Network => NetworkOp::Destroy.into(),
        Kind::Pool => PoolOp::Destroy.into(),
        Kind::Volume => panic!("nothing of a volume runs"),
    }
}

/// Returns the operation that sets whether an object starts with its host.
pub(crate) fn set_autostart(kind: Kind, on: bool) -> Op {
    match kind {
        Kind::Domain => DomainOp::SetAutostart { on }.into(),
        Kind::Network => NetworkOp::SetAutostart { on }.into(),
        Kind::Pool => PoolOp::SetAutostart { on }.into(),
        Kind::Volume => panic!("nothing of a volume runs"),
    }
}
