//! Verification by the host's present state of whether a call without a reply was carried out.

use crate::model::{Call, Observed, ObservedResource, Op, State};
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
    match &call.op {
        Op::Define { xml } => {
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
            let left = overlay(kind, Side::NextBoot, there, &without_owner_record(sent), None, &[])
                .changes;
            Some(marked && left.is_empty())
        }
        Op::Undefine { .. } => Some(host.is_none_or(|h| !h.is_persistent)),
        // it was asked for under the name that it had
        Op::Rename { .. } => Some(host.is_none()),
        Op::Create { .. } => state(|h| h.state.is_active()),
        Op::Destroy => Some(host.is_none_or(|h| !h.state.is_active())),
        Op::DiscardSaved => state(|h| !h.managed_save),
        Op::Suspend => state(|h| h.state == State::Paused),
        Op::Resume => state(|h| h.state == State::Running),
        Op::SetAutostart { on } => Some(host.is_some_and(|h| h.autostart == *on)),
        // asked for, and seen by the wait that follows
        Op::Shutdown
        | Op::Attach { .. }
        | Op::Detach { .. }
        | Op::Update { .. }
        | Op::SetMemory { .. }
        | Op::SetVcpus { .. }
        | Op::Pin { .. }
        | Op::AddIoThread { .. }
        | Op::DeleteIoThread { .. }
        | Op::Tune { .. }
        | Op::SetLifecycle { .. }
        | Op::SetMemoryStatsPeriod { .. }
        | Op::SetMetadata { .. }
        | Op::NetworkUpdate { .. } => None,
    }
}
