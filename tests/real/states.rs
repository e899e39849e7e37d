//! States and history of an object, on a running guest: waiting changes, others' changes, and the way back to
//! the manifest before.

use super::host::{Host, Pool};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/states/what_differs_and_why", what_differs_and_why),
        pool.trial("real/states/what_is_not_counted_has_a_rule", what_is_not_counted_has_a_rule),
        pool.trial("real/states/of_a_network", of_a_network),
        pool.trial("real/states/back_and_forth", back_and_forth),
    ]
}

/// A guest that halts at its first instruction. `DIR` is filled in.
const DOMAIN: &str = "<domain type='qemu'><name>web</name><description>as applied</description>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='running'>
    <stop timeout='1s' force='yes'/></virt:reconcile></metadata>
  <memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>DIR/halt.fd</loader>
    <nvram template='DIR/vars.fd'/></os><features><acpi/></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <devices>
    <disk type='file'><driver name='qemu' type='raw'/><source file='DIR/web.img'/>
      <target dev='vda' bus='virtio'/></disk>
    <interface type='network'><source network='lan'/><model type='virtio'/></interface>
    <console type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc' autoport='yes' passwd='hush'/>
    <video><model type='vga' vram='10000'/></video>
  </devices></domain>";

const NETWORK: &str = "<network><name>lan</name><bridge name='virt-lan' stp='on' delay='0'/>
  <ip address='10.157.0.1' netmask='255.255.255.0'/></network>";

fn start(host: &Host) {
    fs::write(host.path("halt.fd"), vec![0xf4; 256 << 10]).unwrap();
    fs::write(host.path("vars.fd"), vec![0; 128 << 10]).unwrap();
    fs::write(host.path("web.img"), vec![0; 1 << 20]).unwrap();
    host.write("virt.toml", "set = \"demo\"\n");
    host.write("lan.xml", NETWORK);
    edit(host, "", "");
    host.apply(&[], 0);
}

/// Writes the manifest with one thing in it changed.
fn edit(host: &Host, from: &str, to: &str) {
    host.write("web.xml", &DOMAIN.replace(from, to).replace("DIR", host.directory()));
}

fn object(host: &Host, arguments: &[&str]) -> Value {
    let arguments = [&["get", "-o", "json"], arguments].concat();
    let printed = host.run(&arguments, 0).stdout();
    serde_json::from_str::<Value>(&printed).unwrap()["objects"][0].take()
}

/// The rows of an object: field, manifest, next boot, running, reason.
fn rows(host: &Host, id: &str) -> Vec<String> {
    let object = object(host, &[id]);
    let row = |f: &Value| {
        let values = ["path", "manifest", "next_boot", "running", "reason"];
        values.map(|name| f[name].as_str().unwrap_or("-").to_owned()).join(" | ")
    };
    object["fields"].as_array().unwrap().iter().map(row).collect()
}

fn what_differs_and_why(host: &Host) {
    start(host);
    assert_eq!(rows(host, "domain/web"), [""; 0]);
    let pid = host.virsh(&["domid", "web"]);

    edit(host, "'MiB'>64<", "'MiB'>96<");
    host.run(&["apply", ".", "--detailed-exitcode"], 3);
    let memory = "memory | 96 MiB | 98304 KiB | 65536 KiB | waits for the next boot";
    assert_eq!(rows(host, "domain/web"), [memory]);
    assert_eq!(object(host, &["domain/web"])["sync"], "pending");

    // waiting changes do not hold up live ones
    edit(host, "'MiB'>64<", "'MiB'>96<");
    let both = fs::read_to_string(host.path("web.xml")).unwrap().replace("as applied", "again");
    host.write("web.xml", &both);
    host.run(&["apply", ".", "--detailed-exitcode"], 3);
    assert_eq!(rows(host, "domain/web"), [memory]);

    host.virsh(&["desc", "web", "--config", "by hand"]);
    let description = "description | again | by hand | again | changed on the host";
    assert_eq!(rows(host, "domain/web"), [description, memory]);
    host.apply(&[], 0);
    assert_eq!(host.virsh(&["domid", "web"]), pid);

    host.apply(&["--allow", "restart"], 0);
    assert_eq!(rows(host, "domain/web"), [""; 0]);
    host.virsh(&["desc", "web", "--live", "by hand"]);
    let live = "description | again | again | by hand | changed on the host while it runs";
    assert_eq!(rows(host, "domain/web"), [live]);
    host.apply(&[], 0);
    host.virsh(&["destroy", "web"]);
    assert_eq!(rows(host, "domain/web"), ["power | running | - | shut off | changed on the host"]);
}

fn what_is_not_counted_has_a_rule(host: &Host) {
    start(host);
    let object = object(host, &["domain/web", "--explain"]);
    assert_eq!(object["fields"], Value::Array(Vec::new()));
    let found: Vec<String> = object["uncounted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| ["side", "path", "rule"].map(|name| u[name].as_str().unwrap()).join(" "))
        .collect();
    for expected in [
        "next_boot memory amount",
        "next_boot os/type/@machine machine",
        "next_boot devices/video/model/@vram power-of-two",
        "next_boot devices/graphics[@type='vnc']/@passwd secret",
        "next_boot uuid identity",
        "next_boot clock filled-in",
        "running cpu/@check only-at-boot",
        "running @id own-affair",
    ] {
        assert!(found.iter().any(|f| f == expected), "no {expected} among {found:#?}");
    }
    assert!(!object.to_string().contains("hush"), "{object:#}");
}

fn of_a_network(host: &Host) {
    start(host);
    assert_eq!(rows(host, "network/lan"), [""; 0]);
    host.write("lan.xml", &NETWORK.replace("delay='0'", "delay='2'"));
    host.run(&["apply", ".", "--detailed-exitcode"], 3);
    assert_eq!(rows(host, "network/lan"), ["bridge/@delay | 2 | 2 | 0 | waits for the next start"]);
}

fn back_and_forth(host: &Host) {
    start(host);
    let (first, pid) = (host.inactive("web"), host.virsh(&["domid", "web"]));
    host.run(&["rollback", "domain/web"], 1);
    edit(host, "as applied", "newer");
    assert_ne!(host.apply(&[], 0), []);
    host.is_in_sync();
    let history = |host: &Host| -> Value {
        let printed = host.run(&["history", "domain/web", "-o", "json"], 0).stdout();
        serde_json::from_str::<Value>(&printed).unwrap()["objects"][0].take()
    };
    let newer = history(host);
    assert_eq!(newer["changes"][0]["path"], "description", "{newer:#}");
    assert_eq!(newer["changes"].as_array().unwrap().len(), 1, "{newer:#}");

    host.run(&["rollback", "domain/web", "--dry-run", "--detailed-exitcode"], 2);
    assert_eq!(host.proxy.take_changes(), []);
    host.run(&["rollback", "domain/web"], 0);
    assert_ne!(host.proxy.take_changes(), []);
    let back = history(host);
    assert_eq!(back["last"]["digest"], newer["previous"]["digest"]);
    assert_eq!(back["previous"]["digest"], newer["last"]["digest"]);
    assert_eq!(without_mark(&host.inactive("web")), without_mark(&first));
    assert!(host.virsh(&["dumpxml", "web"]).contains("as applied"));
    let secure = host.virsh(&["dumpxml", "--inactive", "--security-info", "web"]);
    assert!(secure.contains("passwd='hush'") && !secure.contains("sensitive"), "{secure}");

    // the manifests with the older version have nothing to do, those with the newer one bring it back
    edit(host, "", "");
    host.is_in_sync();
    host.run(&["rollback", "domain/web"], 0);
    host.proxy.take_changes();
    edit(host, "as applied", "newer");
    host.is_in_sync();
    assert_eq!(host.virsh(&["domid", "web"]), pid, "going back and forth restarted the guest");
}

/// Returns a definition without the element that carries history.
fn without_mark(definition: &str) -> String {
    let (before, rest) = definition.split_once("<metadata>").unwrap();
    before.to_owned() + rest.split_once("</metadata>").unwrap().1
}
