//! States of networks, and the operations that each allows.

use crate::drivers::objects::errors::fault;
use crate::drivers::objects::store::{Object, Store};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{ResourceId, State};

/// Starts it.
pub(super) fn create(host: &Store, id: &ResourceId, mut network: Object) -> Result<Object> {
    if network.is_active() {
        return Err(invalid(format!("Network '{}' is already running", id.name)));
    }
    network.start(host, State::Running, 0);
    Ok(network)
}

/// Stops it.
pub(super) fn destroy(id: &ResourceId, network: Object) -> Result<Option<Object>> {
    if !network.is_active() {
        return Err(invalid(format!("network '{}' is not active", id.name)));
    }
    Ok(network.stop(0))
}

/// Removes its definition; libvirt's test driver wants it stopped first.
pub(super) fn undefine(id: &ResourceId, network: Object) -> Result<Option<Object>> {
    if network.is_active() {
        return Err(invalid(format!("Network '{}' is still running", id.name)));
    }
    Ok(None)
}

fn invalid(message: String) -> Error {
    fault(ErrorCode::OPERATION_INVALID, ErrorDomain::TEST, message)
}
