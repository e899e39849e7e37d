//! One operation on one object, as a function of the host as it is.

use super::fault::{fault, parser_of, read};
use super::host::{Change, Host, Object};
use super::{devices, domain, metadata, network, network_update, post_parse, tuning};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Affect, Call, Kind, Op, ResourceId};
use xmltree::Element;

/// Works out the change of `call` on this host, without making it; a refused operation changes nothing.
pub(super) fn carry_out(host: &Host, call: &Call) -> Result<Change> {
    let kind = call.target.id.kind;
    let on_object = |operation: &dyn Fn(&ResourceId, Object) -> Result<Option<Object>>| {
        let (id, object) = host.find(&call.target)?;
        Ok(Change::of(id.clone(), operation(id, object.clone())?))
    };
    let edit = |affect: Affect, edit: &dyn Fn(&mut Element, Affect) -> Result<()>| {
        on_object(&|_, object| edited(kind, object, affect, edit).map(Some))
    };
    // libvirt prints a definition's parts in its own order, whenever they came
    let live = |tune: &dyn Fn(&mut Element) -> Result<()>| {
        edit(Affect::Live, &|e, _| tune(e).map(|()| post_parse::sort(kind, e)))
    };
    match (kind, &call.op) {
        (Kind::Pool | Kind::Volume, op) => Err(not_for(kind, op)),
        (_, Op::Define { xml }) => define(host, kind, xml),
        (_, Op::SetAutostart { on }) => on_object(&|_, o| set_autostart(kind, o, *on).map(Some)),
        (_, Op::SetMetadata { kind: what, value, affect }) => {
            edit(*affect, &|e, _| metadata::set(kind, e, what, value.as_deref()))
        }

        (Kind::Domain, Op::Undefine { keep }) => on_object(&|_, o| domain::undefine(o, *keep)),
        (Kind::Domain, Op::Create { paused }) => {
            on_object(&|id, o| domain::create(host, id, o, *paused).map(Some))
        }
        (Kind::Domain, Op::Shutdown) => on_object(&domain::shutdown),
        (Kind::Domain, Op::Destroy) => on_object(&|_, o| domain::destroy(o)),
        (Kind::Domain, Op::Suspend) => on_object(&|id, o| domain::suspend(id, o).map(Some)),
        (Kind::Domain, Op::DiscardSaved) => on_object(&|_, o| domain::discard_saved(o).map(Some)),
        (Kind::Domain, Op::Resume) => on_object(&|id, o| domain::resume(id, o).map(Some)),
        (Kind::Domain, Op::Attach { xml, affect }) => {
            let device = devices::read_device(xml)?;
            edit(*affect, &|e, place| devices::attach(e, &device, place))
        }
        (Kind::Domain, Op::Detach { xml, affect }) => {
            let device = devices::read_device(xml)?;
            edit(*affect, &|e, place| devices::detach(e, &device, place))
        }
        (Kind::Domain, Op::Update { xml, affect }) => {
            let device = devices::read_device(xml)?;
            edit(*affect, &|e, _| devices::update(e, &device))
        }
        (Kind::Domain, Op::SetMemory { kib, affect }) => {
            edit(*affect, &|e, _| domain::set_memory(e, *kib))
        }
        (Kind::Domain, Op::SetVcpus { count, affect }) => {
            edit(*affect, &|e, _| domain::set_vcpus(e, *count))
        }

        (Kind::Domain, Op::Pin { what, cpus }) => live(&|e| tuning::pin(e, *what, cpus)),
        (Kind::Domain, Op::AddIoThread { id }) => live(&|e| tuning::add_io_thread(e, *id)),
        (Kind::Domain, Op::DeleteIoThread { id }) => live(&|e| tuning::delete_io_thread(e, *id)),
        (Kind::Domain, Op::Tune { what, parameters }) => {
            live(&|e| tuning::tune(e, what, parameters))
        }
        (Kind::Domain, Op::SetLifecycle { event, action }) => live(&|e| {
            tuning::set_lifecycle(e, *event, *action);
            Ok(())
        }),
        (Kind::Domain, Op::SetMemoryStatsPeriod { seconds }) => {
            live(&|e| tuning::set_stats_period(e, *seconds))
        }
        (Kind::Domain, Op::Rename { name }) => rename(host, call, name),

        (Kind::Network, Op::Undefine { .. }) => on_object(&network::undefine),
        (Kind::Network, Op::Create { .. }) => {
            on_object(&|id, o| network::create(host, id, o).map(Some))
        }
        (Kind::Network, Op::Destroy) => on_object(&network::destroy),
        (Kind::Network, Op::NetworkUpdate { command, section, parent, xml, affect }) => {
            let entry = read(kind, xml)?;
            edit(*affect, &|e, _| network_update::update(e, *command, *section, *parent, &entry))
        }

        (Kind::Domain, Op::NetworkUpdate { .. })
        | (
            Kind::Network,
            Op::Shutdown
            | Op::DiscardSaved
            | Op::Suspend
            | Op::Resume
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
            | Op::Rename { .. },
        ) => Err(not_for(kind, &call.op)),
    }
}

/// Defines a new object, or gives an object its next definition; what runs stays as it is.
fn define(host: &Host, kind: Kind, xml: &str) -> Result<Change> {
    let new = Object::defined(kind, read(kind, xml)?, host)?;
    let definition = new.persistent.as_ref();
    let name = definition.and_then(|d| d.child_text("name")).unwrap_or_default();
    host.check_identity(kind, &name, new.uuid)?;
    let id = ResourceId::new(kind, name);
    let object = match host.objects.get(&id) {
        Some(old) => Object { persistent: new.persistent, ..old.clone() },
        None => new,
    };
    Ok(Change::of(id, Some(object)))
}

/// Gives a domain that is shut off another name; everything else stays.
fn rename(host: &Host, call: &Call, name: &str) -> Result<Change> {
    let (was, object) = host.find(&call.target)?;
    let invalid = |message| fault(ErrorCode::OPERATION_INVALID, ErrorDomain::TEST, message);
    let id = ResourceId::new(Kind::Domain, name);
    let mut object = object.clone();
    if object.is_active() || object.managed_save {
        return Err(invalid("cannot rename active domain"));
    }
    if *was == id {
        return Err(invalid("Can't rename domain to itself"));
    }
    if host.objects.contains_key(&id) {
        return Err(invalid("a domain of that name already exists"));
    }
    if let Some(definition) = &mut object.persistent {
        definition.child_or_new("name").set_text(name);
    }
    Ok(Change { id, object: Some(object), was: Some(was.clone()) })
}

fn set_autostart(kind: Kind, mut object: Object, on: bool) -> Result<Object> {
    if object.persistent.is_none() {
        let message = format!("cannot set autostart for transient {kind}");
        return Err(fault(ErrorCode::OPERATION_INVALID, ErrorDomain::TEST, message));
    }
    object.autostart = on;
    Ok(object)
}

/// Changes the definitions that `affect` names, both or none. The edit is given the one of the
/// two that it changes, [`Affect::Live`] or [`Affect::Config`].
fn edited(
    kind: Kind,
    mut object: Object,
    affect: Affect,
    edit: &dyn Fn(&mut Element, Affect) -> Result<()>,
) -> Result<Object> {
    let invalid = |message: &str| fault(ErrorCode::OPERATION_INVALID, parser_of(kind), message);
    let not_running = format!("{kind} is not running");
    let transient = if kind.is_guest() {
        "transient domains do not have any persistent config"
    } else {
        "cannot change persistent config of a transient network"
    };
    if matches!(affect, Affect::Live | Affect::Both) {
        edit(object.live.as_mut().ok_or_else(|| invalid(&not_running))?, Affect::Live)?;
    }
    if matches!(affect, Affect::Config | Affect::Both) {
        edit(object.persistent.as_mut().ok_or_else(|| invalid(transient))?, Affect::Config)?;
    }
    Ok(object)
}

fn not_for(kind: Kind, op: &Op) -> Error {
    let message = format!("this function is not supported for a {kind}: {}", op.kind());
    fault(ErrorCode::NO_SUPPORT, parser_of(kind), message)
}
