//! SIGKILL at every call of an apply that changes the host, or at every rename of the built-in test
//! host's state file, and what the next apply makes of it.

use super::host::{Host, Pool, SAMPLE_DOMAINS, SAMPLE_NETWORKS, copy_samples};
use super::samples::are_there;
use crate::support::{Point, Strike, run, strace, trial_if, virt};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/killed/before_each_call", |host| at_each_call(host, Point::Before, "1")),
        // with others under way
        pool.trial("real/killed/after_each_call", |host| at_each_call(host, Point::After, "128")),
        trial_if(strace(), "real/killed/at_each_write_of_the_state_file", at_each_write),
    ]
}

fn at_each_call(host: &Host, point: Point, parallel: &str) {
    host.take_samples();
    let mut killed = 0;
    loop {
        host.proxy.arm(killed, point, Strike::Kill);
        let ran = run(&mut host.virt(&["apply", ".", "--parallel", parallel]));
        if host.proxy.disarm() {
            ran.expect(0);
            break;
        }
        assert_eq!(ran.code(), -1, "not killed\n{ran}");
        killed += 1;
        host.proxy.take_changes();
        let before = uuids(host);
        host.apply(&[], 0);
        are_there(&|arguments| host.virsh(arguments));
        let after = uuids(host);
        assert_eq!(after.len(), SAMPLE_DOMAINS.len() + SAMPLE_NETWORKS.len(), "{after:?}");
        assert!(before.is_subset(&after), "made anew: {before:?} {after:?}");
        host.is_in_sync();
        host.remove_all();
    }
    assert_eq!(killed, 13);
}

/// The UUIDs of all there is.
fn uuids(host: &Host) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for list in ["list", "net-list"] {
        found.extend(host.names(&[list, "--all", "--uuid"]));
    }
    found
}

/// The calls by which a new version of the state file is made and put in place: it is written and
/// synced, renamed, and its directory synced.
const SYSCALLS: [&str; 3] = ["write", "fsync,fdatasync", "rename,renameat,renameat2"];

/// Checks kills by strace, before the named call is carried out.
fn at_each_write(strace: PathBuf) {
    for syscalls in SYSCALLS {
        let mut killed = 0;
        loop {
            let directory = tempfile::tempdir().unwrap();
            copy_samples(directory.path(), str::to_owned);
            let log = directory.path().join("strace");
            let when = format!("inject={syscalls}:signal=KILL:when={}", killed + 1);
            let mut traced = Command::new(&strace);
            traced.args(["-f", "-qq", "-e", &format!("trace={syscalls}"), "-e", &when, "-o"]);
            let apply = virt(&["apply", ".", "--parallel", "1"]);
            traced.arg(&log).arg(apply.get_program()).args(apply.get_args());
            let ran = run(traced.current_dir(directory.path()).env_clear());
            if ran.code() == 0 {
                break;
            }
            killed += 1;
            converges(directory.path());
        }
        // each of the samples' calls is a new version
        assert!(killed >= 13, "{syscalls}: {killed}");
    }
}

/// The next apply does it all, and one more does nothing.
fn converges(directory: &Path) {
    let virt = |arguments: &[&str]| run(virt(arguments).arg(".").current_dir(directory)).expect(0);
    virt(&["apply"]);
    virt(&["plan", "--detailed-exitcode"]);
    let state = || fs::read_to_string(directory.join(".virt-demo.xml")).unwrap();
    let before = state();
    virt(&["apply"]);
    assert_eq!(state(), before);
    // the host's own domain and network are there, too
    assert_eq!(before.matches("<object kind='domain'").count(), SAMPLE_DOMAINS.len() + 1);
    assert_eq!(before.matches("<object kind='network'").count(), SAMPLE_NETWORKS.len() + 1);
}
