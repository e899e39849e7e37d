//! The sample manifests, on every host there is: applied, seen by virsh, and applied again without
//! a single call that changes anything.

use super::host::{Host, Pool, SAMPLE_DOMAINS, SAMPLE_NETWORKS, copy_samples, virsh};
use crate::support::{Libvirtd, Proxy, run, tool, trial, trial_if, virt};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::sync::Arc;
use virt::drivers::{Connection, Environment, open};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    let libvirtd = Libvirtd::available().and_then(|()| tool("virsh"));
    vec![
        pool.trial("real/samples/on_qemu", on_qemu),
        trial_if(libvirtd, "real/samples/on_libvirts_test_driver", |_| on_libvirts_test_driver()),
        trial("real/samples/on_the_built_in_test_host", on_the_built_in_test_host),
    ]
}

fn on_qemu(host: &Host) {
    host.take_samples();
    assert_eq!(host.apply(&[], 0).len(), 13);
    are_there(&|arguments| host.virsh(arguments));
    let before = ["db", "web"].map(|name| host.virsh(&["domid", name]));
    host.is_in_sync();
    assert_eq!(before, ["db", "web"].map(|name| host.virsh(&["domid", name])));
    let got = host.run(&["get", "--output", "json"], 0).stdout();
    assert_eq!(got.matches(r#""sync":"in sync""#).count(), 5, "{got}");
}

/// The daemon's test hosts have domains of a type of their own.
fn on_libvirts_test_driver() {
    let libvirtd = Libvirtd::start();
    let proxy = Proxy::start(&libvirtd.socket());
    // changes there last while somebody is connected
    let connected = open(
        &Connection::of_operator(&libvirtd.test_uri()).unwrap(),
        &Environment::new(None, None),
    );
    let connected = connected.unwrap();
    connected.capabilities().unwrap();
    let directory = tempfile::tempdir().unwrap();
    copy_samples(directory.path(), |text| {
        text.replace("type='qemu'", "type='test'").replace("type = \"qemu\"", "type = \"test\"")
    });
    let uri = format!("test+unix:///default?socket={}", proxy.socket().display());
    let virt = |arguments: &[&str]| {
        run(virt(arguments).arg(directory.path()).args(["--connect", &uri])).expect(0);
        proxy.take_changes().len()
    };
    assert_eq!(virt(&["apply"]), 13);
    are_there(&|arguments| virsh(&libvirtd.test_uri(), arguments));
    assert_eq!(virt(&["plan", "--detailed-exitcode"]), 0);
    assert_eq!(virt(&["apply"]), 0);
}

fn on_the_built_in_test_host() {
    let directory = tempfile::tempdir().unwrap();
    copy_samples(directory.path(), str::to_owned);
    // the samples' virt.toml names the host
    let virt = |arguments: &[&str]| {
        run(virt(arguments).args([".", "-o", "json"]).current_dir(directory.path())).expect(0)
    };
    let state = || fs::read(directory.path().join(".virt-demo.xml")).unwrap();
    let summary =
        |text: &str| -> Value { serde_json::from_str(text.lines().last().unwrap()).unwrap() };
    let first = summary(&virt(&["apply"]).stdout());
    assert_eq!((&first["done"], &first["converged"]), (&13.into(), &true.into()), "{first}");
    let applied = state();
    virt(&["plan", "--detailed-exitcode"]);
    let second = summary(&virt(&["apply"]).stdout());
    assert_eq!((&second["steps"], &second["converged"]), (&0.into(), &true.into()), "{second}");
    assert!(state() == applied, "the second apply wrote the state");
}

/// Whether the samples are there as they ask for.
#[track_caller]
pub(crate) fn are_there(virsh: &dyn Fn(&[&str]) -> String) {
    let says = |text: &str, label: &str, value: &str| {
        let line = text.lines().find(|line| line.starts_with(label));
        assert!(line.is_some_and(|l| l.ends_with(value)), "{label} is not {value}\n{text}");
    };
    for (name, runs) in SAMPLE_DOMAINS {
        let info = virsh(&["dominfo", name]);
        says(&info, "State:", if runs { "running" } else { "shut off" });
        says(&info, "Autostart:", if runs { "enable" } else { "disable" });
        says(&info, "Persistent:", "yes");
    }
    for name in SAMPLE_NETWORKS {
        let info = virsh(&["net-info", name]);
        for label in ["Active:", "Autostart:", "Persistent:"] {
            says(&info, label, "yes");
        }
    }
}
