//! One suite of rules that every driver keeps, run on each driver that can run here.
//!
//! A driver joins with a [`Subject`]: how to open it, and what its hosts can be asked for. Every
//! rule gets a driver of its own and uses names of its own, so that rules may share a host.

mod batches;
mod devices;
mod domains;
mod events;
mod networks;
mod queries;
mod subject;

use crate::support::{Libvirtd, Needs, ignorable_if, run, tool};
use diagnostics::SourceId;
use libtest_mimic::{Completion, Trial};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use subject::{Deviation, Host, Lack, Need, Subject, Subjected};
use virt::drivers::{self, Connection, Environment, MockDriver, MockHost};
use virt::model::Version;
use xmltree::{Element, Limits, parse, write};

/// Rule: its name, its need that not every driver meets, and its check.
type Rule = (&'static str, Option<Need>, fn(&Host));

/// Missing abilities of the built-in host where no file of its own is kept.
const IN_MEMORY: &[Lack] = &[Lack {
    need: Need::Snapshots,
    before: None,
    why: "nobody else gets at a host within this program",
}];

/// Missing abilities of each driver. A rule that does not apply without an entry here is a failure.
const TEST_DRIVER_OF_LIBVIRT: &[Lack] = &[
    Lack {
        need: Need::Devices,
        before: None,
        why: "libvirt's test driver has no devices that come and go",
    },
    Lack {
        need: Need::NextStart,
        before: None,
        why: "libvirt's test driver starts a network again as it was",
    },
];
const QEMU: &[Lack] = &[
    Lack {
        need: Need::GuestsThatObey,
        before: None,
        why: "a QEMU guest without an operating system does not shut down",
    },
    Lack {
        need: Need::Devices,
        before: Some(Version::new(9, 1, 0)),
        why: "libvirt before 9.1 puts no network card on the USB",
    },
];

pub(crate) fn trials() -> Vec<Trial> {
    let rules = || {
        let groups = [
            batches::RULES,
            devices::RULES,
            domains::RULES,
            events::RULES,
            networks::RULES,
            queries::RULES,
        ];
        groups.into_iter().flatten().copied()
    };
    let mut trials = Vec::new();
    for subject in subjects().map(Arc::new) {
        for (name, need, rule) in rules() {
            let subject_of_trial = Arc::clone(&subject);
            let name = format!("contract/{}/{name}", subject.name);
            trials.push(ignorable_if(subject.needs.clone(), name, move |()| {
                check(&subject_of_trial.open(), need, rule)
            }));
        }
    }
    trials
}

/// Checks a rule, unless the driver's table lacks the rule's need.
fn check(host: &Host, need: Option<Need>, rule: fn(&Host)) -> Completion {
    if let Some(need) = need {
        match (host.lacks(need), host.has(need)) {
            (None, true) => {}
            (Some(why), false) => return Completion::ignored_with(why),
            (None, false) => panic!("lacks {need:?}, and the driver's table does not say so"),
            (Some(_), true) => panic!("has {need:?}; the driver's table says that it does not"),
        }
    }
    rule(host);
    Completion::Completed
}

/// A snapshot in the state file of a built-in host.
fn write_snapshot(state: &Path, domain: &Subjected<'_>, name: &str) {
    let text = std::fs::read_to_string(state).unwrap();
    let mut host = parse(SourceId::NONE, &text, &Limits::default()).unwrap();
    let is_it = |object: &&mut Element| {
        let definition = object.child("persistent").and_then(|p| p.child("domain"));
        definition.and_then(|d| d.child_text("name")) == Some(domain.id.name.clone())
    };
    let object = host.elements_mut().find(is_it).unwrap();
    object.push(Element::new("snapshot").with_attr("name", name));
    std::fs::write(state, write(&host)).unwrap();
}

/// Takes a snapshot by telling libvirt of one: a domain without disks has nothing to be taken.
fn take_snapshot(uri: &str, directory: &Path, domain: &Subjected<'_>, name: &str) {
    let file = directory.join("snapshot.xml");
    let text = format!(
        "<domainsnapshot><name>{name}</name><state>shutoff</state><creationTime>1</creationTime>{}\
         </domainsnapshot>",
        domain.xml
    );
    std::fs::write(&file, text).unwrap();
    let mut virsh = Command::new("virsh");
    virsh.args(["-q", "-c", uri, "snapshot-create", &domain.id.name]).arg(&file).arg("--redefine");
    run(&mut virsh).expect(0);
}

fn subjects() -> impl Iterator<Item = Subject> {
    const ANYWHERE: Needs = Ok(());
    let memory = Subject::new("test", "test", ANYWHERE, |_| {
        Box::new(MockDriver::open(MockHost::Default, None).unwrap())
    })
    .without(IN_MEMORY);
    let kept = Subject::new("test_state_file", "test", ANYWHERE, |directory| {
        let state = directory.join("state.xml");
        Box::new(MockDriver::open(MockHost::Default, Some(state)).unwrap())
    })
    .with_snapshots(|directory, domain, name| {
        write_snapshot(&directory.join("state.xml"), domain, name);
    });
    let from_file = Subject::new("test_host_file", "test", ANYWHERE, |directory| {
        let path = directory.join("host.xml");
        std::fs::write(&path, "<node/>").unwrap();
        Box::new(MockDriver::open(MockHost::File(path), None).unwrap())
    })
    .without(IN_MEMORY);
    // one daemon for all rules, started by the first that runs
    let daemon = Arc::new(OnceLock::new());
    let remote = |name, domain_type, needs: Needs, uri: fn(&Libvirtd) -> String| {
        let (daemon, of_virsh) = (Arc::clone(&daemon), Arc::clone(&daemon));
        Subject::new(name, domain_type, needs, move |_| {
            let uri = uri(daemon.get_or_init(Libvirtd::start));
            drivers::open(&Connection::of_operator(&uri).unwrap(), &Environment::new(None, None))
                .unwrap()
        })
        .with_snapshots(move |directory, domain, name| {
            let uri = uri(of_virsh.get_or_init(Libvirtd::start));
            take_snapshot(&uri, directory, domain, name);
        })
    };
    let libvirtd = Libvirtd::available().and_then(|()| tool("virsh").map(drop));
    let qemu = libvirtd.clone().and_then(|()| tool("qemu-system-x86_64").map(|_| ()));
    let libvirt_qemu = remote("libvirt_qemu", "qemu", qemu, Libvirtd::qemu_uri)
        .but(&[Deviation::MacsMayRepeat])
        .without(QEMU);
    let libvirt_test = remote("libvirt_test", "test", libvirtd, Libvirtd::test_uri)
        .but(&[Deviation::CpuTimeIsTheClock, Deviation::MemoryIsSetInOnePlace])
        .without(TEST_DRIVER_OF_LIBVIRT);
    [memory, kept, from_file, libvirt_qemu, libvirt_test].into_iter()
}
