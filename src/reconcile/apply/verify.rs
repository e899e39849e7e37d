//! Verification by the host's present state of whether a call without a reply was carried out.

use crate::model::{
    Call, DomainOp, NetworkOp, Observed, ObservedResource, Op, PoolOp, State, VolumeOp,
};
use crate::reconcile::diff::difference::Side;
use crate::reconcile::diff::overlay::overlay;
use crate::reconcile::ownership::record::{
    owner_record_of, read_owner_record, without_owner_record,
};
use diagnostics::SourceId;
use xmltree::{Limits, parse};

/// Whether `call` took effect; `None` if the host's state does not show it.
pub(super) fn took_effect(call: &Call, observed: &Observed) -> Option<bool> {
    if observed.unknown.contains_key(&call.target.id) {
        return None;
    }
    let host = observed.resources.get(&call.target.id);
    let state = |accept: fn(&ObservedResource) -> bool| Some(host.is_some_and(accept));
    if let Some(xml) = call.op.definition() {
        return is_defined(call, xml, host);
    }
    let is_active = || state(|h| h.state.is_active());
    let is_inactive = || Some(host.is_none_or(|h| !h.state.is_active()));
    let is_undefined = || Some(host.is_none_or(|h| !h.is_persistent));
    let starts = |on: bool| Some(host.is_some_and(|h| h.autostart == on));
    match &call.op {
        Op::Domain(op) => match op {
            DomainOp::Undefine { .. } => is_undefined(),
            // it was asked for under the name that it had
            DomainOp::Rename { .. } => Some(host.is_none()),
            DomainOp::Create { .. } => is_active(),
            DomainOp::Destroy => is_inactive(),
            DomainOp::DiscardSaved => state(|h| !h.managed_save),
            DomainOp::Suspend => state(|h| h.state == State::Paused),
            DomainOp::Resume => state(|h| h.state == State::Running),
            DomainOp::SetAutostart { on } => starts(*on),
            // asked for, and seen by the wait that follows
            DomainOp::Shutdown
            | DomainOp::Define { .. }
            | DomainOp::Attach { .. }
            | DomainOp::Detach { .. }
            | DomainOp::Update { .. }
            | DomainOp::SetMemory { .. }
            | DomainOp::SetVcpus { .. }
            | DomainOp::Pin { .. }
            | DomainOp::AddIoThread { .. }
            | DomainOp::DeleteIoThread { .. }
            | DomainOp::Tune { .. }
            | DomainOp::SetLifecycle { .. }
            | DomainOp::SetMemoryStatsPeriod { .. }
            | DomainOp::SetMetadata { .. } => None,
        },
        Op::Network(op) => match op {
            NetworkOp::Undefine => is_undefined(),
            NetworkOp::Create => is_active(),
            NetworkOp::Destroy => is_inactive(),
            NetworkOp::SetAutostart { on } => starts(*on),
            NetworkOp::Define { .. } | NetworkOp::SetMetadata { .. } | NetworkOp::Update { .. } => {
                None
            }
        },
        Op::Pool(op) => match op {
            PoolOp::Undefine => is_undefined(),
            PoolOp::Create => is_active(),
            PoolOp::Destroy => is_inactive(),
            PoolOp::SetAutostart { on } => starts(*on),
            PoolOp::Define { .. } => None,
        },
        Op::Volume(op) => match op {
            VolumeOp::Delete => Some(host.is_none()),
            VolumeOp::Create { .. } => None,
        },
    }
}

/// Whether the object has the definition that was sent; `None` if the host does not show it.
fn is_defined(call: &Call, xml: &str, host: Option<&ObservedResource>) -> Option<bool> {
    let sent = parse(SourceId::NONE, xml, &Limits::default()).ok();
    let sent = sent.as_ref()?;
    let Some(there) = host.and_then(|h| h.persistent.as_ref()) else { return Some(false) };
    let of_sent = read_owner_record(sent)?;
    let marked = host.and_then(owner_record_of).is_some_and(|m| {
        // that a guest has still to leave another host is no part of the digest
        m.digest == of_sent.digest && m.set == of_sent.set && m.moving == of_sent.moving
    });
    // the mark of a repair is the one that was there before: only the whole tells
    let kind = call.target.id.kind;
    let left =
        overlay(kind, Side::NextBoot, there.as_element(), &without_owner_record(sent), None, &[])
            .changes;
    Some(marked && left.is_empty())
}
