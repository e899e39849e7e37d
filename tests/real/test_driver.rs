//! Our test driver beside libvirt's: the same definition goes in, the same has to come out.

use crate::support::{run, tool, trial_if};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;
use virt::diag::SourceId;
use virt::drivers::{Driver, TestDriver, TestHost};
use virt::model::{Call, Kind, Op, Outcome, ResourceId, Scope, Target, Uuid};
use virt::xml::{Element, Limits, parse, write};

const UUID: &str = "11111111-2222-3333-4444-555555555555";

/// Definitions, by what they show: the kind and what stands in it beside name and UUID.
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

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
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

fn document(kind: Kind, extra: &str) -> String {
    let head = format!("<name>oracle</name><uuid>{UUID}</uuid>");
    match kind {
        Kind::Network => format!("<network>{head}{extra}</network>"),
        Kind::Domain => {
            let os = "<os><type>hvm</type></os>";
            format!("<domain type='test'>{head}{os}{extra}</domain>")
        }
    }
}

/// What our driver makes of the definition, or its words when it refuses.
fn ours(kind: Kind, text: &str) -> Result<Element, String> {
    let driver = TestDriver::open(TestHost::Default, None).unwrap();
    let id = ResourceId::new(kind, "oracle");
    let target = Target { id: id.clone(), uuid: Uuid::try_parse(UUID).unwrap() };
    let call = Call { target, op: Op::Define { xml: text.to_owned() } };
    match driver.execute(&[call]).pop().unwrap() {
        Outcome::Refused(e) => Err(e.message.clone()),
        Outcome::Unknown(e) => panic!("{e:?}"),
        Outcome::Done => {
            let mut observed = driver.observe(&Scope::all()).unwrap();
            Ok(observed.resources.remove(&id).unwrap().persistent.unwrap())
        }
    }
}

/// The same of libvirt's.
fn theirs(virsh: &Path, kind: Kind, text: &str) -> Result<String, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let prefix = if kind == Kind::Network { "net-" } else { "" };
    let script = format!("{prefix}define {}; {prefix}dumpxml oracle", file.path().display());
    let mut command = Command::new(virsh);
    let ran = run(command.env("LC_ALL", "C").args(["-q", "-c", "test:///default", &script]));
    match ran.code() {
        0 => Ok(ran.stdout()),
        _ => Err(ran.stderr()),
    }
}

fn parsed(text: &str) -> Element {
    let start = text.find('<').unwrap();
    parse(SourceId::NONE, &text[start..], &Limits::default()).unwrap()
}

/// Our driver assigns no addresses.
fn without_addresses(mut definition: Element) -> Element {
    for device in
        definition.elements_mut().filter(|e| e.is("devices")).flat_map(Element::elements_mut)
    {
        device.remove_elements(|e| e.is("address"));
    }
    definition
}
