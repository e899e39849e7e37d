//! The tests' own libvirtd: it serves both drivers, sees nothing of the host, and leaves nothing.

use crate::support::{Libvirtd, groups, run, tool, trial_if};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A guest that QEMU holds before its first instruction.
const GUEST: &str = "<domain type='qemu'><name>held</name><memory unit='MiB'>32</memory>\
    <os><type arch='x86_64'>hvm</type></os></domain>";

pub(crate) fn trials() -> Vec<Trial> {
    let serves = || Libvirtd::available().and_then(|()| tool("virsh"));
    let runs = || tool("qemu-system-x86_64").and_then(|_| serves());
    vec![
        trial_if(serves(), "real/libvirtd/serves_both_drivers", |virsh| {
            let libvirtd = Libvirtd::start();
            let names = |uri: &str| {
                let mut command = Command::new(&virsh);
                let ran = run(command.args(["-c", uri, "list", "--all", "--name"])).expect(0);
                ran.stdout().trim().to_owned()
            };
            assert_eq!(names(&libvirtd.test_uri()), "test");
            assert_eq!(names(&libvirtd.qemu_uri()), "");
        }),
        trial_if(runs(), "real/libvirtd/leaves_no_guest_behind", |virsh| {
            let libvirtd = Libvirtd::start();
            create(&virsh, &libvirtd);
            let first = libvirtd.first();
            let directory = libvirtd.socket().ancestors().nth(2).unwrap().to_owned();
            let started = libvirtd.processes();
            assert!(started.len() > 1, "libvirtd and QEMU, not {started:?}");
            // no guest of another daemon is in its groups, whatever its name and its number
            let own = format!("virt-test-{first}/");
            for pid in &started {
                let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
                let mut of_guests = groups.lines().filter(|group| group.contains("libvirt-qemu"));
                assert!(of_guests.all(|group| group.contains(&own)), "{groups}");
            }
            drop(libvirtd);
            let alive = |pid: &u32| Path::new("/proc").join(pid.to_string()).join("exe").exists();
            assert!(!directory.exists() && !started.iter().any(alive), "{started:?}");
            assert_eq!(groups(first), Vec::<PathBuf>::new());
        }),
    ]
}

fn create(virsh: &Path, libvirtd: &Libvirtd) {
    let xml = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(xml.path(), GUEST).unwrap();
    let mut create = Command::new(virsh);
    create.args(["-c", &libvirtd.qemu_uri(), "create", "--paused"]).arg(xml.path());
    run(&mut create).expect(0);
}
