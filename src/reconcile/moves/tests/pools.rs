//! Pools that do not answer.

use super::*;
use crate::model::ObservedPools;

#[test]
fn what_is_on_a_pool_that_does_not_answer_is_held_back() {
    let volume = |pool: &str| {
        format!("<disk type='volume'><source pool='{pool}' volume='v'/><target dev='vda'/></disk>")
    };
    let rbd = "<disk type='network'><source protocol='rbd' name='p/v'/><target dev='vda'/></disk>";
    let (on_nfs, on_local, on_rbd) =
        (wanted("g", &volume("nfs")), wanted("h", &volume("local")), wanted("i", rbd));
    let runs = there(&on_nfs, 1, State::Running, None);
    let words = |hosts: &[Host]| {
        let read = |_: &BTreeSet<String>| {
            let unknown = [("nfs".to_owned(), "late".to_owned())].into();
            Ok(ObservedPools { unknown, ..ObservedPools::default() })
        };
        let pools =
            |h: &Host| pools_of(h.observed.as_ref().unwrap(), Some(&h.desired), read).unwrap();
        told(hosts, &settled_with(hosts, true, &[], None, pools))
    };
    let hosts = [host("a", &[], &[]), host("b", &[&on_nfs, &on_local], &[])];
    says(
        &words(&hosts),
        &[
            "g not on b: its disk is in pool nfs, which is unknown: late",
            "pool nfs of b is unknown",
        ],
    );
    // a guest that runs there is left alone, and may write to another one's disk
    let hosts = [host("a", &[&on_nfs], &[&runs]), host("b", &[&on_rbd], &[])];
    says(
        &words(&hosts),
        &["i not on b: domain/g on a has a disk in pool nfs, which is", "pool nfs of a is unknown"],
    );
    // nor is it known to be the same disk where it would go
    let hosts = [host("a", &[], &[&runs]), host("b", &[&on_nfs], &[])];
    let said = words(&hosts);
    assert!(said.iter().any(|word| word.starts_with("g not on b: its disk is in pool nfs")));
    assert!(said.iter().any(|word| word.starts_with("g stays on a: it is to go to b, where")));
}
