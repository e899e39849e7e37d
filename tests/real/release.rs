//! A set that lets go of objects: they run on as they are, with no record on them.

use super::host::{Host, Pool};
use libtest_mimic::Trial;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![pool.trial("real/release/a_running_guest_and_an_active_network_go_on", released)]
}

const GUEST: &str = "<domain type='qemu'><name>kept</name>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='running'/>
    <theirs xmlns='urn:theirs'>x</theirs></metadata>
  <memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>";

const NETWORK: &str = "<network><name>kept</name><ip address='10.77.3.1' prefix='24'/></network>";

fn released(host: &Host) {
    host.write("guest.xml", GUEST);
    host.write("network.xml", NETWORK);
    host.apply(&[], 0);
    let record = "urn:virt:reconcile";
    let definitions = || {
        let next = host.virsh(&["dumpxml", "--inactive", "kept"]);
        let runs = host.virsh(&["dumpxml", "kept"]);
        let network = host.virsh(&["net-dumpxml", "--inactive", "kept"]);
        [next, runs, network]
    };
    assert!(definitions().iter().all(|definition| definition.contains(record)));
    let id = host.virsh(&["domid", "kept"]);
    let ran = host.run(&["release", "domain/kept", "network/kept"], 0);
    assert!(ran.stdout().contains("3 of 3 steps done"), "{ran}");
    for definition in definitions() {
        assert!(!definition.contains(record), "{definition}");
    }
    assert!(definitions()[..2].iter().all(|definition| definition.contains("urn:theirs")));
    assert_eq!(host.virsh(&["domid", "kept"]), id, "it runs on");
    assert!(host.virsh(&["net-info", "kept"]).contains("yes"), "it is active");
    // whose they were has no say any more, and takes them over when it is asked to
    host.apply(&[], 1);
    host.apply(&["--adopt"], 0);
    host.is_in_sync();
    assert_eq!(host.virsh(&["domid", "kept"]), id);
}
