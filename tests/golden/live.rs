//! Edits of guests that run: each case holds the manifests as they were applied one after the other,
//! the last one, and the steps that a plan for it takes on a QEMU host. The built-in host stands in
//! for one: what it shows of a guest is what was defined.

use super::sections::{Section, cases, files, folder, save, update};
use crate::support::site::{Site, converge, observe};
use crate::support::trial;
use libtest_mimic::Trial;
use std::path::Path;
use virt::drivers::Hypervisor;
use virt::drivers::{Driver as _, MockDriver, MockHost};
use virt::model::{DomainOp, Op, OpKind};
use virt::reconcile::{Options, StepAction, plan};
use xmltree::{Element, write_compact};

pub(crate) fn trials() -> Vec<Trial> {
    let trial_of = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        trial(format!("golden/live/{name}"), move || check(&path))
    };
    files(&folder("live")).into_iter().map(trial_of).collect()
}

fn check(path: &Path) {
    let mut all = cases(path);
    for case in all.iter_mut().filter(|c| c.first().is_some_and(|s| s.as_str().0 == "case")) {
        let found = steps(case);
        for section in case.iter_mut().filter(|s| s.head == "steps") {
            if update() {
                section.set_lines(found.iter().map(String::as_str));
            } else {
                assert_eq!(section.lines(), found, "{}", path.display());
            }
        }
    }
    if update() {
        save(path, &all);
    }
}

/// The steps of a plan for the last manifest, where the others were applied before.
fn steps(case: &[Section]) -> Vec<String> {
    let host = MockDriver::open(MockHost::Default, None).unwrap();
    let mut manifests: Vec<_> = case.iter().filter(|s| s.head == "manifest").map(text).collect();
    let last = manifests.pop().unwrap();
    let capabilities = || {
        let mut capabilities = host.capabilities().unwrap();
        capabilities.domain.defaults = Hypervisor::Qemu.defaults();
        capabilities.domain.live = Hypervisor::Qemu.live_devices();
        capabilities
    };
    for manifest in manifests {
        let loaded = Site::new(&[("g.xml", &manifest)]).load();
        assert!(converge(&host, &loaded, &Options::default()).1.is_done());
    }
    let loaded = Site::new(&[("g.xml", &last)]).load();
    let plan = plan(&loaded.desired, &observe(&host), &capabilities(), &Options::default());
    let said = plan.steps.iter().map(|step| match &step.action {
        StepAction::Call(op) if op.is(OpKind::Define) => "define".to_owned(),
        StepAction::Call(Op::Domain(DomainOp::Attach { xml, .. })) => format!("attach {xml}"),
        StepAction::Call(Op::Domain(DomainOp::Detach { xml, .. })) => format!("detach {xml}"),
        StepAction::Call(Op::Domain(DomainOp::Update { xml, .. })) => format!("update {xml}"),
        StepAction::Call(Op::Domain(op)) => format!("{op:?}"),
        StepAction::Call(op) => format!("{op:?}"),
        StepAction::Wait { until, .. } => format!("wait {until:?}"),
    });
    said.collect()
}

/// Returns the complete manifest: parts that any guest has need not be written.
fn text(section: &Section) -> String {
    let mut domain = section.document("domain type='test'");
    let mut put = |name: &str, content: &str| {
        if domain.child(name).is_none() {
            let mut element = Element::new(name);
            element.set_text(content.to_owned());
            domain.push(element);
        }
    };
    put("name", "g");
    put("memory", "131072");
    put("os", "");
    let os = domain.child_mut("os").unwrap();
    let mut kind = Element::new("type");
    kind.set_text("hvm".to_owned());
    os.push(kind);
    write_compact(&domain)
}
