//! Property for any manifests and any edit of them: a plan after an apply is empty, and everything outside of
//! an edit stays as it is.

use crate::support::site::{Site, converge, observe, plan_for, walk};
use crate::support::trial;
use libtest_mimic::Trial;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::fmt::Write as _;
use virt::drivers::{Driver as _, MockDriver, MockHost};
use virt::model::{Effect, Kind, ResourceId};
use virt::reconcile::{Options, history, plan, rollback};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("faults/property/a_plan_after_an_apply_is_empty", empty_after_apply),
        trial("faults/property/a_rollback_of_a_rollback_is_nothing", back_and_forth),
    ]
}

/// One machine as a manifest may have it.
#[derive(Clone, Debug)]
struct Vm {
    memory: u32,
    vcpus: u32,
    power: &'static str,
    autostart: Option<bool>,
    description: Option<String>,
    disks: Vec<u8>,
    nics: usize,
    depends: bool,
}

fn vm() -> impl Strategy<Value = Vm> {
    let power = prop::sample::select(vec!["running", "paused", "stopped", "manual"]);
    let autostart = prop::option::of(any::<bool>());
    let description = prop::option::of("[ -~&&[^\"\\\\]]{0,12}");
    let disks = prop::collection::btree_set(0_u8..4, 0..4).prop_map(|d| d.into_iter().collect());
    let rest = (disks, 0..3_usize, any::<bool>());
    (1..512_u32, 1..5_u32, power, autostart, description, rest).prop_map(
        |(memory, vcpus, power, autostart, description, (disks, nics, depends))| Vm {
            memory,
            vcpus,
            power,
            autostart,
            description,
            disks,
            nics,
            depends,
        },
    )
}

fn manifest(vms: &[Option<Vm>]) -> String {
    let mut text =
        "[[network]]\nname = \"net\"\nip = { address = \"10.9.0.1\", prefix = 24 }\n".to_owned();
    for (n, vm) in vms.iter().enumerate().filter_map(|(n, vm)| Some((n, vm.as_ref()?))) {
        let (memory, vcpus) = (vm.memory, vm.vcpus);
        let _ = write!(
            text,
            "[[domain]]\ntype = \"test\"\nname = \"vm{n}\"\nos.type = \"hvm\"\nvcpu = {vcpus}\n\
             memory = {{ unit = \"MiB\", value = {memory} }}\n"
        );
        if let Some(description) = &vm.description {
            let _ = writeln!(text, "description = \"{description}\"");
        }
        for disk in &vm.disks {
            let letter = char::from(b'a' + disk);
            let _ = writeln!(
                text,
                "[[domain.devices.disk]]\ntype = \"file\"\nsource.file = \"/vm{n}-{letter}\"\n\
                 target.dev = \"vd{letter}\""
            );
        }
        for _ in 0..vm.nics {
            text.push_str(
                "[[domain.devices.interface]]\ntype = \"network\"\nsource.network = \"net\"\n",
            );
        }
        let _ = writeln!(text, "[domain.reconcile]\npower = \"{}\"", vm.power);
        if let Some(on) = vm.autostart {
            let _ = writeln!(text, "autostart = {on}");
        }
        if vm.depends && n > 0 && vms[n - 1].is_some() {
            let _ = writeln!(text, "depends_on = [\"domain/vm{}\"]", n - 1);
        }
    }
    text
}

fn empty_after_apply() {
    let sites =
        prop::collection::vec(prop::collection::vec(prop::option::weighted(0.8, vm()), 3), 2..4);
    let cases = (sites, any::<bool>());
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&cases, |(versions, restart)| {
            let driver = MockDriver::open(MockHost::Default, None).unwrap();
            let allow = restart.then_some(Effect::Restart).into_iter().collect();
            let options = Options { prune: true, max_prune: Some(9), allow, ..Options::default() };
            let site = Site::new(&[]);
            for version in &versions {
                site.write("all.toml", &manifest(version));
                let loaded = site.load();
                let (plan, report) = converge(&driver, &loaded, &options);
                prop_assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
                prop_assert!(report.is_done(), "{report:?}");
                let again = plan_for(&driver, &loaded, &options);
                prop_assert!(again.is_empty(), "{:#?}", again.changes);
                let there = observe(&driver).resources.into_keys();
                let ours = there.filter(|id| id.kind == Kind::Domain && id.name != "test").count();
                prop_assert_eq!(ours, version.iter().flatten().count());
            }
            Ok(())
        })
        .unwrap();
}

/// Checks that after an edit and a rollback the old manifests have nothing to do, and after another rollback
/// the edited ones.
fn back_and_forth() {
    let cases = (vm(), vm(), any::<bool>());
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&cases, |(before, after, restart)| {
            let driver = MockDriver::open(MockHost::Default, None).unwrap();
            let allow = restart.then_some(Effect::Restart).into_iter().collect();
            let options = Options { allow, ..Options::default() };
            let site = Site::new(&[]);
            let loaded = [before, after].map(|vm| {
                site.write("all.toml", &manifest(&[Some(vm)]));
                let loaded = site.load();
                converge(&driver, &loaded, &options);
                loaded
            });
            let id = ResourceId::new(Kind::Domain, "vm0");
            let object = || observe(&driver).resources.remove(&id).unwrap();
            let [older, newer] = &loaded;
            if history(&object()).unwrap().previous.is_none() {
                prop_assert!(plan_for(&driver, older, &options).is_empty());
                return Ok(());
            }
            for now in [older, newer] {
                let capabilities = driver.capabilities().unwrap();
                let desired = rollback(&object(), &capabilities).unwrap();
                let only = Options { only: [id.clone()].into(), ..options.clone() };
                let back = plan(&desired, &observe(&driver), &capabilities, &only);
                prop_assert!(back.refusals.is_empty(), "{:?}", back.refusals);
                prop_assert!(back.blocked.is_empty(), "{:?}", back.blocked);
                let report = walk(&back, &driver);
                prop_assert!(report.is_done(), "{report:?}");
                let left = plan_for(&driver, now, &options);
                prop_assert!(left.is_empty(), "{:#?}", left.changes);
            }
            Ok(())
        })
        .unwrap();
}
