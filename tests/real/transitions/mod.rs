//! Transitions: an edit of a manifest ends in `virsh define`'s version of the new text. The old one is
//! applied, then the new one, and the definition equals that of the new one on a host without the object,
//! less identity. Texts that libvirt itself refuses do not count.
//!
//! By default a share runs, the same in each run; `VIRT_TRIALS=all` runs all.

mod corpus;
mod generate;
mod report;

use super::oracle::{
    Applied, Bench, Difference, Sides, Tree, Wanted, alive, broken, compare, nics, with_identity,
};
use crate::support::{Libvirtd, Needs, testdata, tool, trial_if, whole_of};
use generate::{Pair, spread};
use libtest_mimic::Trial;
use report::{Fault, Tally};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use virt::model::ResourceId;
use virt::reconcile::Options;
use xmltree::{Element, write};

/// Number of pairs of a set that run.
struct Extent {
    /// Least number of pairs that count when all are run.
    least: usize,
    /// About how many run by default, at least one of each governor.
    usual: usize,
    /// Least share of those that count which is equal.
    share: f64,
}

const EXTENT: Extent = Extent { least: 2_000, usual: 150, share: 0.995 };

/// Extent for edits of published definitions.
const WILD: Extent = Extent { least: 1_000, usual: 80, share: 0.98 };

/// Daemons at work at the same time.
const WORKERS: usize = 2;

/// Pairs that do not end in `virsh define`'s version, each with the reason for which that is right.
const LEFT: &str = include_str!("left.tsv");

/// Texts that libvirt defines and `virt` treats as mistakes, each with the reason.
const MISTAKES: &[(&str, &str)] = &[
    ("QEMU has one display of each type", "the guest does not start"),
    ("two devices listen on one port", "the guest does not start"),
    ("the processor is listed twice", "only one of the two counts, and nobody knows which"),
];

/// Class of pairs that the loader refuses.
const NO_MANIFEST: &str = "no manifest";

pub(crate) fn trials() -> Vec<Trial> {
    let wild = || needs_libvirt().and_then(|()| testdata("wild"));
    let needs = || {
        needs_libvirt()?;
        Ok((testdata("libvirt-11.3.0-tests.tar.xz")?, tool("tar")?))
    };
    vec![
        trial_if(needs_libvirt(), "real/transitions/snippets", |()| {
            run(generate::pairs(), &EXTENT);
        }),
        trial_if(needs(), "real/transitions/corpus", |(archive, tar)| {
            run(corpus::pairs(&archive, &tar), &EXTENT);
        }),
        trial_if(wild(), "real/transitions/wild", |folder| run(corpus::wild(&folder), &WILD)),
    ]
}

fn needs_libvirt() -> Needs {
    Libvirtd::available()?;
    tool("virsh").map(drop)
}

/// Verdict on a pair.
enum Verdict {
    /// Not counted: libvirt refuses one of its sides.
    NotCounted(String),
    /// Refused before anything is done, as it may be.
    Refused,
    /// Right: equal.
    Equal,
    /// Wrong.
    Wrong(Fault),
}

#[expect(clippy::print_stdout, reason = "what was covered is worth seeing when all is well, too")]
fn run(mut pairs: Vec<Pair>, extent: &Extent) {
    let all = whole_of("VIRT_TRIALS");
    if let Ok(only) = std::env::var("VIRT_TRIALS_ONLY") {
        pairs.retain(|pair| only.split('|').any(|part| pair.name.contains(part)));
    } else if !all {
        pairs = few(pairs, extent.usual);
    }
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut bench = Bench::start();
                while let Some(pair) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = alive(&mut bench, |bench| judge(bench, pair));
                    let verdict = verdict.unwrap_or_else(|| crashed(&mut bench, pair));
                    tally.lock().unwrap().count(pair, verdict);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{tally}");
    let lines = LEFT.lines().filter(|line| !line.starts_with('#'));
    let left: Vec<(&str, &str)> = lines.map(|line| line.split_once('\t').unwrap()).collect();
    tally.expect(&left, all.then_some(extent.least), extent.share);
}

/// Selects the same few of each governor in each run.
fn few(mut pairs: Vec<Pair>, usual: usize) -> Vec<Pair> {
    pairs.sort_by_key(|pair| spread(&pair.name));
    let governors: BTreeSet<String> = pairs.iter().map(|pair| pair.governor.clone()).collect();
    let each = (usual / governors.len()).max(1);
    let mut taken = BTreeMap::<String, usize>::new();
    pairs.retain(|pair| {
        let taken = taken.entry(pair.governor.clone()).or_default();
        *taken += 1;
        *taken <= each
    });
    pairs
}

/// Some texts end libvirtd by themselves, and do not count.
fn crashed(bench: &mut Bench, pair: &Pair) -> Verdict {
    let id = ResourceId::new(pair.kind, "trial");
    for side in [&pair.before, &pair.after] {
        if alive(bench, |bench| bench.plain(&id, side)).is_none() {
            return Verdict::NotCounted("it ends libvirtd".to_owned());
        }
    }
    let both = alive(bench, |bench| {
        bench.remove(&id);
        [&pair.before, &pair.after].map(|side| bench.define(&id, side.clone()))
    });
    match both {
        None => Verdict::NotCounted("it ends libvirtd, after the other".to_owned()),
        Some(_) => Verdict::Wrong(Fault::new("libvirtd ends", String::new())),
    }
}

fn judge(bench: &Bench, pair: &Pair) -> Verdict {
    let id = ResourceId::new(pair.kind, "trial");
    bench.remove(&id);
    let verdict = transition(bench, pair, &id);
    if let Verdict::Wrong(fault) = &verdict {
        // texts that libvirt itself refuses do not count
        for side in [&pair.before, &pair.after] {
            let taken = bench.plain(&id, side).map(drop);
            // nor does what its own grammar refuses: no manifest may say it
            let taken = taken.and_then(|()| match fault.class.as_str() {
                NO_MANIFEST => bench.validates(&id, side),
                _ => Ok(()),
            });
            if let Err(why) = taken {
                return Verdict::NotCounted(why);
            }
        }
        if fault.class == NO_MANIFEST
            && let Some((what, why)) = MISTAKES.iter().find(|(what, _)| fault.what == *what)
        {
            return Verdict::NotCounted(format!("{what}: {why}"));
        }
        if fault.is_refusal && pair.may_refuse.is_some() {
            return Verdict::Refused;
        }
    }
    verdict
}

fn transition(bench: &Bench, pair: &Pair, id: &ResourceId) -> Verdict {
    let fault = |class: &str, what: String| Fault::new(class, what);
    let before = match bench.read(&pair.before) {
        Ok(before) => before,
        Err(why) => return Verdict::Wrong(fault(NO_MANIFEST, why)),
    };
    let after = match bench.read(&pair.after) {
        Ok(after) => after,
        Err(why) => return Verdict::Wrong(fault(NO_MANIFEST, why)),
    };
    match bench.apply(&bench.plan(&before, &Options::default())) {
        Applied::Done => {}
        Applied::Refused(why) => return Verdict::Wrong(fault("before is refused", why)),
        Applied::Failed(why) => return Verdict::Wrong(fault("before fails", why)),
    }
    let Some(first) = bench.definition(id) else {
        return Verdict::Wrong(fault("before is not there", String::new()));
    };
    let plan = bench.plan(&after, &Options::default());
    match bench.apply(&plan) {
        Applied::Done => {}
        Applied::Refused(why) => {
            let mut fault = fault("after is refused", why);
            fault.is_refusal = true;
            return Verdict::Wrong(fault);
        }
        Applied::Failed(why) => {
            return Verdict::Wrong(
                fault("after fails", why).of_plan(&plan).with(&first, None, None),
            );
        }
    }
    let mine = bench.definition(id).unwrap();
    let unsettled = unsettled(bench, &after);
    let said = with_identity(&after.definition, &mine);
    let plain = match bench.plain(id, &write(&said)) {
        Ok(plain) => plain,
        Err(why) => return Verdict::NotCounted(why),
    };
    let found = compare(pair.kind, &mine, &plain, &after.definition, &before.definition)
        .map(|d| fault_of("differs", d))
        .or_else(|| moved(&first, &mine, &before, &after))
        .or(unsettled)
        .or_else(|| {
            let (first, mine, plain) = (&first, &mine, &plain);
            let (before, after) = (&before.definition, &after.definition);
            let found = broken(&plan, id, &Sides { first, mine, plain, before, after });
            found.map(|d| fault_of("promise", d))
        });
    match found {
        None => Verdict::Equal,
        Some(fault) => Verdict::Wrong(fault.of_plan(&plan).with(&first, Some(&mine), Some(&plain))),
    }
}

fn fault_of(class: &str, difference: Difference) -> Fault {
    let Difference { path, got, expected } = difference;
    let mut fault = Fault::new(class, path);
    fault.got = got;
    fault.expected = expected;
    fault
}

/// Checks that the plan after an apply is empty, and that applying once more calls nothing; returns the fault
/// otherwise.
fn unsettled(bench: &Bench, wanted: &Wanted) -> Option<Fault> {
    let left = bench.left(wanted, &Options::default())?;
    let mut fault = Fault::new("unsettled", report::without_keys(&left.what));
    fault.got = left.before;
    fault.expected = format!("planned: {}", left.after);
    Some(fault)
}

/// Returns a fault if an interface without a written MAC address has another one than before, by its place.
fn moved(first: &Element, mine: &Element, before: &Wanted, after: &Wanted) -> Option<Fault> {
    let of = |element: &Element| nics(&Tree::of(element));
    let (was, now) = (of(first), of(mine));
    let (old, said) = (of(&before.definition), of(&after.definition));
    if [was.len(), now.len(), old.len()].iter().any(|n| *n != said.len()) {
        return None;
    }
    let sides = was.iter().zip(&now).zip(old.iter().zip(&said)).enumerate();
    sides.into_iter().find_map(|(n, ((was, now), (old, said)))| {
        let is_moved = old.is_none() && said.is_none() && was != now;
        is_moved.then(|| {
            let path = format!("devices/interface[{}]/mac", n + 1);
            let (got, expected) = (format!("{now:?}"), format!("{was:?}"));
            fault_of("moved", Difference { path, got, expected })
        })
    })
}
