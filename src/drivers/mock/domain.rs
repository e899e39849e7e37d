//! Operations on domains, and the states that allow each.

use crate::drivers::objects::errors::fault;
use crate::drivers::objects::post_parse;
use crate::drivers::objects::store::{Object, Store};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{ResourceId, State, UndefineKeep};
use xmltree::Element;

/// libvirt's numbers for why a domain is in its state.
mod reason {
    pub(super) const RUNNING_BOOTED: i32 = 1;
    pub(super) const RUNNING_RESTORED: i32 = 3;
    pub(super) const RUNNING_UNPAUSED: i32 = 5;
    pub(super) const PAUSED_USER: i32 = 1;
    pub(super) const PAUSED_STARTING_UP: i32 = 11;
    pub(super) const SHUTOFF_SHUTDOWN: i32 = 1;
    pub(super) const SHUTOFF_DESTROYED: i32 = 2;
}

/// Starts it.
pub(super) fn create(
    host: &Store,
    id: &ResourceId,
    mut domain: Object,
    paused: bool,
) -> Result<Object> {
    if domain.is_active() {
        return Err(internal(format!("Domain '{}' is already running", id.name)));
    }
    let (state, reason) = match (paused, domain.managed_save) {
        (true, _) => (State::Paused, reason::PAUSED_STARTING_UP),
        (false, true) => (State::Running, reason::RUNNING_RESTORED),
        (false, false) => (State::Running, reason::RUNNING_BOOTED),
    };
    domain.start(host, state, reason);
    Ok(domain)
}

/// Shuts it down; its guest obeys at once.
pub(super) fn shutdown(id: &ResourceId, domain: Object) -> Result<Option<Object>> {
    if !domain.is_active() {
        return Err(not_running(id));
    }
    Ok(domain.stop(reason::SHUTOFF_SHUTDOWN))
}

/// Pulls its plug.
pub(super) fn destroy(domain: Object) -> Result<Option<Object>> {
    if !domain.is_active() {
        let message = "domain is not running";
        return Err(fault(ErrorCode::OPERATION_INVALID, ErrorDomain::DOMAIN, message));
    }
    Ok(domain.stop(reason::SHUTOFF_DESTROYED))
}

/// Stops its processors.
pub(super) fn suspend(id: &ResourceId, mut domain: Object) -> Result<Object> {
    if domain.state != State::Running {
        return Err(not_running(id));
    }
    domain.state = State::Paused;
    domain.reason = reason::PAUSED_USER;
    Ok(domain)
}

/// Lets its processors run again.
pub(super) fn resume(id: &ResourceId, mut domain: Object) -> Result<Object> {
    if domain.state != State::Paused {
        return Err(internal(format!("domain '{}' not paused", id.name)));
    }
    domain.state = State::Running;
    domain.reason = reason::RUNNING_UNPAUSED;
    Ok(domain)
}

/// Throws its saved image away.
pub(super) fn discard_saved(mut domain: Object) -> Result<Object> {
    if !std::mem::take(&mut domain.managed_save) {
        let message = "domain has no managed save image";
        return Err(fault(ErrorCode::OPERATION_INVALID, ErrorDomain::TEST, message));
    }
    Ok(domain)
}

/// Removes its definition; while it runs it stays, as a transient domain.
pub(super) fn undefine(mut domain: Object, keep: UndefineKeep) -> Result<Option<Object>> {
    let invalid = |message: String| fault(ErrorCode::OPERATION_INVALID, ErrorDomain::TEST, message);
    if domain.persistent.take().is_none() {
        return Err(invalid("cannot undefine transient domain".to_owned()));
    }
    match keep {
        UndefineKeep::State => {
            // There is neither NVRAM nor TPM state, so the flags that would keep it are unknown.
            let message = "unsupported flags (0x48) in function testDomainUndefineFlags";
            return Err(Error::host(ErrorCode::INVALID_ARG, ErrorDomain::TEST, message));
        }
        UndefineKeep::Nothing if domain.managed_save => {
            let message = "Refusing to undefine while domain managed save image exists";
            return Err(invalid(message.to_owned()));
        }
        UndefineKeep::Nothing if !domain.is_active() => {
            let lists = [("snapshots", &domain.snapshots), ("checkpoints", &domain.checkpoints)];
            if let Some((sort, list)) = lists.into_iter().find(|(_, list)| !list.is_empty()) {
                let count = list.len();
                return Err(invalid(format!("cannot delete inactive domain with {count} {sort}")));
            }
        }
        UndefineKeep::Nothing | UndefineKeep::Firmware | UndefineKeep::Remove => {}
    }
    if matches!(keep, UndefineKeep::Firmware | UndefineKeep::Remove) {
        domain.snapshots.clear();
        domain.checkpoints.clear();
    }
    domain.autostart = false;
    Ok(domain.is_active().then_some(domain))
}

/// Sets the balloon's size.
pub(super) fn set_memory(definition: &mut Element, kib: u64) -> Result<()> {
    if kib == 0 {
        // libvirt refuses it before any driver sees it
        let message = "memory in virDomainSetMemoryFlags must not be zero";
        return Err(Error::host(ErrorCode::INVALID_ARG, ErrorDomain::DOMAIN, message));
    }
    let max = definition.child("memory").map(post_parse::kib).transpose()?.unwrap_or(0);
    if kib > max {
        let message = "cannot set memory higher than max memory";
        return Err(fault(ErrorCode::INVALID_ARG, ErrorDomain::TEST, message));
    }
    let current = definition.child_or_new("currentMemory");
    current.set_attr("unit", "KiB");
    current.set_text(kib.to_string());
    Ok(())
}

/// Sets how many processors are in use.
pub(super) fn set_vcpus(definition: &mut Element, count: u32) -> Result<()> {
    if count == 0 {
        let message = "nvcpus in virDomainSetVcpusFlags must not be zero";
        return Err(Error::host(ErrorCode::INVALID_ARG, ErrorDomain::DOMAIN, message));
    }
    let vcpu = definition.child_or_new("vcpu");
    let max = vcpu.text().parse::<u32>().unwrap_or(1);
    if count > max {
        let message = format!("requested cpu amount exceeds maximum ({count} > {max})");
        return Err(fault(ErrorCode::INVALID_ARG, ErrorDomain::TEST, message));
    }
    vcpu.remove_attr("current");
    if count < max {
        vcpu.set_attr("current", count.to_string());
    }
    Ok(())
}

fn not_running(id: &ResourceId) -> Error {
    internal(format!("domain '{}' not running", id.name))
}

fn internal(message: String) -> Error {
    fault(ErrorCode::INTERNAL_ERROR, ErrorDomain::TEST, message)
}
