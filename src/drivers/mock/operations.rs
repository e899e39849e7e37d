//! One operation on one object, as a function of the host as it is.

use super::{domain, network};
use crate::drivers::objects::errors::{fault, parser_of, read};
use crate::drivers::objects::store::{Change, Object, Store};
use crate::drivers::objects::{definition, devices, metadata, network_update, post_parse, tuning};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Affect, Call, DomainOp, Kind, MetadataKind, NetworkOp, Op, ResourceId};
use xmltree::Element;

/// Works out the change of `call` on this host, without making it; a refused operation changes nothing.
pub(super) fn carry_out(host: &Store, call: &Call) -> Result<Change> {
    let kind = call.target.id.kind;
    let on_object = |operation: &dyn Fn(&ResourceId, Object) -> Result<Option<Object>>| {
        let (id, object) = host.find(&call.target)?;
        Ok(Change::of(id.clone(), operation(id, object.clone())?))
    };
    let edit = |affect: Affect, edit: &dyn Fn(&mut Element, Affect) -> Result<()>| {
        on_object(&|_, object| definition::edited(kind, object, affect, edit).map(Some))
    };
    // libvirt prints a definition's parts in its own order, whenever they came
    let live = |tune: &dyn Fn(&mut Element) -> Result<()>| {
        edit(Affect::Live, &|e, _| tune(e).map(|()| post_parse::sort(kind, e)))
    };
    let metadata = |what: &MetadataKind, value: Option<&str>, affect| {
        edit(affect, &|e, _| metadata::set(kind, e, what, value))
    };
    if call.op.object_kind() != kind {
        return Err(not_for(kind, &call.op));
    }
    match &call.op {
        Op::Domain(op) => match op {
            DomainOp::Define { xml } => definition::define(host, kind, xml),
            DomainOp::SetAutostart { on } => {
                on_object(&|_, o| definition::set_autostart(kind, o, *on).map(Some))
            }
            DomainOp::SetMetadata { kind: what, value, affect } => {
                metadata(what, value.as_deref(), *affect)
            }
            DomainOp::Undefine { keep } => on_object(&|_, o| domain::undefine(o, *keep)),
            DomainOp::Create { paused } => {
                on_object(&|id, o| domain::create(host, id, o, *paused).map(Some))
            }
            DomainOp::Shutdown => on_object(&domain::shutdown),
            DomainOp::Destroy => on_object(&|_, o| domain::destroy(o)),
            DomainOp::Suspend => on_object(&|id, o| domain::suspend(id, o).map(Some)),
            DomainOp::DiscardSaved => on_object(&|_, o| domain::discard_saved(o).map(Some)),
            DomainOp::Resume => on_object(&|id, o| domain::resume(id, o).map(Some)),
            DomainOp::Attach { xml, affect } => {
                let device = devices::read_device(xml)?;
                edit(*affect, &|e, place| devices::attach(e, &device, place))
            }
            DomainOp::Detach { xml, affect } => {
                let device = devices::read_device(xml)?;
                edit(*affect, &|e, place| devices::detach(e, &device, place))
            }
            DomainOp::Update { xml, affect } => {
                let device = devices::read_device(xml)?;
                edit(*affect, &|e, _| devices::update(e, &device))
            }
            DomainOp::SetMemory { kib, affect } => {
                edit(*affect, &|e, _| domain::set_memory(e, *kib))
            }
            DomainOp::SetVcpus { count, affect } => {
                edit(*affect, &|e, _| domain::set_vcpus(e, *count))
            }

            DomainOp::Pin { what, cpus } => live(&|e| tuning::pin(e, *what, cpus)),
            DomainOp::AddIoThread { id } => live(&|e| tuning::add_io_thread(e, *id)),
            DomainOp::DeleteIoThread { id } => live(&|e| tuning::delete_io_thread(e, *id)),
            DomainOp::Tune { what, parameters } => live(&|e| tuning::tune(e, what, parameters)),
            DomainOp::SetLifecycle { event, action } => live(&|e| {
                tuning::set_lifecycle(e, *event, *action);
                Ok(())
            }),
            DomainOp::SetMemoryStatsPeriod { seconds } => {
                live(&|e| tuning::set_stats_period(e, *seconds))
            }
            DomainOp::Rename { name } => definition::rename(host, &call.target, name),
        },
        Op::Network(op) => match op {
            NetworkOp::Define { xml } => definition::define(host, kind, xml),
            NetworkOp::SetAutostart { on } => {
                on_object(&|_, o| definition::set_autostart(kind, o, *on).map(Some))
            }
            NetworkOp::SetMetadata { kind: what, value, affect } => {
                metadata(what, value.as_deref(), *affect)
            }
            NetworkOp::Undefine => on_object(&network::undefine),
            NetworkOp::Create => on_object(&|id, o| network::create(host, id, o).map(Some)),
            NetworkOp::Destroy => on_object(&network::destroy),
            NetworkOp::Update { command, section, parent, xml, affect } => {
                let entry = read(kind, xml)?;
                edit(*affect, &|e, _| {
                    network_update::update(e, *command, *section, *parent, &entry)
                })
            }
        },
        Op::Pool(_) | Op::Volume(_) => Err(not_for(kind, &call.op)),
    }
}

fn not_for(kind: Kind, op: &Op) -> Error {
    let message = format!("this function is not supported for a {kind}: {}", op.kind());
    fault(ErrorCode::NO_SUPPORT, parser_of(kind), message)
}
