//! The tests' own libvirtd: it serves both drivers, sees nothing of the host, and leaves nothing.

use crate::support::{Libvirtd, run, tool, trial_if};
use libtest_mimic::Trial;
use std::process::Command;

pub(crate) fn trials() -> Vec<Trial> {
    let needs = Libvirtd::available().and_then(|()| tool("virsh"));
    vec![trial_if(needs, "real/libvirtd/serves_and_ends", |virsh| {
        let libvirtd = Libvirtd::start();
        let socket = libvirtd.socket();
        let virsh = |uri: &str, command: &str| {
            run(Command::new(&virsh).args(["-c", uri, command, "--name", "--all"])).expect(0)
        };
        let names = virsh(&libvirtd.test_uri(), "list").stdout();
        assert_eq!(names.trim(), "test");
        assert_eq!(virsh(&libvirtd.qemu_uri(), "list").stdout().trim(), "");
        drop(libvirtd);
        assert!(!socket.exists());
    })]
}
