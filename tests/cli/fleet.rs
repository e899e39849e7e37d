//! A fleet of a thousand hosts.

use crate::support::{run, trial};
use libtest_mimic::Trial;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("cli/fleet/a_thousand_hosts_need_few_descriptors", a_thousand_hosts)]
}

const HOSTS: usize = 1_000;

/// Far fewer than one for each host; the process has no more to open.
const DESCRIPTORS: usize = 256;

fn a_thousand_hosts() {
    let directory = tempfile::tempdir().unwrap();
    let site = directory.path().join("site");
    fs::create_dir(&site).unwrap();
    let mut hosts = "set = \"fleet\"\n[hosts]\n".to_owned();
    for i in 0..HOSTS {
        let state = site.join(format!("{i}.xml"));
        let uri = format!("test:///default?state={}", state.display());
        let _ = writeln!(hosts, "host{i:04}.connect = \"{uri}\"");
    }
    fs::write(site.join("virt.toml"), hosts).unwrap();
    let domain = "[[domain]]\ntype = \"test\"\nname = \"vm\"\nmemory = 65536\nos.type = \"hvm\"\n";
    fs::write(site.join("vm.toml"), domain).unwrap();

    let first = virt_within(&site, "apply --host 'host00*'", 0);
    assert_eq!(first.lines().last(), Some("100 hosts: 100 changed"));
    let second = virt_within(&site, "plan --detailed-exitcode", 2);
    let last = format!("{HOSTS} hosts: {} to change, 100 in sync", HOSTS - 100);
    assert_eq!(second.lines().last(), Some(last.as_str()));
    let named = second.lines().filter_map(|line| line.split_once("  test:///"));
    let names: Vec<&str> = named.map(|(name, _)| name).collect();
    assert_eq!(names.len(), HOSTS);
    assert!(names.is_sorted(), "in their order, whoever was ready first");
}

/// Returns the output of a `virt` that cannot open more than a few files.
fn virt_within(site: &Path, command: &str, code: i32) -> String {
    let mut bash = Command::new("/bin/bash");
    let script = format!("ulimit -n {DESCRIPTORS}; exec \"$VIRT\" {command} \"$SITE\"");
    bash.args(["-c", &script]).env_clear();
    bash.env("VIRT", env!("CARGO_BIN_EXE_virt")).env("SITE", site);
    run(&mut bash).expect(code).stdout()
}
