//! Every rule that says "libvirt refuses the definition", checked against libvirtd: for each a document that
//! it refuses, with our diagnostic, and a similar one that both accept.
//! - `cases.rs`: cases of domains and networks
//! - `storage.rs`: cases of pools and volumes

mod cases;
mod storage;

use super::host::{Host, Pool};
use crate::support::ops;
use crate::support::{run, trial, virt};
use cases::{CASES, Case, STARTS, VALUES, case};
use libtest_mimic::{Completion, Trial};
use std::collections::BTreeSet;
use std::sync::Arc;
use virt::drivers::{self, Connection, Driver, Environment, ExecContext};
use virt::manifest;
use virt::model::rules::rules;
use virt::model::{Call, Kind, Op, Outcome, ResourceId, Target, UndefineKeep, Uuid, Version};

/// Version with which the rules were tried; an older one accepts some of their findings.
const TRIED_WITH: Version = Version::new(11, 3, 0);

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    let each: BTreeSet<&str> = cases().map(|case| case.rule).collect();
    let mut trials: Vec<Trial> = each
        .into_iter()
        .map(|rule| {
            pool.ignorable(&format!("real/lints/{rule}"), move |host| {
                let of_rule = cases().filter(|case| case.rule == rule);
                hold(host, &of_rule.collect::<Vec<_>>())
            })
        })
        .collect();
    trials.push(pool.trial("real/lints/taken_and_not_started", starts));
    trials.push(pool.trial("real/lints/memory_of_cells_is_their_sum", sum_of_cells));
    trials.push(pool.trial("real/lints/a_dump_of_what_runs_is_named_once", dumps));
    trials.push(pool.trial("real/lints/of_pools_and_volumes", storage::hold));
    trials.push(trial("real/lints/each_rule_has_a_case", each_rule));
    trials
}

fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(VALUES)
}

/// The sources of the rules whose documents no host takes.
const REFUSED: [&str; 2] =
    ["libvirt refuses the definition", "libvirt's QEMU driver refuses the definition"];

/// Rules with such a source that a case cannot show: two documents, the name that all cases have,
/// and what the grammar says before.
const NOT_HERE: [&str; 4] = ["bad-name", "bad-vlan", "duplicate-name", "duplicate-uuid"];

fn each_rule() {
    let shown: BTreeSet<&str> = cases().map(|case| case.rule).chain(storage::rules()).collect();
    let there: BTreeSet<&str> =
        rules().iter().filter(|r| REFUSED.contains(&r.source)).map(|r| r.name).collect();
    let not_here = BTreeSet::from(NOT_HERE);
    assert_eq!(shown.union(&not_here).copied().collect::<BTreeSet<_>>(), there);
    assert!(shown.is_disjoint(&not_here));
}

fn hold(host: &Host, cases: &[&Case]) -> Completion {
    let driver = drivers::open(
        &Connection::of_operator(&host.qemu()).unwrap(),
        &Environment::new(None, None),
    )
    .unwrap();
    let version = driver.capabilities().unwrap().version;
    if version < TRIED_WITH {
        return Completion::ignored_with("the rules were tried with libvirt 11.3");
    }
    let mut wrong = Vec::new();
    for case in cases {
        let (refused, taken) = (case.document(case.refused), case.document(case.taken));
        let said = errors(host, &refused);
        if !said.contains(case.rule) {
            wrong.push(format!("we take {refused}: {said:?}"));
        }
        let said = errors(host, &taken);
        if !said.is_empty() {
            wrong.push(format!("we refuse {taken}: {said:?}"));
        }
        if let Outcome::Done = define(driver.as_ref(), case.kind(), refused.clone()) {
            wrong.push(format!("libvirt takes {refused}"));
        }
        match define(driver.as_ref(), case.kind(), taken.clone()) {
            Outcome::Done => {}
            other => wrong.push(format!("libvirt refuses {taken}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Completion::Completed
}

/// Checks a definition that libvirt accepts and does not start, and a similar one that starts.
fn starts(host: &Host) {
    let driver = drivers::open(
        &Connection::of_operator(&host.qemu()).unwrap(),
        &Environment::new(None, None),
    )
    .unwrap();
    for case in STARTS {
        let (refused, taken) = (case.document(case.refused), case.document(case.taken));
        assert_eq!(errors(host, &refused), BTreeSet::from([case.rule]), "{refused}");
        assert_eq!(errors(host, &taken), BTreeSet::new(), "{taken}");
        for (document, does) in [(refused, false), (taken, true)] {
            let run = [ops::create(case.kind(), false), ops::destroy(case.kind())];
            let (defined, ran) = tried(driver.as_ref(), case.kind(), document.clone(), &run);
            assert_eq!(defined, Outcome::Done, "{document}");
            let is_started = ran.first() == Some(&Outcome::Done);
            assert_eq!(is_started, does, "{document}: {ran:?}");
        }
    }
}

/// The names of the errors that are found in a manifest.
fn errors(host: &Host, text: &str) -> BTreeSet<&'static str> {
    host.write("case.xml", text);
    let loaded = manifest::load(&[host.path("case.xml")]);
    loaded.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code).collect()
}

/// Defines a document, and takes it away again.
fn define(driver: &dyn Driver, kind: Kind, xml: String) -> Outcome {
    tried(driver, kind, xml, &[]).0
}

/// Defines a document, makes further calls, and removes it again; returns the outcome of each.
fn tried(driver: &dyn Driver, kind: Kind, xml: String, more: &[Op]) -> (Outcome, Vec<Outcome>) {
    let target = |uuid| Target { id: ResourceId::new(kind, "case"), uuid };
    let call = |uuid, op| {
        driver.execute(&[Call { target: target(uuid), op }], &ExecContext::default()).pop().unwrap()
    };
    let outcome = call(Uuid::nil(), ops::define(kind, xml));
    let mut ran = Vec::new();
    if let Outcome::Done = outcome {
        let scope = virt::model::Scope::all();
        let seen = driver.observe(&scope).unwrap().resources;
        let uuid = seen[&ResourceId::new(kind, "case")].uuid;
        ran.extend(more.iter().map(|op| call(uuid, op.clone())));
        let gone = call(uuid, ops::undefine(kind, UndefineKeep::Nothing));
        assert_eq!(gone, Outcome::Done);
    }
    (outcome, ran)
}

/// Checks that the warning is right: the host has as much memory as the cells have.
fn sum_of_cells(host: &Host) {
    let cells = "<cpu><numa><cell id='0' cpus='0-1' memory='131072'/></numa></cpu>";
    let case = case("memory-of-cells", "cpu", cells, "");
    host.write("case.xml", &case.document(cells));
    let said = run(virt(&["validate", "case.xml"]).current_dir(host.directory())).expect(0);
    assert!(said.stderr().contains("the NUMA cells say how much memory there is"), "{said}");
    host.virsh(&["define", host.path("case.xml").to_str().unwrap()]);
    let defined = host.inactive("case");
    assert!(defined.contains("<memory unit='KiB'>131072</memory>"), "{defined}");
}

/// Checks that the dump of a running object is reported once; a definition for the next boot is not.
fn dumps(host: &Host) {
    host.write(
        "net.xml",
        "<network><name>net</name><bridge name='virt-dump'/>\
         <ip address='10.78.0.1' prefix='24'/></network>",
    );
    let devices = "<controller type='usb' model='qemu-xhci'/><serial type='pty'/>\
        <interface type='network'><source network='net'/><model type='virtio'/></interface>\
        <graphics type='vnc' autoport='yes'/>";
    host.write("case.xml", &case("running-dump", "devices", devices, "").document(devices));
    let path = |name: &str| host.path(name).display().to_string();
    host.virsh(&["net-define", &path("net.xml")]);
    host.virsh(&["define", &path("case.xml")]);
    host.virsh(&["net-start", "net"]);
    host.virsh(&["start", "case", "--paused"]);
    for (dump, count) in [
        (vec!["dumpxml", "case"], 1),
        (vec!["dumpxml", "case", "--inactive"], 0),
        (vec!["net-dumpxml", "net"], 1),
        (vec!["net-dumpxml", "net", "--inactive"], 0),
    ] {
        host.write("dump.xml", &host.virsh(&dump));
        let validate = ["validate", "dump.xml", "--output", "json"];
        let said = run(virt(&validate).current_dir(host.directory())).expect(0).stdout();
        let told = said.matches("\"running-dump\"").count();
        assert_eq!(told, count, "{dump:?}: {said}");
        let loaded = manifest::load(&[host.path("dump.xml")]);
        let codes: Vec<&str> = loaded.diagnostics.iter().map(|d| d.code).collect();
        // of the network that it is on this manifest knows nothing
        let codes: Vec<&str> =
            codes.into_iter().filter(|code| *code != "unknown-network").collect();
        assert_eq!(codes, vec!["running-dump"; count], "{dump:?}");
    }
}
