//! Effects that have to be allowed, and saved plans: applied as they were reviewed, or not at all.

use super::host::{Host, Pool};
use libtest_mimic::Trial;
use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/gate/a_restart_is_asked_for", a_restart_is_asked_for),
        pool.trial("real/gate/a_replacement_is_asked_for", a_replacement_is_asked_for),
        pool.trial("real/gate/a_saved_plan", a_saved_plan),
        pool.trial("real/gate/an_answer_that_comes_too_late", an_answer_that_comes_too_late),
    ]
}

/// A guest that does not listen, and is given a second to.
const DOMAIN: &str = "<domain type='qemu'><name>held</name>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='running'>
    <stop timeout='1s' force='yes'/></virt:reconcile></metadata>
  <memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>";

fn a_restart_is_asked_for(host: &Host) {
    host.write("held.xml", DOMAIN);
    host.apply(&[], 0);
    let id = || host.virsh(&["domid", "held"]);
    let before = id();
    host.write("held.xml", &DOMAIN.replace(">64<", ">96<"));
    host.run(&["apply", ".", "--detailed-exitcode"], 3);
    host.run(&["plan", ".", "--detailed-exitcode"], 3);
    assert_eq!(id(), before);
    assert_eq!(host.plan(&["--allow", "restart"], 0)["changes"][0]["effect"], "restart");
    host.apply(&["--allow", "restart"], 0);
    assert_ne!(id(), before);
    host.is_in_sync();
    // and a manifest may open the gate for itself
    let before = id();
    let allowed = DOMAIN.replace("<stop", "<allow>restart</allow><stop");
    host.write("held.xml", &allowed);
    host.apply(&[], 0);
    assert_ne!(id(), before);
    host.is_in_sync();
}

fn a_replacement_is_asked_for(host: &Host) {
    let uuid = || host.virsh(&["domuuid", "held"]);
    let stopped = DOMAIN.replace("'running'", "'manual' replace='yes'");
    host.write("held.xml", &stopped);
    host.apply(&[], 0);
    let before = uuid();
    let other = "5b2cfa32-3a14-4fd7-94c0-5a5dfe66a0cb";
    host.write("held.xml", &stopped.replace("<memory", &format!("<uuid>{other}</uuid><memory")));
    assert_eq!(host.apply(&[], 5), []);
    assert_eq!(host.apply(&["--allow", "restart"], 5), []);
    assert_eq!(uuid(), before);
    host.apply(&["--allow", "replace"], 0);
    assert_eq!(uuid().trim(), other);
    host.is_in_sync();
}

fn a_saved_plan(host: &Host) {
    host.write("held.xml", DOMAIN);
    host.run(&["plan", ".", "--out", "saved.plan"], 0);
    host.proxy.take_changes();
    let apply = |code| {
        host.run(&["apply", "saved.plan"], code);
        host.proxy.take_changes()
    };
    assert_eq!(apply(0).len(), 2);
    host.is_in_sync();
    assert_eq!(apply(5), [], "it is not for the host as it is now");

    host.write("held.xml", &DOMAIN.replace(">64<", ">96<"));
    host.run(&["plan", ".", "--out", "saved.plan"], 0);
    for command in
        [&["autostart", "held"][..], &["desc", "held", "--config", "mine"], &["suspend", "held"]]
    {
        host.virsh(command);
        let before = host.inactive("held");
        assert_eq!(apply(5), [], "{command:?}");
        assert_eq!(host.inactive("held"), before);
        fs::remove_file(host.path("saved.plan")).unwrap();
        host.run(&["plan", ".", "--out", "saved.plan"], 0);
    }
    apply(0);
    host.run(&["plan", ".", "--detailed-exitcode"], 3);
}

/// Changes the host while a plan waits for its answer.
fn an_answer_that_comes_too_late(host: &Host) {
    host.write("held.xml", DOMAIN);
    host.apply(&[], 0);
    host.write("held.xml", &DOMAIN.replace("<memory", "<title>mine</title><memory"));
    let mut command = host.virt(&["apply", ".", "--confirm"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    for theirs in [Some("theirs"), None] {
        let mut child = command.spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let mut question = [0; 5];
        errors.read_exact(&mut question).unwrap();
        assert_eq!(&question, b"Apply");
        if let Some(theirs) = theirs {
            host.virsh(&["desc", "held", "--config", theirs]);
        }
        child.stdin.take().unwrap().write_all(b"yes\n").unwrap();
        let mut said = String::new();
        errors.read_to_string(&mut said).unwrap();
        let code = child.wait().unwrap().code();
        if theirs.is_some() {
            assert_eq!(code, Some(5), "{said}");
            assert!(
                said.contains("has changed since") && host.inactive("held").contains("theirs"),
                "{said}"
            );
        } else {
            assert_eq!(code, Some(0), "{said}");
            assert!(host.inactive("held").contains("mine"));
        }
    }
}
