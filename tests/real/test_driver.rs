//! Our test driver beside libvirt's: the same definition goes in, the same has to come out.

use crate::support::ops;
use crate::support::{run, tool, trial_if};
use diagnostics::SourceId;
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;
use virt::drivers::{Driver, ExecContext, MockDriver, MockHost};
use virt::model::{
    Affect, Call, DomainOp, Kind, NetworkOp, Op, Outcome, ResourceId, Scope, Target, UndefineKeep,
    Uuid,
};
use xmltree::{Element, Limits, parse, write};

const UUID: &str = "11111111-2222-3333-4444-555555555555";

/// Definitions, by the feature that they show: the kind and the content beside name and UUID.
const SAME: [(&str, Kind, &str); 8] = [
    ("least", Kind::Domain, "<memory>2048</memory>"),
    (
        "units",
        Kind::Domain,
        "<currentMemory unit='b'>1025</currentMemory><memory unit='MB'>1</memory>",
    ),
    (
        "vcpus",
        Kind::Domain,
        "<memory>2048</memory><vcpu current='1'>4</vcpu><on_crash>preserve</on_crash>",
    ),
    (
        "order_and_metadata",
        Kind::Domain,
        "<description>d</description><junk/><memory>2048</memory><title>t</title>\
         <metadata><a xmlns='urn:a' x='1'/><a xmlns='urn:a'/><none/></metadata>",
    ),
    (
        "disks_and_controllers",
        Kind::Domain,
        "<memory>2048</memory><devices>\
         <disk device='cdrom'><target dev='hda'/></disk>\
         <disk type='file'><source file='/b'/><target dev='sdb'/></disk></devices>",
    ),
    (
        "interfaces",
        Kind::Domain,
        "<memory>2048</memory><devices>\
         <interface type='network'><mac address='52:54:00:AA:BB:CC'/><source network='default'/>\
         </interface><interface><mac address='52:54:0:a:b:c'/></interface></devices>",
    ),
    (
        "serial_graphics_channel",
        Kind::Domain,
        "<memory>2048</memory><devices><graphics type='vnc'/><serial type='pty'/>\
         <channel type='unix'><target type='virtio' name='a.b'/></channel>\
         <video><model type='vga' vram='16384' heads='1'/></video></devices>",
    ),
    (
        "network",
        Kind::Network,
        "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'/>\
         <host mac='52:54:00:AA:BB:CC' ip='10.0.0.5'/></dhcp></ip><forward/>\
         <mac address='52:54:00:AA:BB:CC'/><bridge name='br7'/>",
    ),
];

/// Definitions that both refuse, with the same words.
const REFUSED: [(&str, Kind, &str); 10] = [
    ("no_memory", Kind::Domain, ""),
    ("bad_memory", Kind::Domain, "<memory>x</memory>"),
    ("bad_unit", Kind::Domain, "<memory unit='foo'>1</memory>"),
    ("too_many_vcpus", Kind::Domain, "<memory>1</memory><vcpu current='3'>2</vcpu>"),
    ("bad_action", Kind::Domain, "<memory>1</memory><on_crash>foo</on_crash>"),
    (
        "no_target",
        Kind::Domain,
        "<memory>1</memory><devices><disk><source file='/x'/></disk></devices>",
    ),
    (
        "one_target_twice",
        Kind::Domain,
        "<memory>1</memory><devices><disk><source file='/x'/><target dev='vda'/></disk>\
         <disk><source file='/y'/><target dev='vda'/></disk></devices>",
    ),
    (
        "bad_mac",
        Kind::Domain,
        "<memory>1</memory><devices><interface><mac address='zz'/></interface></devices>",
    ),
    ("route_without_ip", Kind::Network, "<forward mode='route'/>"),
    ("bad_forward", Kind::Network, "<forward mode='x'/>"),
];

/// Operations that the host's first domain and network refuse, in virsh's words and in ours. All but the last
/// operation are carried out. (Operations that virsh itself refuses, such as starting twice, are not here.)
const WRONG_STATE: [(&str, Kind, &[Op]); 11] = [
    (
        "destroy test; destroy test",
        Kind::Domain,
        &[Op::Domain(DomainOp::Destroy), Op::Domain(DomainOp::Destroy)],
    ),
    (
        "destroy test; shutdown test",
        Kind::Domain,
        &[Op::Domain(DomainOp::Destroy), Op::Domain(DomainOp::Shutdown)],
    ),
    (
        "destroy test; suspend test",
        Kind::Domain,
        &[Op::Domain(DomainOp::Destroy), Op::Domain(DomainOp::Suspend)],
    ),
    (
        "destroy test; resume test",
        Kind::Domain,
        &[Op::Domain(DomainOp::Destroy), Op::Domain(DomainOp::Resume)],
    ),
    (
        "suspend test; suspend test",
        Kind::Domain,
        &[Op::Domain(DomainOp::Suspend), Op::Domain(DomainOp::Suspend)],
    ),
    ("resume test", Kind::Domain, &[Op::Domain(DomainOp::Resume)]),
    ("setvcpus test 3 --config", Kind::Domain, &[SET_VCPUS]),
    ("setmem test 9000000 --config", Kind::Domain, &[SET_MEMORY]),
    ("undefine test; setmem test 9000000 --config", Kind::Domain, &[UNDEFINE, SET_MEMORY]),
    ("net-start default", Kind::Network, &[Op::Network(NetworkOp::Create)]),
    ("net-undefine default", Kind::Network, &[Op::Network(NetworkOp::Undefine)]),
];

const UNDEFINE: Op = Op::Domain(DomainOp::Undefine { keep: UndefineKeep::Nothing });
const SET_VCPUS: Op = Op::Domain(DomainOp::SetVcpus { count: 3, affect: Affect::Config });
const SET_MEMORY: Op = Op::Domain(DomainOp::SetMemory { kib: 9_000_000, affect: Affect::Config });

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (script, kind, ops) in WRONG_STATE {
        let name = format!("real/test_driver/{}", script.replace("; ", ";").replace(' ', "_"));
        trials.push(trial_if(tool("virsh"), name, move |virsh| {
            refuse_alike(&virsh, script, kind, ops);
        }));
    }
    for (name, kind, extra) in SAME {
        trials.push(trial_if(tool("virsh"), format!("real/test_driver/{name}"), move |virsh| {
            let text = document(kind, extra);
            let theirs = without_addresses(parsed(&theirs(&virsh, kind, &text).unwrap()));
            let ours = ours(kind, &text).unwrap();
            assert!(ours == theirs, "ours:\n{}\ntheirs:\n{}", write(&ours), write(&theirs));
        }));
    }
    for (name, kind, extra) in REFUSED {
        let name = format!("real/test_driver/refuses_{name}");
        trials.push(trial_if(tool("virsh"), name, move |virsh| {
            let text = document(kind, extra);
            let theirs = theirs(&virsh, kind, &text).unwrap_err();
            let ours = ours(kind, &text).unwrap_err();
            assert!(theirs.contains(&ours), "ours:\n{ours}\ntheirs:\n{theirs}");
        }));
    }
    trials
}

fn refuse_alike(virsh: &Path, script: &str, kind: Kind, ops: &[Op]) {
    let theirs = run_virsh(virsh, script).unwrap_err();
    let driver = MockDriver::open(MockHost::Default, None).unwrap();
    let resources = driver.observe(&Scope::all()).unwrap().resources;
    let resource = resources.into_values().find(|r| r.id.kind == kind).unwrap();
    let target = Target { id: resource.id, uuid: resource.uuid };
    let calls: Vec<Call> =
        ops.iter().map(|op| Call { target: target.clone(), op: op.clone() }).collect();
    let mut outcomes = driver.execute(&calls, &ExecContext::default());
    let Some(Outcome::Refused(ours)) = outcomes.pop() else { panic!("{script}: not refused") };
    assert!(outcomes.iter().all(|o| *o == Outcome::Done), "{script}: {outcomes:?}");
    assert!(theirs.contains(&ours.message), "ours:\n{ours}\ntheirs:\n{theirs}");
}

fn document(kind: Kind, extra: &str) -> String {
    let head = format!("<name>oracle</name><uuid>{UUID}</uuid>");
    if kind.is_guest() {
        let os = "<os><type>hvm</type></os>";
        format!("<domain type='test'>{head}{os}{extra}</domain>")
    } else {
        format!("<{kind}>{head}{extra}</{kind}>")
    }
}

/// Returns our driver's version of the definition, or its refusal.
fn ours(kind: Kind, text: &str) -> Result<Element, String> {
    let driver = MockDriver::open(MockHost::Default, None).unwrap();
    let id = ResourceId::new(kind, "oracle");
    let target = Target { id: id.clone(), uuid: Uuid::try_parse(UUID).unwrap() };
    let call = Call { target, op: ops::define(kind, text) };
    match driver.execute(&[call], &ExecContext::default()).pop().unwrap() {
        Outcome::Refused(e) => Err(e.message.clone()),
        Outcome::NotSent(e) | Outcome::Unknown(e) => panic!("{e:?}"),
        Outcome::Done => {
            let mut observed = driver.observe(&Scope::all()).unwrap();
            Ok(observed.resources.remove(&id).unwrap().persistent.unwrap().into_element())
        }
    }
}

/// Returns libvirt's version of the definition, or its refusal.
fn theirs(virsh: &Path, kind: Kind, text: &str) -> Result<String, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let prefix = if kind == Kind::Network { "net-" } else { "" };
    let script = format!("{prefix}define {}; {prefix}dumpxml oracle", file.path().display());
    run_virsh(virsh, &script)
}

/// Returns virsh's output on a fresh host of libvirt's, or its errors.
fn run_virsh(virsh: &Path, script: &str) -> Result<String, String> {
    let mut command = Command::new(virsh);
    let ran = run(command.env("LC_ALL", "C").args(["-q", "-c", "test:///default", script]));
    match ran.code() {
        0 => Ok(ran.stdout()),
        _ => Err(ran.stderr()),
    }
}

fn parsed(text: &str) -> Element {
    let start = text.find('<').unwrap();
    parse(SourceId::NONE, &text[start..], &Limits::default()).unwrap()
}

/// Removes addresses, which our driver does not assign.
fn without_addresses(mut definition: Element) -> Element {
    for device in
        definition.elements_mut().filter(|e| e.is("devices")).flat_map(Element::elements_mut)
    {
        device.remove_elements(|e| e.is("address"));
    }
    definition
}
