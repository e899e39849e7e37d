//! SIGKILL at every call of an apply that changes the host, and what the next apply makes of it.

use super::host::{Host, Pool, SAMPLE_DOMAINS, SAMPLE_NETWORKS};
use super::samples::are_there;
use crate::support::{Point, Strike};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/killed/before_each_call", |host| at_each_call(host, Point::Before)),
        pool.trial("real/killed/after_each_call", |host| at_each_call(host, Point::After)),
    ]
}

fn at_each_call(host: &Host, point: Point) {
    host.take_samples();
    let mut killed = 0;
    loop {
        host.proxy.arm(killed, point, Strike::Kill);
        let ran = crate::support::run(&mut host.virt(&["apply", ".", "--parallel", "1"]));
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
        for (name, uuid) in before {
            assert_eq!(after.get(&name), Some(&uuid), "{name} was made anew");
        }
        host.is_in_sync();
        host.remove_all();
    }
    assert_eq!(killed, 13);
}

/// The UUIDs of all there is.
fn uuids(host: &Host) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (list, uuid) in [("list", "domuuid"), ("net-list", "net-uuid")] {
        for name in host.names(&[list, "--all", "--name"]) {
            found.insert(format!("{list} {name}"), host.virsh(&[uuid, &name]));
        }
    }
    found
}
