//! A fault at any call of an apply, then a run without one: the host is as if nothing had happened.

use crate::support::site::{self, SAMPLES, Site, converge, load, observe, plan_for};
use crate::support::{Fault, Faulty, Recording, trial};
use libtest_mimic::Trial;
use std::path::Path;
use virt::drivers::{Driver, MockDriver, MockHost};
use virt::manifest::Loaded;
use virt::model::{Effect, Observed};
use virt::reconcile::{Options, Status};
use xmltree::{Element, write};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("faults/converge/a_second_run_calls_nothing", second_run),
        trial("faults/converge/a_stranger_is_left_alone", stranger),
    ];
    for fault in Fault::ALL {
        trials.push(trial(format!("faults/converge/create_{fault:?}"), move || {
            let loaded = load(Path::new(SAMPLES));
            every_call(fault, &loaded, &Options::default(), host);
        }));
        trials.push(trial(format!("faults/converge/change_{fault:?}"), move || {
            let (site, options) = changed();
            every_call(fault, &site.load(), &options, || {
                let driver = host();
                let (before, _) = (original(), ());
                assert!(converge(&driver, &before.load(), &Options::default()).1.is_done());
                driver
            });
        }));
    }
    trials
}

fn host() -> MockDriver {
    MockDriver::open(MockHost::Default, None).unwrap()
}

const NETWORK: &str = "<network><name>net</name><ip address='10.9.0.1' prefix='24'/></network>";

fn domain(name: &str, memory: u32, extra: &str) -> String {
    format!(
        "<domain type='test'><name>{name}</name>{extra}<memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>\
         <os><type>hvm</type></os><devices><disk type='file'><source file='/{name}'/>\
         <target dev='vda'/></disk><interface type='network'><source network='net'/></interface>\
         </devices></domain>"
    )
}

fn original() -> Site {
    Site::new(&[
        ("net.xml", NETWORK),
        ("a.xml", &domain("a", 64, "<description>one</description>")),
        ("b.xml", &domain("b", 64, "")),
        ("gone.xml", &domain("gone", 64, "")),
    ])
}

/// Returns the site with a live edit, an edit that wants a restart, a new object and a removed one.
fn changed() -> (Site, Options) {
    let site = Site::new(&[
        ("net.xml", NETWORK),
        ("a.xml", &domain("a", 64, "<description>two</description>")),
        ("b.xml", &domain("b", 128, "")),
        ("c.xml", &domain("c", 64, "")),
    ]);
    let allow = [Effect::Restart].into();
    (site, Options { prune: true, allow, ..Options::default() })
}

/// Makes each call in turn fail, and each time runs again without a fault.
fn every_call(fault: Fault, loaded: &Loaded, options: &Options, start: impl Fn() -> MockDriver) {
    let reference = start();
    assert!(converge(&reference, loaded, options).1.is_done());
    let wanted = inventory(&observe(&reference));
    let mut at = 0;
    loop {
        let faulty = Faulty::new(start(), fault, at);
        let plan = plan_for(&faulty, loaded, options);
        let report = site::walk(&plan, &faulty);
        if !faulty.fired() {
            assert!(at > 0 && report.is_done(), "the fault was to be at call {at}");
            return;
        }
        // a lost reply is found out about; the others are said
        let all_seen = fault == Fault::LoseAfter && !report.has_unknown();
        assert!(report.is_done() == all_seen, "{fault:?} at call {at}: {report:?}");
        let driver = faulty.into_inner();
        let (_, again) = converge(&driver, loaded, options);
        assert!(again.is_done(), "after {fault:?} at call {at}: {again:?}");
        let left = plan_for(&driver, loaded, options);
        assert!(left.is_empty(), "after {fault:?} at call {at}: {:?}", left.steps);
        assert_eq!(inventory(&observe(&driver)), wanted, "after {fault:?} at call {at}");
        at += 1;
    }
}

/// Returns the lasting state of a host: without ids of running instances, and without versions of manifests
/// that were applied in between.
fn inventory(observed: &Observed) -> Vec<String> {
    let lasting = |definition: &xmltree::Document| {
        let definition = definition.as_element();
        let mut definition = definition.clone();
        let metadata = definition.elements_mut().filter(|e| e.is("metadata"));
        for mark in metadata.flat_map(Element::elements_mut) {
            mark.remove_attr("boots_as");
            mark.remove_elements(|e| e.name.local == "previous");
        }
        write(&definition)
    };
    let line = |r: &virt::model::ObservedResource| {
        let definition = r.persistent.as_ref().map(lasting).unwrap_or_default();
        format!("{} {} {:?} {}\n{definition}", r.id, r.uuid, r.state, r.autostart)
    };
    observed.resources.values().map(line).collect()
}

fn second_run() {
    let driver = Recording::new(host());
    let loaded = load(Path::new(SAMPLES));
    let (plan, report) = converge(&driver, &loaded, &Options::default());
    assert_eq!((plan.steps.len(), report.count(|s| *s == Status::Done)), (13, 13));
    assert_eq!(driver.calls().len(), 13);
    assert!(converge(&driver, &loaded, &Options::default()).0.is_empty());
    assert_eq!(driver.calls().len(), 13, "the second run called the host");
}

/// The host's own objects have names that the manifests take: they are neither changed nor pruned.
fn stranger() {
    let driver = Recording::new(host());
    let before = inventory(&observe(&driver));
    let site = Site::new(&[("test.xml", &domain("test", 1, "")), ("net.xml", NETWORK)]);
    let options = Options { prune: true, max_prune: Some(100), ..Options::default() };
    let (plan, report) = converge(&driver, &site.load(), &options);
    assert!(report.is_done() && plan.diagnostics.has_errors());
    assert!(driver.calls().iter().all(|(call, _)| call.target.id.name == "net"));
    let after = inventory(&observe(&driver));
    assert!(before.iter().all(|object| after.contains(object)));
    assert!(driver.capabilities().is_ok());
}
