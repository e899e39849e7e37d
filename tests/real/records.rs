//! Signed records on a real host: they come back as they were written, and copies of them are nobody's.

use super::host::{Host, Pool};
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![pool.trial("real/records/signatures_come_back_and_copies_are_nobodys", signed)]
}

fn signed(host: &Host) {
    host.write("virt.toml", "set = \"signed\"\n");
    host.write(
        "web.xml",
        "<domain type='qemu'><name>sgn</name><metadata><virt:reconcile \
         xmlns:virt='urn:virt:reconcile:1' power='paused'><virt:ignore>devices/video</virt:ignore>\
         </virt:reconcile></metadata><memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type>\
         </os><devices><controller type='usb' model='none'/></devices></domain>",
    );
    host.write("lan.xml", "<network><name>lan</name><bridge name='sgn0'/></network>");
    host.write("key", "0123456789abcdef0123456789abcdef");
    fs::set_permissions(host.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let key = host.path("key").display().to_string();
    let with_key = ["--signing-key", key.as_str()];
    host.apply(&with_key, 0);
    let clean = [&["plan", ".", "--detailed-exitcode"][..], &with_key].concat();
    host.run(&clean, 0);
    let web = host.inactive("sgn");
    assert!(web.contains("signature="), "{web}");
    // the running instance has the record, too, and an edit makes a version before
    host.write(
        "lan.xml",
        "<network><name>lan</name><bridge name='sgn0'/><mtu size='1400'/></network>",
    );
    host.apply(&[&["--allow", "network-restart"][..], &with_key].concat(), 0);
    host.run(&clean, 0);
    let ran = host.run(&[&["history", "network/lan"][..], &with_key].concat(), 0);
    assert!(ran.stdout().contains("mtu"), "{ran}");

    let uuid = host.virsh(&["domuuid", "sgn"]).trim().to_owned();
    for n in 1..=5 {
        let copy = web.replace("<name>sgn<", &format!("<name>copy{n}<"));
        let copy = copy.replace(&uuid, &format!("00000000-0000-4000-8000-00000000000{n}"));
        host.write("copy.txt", &copy);
        host.virsh(&["define", &host.path("copy.txt").display().to_string()]);
    }
    let ran = host.run(&[&["apply", ".", "--prune"][..], &with_key].concat(), 0);
    assert!(ran.stderr().contains("5 objects say that they are of this set"), "{ran}");
    assert_eq!(host.names(&["list", "--all", "--name"]).len(), 6);
}
