//! Live changes that the host does not take: those that it cannot make while a guest runs wait for the
//! next boot, those that are wrong are put back in the definition, and neither keeps another from being
//! made. Whenever the run is cut short in between, the next one comes to the same.

use crate::support::site::{Site, converge, observe, plan_for, walk};
use crate::support::{Answering, Fault, Faulty, Recording, trial};
use libtest_mimic::Trial;
use virt::drivers::{Driver, ExecContext, MockDriver, MockHost};
use virt::error::{Error, ErrorCode, ErrorDomain};
use virt::model::{Call, DomainOp, Kind, Observed, Op, OpKind, Outcome, ResourceId};
use virt::reconcile::{ChangeCause, Options, Report, Status};
use xmltree::{Element, write};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("faults/refused/what_is_wrong_is_put_back_and_the_rest_is_done", wrong),
        trial("faults/refused/a_run_that_was_cut_short_is_gone_on_with", cut_short),
        trial("faults/refused/a_value_and_a_setting_are_put_back", values),
        trial("faults/refused/what_cannot_be_done_now_waits_and_is_not_tried_again", not_now),
        trial("faults/refused/a_device_that_is_kept_is_asked_for_again", kept),
        trial("faults/refused/a_definition_that_is_refused_ends_that_objects_steps", definition),
        trial("faults/refused/no_number_of_a_host_is_taken_for_one_of_ours", any_number),
    ]
}

const ID: fn() -> ResourceId = || ResourceId::new(Kind::Domain, "g");

fn guest(settings: &str, disks: &[&str]) -> String {
    let disk = |dev: &&str| {
        format!(
            "<disk type='file'><source file='/{dev}'/><target dev='{dev}' bus='virtio'/></disk>"
        )
    };
    let disks: String = disks.iter().map(disk).collect();
    format!(
        "<domain type='test'><name>g</name>{settings}<memory>65536</memory><os><type>hvm</type></os>\
         <devices>{disks}</devices></domain>"
    )
}

fn started(manifest: &str) -> (Site, MockDriver) {
    let site = Site::new(&[("g.xml", manifest)]);
    let driver = MockDriver::open(MockHost::Default, None).unwrap();
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    (site, driver)
}

fn refusal(code: ErrorCode, domain: ErrorDomain, message: &str) -> Outcome {
    Outcome::Refused(Error::host(code, domain, message))
}

/// Refuses with "no such file" to plug in `vdb` while the guest runs.
fn no_such_file(call: &Call) -> Option<Outcome> {
    let is_it = matches!(&call.op, Op::Domain(DomainOp::Attach { xml, .. }) if xml.contains("'/vdb'") || xml.contains("\"/vdb\""));
    let message = "Cannot access storage file '/vdb': No such file or directory";
    is_it.then(|| refusal(ErrorCode::SYSTEM_ERROR, ErrorDomain::QEMU, message))
}

fn disks(domain: Option<&Element>) -> Vec<String> {
    let devices = domain.unwrap().child("devices").unwrap();
    let target = |d: &Element| d.child("target").unwrap().attr("dev").unwrap().to_owned();
    devices.children_named("disk").map(target).collect()
}

fn both(observed: &Observed) -> [Vec<String>; 2] {
    let resource = &observed.resources[&ID()];
    [
        disks(resource.live.as_ref().map(xmltree::Document::as_element)),
        disks(resource.persistent.as_ref().map(xmltree::Document::as_element)),
    ]
}

fn failures(report: &Report) -> usize {
    report.count(|s| matches!(s, Status::Failed(_)))
}

fn wrong() {
    let (site, driver) = started(&guest("", &["vda"]));
    let driver = Answering::new(driver, no_such_file);
    site.write("g.xml", &guest("<title>new</title>", &["vda", "vdb", "vdc"]));
    for _ in 0..2 {
        let plan = plan_for(&driver, &site.load(), &Options::default());
        let vdb = plan.changes[0].fields.iter().find(|f| f.path.to_string().contains("vdb"));
        assert_eq!(vdb.unwrap().origin, ChangeCause::Manifest, "nobody changed it on the host");
        let report = walk(&plan, &driver);
        assert_eq!((failures(&report), report.is_done()), (1, false), "{report:?}");
        assert_eq!(report.put_back, [(ID(), Status::Done)]);
        assert_eq!(both(&observe(&driver)), [["vda", "vdc"], ["vda", "vdc"]]);
        let error = report.steps.iter().find_map(|s| match &s.status {
            Status::Failed(e) => Some(e.clone()),
            _ => None,
        });
        assert!(error.unwrap().hint.as_ref().unwrap().contains("taken out of the definition"));
    }
    // the applied part is remembered: without it in the manifest it is removed
    let driver = driver.into_inner();
    site.write("g.xml", &guest("", &["vda"]));
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    assert_eq!(both(&observe(&driver)), [["vda"], ["vda"]]);
    site.write("g.xml", &guest("", &["vda", "vdb"]));
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    assert_eq!(both(&observe(&driver)), [["vda", "vdb"], ["vda", "vdb"]]);
    assert!(plan_for(&driver, &site.load(), &Options::default()).is_empty());
}

fn cut_short() {
    let begin = || {
        let (site, driver) = started(&guest("", &["vda"]));
        site.write("g.xml", &guest("<title>new</title>", &["vda", "vdb", "vdc"]));
        (site, driver)
    };
    let inventory = |observed: &Observed| {
        let resource = &observed.resources[&ID()];
        // versions that were applied in between are remembered
        let plain = |d: &Element| {
            let mut d = d.clone();
            d.remove_elements(|e| e.is("metadata"));
            write(&d)
        };
        [resource.live.as_ref(), resource.persistent.as_ref()]
            .map(|d| plain(d.unwrap().as_element()))
    };
    let (site, driver) = begin();
    let reference = Answering::new(driver, no_such_file);
    assert_eq!(failures(&converge(&reference, &site.load(), &Options::default()).1), 1);
    let wanted = inventory(&observe(&reference));
    for fault in [Fault::CancelToken, Fault::LoseAfter] {
        let mut at = 0;
        loop {
            let (site, driver) = begin();
            let faulty = Faulty::new(Answering::new(driver, no_such_file), fault, at);
            let plan = plan_for(&faulty, &site.load(), &Options::default());
            walk(&plan, &faulty);
            if !faulty.fired() {
                assert!(at > 3, "the definition, the calls, and what is put back: {at}");
                break;
            }
            let driver = faulty.into_inner();
            let again = converge(&driver, &site.load(), &Options::default()).1;
            assert_eq!(failures(&again), 1, "{fault:?} at call {at}: {again:?}");
            assert_eq!(inventory(&observe(&driver)), wanted, "{fault:?} at call {at}");
            at += 1;
        }
    }
}

/// Changes of a value, of an element and of a setting, all of which the host refuses.
fn values() {
    let nic = |inside: &str| {
        format!(
            "<domain type='test'><name>g</name><title>a{inside}</title><memory>65536</memory>\
             <os><type>hvm</type></os><on_crash>{}</on_crash><devices><interface type='bridge'>\
             <mac address='52:54:00:00:00:01'/><source bridge='{}'/>{}</interface></devices></domain>",
            if inside.is_empty() { "destroy" } else { "restart" },
            if inside.is_empty() { "a" } else { "b" },
            if inside.is_empty() { "" } else { "<vlan><tag id='5'/></vlan>" },
        )
    };
    let (site, driver) = started(&nic(""));
    let before = observe(&driver).resources[&ID()].persistent.clone().unwrap();
    let driver = Answering::new(driver, |call| {
        let is_live = !matches!(call.op.kind(), OpKind::Define | OpKind::SetMetadata);
        let message = "error adding vlan filter to interface vnet0: Operation not supported";
        is_live.then(|| refusal(ErrorCode::SYSTEM_ERROR, ErrorDomain::NONE, message))
    });
    site.write("g.xml", &nic("new"));
    let report = converge(&driver, &site.load(), &Options::default()).1;
    assert!(failures(&report) >= 1 && report.put_back == [(ID(), Status::Done)], "{report:?}");
    let after = observe(&driver).resources[&ID()].persistent.clone().unwrap();
    assert_eq!(after.root().child("devices"), before.root().child("devices"));
    assert_eq!(after.root().child("on_crash"), before.root().child("on_crash"));
    // the title was taken
    assert_eq!(after.root().child_text("title").as_deref(), Some("anew"));
    let report = converge(driver.inner(), &site.load(), &Options::default()).1;
    assert!(
        report.is_done() && plan_for(driver.inner(), &site.load(), &Options::default()).is_empty()
    );
}

fn not_now() {
    let (site, driver) = started(&guest("", &["vda"]));
    let driver = Recording::new(Answering::new(driver, |call| {
        let is_it =
            matches!(&call.op, Op::Domain(DomainOp::Attach { xml, .. }) if xml.contains("vdb"));
        let message = "internal error: No more available PCI slots";
        is_it.then(|| refusal(ErrorCode::INTERNAL_ERROR, ErrorDomain::DOMAIN, message))
    }));
    site.write("g.xml", &guest("", &["vda", "vdb", "vdc"]));
    let report = converge(&driver, &site.load(), &Options::default()).1;
    let waits = |s: &Status| matches!(s, Status::Pending(why) if why.ends_with("PCI slots"));
    assert!(report.is_done() && report.count(waits) == 1, "{report:?}");
    assert_eq!(both(&observe(&driver)), [vec!["vda", "vdc"], vec!["vda", "vdb", "vdc"]]);
    // the plan agrees, and the next run tries nothing
    let calls = driver.calls().len();
    let (plan, _) = converge(&driver, &site.load(), &Options::default());
    assert!(plan.is_empty() && plan.has_pending(), "{plan:?}");
    let why = plan.changes[0].pending[0].why.as_ref().unwrap();
    assert!(why.contains("PCI slots"), "{why}");
    assert_eq!(driver.calls().len(), calls);
    // another change is tried beside it, and the note stays
    site.write("g.xml", &guest("<title>new</title>", &["vda", "vdb", "vdc"]));
    let (plan, report) = converge(&driver, &site.load(), &Options::default());
    assert!(report.is_done() && plan.steps.len() == 2, "{:?}", plan.steps);
    assert!(plan_for(&driver, &site.load(), &Options::default()).is_empty());
    // the next boot has it
    let target = plan.steps[0].target.clone();
    for op in [DomainOp::Destroy, DomainOp::Create { paused: false }] {
        driver.execute(&[Call { target: target.clone(), op: op.into() }], &ExecContext::default());
    }
    let plan = plan_for(&driver, &site.load(), &Options::default());
    assert!(plan.is_empty() && !plan.has_pending(), "{plan:?}");
}

fn kept() {
    let (site, driver) = started(&guest("", &["vda", "vdb"]));
    // the host takes the call, and the guest does not hear
    let deaf = |call: &Call| call.op.is(OpKind::Detach).then_some(Outcome::Done);
    let driver = Recording::new(Answering::new(driver, deaf));
    site.write("g.xml", &guest("", &["vda"]));
    for run in 0..3 {
        let plan = plan_for(&driver, &site.load(), &Options::default());
        assert_eq!(plan.only_asks_again(), run > 0, "{run}: {:?}", plan.steps);
        assert_eq!(plan.has_pending(), run > 0, "{run}");
        let report = walk(&plan, &driver);
        let waits = |s: &Status| matches!(s, Status::Pending(_));
        assert!(report.is_done() && report.count(waits) == 1, "{run}: {report:?}");
        let asked = driver.calls().iter().filter(|(c, _)| c.op.kind() == OpKind::Detach).count();
        assert_eq!(asked, run + 1);
        let again = plan_for(&driver, &site.load(), &Options::default());
        assert!(report.left_over(&plan, again).is_none());
    }
    // a value of the definition is a change beside it
    site.write("g.xml", &guest("<title>new</title>", &["vda"]));
    assert!(!plan_for(&driver, &site.load(), &Options::default()).only_asks_again());
}

/// A host may answer with any number: each is a refusal, is not asked a second time, and its message
/// is kept.
fn any_number() {
    for number in (-1..=120).chain([i32::MIN, i32::MAX]) {
        let site = Site::new(&[("g.xml", &guest("", &["vda"]))]);
        let driver = MockDriver::open(MockHost::Default, None).unwrap();
        let driver = Recording::new(Answering::new(driver, move |call| {
            let is_it = call.target.id == ID() && call.op.kind() == OpKind::Create;
            is_it.then(|| refusal(ErrorCode(number), ErrorDomain::NONE, "no, for my reasons"))
        }));
        let report = converge(&driver, &site.load(), &Options::default()).1;
        let whole = |s: &Status| matches!(s, Status::Failed(e) if e.message == "no, for my reasons" && e.is(ErrorCode(number)));
        assert_eq!(report.count(whole), 1, "{number}: {report:?}");
        let calls = driver.calls();
        let asked = calls.iter().filter(|(call, _)| call.op.kind() == OpKind::Create).count();
        assert_eq!(asked, 1, "{number}");
    }
}

/// The definition is refused: nothing of that object is tried, the others go on.
fn definition() {
    let (site, driver) = started(&guest("", &["vda"]));
    let other = guest("", &["vdx"]).replace("<name>g<", "<name>h<");
    site.write("h.xml", &other);
    site.write("g.xml", &guest("", &["vda", "vdb"]));
    let driver = Recording::new(Answering::new(driver, |call| {
        let is_it = call.target.id == ID() && call.op.kind() == OpKind::Define;
        is_it.then(|| refusal(ErrorCode::CONFIG_UNSUPPORTED, ErrorDomain::QEMU, "unsupported"))
    }));
    let report = converge(&driver, &site.load(), &Options::default()).1;
    assert_eq!((failures(&report), report.count(|s| *s == Status::Skipped)), (1, 1), "{report:?}");
    assert!(report.put_back.is_empty());
    let calls = driver.calls();
    let sent = |outcome: &Outcome| !matches!(outcome, Outcome::NotSent(_));
    let of = |name: &str| calls.iter().filter(|(c, o)| c.target.id.name == name && sent(o)).count();
    assert_eq!((of("g"), of("h")), (1, 2));
}
