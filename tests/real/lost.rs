//! Connections that are lost in the middle of a call: its outcome is read again from the host, never guessed.

use super::host::{Host, Pool, SAMPLE_NETWORKS};
use super::samples::are_there;
use crate::support::{Point, REFUSED, Strike, run};
use libtest_mimic::Trial;
use libvirt_rpc::Procedure;
use serde_json::Value;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/lost/answers_are_made_up_for", answers_are_made_up_for),
        pool.trial("real/lost/calls_leave_the_outcome_unknown", calls_leave_the_outcome_unknown),
        pool.trial("real/lost/a_refusal_with_any_number_is_the_hosts", refused_with_any_number),
        pool.trial("real/lost/answer_that_reading_cannot_make_up_for", no_telling),
    ]
}

/// Calls at which the connection is cut. The first three define a network, let it start with its
/// host, and start it; the seventh and the ninth do so with a domain.
const CUTS: [usize; 5] = [0, 1, 2, 6, 8];

/// The host did it, and reading shows that it did.
fn answers_are_made_up_for(host: &Host) {
    host.take_samples();
    for cut in CUTS {
        let (code, summary) = apply_cut(host, cut, Point::After);
        assert_eq!((code, &summary["converged"]), (0, &true.into()), "{cut}: {summary}");
        are_there(&|arguments| host.virsh(arguments));
        host.is_in_sync();
        host.remove_all();
    }
}

/// The host never got it, which the caller cannot know: reading shows that it did not come about.
fn calls_leave_the_outcome_unknown(host: &Host) {
    host.take_samples();
    for cut in CUTS {
        let (code, summary) = apply_cut(host, cut, Point::Before);
        assert_eq!((code, &summary["unknown"]), (4, &1.into()), "{cut}: {summary}");
        assert_eq!(summary["converged"], false, "{cut}: {summary}");
        host.apply(&[], 0);
        are_there(&|arguments| host.virsh(arguments));
        host.is_in_sync();
        host.remove_all();
    }
}

/// Checks that no number of a host's is taken for one of our own kinds, such as that of an unsent call: it is
/// reported, with its text, and the call is not sent again.
fn refused_with_any_number(host: &Host) {
    host.take_samples();
    for number in [-1, 0, 1, 38, 78, 110, i32::MAX] {
        // the network that is made first is not to start
        host.proxy.arm(2, Point::Before, Strike::Refuse(number));
        let ran = run(&mut host.virt(&["apply", ".", "--parallel", "1"]));
        assert!(!host.proxy.disarm(), "not refused\n{ran}");
        assert_eq!(ran.code(), 1, "{number}: {ran}");
        assert!(ran.stdout().contains(REFUSED) && ran.stderr().contains(REFUSED), "{ran}");
        let calls = host.proxy.take_changes();
        let networks = SAMPLE_NETWORKS.len();
        let started = calls.iter().filter(|call| **call == Procedure::NETWORK_CREATE).count();
        assert!(started <= networks, "{number}: asked again: {calls:?}");
        host.apply(&[], 0);
        are_there(&|arguments| host.virsh(arguments));
        host.is_in_sync();
        host.remove_all();
    }
}

/// Checks that a call to a running guest is not read back; the next plan is.
fn no_telling(host: &Host) {
    host.take_samples();
    host.apply(&[], 0);
    let text = std::fs::read_to_string(host.path("db.xml")).unwrap();
    host.write("db.xml", &text.replace("Data base", "The data base"));
    // define, then the title while it runs
    let (code, summary) = apply_cut(host, 1, Point::After);
    assert_eq!((code, &summary["unknown"]), (4, &1.into()), "{summary}");
    host.is_in_sync();
}

/// Applies with the connection cut at a call; gives the exit code and the summary.
#[track_caller]
fn apply_cut(host: &Host, passing: usize, point: Point) -> (i32, Value) {
    host.proxy.arm(passing, point, Strike::Cut);
    let ran = run(&mut host.virt(&["apply", ".", "--parallel", "1", "--output", "json"]));
    assert!(!host.proxy.disarm(), "not cut\n{ran}");
    host.proxy.take_changes();
    let last = ran.stdout().lines().last().map(serde_json::from_str);
    (ran.code(), last.unwrap_or_else(|| panic!("{ran}")).unwrap())
}
