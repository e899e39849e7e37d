//! One suite of rules that every driver keeps, run on each driver that can run here.
//!
//! A driver joins with a [`Subject`]: how to open it, and what its hosts can be asked for. Every
//! rule gets a driver of its own and uses names of its own, so that rules may share a host.

mod batches;
mod devices;
mod domains;
mod events;
mod networks;
mod subject;

use crate::support::{Libvirtd, Needs, tool, trial_if};
use libtest_mimic::Trial;
use std::sync::{Arc, OnceLock};
use subject::{Deviation, Host, Subject};
use virt::drivers::{self, Environment, TestDriver, TestHost, Uri};

/// A rule: its name, and what checks it.
type Rule = (&'static str, fn(&Host));

pub(crate) fn trials() -> Vec<Trial> {
    let rules = || {
        let groups =
            [batches::RULES, devices::RULES, domains::RULES, events::RULES, networks::RULES];
        groups.into_iter().flatten().copied()
    };
    let mut trials = Vec::new();
    for subject in subjects().map(Arc::new) {
        for (name, rule) in rules() {
            let subject_of_trial = Arc::clone(&subject);
            let name = format!("contract/{}/{name}", subject.name);
            trials.push(trial_if(subject.needs.clone(), name, move |()| {
                rule(&subject_of_trial.open());
            }));
        }
    }
    trials
}

fn subjects() -> impl Iterator<Item = Subject> {
    const ANYWHERE: Needs = Ok(());
    let memory = Subject::new("test", "test", ANYWHERE, |_| {
        Box::new(TestDriver::open(TestHost::Default, None).unwrap())
    });
    let kept = Subject::new("test_state_file", "test", ANYWHERE, |directory| {
        let state = directory.join("state.xml");
        Box::new(TestDriver::open(TestHost::Default, Some(state)).unwrap())
    });
    let from_file = Subject::new("test_host_file", "test", ANYWHERE, |directory| {
        let path = directory.join("host.xml");
        std::fs::write(&path, "<node/>").unwrap();
        Box::new(TestDriver::open(TestHost::File(path), None).unwrap())
    });
    // one daemon for all rules, started by the first that runs
    let daemon = Arc::new(OnceLock::new());
    let remote = |name, domain_type, needs: Needs, uri: fn(&Libvirtd) -> String| {
        let daemon = Arc::clone(&daemon);
        Subject::new(name, domain_type, needs, move |_| {
            let uri = uri(daemon.get_or_init(Libvirtd::start));
            drivers::open(&Uri::parse(&uri).unwrap(), &Environment::new(None, None)).unwrap()
        })
    };
    let libvirtd = Libvirtd::available();
    let qemu = libvirtd.clone().and_then(|()| tool("qemu-system-x86_64").map(|_| ()));
    let libvirt_qemu =
        remote("libvirt_qemu", "qemu", qemu, Libvirtd::qemu_uri).but(&[Deviation::MacsMayRepeat]);
    let libvirt_test = remote("libvirt_test", "test", libvirtd, Libvirtd::test_uri)
        .but(&[Deviation::MemoryIsSetInOnePlace, Deviation::NetworkHasNoNextStart]);
    [memory, kept, from_file, libvirt_qemu, libvirt_test].into_iter()
}
