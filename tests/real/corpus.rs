//! Test definitions of libvirt, given to the test driver: it answers whatever they hold, and a definition
//! that it has filled in is not changed again.

use crate::support::ops;
use crate::support::{run, testdata, tool, trial_if};
use libtest_mimic::Trial;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use virt::drivers::{Driver, ExecContext, MockDriver, MockHost};
use virt::model::{Call, Kind, Outcome, ResourceId, Scope, Target, Uuid};
use xmltree::write;

pub(crate) fn trials() -> Vec<Trial> {
    let needs = testdata("libvirt-11.3.0-tests.tar.xz").and_then(|a| Ok((a, tool("tar")?)));
    vec![trial_if(needs, "real/corpus/the_test_driver_takes_or_refuses_all", |(archive, tar)| {
        let directory = unpacked(&archive, &tar);
        let (mut taken, mut refused) = (0, 0);
        for path in documents(directory.path()) {
            // some hold bytes that are no text, and a manifest is text
            let Ok(text) = fs::read_to_string(&path) else { continue };
            match settles(&text) {
                true => taken += 1,
                false => refused += 1,
            }
        }
        assert!(taken > 1_000, "{taken} taken, {refused} refused");
    })]
}

/// Whether the driver accepts the document. If so, its version of it has to stay as it is.
fn settles(text: &str) -> bool {
    let kind = if text.contains("<network") && !text.contains("<domain") {
        Kind::Network
    } else {
        Kind::Domain
    };
    let driver = MockDriver::open(MockHost::Default, None).unwrap();
    let define = |xml: String| {
        let target = Target { id: ResourceId::new(kind, "any"), uuid: Uuid::nil() };
        driver
            .execute(&[Call { target, op: ops::define(kind, xml) }], &ExecContext::default())
            .pop()
            .unwrap()
    };
    let known = driver.observe(&Scope::all()).unwrap().resources;
    if define(text.to_owned()) != Outcome::Done {
        return false;
    }
    let new = || {
        let mut resources = driver.observe(&Scope::all()).unwrap().resources;
        resources.retain(|id, _| !known.contains_key(id));
        resources.into_values().next().and_then(|resource| resource.persistent)
    };
    // a definition with the name of an existing object is another matter
    let Some(once) = new() else { return true };
    assert_eq!(define(write(once.as_element())), Outcome::Done, "{}", write(once.as_element()));
    assert_eq!(new().as_ref(), Some(&once), "{}", write(once.as_element()));
    true
}

/// The archive's files, in a directory that goes when it is dropped.
pub(crate) fn unpacked(archive: &Path, tar: &Path) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    run(Command::new(tar).arg("-xJf").arg(archive).arg("-C").arg(directory.path())).expect(0);
    directory
}

/// All XML files below a directory.
pub(crate) fn documents(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            // a link may lead out of the archive
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "xml") {
                found.push(path);
            }
        }
    }
    found
}
