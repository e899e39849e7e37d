//! Drift: somebody else's changes on the host are shown and repaired; unowned objects are never touched.

use super::host::{Host, Pool};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/drift/is_repaired", is_repaired),
        pool.trial("real/drift/what_is_not_ours_is_left_alone", what_is_not_ours_is_left_alone),
        pool.trial("real/drift/adopting_keeps_identity", adopting_keeps_identity),
        pool.trial("real/drift/what_did_not_start_was_not_changed", what_did_not_start),
    ]
}

/// A small domain that starts with its host.
fn domain(name: &str, power: &str, disk: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><description>as applied</description>
           <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='{power}' autostart='yes'/></metadata>
           <memory unit='MiB'>64</memory><vcpu>1</vcpu>
           <os><type arch='x86_64' machine='pc'>hvm</type>
             <loader readonly='yes' type='pflash'>{disk}/halt.fd</loader>
             <nvram template='{disk}/vars.fd'/></os><features><acpi/></features>
           <devices>
             <disk type='file'><driver name='qemu' type='raw'/><source file='{disk}/{name}.img'/>
               <target dev='vda' bus='virtio'/></disk>
             <interface type='network'><source network='net'/><model type='virtio'/></interface>
           </devices></domain>"
    )
}

const NETWORK: &str = "<network><name>net</name>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' autostart='yes'/></metadata>
  <bridge name='virt-net' stp='on' delay='0'/><ip address='10.153.0.1' prefix='24'/></network>";

/// Change by virsh, and the resulting plan: object, action, field, effect.
struct Drift {
    commands: &'static [&'static str],
    shown: &'static [&'static str],
}

const fn drift(commands: &'static [&'static str], shown: &'static [&'static str]) -> Drift {
    Drift { commands, shown }
}

const DRIFTS: &[Drift] = &[
    drift(&["destroy on"], &["on update power starts"]),
    drift(&["suspend on"], &["on update power live"]),
    drift(&["undefine off --nvram"], &["off create creates"]),
    // it runs on, as a transient one
    drift(&["undefine on --keep-nvram"], &["on update owner none", "on update autostart none"]),
    drift(&["destroy on", "undefine on --nvram"], &["on create starts"]),
    drift(&["autostart --disable off"], &["off update autostart none"]),
    drift(&["autostart --disable on"], &["on update autostart none"]),
    drift(&["net-autostart --disable net"], &["net update autostart none"]),
    drift(&["net-destroy net"], &["net update power starts"]),
    drift(&["net-destroy net", "net-undefine net"], &["net create starts"]),
    drift(&["desc off --config edited"], &["off update description none"]),
    drift(&["desc on --config edited"], &["on update description none"]),
    drift(&["desc on --live edited"], &["on update description live"]),
    drift(&["desc on --live --config edited"], &["on update description live"]),
    drift(&["setmem off 32M --config"], &["off update currentMemory none"]),
    drift(&["setmaxmem off 96M --config"], &["off update memory none"]),
    drift(&["setmaxmem on 96M --config"], &["on update memory none"]),
    drift(&["setvcpus off 2 --config --maximum"], &["off update vcpu none"]),
    drift(
        &["attach-disk off DIR/extra.img vdb --config"],
        &["off update devices/disk[target/@dev='vdb'] none"],
    ),
    drift(
        &["attach-disk on DIR/extra.img vdb --config"],
        &["on update devices/disk[target/@dev='vdb'] none"],
    ),
    // a guest has no say in letting go of what is on USB
    drift(
        &["attach-disk on DIR/extra.img sda --targetbus usb --live"],
        &["on update devices/disk[target/@dev='sda'] live"],
    ),
    drift(
        &["attach-disk on DIR/extra.img sda --targetbus usb --live --config"],
        &["on update devices/disk[target/@dev='sda'] live"],
    ),
    drift(&["detach-disk off vda --config"], &["off update devices/disk[target/@dev='vda'] none"]),
    drift(&["detach-interface off network --config"], &["off update devices/interface none"]),
];

fn is_repaired(host: &Host) {
    prepare(host);
    for name in ["on", "off"] {
        let power = if name == "on" { "running" } else { "manual" };
        host.write(&format!("{name}.xml"), &domain(name, power, host.directory()));
    }
    host.write("net.xml", NETWORK);
    host.apply(&[], 0);
    let identities = || ["on", "off"].map(|name| identity(&host.inactive(name)));
    let before = identities();
    for Drift { commands, shown } in DRIFTS {
        for command in *commands {
            let command = command.replace("DIR", host.directory());
            host.virsh(&command.split(' ').collect::<Vec<_>>());
        }
        let plan = host.plan(&[], 0);
        assert_eq!(drifted(&plan), *shown, "{commands:?} {plan:#}");
        host.run(&["plan", ".", "--detailed-exitcode"], 2);
        assert_ne!(host.apply(&[], 0), [], "{commands:?}");
        assert_eq!(identities(), before, "{commands:?}");
        host.is_in_sync();
    }
}

fn what_is_not_ours_is_left_alone(host: &Host) {
    let seen = by_hand(host);
    let before = seen();
    host.write("virt.toml", "set = \"ours\"\n");
    host.write("net.xml", NETWORK);
    host.apply(&["--prune"], 0);
    assert_eq!(seen(), before);
    // nor when a manifest names it
    host.write("hand.xml", &domain("hand", "stopped", host.directory()));
    host.write("handnet.xml", &network_by_hand());
    assert_eq!(host.apply(&["--prune", "--allow", "data-loss"], 1), []);
    let plan = host.plan(&[], 1);
    let held: Vec<&Value> =
        plan["held_back"].as_array().unwrap().iter().map(|held| &held["target"]).collect();
    assert_eq!(held, ["network/handnet", "domain/hand"], "{plan:#}");
    assert_eq!(seen(), before);
}

fn adopting_keeps_identity(host: &Host) {
    let seen = by_hand(host);
    let before = seen();
    host.write("net.xml", NETWORK);
    host.write("hand.xml", &domain("hand", "running", host.directory()));
    host.apply(&[], 1);
    assert_eq!(seen(), before);
    let id = host.virsh(&["domid", "hand"]);
    let plan = host.plan(&["--adopt"], 0);
    let actions: Vec<&Value> =
        plan["changes"].as_array().unwrap().iter().map(|change| &change["action"]).collect();
    assert_eq!(actions, ["no-op", "adopt"], "{plan:#}");
    host.apply(&["--adopt"], 0);
    let definition = host.inactive("hand");
    assert!(definition.contains("as applied"), "{definition}");
    assert_eq!(identity(&definition), identity(&before[0]), "{definition}");
    assert_eq!(host.virsh(&["domid", "hand"]), id, "adopting restarted the guest");
    host.is_in_sync();
    // another set does not get it, whatever it asks for
    host.write("virt.toml", "set = \"other\"\n");
    assert_eq!(host.apply(&["--adopt", "--prune"], 1), []);
}

/// Creates a running domain and a network with virsh; returns a function for facts that change if they are
/// touched.
fn by_hand(host: &Host) -> impl Fn() -> [String; 4] {
    prepare(host);
    // the manifests of a directory end in .xml
    host.write("handnet", &network_by_hand());
    let plain = domain("hand", "running", host.directory()).replace("'net'", "'handnet'");
    host.write("hand", &plain.replace("as applied", "made by hand"));
    for command in ["net-define handnet", "net-start handnet", "define hand", "start hand"] {
        let words: Vec<&str> = command.split(' ').collect();
        let file = host.path(words[1]);
        let is_file = words[0].ends_with("define");
        host.virsh(&[words[0], if is_file { file.to_str().unwrap() } else { words[1] }]);
    }
    || {
        [
            host.inactive("hand"),
            host.virsh(&["dumpxml", "hand"]),
            host.virsh(&["net-dumpxml", "handnet"]),
            host.virsh(&["list", "--all"]),
        ]
    }
}

fn network_by_hand() -> String {
    let network = NETWORK.replace("'virt-net'", "'virt-hand'").replace("net<", "handnet<");
    network.replace("10.153", "10.154")
}

fn prepare(host: &Host) {
    // firmware that halts at its first instruction, so that the guest costs nothing
    fs::write(host.path("halt.fd"), vec![0xf4; 256 << 10]).unwrap();
    fs::write(host.path("vars.fd"), vec![0; 128 << 10]).unwrap();
    for image in ["on.img", "off.img", "hand.img", "extra.img"] {
        fs::write(host.path(image), vec![0; 1 << 20]).unwrap();
    }
}

/// The lines of a definition by which others know the domain.
fn identity(definition: &str) -> Vec<String> {
    let lines = definition.lines().map(|line| line.trim().to_owned());
    lines.filter(|line| line.starts_with("<uuid>") || line.starts_with("<mac ")).collect()
}

/// Returns a plan's changes, all caused by drift: object, action, field and effect.
fn drifted(plan: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let mut lines = Vec::new();
    for change in plan["changes"].as_array().unwrap().iter().filter(|c| c["action"] != "no-op") {
        let head = format!("{} {}", word(&change["name"]), word(&change["action"]));
        let fields = change["fields"].as_array().unwrap();
        if fields.is_empty() {
            lines.push(format!("{head} {}", word(&change["effect"])));
        }
        for field in fields {
            assert_eq!(field["origin"], "drift", "{field:#}");
            lines.push(format!("{head} {} {}", word(&field["path"]), word(&field["effect"])));
        }
    }
    lines
}

/// A start that failed is no change by others, and neither is one that was not tried yet.
fn what_did_not_start(host: &Host) {
    let domain = |name: &str, more: &str| {
        format!(
            "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
               <name>{name}</name>
               <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='running'/></metadata>
               <memory unit='MiB'>32</memory>
               <os><type arch='x86_64' machine='pc'>hvm</type></os>{more}</domain>"
        )
    };
    let nonsense = "<qemu:commandline><qemu:arg value='-no-such-thing'/></qemu:commandline>";
    host.write("virt.toml", "set = \"drift\"\n");
    host.write("fails.xml", &domain("fails", nonsense));
    host.apply(&[], 1);
    let told = |code| {
        let plan = host.plan(&[], code);
        let change = &plan["changes"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&change["reason"]), text(&change["fields"][0]["origin"]))
    };
    let (reason, origin) = told(0);
    assert_eq!(
        (reason.as_str(), origin.as_str()),
        ("not started: its last start failed", "manifest")
    );
    // somebody else turns one off
    host.write("fails.xml", &domain("fails", ""));
    host.apply(&[], 0);
    host.virsh(&["destroy", "fails"]);
    let (reason, origin) = told(0);
    assert_eq!((reason.as_str(), origin.as_str()), ("the host was changed", "drift"));
}
