//! Blocked resources and refused plans: a bad manifest blocks itself and its dependants, and nothing is
//! deleted because a manifest could not be read.

use super::host::{Host, Pool};
use crate::support::Ran;
use libtest_mimic::Trial;
use libvirt_rpc::Procedure;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/held_back/one_broken_manifest_of_ten", one_broken_manifest_of_ten),
        pool.trial("real/held_back/what_the_host_holds", what_the_host_holds),
        pool.trial("real/held_back/no_source_prunes_nothing", no_source_prunes_nothing),
        pool.trial("real/held_back/pruning_has_a_limit", pruning_has_a_limit),
        pool.trial("real/held_back/prevent_destroy", prevent_destroy),
    ]
}

/// Eight domains that nobody starts, half of them on each of two networks, a file each.
fn ten_manifests(host: &Host) {
    host.write("virt.toml", "set = \"ten\"\n");
    for n in [1, 2] {
        host.write(&format!("n{n}.xml"), &network(n));
    }
    for n in 1..=8 {
        host.write(&format!("d{n}.xml"), &domain(n, ""));
    }
}

fn network(n: u32) -> String {
    format!(
        "<network>
           <name>n{n}</name>
           <bridge name='virt-n{n}'/>
           <ip address='10.155.{n}.1' prefix='24'/>
         </network>"
    )
}

fn domain(n: u32, settings: &str) -> String {
    let on = n % 2 + 1;
    format!(
        "<domain type='qemu'><name>d{n}</name>
           <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='manual' {settings}/></metadata>
           <memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os>
           <devices><interface type='network'><source network='n{on}'/></interface></devices>
         </domain>"
    )
}

fn objects(host: &Host) -> Vec<String> {
    let mut names = host.names(&["list", "--all", "--name"]);
    names.extend(host.names(&["net-list", "--all", "--name"]));
    names.sort();
    names
}

fn targets(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|held| held["target"].as_str().unwrap()).collect()
}

fn one_broken_manifest_of_ten(host: &Host) {
    ten_manifests(host);
    host.write("n2.xml", &network(2).replace("10.155.2.1", "10.155.2.300"));
    let ran = host.run(&["apply", ".", "--output", "json"], 1);
    let summary: Value = serde_json::from_str(ran.stdout().lines().last().unwrap()).unwrap();
    let held = ["network/n2", "domain/d1", "domain/d3", "domain/d5", "domain/d7"];
    assert_eq!(targets(&summary["held_back"]), held, "{summary:#}");
    let why = &summary["diagnostics"][0];
    assert_eq!(why["address"], "network/n2", "{summary:#}");
    assert_eq!(why["source"], json!({"file": "./n2.xml", "line": 4, "column": 25}));
    assert_eq!(objects(host), ["d2", "d4", "d6", "d8", "n1"]);

    // mended, and then one that is no XML at all: what it names is not known
    host.write("n2.xml", &network(2));
    host.apply(&[], 0);
    let before = host.virsh(&["net-dumpxml", "n2"]);
    host.write("n2.xml", &network(2).replace("</network>", ""));
    host.write("d8.xml", &domain(8, "autostart='yes'"));
    // the mark remembers what was asked for
    let calls = [Procedure::DOMAIN_DEFINE_XML_FLAGS, Procedure::DOMAIN_SET_AUTOSTART];
    assert_eq!(host.apply(&[], 1), calls);
    assert_eq!(host.virsh(&["net-dumpxml", "n2"]), before);
    assert_eq!(objects(host).len(), 10);
}

/// A name that the grammar refuses and libvirt takes: where somebody else has defined it, the network is
/// exported, taken over and edited with it, and only a new one is an error.
fn what_the_host_holds(host: &Host) {
    let made = "<network><name>trunk</name><bridge name='virt-trunk'/>
        <portgroup name='Trunk Core' default='yes'/><ip address='10.155.9.1' prefix='24'/></network>";
    host.write("made", made);
    host.virsh(&["net-define", &host.path("made").display().to_string()]);
    host.virsh(&["net-start", "trunk"]);
    fs::remove_file(host.path("made")).unwrap();
    host.write("virt.toml", "set = \"trunk\"\n");
    host.run(&["export", "--dir", ".", "network/trunk"], 0);
    let name = "network-trunk.xml";
    let exported = fs::read_to_string(host.path(name)).unwrap();
    let said = |ran: &Ran| -> Vec<(String, String)> {
        let summary: Value = serde_json::from_str(ran.stdout().lines().last().unwrap()).unwrap();
        let word = |d: &Value, key: &str| d[key].as_str().unwrap().to_owned();
        let list = summary["diagnostics"].as_array().unwrap();
        list.iter().map(|d| (word(d, "severity"), word(d, "summary"))).collect()
    };
    let warning =
        ("warning".to_owned(), "\"Trunk Core\" is no value for name of <portgroup>".to_owned());
    let adopted = host.run(&["apply", ".", "--adopt", "-o", "json"], 0);
    assert_eq!(said(&adopted), std::slice::from_ref(&warning));
    let again = host.run(&["plan", ".", "--detailed-exitcode", "-o", "json"], 0);
    assert_eq!(said(&again), std::slice::from_ref(&warning));
    host.apply(&[], 0);
    host.is_in_sync();

    // another field is edited, what is refused stays as it is
    host.write(name, &exported.replace("10.155.9.1", "10.155.9.2"));
    let edited = host.run(&["apply", ".", "--allow", "network-restart", "-o", "json"], 0);
    assert_eq!(said(&edited), std::slice::from_ref(&warning));
    let now = host.virsh(&["net-dumpxml", "trunk"]);
    assert!(now.contains("10.155.9.2") && now.contains("'Trunk Core'"), "{now}");

    let more = exported.replace("<portgroup", "<portgroup name='Floor 2'/><portgroup");
    host.write(name, &more.replace("10.155.9.1", "10.155.9.3"));
    let refused = host.run(&["apply", ".", "--allow", "network-restart", "-o", "json"], 1);
    let error = ("error".to_owned(), "\"Floor 2\" is no value for name of <portgroup>".to_owned());
    assert_eq!(said(&refused), [error, warning]);
    assert_eq!(host.virsh(&["net-dumpxml", "trunk"]), now);
}

fn no_source_prunes_nothing(host: &Host) {
    ten_manifests(host);
    host.apply(&[], 0);
    let files = || {
        let entries = fs::read_dir(host.path("")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|e| e == "xml")).collect::<Vec<_>>()
    };
    let refused = |options: &[&str], why: &str| {
        let options = [&["--prune"], options].concat();
        let plan = host.plan(&options, 5);
        let reason = plan["refusals"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("nothing is pruned") && reason.contains(why), "{reason}");
        assert_eq!(host.apply(&options, 5), []);
        assert_eq!(objects(host).len(), 10);
    };
    // an unreadable manifest, whose names are unknown
    fs::remove_file(host.path("d1.xml")).unwrap();
    std::os::unix::fs::symlink("/nowhere", host.path("d1.xml")).unwrap();
    refused(&["--max-prune", "10"], "could not be read");
    fs::remove_file(host.path("d1.xml")).unwrap();
    host.write("d1.xml", "<domain>");
    refused(&["--max-prune", "10"], "could not be read");
    // none at all
    files().iter().for_each(|path| fs::remove_file(path).unwrap());
    refused(&[], "no manifest was found");
    refused(&["--max-prune", "10"], "no manifest was found");
    // and a directory that is not there
    host.write("n1.xml", &network(1));
    for (paths, exit) in [(&["missing"][..], 1), (&[".", "missing"], 5)] {
        let ran = host.run(&[&["apply", "--prune", "--max-prune", "10"], paths].concat(), exit);
        assert!(ran.stderr().contains("missing: error: the path cannot be read"), "{ran}");
        assert_eq!(objects(host).len(), 10);
    }
    // a file is there, and is no directory
    let ran = host.run(&["apply", "n1.xml", "--prune"], 64);
    assert!(ran.stderr().contains("whole directories"), "{ran}");
    assert_eq!(objects(host).len(), 10);
}

fn pruning_has_a_limit(host: &Host) {
    ten_manifests(host);
    host.apply(&[], 0);
    for n in [1, 3, 5] {
        fs::remove_file(host.path(&format!("d{n}.xml"))).unwrap();
    }
    assert_eq!(host.apply(&[], 0), []);
    assert_eq!(host.plan(&["--prune"], 5)["summary"]["delete"], 0);
    assert_eq!(host.apply(&["--prune"], 5), []);
    assert_eq!(host.apply(&["--prune", "--max-prune", "2"], 5), []);
    assert_eq!(objects(host).len(), 10);
    assert_eq!(host.apply(&["--prune", "--max-prune", "3"], 0).len(), 3);
    assert_eq!(objects(host).len(), 7);
    // a fifth of seven is one
    fs::remove_file(host.path("d7.xml")).unwrap();
    assert_eq!(host.apply(&["--prune"], 0).len(), 1);
    // a network goes, too, once nobody needs it: it is active, so it is stopped first
    fs::remove_file(host.path("n2.xml")).unwrap();
    assert_eq!(host.apply(&["--prune"], 0).len(), 2);
    assert_eq!(objects(host), ["d2", "d4", "d6", "d8", "n1"]);
    host.is_in_sync();
}

fn prevent_destroy(host: &Host) {
    ten_manifests(host);
    host.write("d1.xml", &domain(1, "prevent_destroy='yes'"));
    host.apply(&[], 0);
    fs::remove_file(host.path("d1.xml")).unwrap();
    let plan = host.plan(&["--prune"], 5);
    assert_eq!(plan["refusals"][0]["target"], "domain/d1", "{plan:#}");
    assert_eq!(host.apply(&["--prune"], 5), []);
    host.run(&["delete", "domain/d1"], 5);
    assert_eq!(objects(host).len(), 10);
    host.write("d1.xml", &domain(1, ""));
    host.apply(&[], 0);
    fs::remove_file(host.path("d1.xml")).unwrap();
    host.apply(&["--prune"], 0);
    assert_eq!(objects(host).len(), 9);
}
