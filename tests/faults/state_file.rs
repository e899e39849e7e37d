//! The test host's state file: whole at any moment, shared, and never silently reset.

use crate::support::{run, tool, trial, trial_if};
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use virt::drivers::{Beneath, Driver, ExecContext, MockDriver, MockHost};
use virt::model::{Call, Kind, NetworkOp, Outcome, ResourceId, Scope, Target, Uuid};

pub(crate) fn trials() -> Vec<Trial> {
    let every_cut = "faults/state_file/no_truncated_file_is_taken_for_a_host";
    vec![
        trial("faults/state_file/two_drivers_see_each_other", two_drivers_see_each_other),
        trial("faults/state_file/writers_take_turns", writers_take_turns),
        trial(every_cut, no_truncated_file_is_taken_for_a_host),
        trial("faults/state_file/damage_is_reported_with_the_file", damage_is_reported),
        trial("faults/state_file/a_failed_write_changes_nothing", a_failed_write_changes_nothing),
        trial("faults/state_file/links_that_come_later_lead_nowhere", links_that_come_later),
        trial_if(tool("xmllint"), "faults/state_file/it_is_well_formed", |xmllint| {
            let directory = tempfile::tempdir().unwrap();
            let state = directory.path().join("state.xml");
            done(&open(&state), define("a&amp;b"));
            run(Command::new(xmllint).arg("--noout").arg(state)).expect(0);
        }),
    ]
}

fn open(state: &Path) -> MockDriver {
    MockDriver::open(MockHost::Default, Some(state.to_owned())).unwrap()
}

fn define(name: &str) -> Call {
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    let xml = format!("<network><name>{name}</name><uuid>{uuid}</uuid></network>");
    Call {
        target: Target { id: ResourceId::new(Kind::Network, name), uuid },
        op: NetworkOp::Define { xml }.into(),
    }
}

fn done(driver: &MockDriver, call: Call) {
    assert_eq!(driver.execute(&[call], &ExecContext::default()), [Outcome::Done]);
}

fn count(driver: &MockDriver) -> usize {
    driver.observe(&Scope::all()).unwrap().resources.len()
}

fn two_drivers_see_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.xml");
    let (one, two) = (open(&state), open(&state));
    assert!(!state.exists(), "looking at a host writes nothing");
    done(&one, define("a"));
    assert_eq!((count(&one), count(&two)), (3, 3));
    done(&two, define("b"));
    assert_eq!((count(&one), count(&two)), (4, 4));
    let debug = |driver| format!("{:?}", MockDriver::observe(driver, &Scope::all()).unwrap());
    assert_eq!(debug(&one), debug(&open(&state)));
    let mode = fs::metadata(&state).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A state that a file of manifests named stays beneath its directory, though links were put into its
/// place once that was looked at.
fn links_that_come_later() {
    let directory = tempfile::tempdir().unwrap();
    let top = fs::canonicalize(directory.path()).unwrap();
    let at = |name: &str| top.join(name);
    for name in ["site", "site/sub", "outside"] {
        fs::create_dir(at(name)).unwrap();
    }
    let beneath =
        |file: &str| Beneath { root: at("site"), state: Some(PathBuf::from(file)), host: None };
    let open = |file: &str| {
        let state = Some(at("site").join(file));
        MockDriver::open_beneath(&beneath(file), MockHost::Default, state)
    };
    let driver = open("sub/state.xml").unwrap();
    done(&driver, define("a"));
    assert!(at("site/sub/state.xml").exists());
    let refused = |driver: &MockDriver| {
        assert!(driver.observe(&Scope::all()).is_err());
        assert!(matches!(
            driver.execute(&[define("b")], &ExecContext::default())[..],
            [Outcome::NotSent(_)]
        ));
    };
    // a directory on the way
    fs::rename(at("site/sub"), at("kept")).unwrap();
    symlink("../outside", at("site/sub")).unwrap();
    refused(&driver);
    // the file, and its lock
    for name in ["state.xml", "state.xml.lock"] {
        fs::remove_file(at("site/sub")).unwrap();
        fs::rename(at("kept"), at("site/sub")).unwrap();
        fs::rename(at("site/sub").join(name), at("moved")).unwrap();
        symlink("../../outside/made", at("site/sub").join(name)).unwrap();
        let changed = driver.execute(&[define("b")], &ExecContext::default());
        assert!(matches!(changed[..], [Outcome::NotSent(_)]), "{name}: {changed:?}");
        fs::remove_file(at("site/sub").join(name)).unwrap();
        fs::rename(at("moved"), at("site/sub").join(name)).unwrap();
        fs::rename(at("site/sub"), at("kept")).unwrap();
        symlink("../outside", at("site/sub")).unwrap();
    }
    assert_eq!(fs::read_dir(at("outside")).unwrap().count(), 0);
    // nor is a host's file read from elsewhere
    fs::write(at("outside/host.xml"), "<node/>").unwrap();
    symlink("../outside/host.xml", at("site/host.xml")).unwrap();
    let named = Beneath { state: None, host: Some(PathBuf::from("host.xml")), ..beneath("x") };
    let host = MockHost::File(at("site/host.xml"));
    assert!(MockDriver::open_beneath(&named, host, None).is_err());
}

fn writers_take_turns() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.xml");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let state = &state;
            scope.spawn(move || {
                let driver = open(state);
                (0..8).for_each(|n| done(&driver, define(&format!("n{writer}-{n}"))));
            });
        }
    });
    assert_eq!(count(&open(&state)), 2 + 4 * 8);
}

fn no_truncated_file_is_taken_for_a_host() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.xml");
    let driver = open(&state);
    done(&driver, define("a"));
    let whole = fs::read(&state).unwrap();
    // the line break at the end is no content
    for length in 0..whole.len() - 1 {
        fs::write(&state, &whole[..length]).unwrap();
        assert!(driver.observe(&Scope::all()).is_err(), "{length} of {} bytes", whole.len());
    }
    fs::write(&state, &whole).unwrap();
    assert_eq!(count(&driver), 3);
}

fn damage_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.xml");
    let driver = open(&state);
    let object = "<object kind='network' state='5' reason='0' autostart='no' managedsave='no'>\
                  <persistent><network><name>a</name>\
                  <uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid></network></persistent></object>";
    let host = |inner: &str| format!("<virt-test-host version='1'>{inner}</virt-test-host>");
    let damaged = [
        b"\xff".to_vec(),
        b"<other/>".to_vec(),
        b"<virt-test-host/>".to_vec(),
        b"<virt-test-host version='2'/>".to_vec(),
        b"<virt-test-host version='99999999999999999999999'/>".to_vec(),
        host("<object/>").into(),
        host(&object.replace("'5'", "'1'")).into(),
        host(&object.replace("dd8f", "zz")).into(),
        host(&object.replace("autostart='no'", "")).into(),
        host(&format!("{object}{object}")).into(),
    ];
    for bytes in damaged {
        fs::write(&state, &bytes).unwrap();
        let shown = String::from_utf8_lossy(&bytes);
        let error = driver.observe(&Scope::all()).expect_err(&shown);
        assert!(error.message.contains("state.xml"), "{shown}: {error:?}");
        assert!(error.hint.is_some(), "{shown}: {error:?}");
        let outcomes = driver.execute(&[define("b")], &ExecContext::default());
        assert!(matches!(outcomes[..], [Outcome::NotSent(_)]), "{shown}: {outcomes:?}");
        assert_eq!(fs::read(&state).unwrap(), bytes, "the file stays as it is");
    }
    fs::write(&state, host(object)).unwrap();
    assert_eq!(count(&driver), 1);
}

fn a_failed_write_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.xml");
    let driver = open(&state);
    done(&driver, define("a"));
    // the new version cannot be written: a directory is in its place
    let blocker = directory.path().join("state.xml.new");
    fs::create_dir(&blocker).unwrap();
    let outcomes = driver.execute(&[define("b"), define("c")], &ExecContext::default());
    assert!(matches!(outcomes[..], [Outcome::Refused(_), Outcome::Refused(_)]), "{outcomes:?}");
    assert_eq!(count(&driver), 3);
    fs::remove_dir(&blocker).unwrap();
    // a file that a killed process left is no obstacle
    fs::write(&blocker, "half").unwrap();
    done(&driver, define("b"));
    assert_eq!(count(&driver), 4);
}
