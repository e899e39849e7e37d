//! Sizes and addresses of a running guest, as `virt get --wide` has them from libvirt.

use super::host::{Host, Pool};
use crate::support::{Ran, run};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/running/sizes_and_addresses", sizes_and_addresses),
        pool.trial("real/running/a_guest_that_hangs_delays_nothing", a_guest_that_hangs),
    ]
}

const MAC: &str = "52:54:00:00:9d:05";

const DOMAIN: &str = "<domain type='qemu'><name>web</name>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='running'/></metadata>
  <memory unit='MiB'>64</memory><currentMemory unit='MiB'>48</currentMemory><vcpu current='1'>2</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <interface type='network'><mac address='52:54:00:00:9d:05'/><source network='lan'/></interface>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  </devices></domain>";

const NETWORK: &str = "<network><name>lan</name><bridge name='virt-lan' stp='on' delay='0'/>
  <ip address='10.157.0.1' netmask='255.255.255.0'><dhcp>
    <range start='10.157.0.2' end='10.157.0.9'/></dhcp></ip></network>";

/// A lease as dnsmasq's helper writes it, far from its end.
fn lease() -> String {
    let lease = json!([{
        "ip-address": "10.157.0.5", "mac-address": MAC, "expiry-time": 4_000_000_000_u64,
    }]);
    lease.to_string()
}

fn get(host: &Host, arguments: &[&str]) -> (Value, Ran) {
    let arguments = [&["get", "domain/web", "--wide", "-o", "json"], arguments].concat();
    let ran = host.run(&arguments, 0);
    (serde_json::from_str(&ran.stdout()).unwrap(), ran)
}

fn start(host: &Host) {
    host.write("lan.xml", NETWORK);
    host.write("web.xml", DOMAIN);
    host.apply(&[], 0);
    fs::write(host.kept("/var/lib/libvirt/dnsmasq/virt-lan.status"), lease()).unwrap();
}

/// Checks that no query waits for the QEMU of a guest, which may never answer.
fn a_guest_that_hangs(host: &Host) {
    start(host);
    let pid = host.guests().pop_first().unwrap().to_string();
    run(Command::new("kill").args(["-STOP", &pid])).expect(0);
    let begun = Instant::now();
    let answers = ["lease", "arp", "agent"].map(|source| get(host, &["--source", source]).0);
    let took = begun.elapsed();
    run(Command::new("kill").args(["-CONT", &pid])).expect(0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(answers[0]["objects"][0]["addresses"][0]["addresses"], json!(["10.157.0.5/24"]));
    for answer in answers {
        assert_eq!(answer["objects"][0]["info"]["vcpus"], 1, "{answer}");
    }
}

fn sizes_and_addresses(host: &Host) {
    start(host);
    let (leased, _) = get(host, &[]);
    let web = &leased["objects"][0];
    let shown = host.virsh(&["domifaddr", "web", "--source", "lease"]);
    let interface = shown.split_whitespace().next().unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(
        web["addresses"],
        json!([{ "interface": interface, "mac": MAC, "addresses": ["10.157.0.5/24"] }])
    );
    let info = &web["info"];
    assert_eq!((&info["state"], &info["vcpus"]), (&json!("running"), &json!(1)));
    assert_eq!(info["max_memory_kib"], 64 << 10);
    assert!(info["memory_kib"].as_u64().is_some_and(|kib| (1..=64 << 10).contains(&kib)));
    assert!(info["cpu_time_ns"].as_u64().is_some_and(|time| time > 0));
    let node = host.virsh(&["nodeinfo"]);
    let said = |name: &str| {
        let line = node.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().find_map(|word| word.parse::<u64>().ok())
    };
    assert_eq!(leased["node"]["cpus"].as_u64(), said("CPU(s):"));
    assert_eq!(leased["node"]["memory_kib"].as_u64(), said("Memory size:"));
    // the host's neighbours are another matter
    let neighbour =
        ["neigh", "replace", "10.157.0.7", "lladdr", MAC, "nud", "reachable", "dev", "virt-lan"];
    host.inside(Command::new("ip").args(neighbour)).expect(0);
    let (arp, _) = get(host, &["--source", "arp"]);
    // which do not say what network they are of
    assert_eq!(arp["objects"][0]["addresses"][0]["addresses"], json!(["10.157.0.7"]));
    // no agent runs in the guest: its addresses are unknown, and the rest is shown
    for read_only in [false, true] {
        let more: &[&str] = if read_only { &["-r"] } else { &[] };
        let (agent, ran) = get(host, &[&["--source", "agent"], more].concat());
        let web = &agent["objects"][0];
        assert_eq!((&web["addresses"], &web["info"]["vcpus"]), (&Value::Null, &json!(1)));
        let warning = "warning: the addresses of domain/web are unknown: ";
        assert!(ran.stderr().contains(warning), "{ran}");
        let table = [&["get", "domains", "--wide", "--source", "agent"], more].concat();
        let table = host.run(&table, 0).stdout();
        let row = table.lines().last().unwrap_or_default();
        assert!(row.starts_with("domain/web") && row.ends_with("  unknown"), "{table}");
    }
    // read-only connections may ask for all else
    let (read_only, _) = get(host, &["-r"]);
    assert_eq!(read_only["objects"][0]["addresses"], leased["objects"][0]["addresses"]);
    assert_eq!(host.proxy.take_changes(), []);
}
