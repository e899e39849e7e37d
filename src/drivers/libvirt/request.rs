//! Operations as requests: which procedure carries one out, and with which flags.

use super::connection::Request;
use super::session::Host;
use super::timeouts;
use crate::drivers::Hypervisor;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Affect, Call, DomainOp, Kind, MetadataKind, NetworkOp, Op, Pinned, Target, Tuning,
    TuningParameter, TuningValue, UndefineKeep, Version,
};
use libvirt_rpc::{
    CpuMap, DomainHandle, Encode, NetworkHandle, Procedure, TypedParam, TypedValue, to_bytes,
};
use std::collections::BTreeSet;

/// Longest definition that is sent, in bytes. libvirt takes four times as much, but drops the
/// connection when such a document is wrong, as its error quotes the document.
const XML_MAX: usize = 1 << 20;

/// Flags of virDomainUndefineFlags.
const UNDEFINE_MANAGED_SAVE: u32 = 1;
const UNDEFINE_SNAPSHOTS_METADATA: u32 = 1 << 1;
const UNDEFINE_NVRAM: u32 = 1 << 2;
const UNDEFINE_KEEP_NVRAM: u32 = 1 << 3;
const UNDEFINE_CHECKPOINTS_METADATA: u32 = 1 << 4;
const UNDEFINE_TPM: u32 = 1 << 5;
const UNDEFINE_KEEP_TPM: u32 = 1 << 6;

/// VIR_DOMAIN_START_PAUSED.
const START_PAUSED: u32 = 1;

/// VIR_DOMAIN_AFFECT_LIVE: the definition for the next boot is set by defining it.
const LIVE: u32 = 1;

/// VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN.
const SHUTDOWN_ACPI: u32 = 1;

/// First version in which undefine can keep the TPM's state.
const KEEPS_TPM: Version = Version::new(8, 9, 0);

/// Whether undefine can keep TPM state, too.
fn keeps_tpm(host: &Host) -> bool {
    host.hypervisor == Hypervisor::Qemu && host.version >= KEEPS_TPM
}

/// The request that carries out `call`.
///
/// # Errors
/// The kind of object does not have the operation, or the definition is too large to be sent.
pub(super) fn request(host: &Host, call: &Call) -> Result<Request> {
    let kind = call.target.id.kind;
    if call.op.object_kind() != kind {
        return Err(not_of(kind));
    }
    match &call.op {
        Op::Domain(op) => domain_request(host, &call.target, op),
        Op::Network(op) => network_request(host, &call.target, op),
        Op::Pool(_) | Op::Volume(_) => Err(not_of(kind)),
    }
}

/// Returns a question that a running guest has to answer before `call`, which would wait for its QEMU
/// forever: any that libvirt passes on to it. `None` if the call does not wait for QEMU.
pub(super) fn question(host: &Host, call: &Call) -> Option<Request> {
    let Op::Domain(op) = &call.op else { return None };
    if host.hypervisor != Hypervisor::Qemu || !waits_for_guest(op) {
        return None;
    }
    let Target { id, uuid } = &call.target;
    let domain = DomainHandle { name: id.name.clone(), uuid: *uuid, id: -1 };
    let question = new(Procedure::DOMAIN_GET_IOTHREAD_INFO, &(domain, LIVE)).ok()?;
    Some(Request { time: timeouts::SILENCE, ..question })
}

/// Whether libvirt hands an operation on to a running guest's QEMU and waits for its answer, which
/// has no end. Ending a guest has one; what is done by way of the host's system needs no answer.
fn waits_for_guest(op: &DomainOp) -> bool {
    match op {
        DomainOp::Attach { affect, .. }
        | DomainOp::Detach { affect, .. }
        | DomainOp::Update { affect, .. }
        | DomainOp::SetMemory { affect, .. }
        | DomainOp::SetVcpus { affect, .. } => *affect != Affect::Config,
        DomainOp::Tune { what, .. } => match what {
            Tuning::BlockIo { .. } | Tuning::IoThread { .. } => true,
            Tuning::Scheduler | Tuning::Memory | Tuning::Numa | Tuning::Blkio => false,
        },
        DomainOp::Shutdown
        | DomainOp::Suspend
        | DomainOp::Resume
        | DomainOp::AddIoThread { .. }
        | DomainOp::DeleteIoThread { .. }
        | DomainOp::SetLifecycle { .. }
        | DomainOp::SetMemoryStatsPeriod { .. } => true,
        DomainOp::Define { .. }
        | DomainOp::Undefine { .. }
        | DomainOp::Create { .. }
        | DomainOp::Destroy
        | DomainOp::SetAutostart { .. }
        | DomainOp::Pin { .. }
        | DomainOp::DiscardSaved
        | DomainOp::Rename { .. }
        | DomainOp::SetMetadata { .. } => false,
    }
}

fn domain_request(host: &Host, target: &Target, op: &DomainOp) -> Result<Request> {
    let domain = DomainHandle { name: target.id.name.clone(), uuid: target.uuid, id: -1 };
    match op {
        DomainOp::Define { xml } => {
            new(Procedure::DOMAIN_DEFINE_XML_FLAGS, &(sendable(xml)?, 0u32))
        }
        DomainOp::Undefine { keep } => {
            new(Procedure::DOMAIN_UNDEFINE_FLAGS, &(domain, undefine_flags(host, *keep)))
        }
        DomainOp::Create { paused } => {
            let flags = if *paused { START_PAUSED } else { 0 };
            new(Procedure::DOMAIN_CREATE_WITH_FLAGS, &(domain, flags))
        }
        DomainOp::Shutdown => {
            // elsewhere the driver knows best: libvirt's mock has no ACPI, Xen has a way of its own
            let acpi = host.hypervisor == Hypervisor::Qemu;
            let flags = if acpi { SHUTDOWN_ACPI } else { 0 };
            new(Procedure::DOMAIN_SHUTDOWN_FLAGS, &(domain, flags))
        }
        DomainOp::Destroy => new(Procedure::DOMAIN_DESTROY_FLAGS, &(domain, 0u32)),
        DomainOp::Suspend => new(Procedure::DOMAIN_SUSPEND, &domain),
        DomainOp::DiscardSaved => new(Procedure::DOMAIN_MANAGED_SAVE_REMOVE, &(domain, 0u32)),
        DomainOp::Resume => new(Procedure::DOMAIN_RESUME, &domain),
        DomainOp::SetAutostart { on } => new(Procedure::DOMAIN_SET_AUTOSTART, &(domain, *on)),
        DomainOp::Attach { xml, affect } => {
            new(Procedure::DOMAIN_ATTACH_DEVICE_FLAGS, &(domain, sendable(xml)?, affect.flags()))
        }
        DomainOp::Detach { xml, affect } => {
            new(Procedure::DOMAIN_DETACH_DEVICE_FLAGS, &(domain, sendable(xml)?, affect.flags()))
        }
        DomainOp::Update { xml, affect } => {
            new(Procedure::DOMAIN_UPDATE_DEVICE_FLAGS, &(domain, sendable(xml)?, affect.flags()))
        }
        DomainOp::SetMemory { kib, affect } => {
            new(Procedure::DOMAIN_SET_MEMORY_FLAGS, &(domain, *kib, affect.flags()))
        }
        DomainOp::SetVcpus { count, affect } => {
            new(Procedure::DOMAIN_SET_VCPUS_FLAGS, &(domain, *count, affect.flags()))
        }
        DomainOp::Pin { what, cpus } => pin(domain, *what, cpus),
        DomainOp::AddIoThread { id } => new(Procedure::DOMAIN_ADD_IOTHREAD, &(domain, *id, LIVE)),
        DomainOp::DeleteIoThread { id } => {
            new(Procedure::DOMAIN_DEL_IOTHREAD, &(domain, *id, LIVE))
        }
        DomainOp::Tune { what, parameters } => tune(domain, what, parameters),
        DomainOp::SetLifecycle { event, action } => {
            let args = (domain, event.number(), action.number(), LIVE);
            new(Procedure::DOMAIN_SET_LIFECYCLE_ACTION, &args)
        }
        DomainOp::SetMemoryStatsPeriod { seconds } => {
            let seconds = i32::try_from(*seconds).unwrap_or(i32::MAX);
            new(Procedure::DOMAIN_SET_MEMORY_STATS_PERIOD, &(domain, seconds, LIVE))
        }
        DomainOp::Rename { name } => new(Procedure::DOMAIN_RENAME, &(domain, Some(name), 0u32)),
        DomainOp::SetMetadata { kind, value, affect } => {
            let (number, key, uri) = metadata(kind);
            let args = (domain, number, value.as_ref(), key, uri, affect.flags());
            new(Procedure::DOMAIN_SET_METADATA, &args)
        }
    }
}

fn network_request(host: &Host, target: &Target, op: &NetworkOp) -> Result<Request> {
    let network = NetworkHandle { name: target.id.name.clone(), uuid: target.uuid };
    match op {
        NetworkOp::Define { xml } => new(Procedure::NETWORK_DEFINE_XML, sendable(xml)?),
        NetworkOp::Undefine => new(Procedure::NETWORK_UNDEFINE, &network),
        NetworkOp::Create => new(Procedure::NETWORK_CREATE, &network),
        NetworkOp::Destroy => new(Procedure::NETWORK_DESTROY, &network),
        NetworkOp::SetAutostart { on } => new(Procedure::NETWORK_SET_AUTOSTART, &(network, *on)),
        NetworkOp::SetMetadata { kind, value, affect } => {
            let (number, key, uri) = metadata(kind);
            let args = (network, number, value.as_ref(), key, uri, affect.flags());
            new(Procedure::NETWORK_SET_METADATA, &args)
        }
        NetworkOp::Update { command, section, parent, xml, affect } => {
            let (command, section) = (command.number(), section.number());
            let (first, second) =
                if host.network_update_in_order { (command, section) } else { (section, command) };
            let args = (network, first, second, *parent, sendable(xml)?, affect.flags());
            new(Procedure::NETWORK_UPDATE, &args)
        }
    }
}

fn pin(domain: DomainHandle, what: Pinned, cpus: &BTreeSet<u32>) -> Result<Request> {
    let cpus = CpuMap::of(cpus);
    match what {
        Pinned::Vcpu(n) => new(Procedure::DOMAIN_PIN_VCPU_FLAGS, &(domain, n, cpus, LIVE)),
        Pinned::Emulator => new(Procedure::DOMAIN_PIN_EMULATOR, &(domain, cpus, LIVE)),
        Pinned::IoThread(id) => new(Procedure::DOMAIN_PIN_IOTHREAD, &(domain, id, cpus, LIVE)),
    }
}

fn tune(domain: DomainHandle, what: &Tuning, parameters: &[TuningParameter]) -> Result<Request> {
    let parameters: Vec<TypedParam> = parameters.iter().map(typed).collect();
    match what {
        Tuning::Scheduler => {
            new(Procedure::DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, &(domain, parameters, LIVE))
        }
        Tuning::Memory => new(Procedure::DOMAIN_SET_MEMORY_PARAMETERS, &(domain, parameters, LIVE)),
        Tuning::Numa => new(Procedure::DOMAIN_SET_NUMA_PARAMETERS, &(domain, parameters, LIVE)),
        Tuning::Blkio => new(Procedure::DOMAIN_SET_BLKIO_PARAMETERS, &(domain, parameters, LIVE)),
        Tuning::BlockIo { disk } => {
            new(Procedure::DOMAIN_SET_BLOCK_IO_TUNE, &(domain, disk, parameters, LIVE))
        }
        Tuning::IoThread { id } => {
            new(Procedure::DOMAIN_SET_IOTHREAD_PARAMS, &(domain, *id, parameters, LIVE))
        }
    }
}

fn typed(parameter: &TuningParameter) -> TypedParam {
    let value = match &parameter.value {
        TuningValue::Int(n) => TypedValue::Int(*n),
        TuningValue::UInt(n) => TypedValue::UInt(*n),
        TuningValue::Long(n) => TypedValue::LLong(*n),
        TuningValue::ULong(n) => TypedValue::ULLong(*n),
        TuningValue::Text(text) => TypedValue::String(text.clone()),
    };
    TypedParam { field: parameter.name.clone(), value }
}

/// Returns the flags for the state that is removed with a definition. Each hypervisor refuses flags for state
/// that it does not have, and QEMU refuses to undefine a domain with NVRAM without one of its flags.
fn undefine_flags(host: &Host, keep: UndefineKeep) -> u32 {
    match (keep, host.hypervisor) {
        (UndefineKeep::Nothing, _) => 0,
        (UndefineKeep::State, _) if keeps_tpm(host) => UNDEFINE_KEEP_NVRAM | UNDEFINE_KEEP_TPM,
        (UndefineKeep::State, Hypervisor::Qemu) => UNDEFINE_KEEP_NVRAM,
        (UndefineKeep::State, _) => 0,
        (UndefineKeep::Firmware, Hypervisor::Qemu) => {
            let tpm = if keeps_tpm(host) { UNDEFINE_KEEP_TPM } else { 0 };
            let metadata = UNDEFINE_SNAPSHOTS_METADATA | UNDEFINE_CHECKPOINTS_METADATA;
            UNDEFINE_MANAGED_SAVE | metadata | UNDEFINE_KEEP_NVRAM | tpm
        }
        (UndefineKeep::Remove, Hypervisor::Qemu) => {
            let tpm = if keeps_tpm(host) { UNDEFINE_TPM } else { 0 };
            let metadata = UNDEFINE_SNAPSHOTS_METADATA | UNDEFINE_CHECKPOINTS_METADATA;
            UNDEFINE_MANAGED_SAVE | metadata | UNDEFINE_NVRAM | tpm
        }
        (UndefineKeep::Firmware | UndefineKeep::Remove, Hypervisor::Test) => {
            UNDEFINE_MANAGED_SAVE | UNDEFINE_SNAPSHOTS_METADATA
        }
        (UndefineKeep::Firmware | UndefineKeep::Remove, Hypervisor::Xen) => UNDEFINE_MANAGED_SAVE,
        (UndefineKeep::Firmware | UndefineKeep::Remove, Hypervisor::Other) => 0,
    }
}

/// The type, prefix and namespace of SET_METADATA.
fn metadata(kind: &MetadataKind) -> (i32, Option<&String>, Option<&String>) {
    match kind {
        MetadataKind::Description => (0, None, None),
        MetadataKind::Title => (1, None, None),
        MetadataKind::Element { key, uri } => (2, Some(key), Some(uri)),
    }
}

fn sendable(xml: &str) -> Result<&str> {
    let message = if xml.len() > XML_MAX {
        format!("the definition has {} bytes, more than the {XML_MAX} sent", xml.len())
    } else if xml.contains('\0') {
        "the definition holds a NUL, which XML does not have".to_owned()
    } else {
        return Ok(xml);
    };
    Err(Error::new(ErrorKind::Invalid, message))
}

fn not_of(kind: Kind) -> Error {
    let message = format!("a {kind} cannot do this");
    Error::new(ErrorKind::Unsupported, message)
}

fn new(procedure: Procedure, args: &(impl Encode + ?Sized)) -> Result<Request> {
    let args = to_bytes(args).map_err(|malformed| {
        let message = format!("the operation cannot be sent: {malformed}");
        Error::new(ErrorKind::Invalid, message)
    })?;
    Ok(Request { procedure, args, time: timeouts::of(procedure) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;
    use crate::model::{Affect, NetworkCommand, NetworkSection, ResourceId, Uuid};

    fn host(hypervisor: Hypervisor, version: Version) -> Host {
        Host { hypervisor, version, uri: String::new(), network_update_in_order: true }
    }

    fn args(host: &Host, kind: Kind, op: Op) -> (Procedure, Vec<u8>) {
        let target = Target {
            id: ResourceId::new(kind, "ev1"),
            uuid: Uuid::parse_str("97f8b5d6-ac5b-4361-b396-baa1fc4d937a").unwrap(),
        };
        let request = request(host, &Call { target, op }).unwrap();
        (request.procedure, request.args)
    }

    /// Recorded undefine of virsh.
    #[test]
    fn undefine_is_the_recorded_bytes() {
        let host = host(Hypervisor::Test, Version::new(11, 3, 0));
        let undefine = DomainOp::Undefine { keep: UndefineKeep::Nothing }.into();
        let (procedure, args) = args(&host, Kind::Domain, undefine);
        assert_eq!(procedure, Procedure::DOMAIN_UNDEFINE_FLAGS);
        assert_eq!(
            args,
            b"\0\0\0\x03ev1\0\x97\xf8\xb5\xd6\xac\x5b\x43\x61\xb3\x96\xba\xa1\xfc\x4d\x93\x7a\
              \xff\xff\xff\xff\0\0\0\0"
        );
    }

    #[test]
    fn undefine_flags_are_those_that_the_hypervisor_takes() {
        let new = Version::new(11, 3, 0);
        for (hypervisor, version, keep, flags) in [
            (Hypervisor::Qemu, new, UndefineKeep::State, 72),
            (Hypervisor::Qemu, new, UndefineKeep::Firmware, 91),
            (Hypervisor::Qemu, Version::new(8, 8, 0), UndefineKeep::Firmware, 27),
            (Hypervisor::Qemu, new, UndefineKeep::Remove, 55),
            (Hypervisor::Qemu, Version::new(8, 8, 0), UndefineKeep::State, 8),
            (Hypervisor::Qemu, Version::new(8, 8, 0), UndefineKeep::Remove, 23),
            (Hypervisor::Test, new, UndefineKeep::State, 0),
            (Hypervisor::Test, new, UndefineKeep::Remove, 3),
            (Hypervisor::Xen, new, UndefineKeep::Remove, 1),
            (Hypervisor::Other, new, UndefineKeep::Remove, 0),
        ] {
            assert_eq!(undefine_flags(&host(hypervisor, version), keep), flags);
        }
    }

    #[test]
    fn a_server_without_the_feature_takes_the_section_first() {
        let mut host = host(Hypervisor::Qemu, Version::new(11, 3, 0));
        let update = || NetworkOp::Update {
            command: NetworkCommand::AddLast,
            section: NetworkSection::DnsHost,
            parent: -1,
            xml: String::new(),
            affect: Affect::Both,
        };
        let words = |host: &Host| {
            let (_, args) = args(host, Kind::Network, update().into());
            (args[27], args[31], args[35], args[43])
        };
        assert_eq!(words(&host), (3, 10, 255, 3));
        host.network_update_in_order = false;
        assert_eq!(words(&host), (10, 3, 255, 3));
    }

    #[test]
    fn a_definition_that_would_break_the_connection_is_not_sent() {
        let host = host(Hypervisor::Qemu, Version::new(11, 3, 0));
        let target = Target { id: ResourceId::new(Kind::Domain, "big"), uuid: Uuid::nil() };
        let op = DomainOp::Define { xml: "x".repeat(XML_MAX + 1) }.into();
        let error = request(&host, &Call { target, op }).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
    }

    #[test]
    fn a_nul_is_not_sent_and_is_the_callers_mistake() {
        let host = host(Hypervisor::Qemu, Version::new(11, 3, 0));
        let kind = |name: &str, op: DomainOp| {
            let target = Target { id: ResourceId::new(Kind::Domain, name), uuid: Uuid::nil() };
            request(&host, &Call { target, op: op.into() }).unwrap_err().kind
        };
        let title = DomainOp::SetMetadata {
            kind: MetadataKind::Title,
            value: Some("\0".to_owned()),
            affect: Affect::Live,
        };
        let define = DomainOp::Define { xml: "<domain\0/>".to_owned() };
        for (name, op) in [("web", define), ("web", title), ("w\0eb", DomainOp::Destroy)] {
            assert_eq!(kind(name, op), ErrorKind::Invalid);
        }
    }
}
