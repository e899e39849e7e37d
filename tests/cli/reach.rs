//! Parts of a guest that reach out of it are shown whole, whatever their length: a reviewer of a plan decides
//! by them.

use crate::fuzzing::daemon::{Answers, Daemon, Guest};
use crate::support::site::Site;
use crate::support::{run, trial, virt};
use libtest_mimic::Trial;
use virt::model::Uuid;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("cli/reach/plans_and_rollbacks_show_all_of_it", whole),
        trial("cli/reach/names_that_differ_in_blanks_look_different", blanks),
    ]
}

fn domain(parts: &str) -> String {
    format!(
        "<domain type='test'><name>vm</name><memory>65536</memory><os><type>hvm</type></os>\
         <devices>{parts}</devices></domain>"
    )
}

fn whole() {
    let far = |end: &str| format!("/var/lib/libvirt/images/web/{}{end}", "../web/".repeat(12));
    let paths = ["../../tmp/evil", "../etc/shadow", "../etc/cron.d/x", "../dev/sda"].map(far);
    let [emulator, disk, serial, rng] = &paths;
    let evil = domain(&format!(
        "<emulator>{emulator}</emulator>\
         <disk type='file' device='disk'><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>\
         <serial type='file'><source path='{serial}'/><target port='0'/></serial>\
         <rng model='virtio'><backend model='random'>{rng}</backend></rng>"
    ));
    let site = Site::new(&[("vm.xml", &evil)]);
    let virt = |args: &[&str], code: i32| {
        let host = ["-c", "test:///default?state=host"];
        run(virt(&[&host, args].concat()).current_dir(site.path())).expect(code).stdout()
    };
    let shows_all = |said: &str| {
        for path in &paths {
            assert!(said.contains(path.as_str()), "{path}: {said}");
        }
    };
    let created = virt(&["plan", "vm.xml"], 0);
    shows_all(&created);
    assert!(created.contains("    reaches out: disk vda: file source/@file=/var/"), "{created}");
    virt(&["plan", "vm.xml", "--out", "saved"], 0);
    shows_all(&virt(&["plan", "--show", "saved"], 0));
    // a guest that is there, and gets all that
    site.write(
        "vm.xml",
        &domain("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"),
    );
    virt(&["apply", "vm.xml"], 0);
    site.write("vm.xml", &evil);
    shows_all(&virt(&["plan", "vm.xml", "--allow", "restart"], 0));
    site.write("vm.xml", &domain(""));
    virt(&["apply", "vm.xml", "--allow", "restart"], 0);
    site.write("vm.xml", &evil);
    virt(&["apply", "vm.xml", "--allow", "restart"], 0);
    site.write("vm.xml", &domain(""));
    virt(&["apply", "vm.xml", "--allow", "restart"], 0);
    shows_all(&virt(&["rollback", "domain/vm", "--dry-run", "--allow", "restart"], 0));
}

fn blanks() {
    let place = tempfile::tempdir().unwrap();
    let guest = |name: &str, uuid: u128| {
        let uuid = Uuid::from_u128(uuid);
        let definition = format!(
            "<domain type='kvm'><name>{name}</name><uuid>{uuid}</uuid><memory>65536</memory>\
             <os><type>hvm</type></os></domain>"
        );
        Guest { is_domain: true, name: name.to_owned(), uuid, definition }
    };
    let socket = place.path().join("socket");
    let answers = Answers {
        guests: [guest("web", 1), guest("web ", 2)],
        said: [(); 4].map(|()| String::new()),
        known: ["QEMU", "qemu:///system"].map(str::to_owned),
        fails: 0,
    };
    let _daemon = Daemon::start(&socket, answers);
    let uri = format!("qemu+unix:///system?socket={}", socket.display());
    let ran = run(virt(&["-c", &uri, "get"]).current_dir(place.path())).expect(0);
    let said = ran.stdout();
    for name in ["domain/web  ", "domain/web\\u{20}  "] {
        assert_eq!(said.lines().filter(|line| line.starts_with(name)).count(), 1, "{ran}");
    }
}
