//! Time grows with the size of a document and no faster, whatever its shape. How long it is, is a
//! matter for a build with optimisation: `benches/scale.rs`.

use super::shapes::SHAPES;
use crate::support::trial;
use diagnostics::SourceId;
use libtest_mimic::Trial;
use nix::time::{ClockId, clock_gettime};
use relaxng::Automaton;
use virt::grammars::embedded;
use xmltree::{Limits, parse};

/// Bytes of the smaller document.
const SIZE: usize = 64 << 10;

/// Ratio of the larger size to the smaller one.
const TIMES: usize = 4;

/// Largest ratio of the times: above `TIMES` for caches and a busy machine, below its square.
const AT_MOST: f64 = 9.0;

/// Less is no measure, in seconds.
const LEAST: f64 = 0.02;

pub(crate) fn trials() -> Vec<Trial> {
    let shape = |(name, make): super::shapes::Shape| {
        let title = format!("schema/scale/{}", name.replace([' ', ','], "_").replace("__", "_"));
        trial(title, move || {
            let [small, large] = [SIZE, SIZE * TIMES].map(make);
            let ratio = || seconds(&large).max(LEAST) / seconds(&small).max(LEAST);
            // a busy machine makes one measurement long, not three
            let mut ratios = Vec::new();
            while ratios.last().is_none_or(|ratio| *ratio >= AT_MOST) {
                assert!(ratios.len() < 3, "{name}: {ratios:?} for {TIMES}");
                ratios.push(ratio());
            }
        })
    };
    SHAPES.into_iter().map(shape).collect()
}

/// CPU time of both ways to judge a document, each with new tables.
fn seconds(text: &str) -> f64 {
    let limits = Limits::default();
    let new = || Automaton::new(embedded("domain").unwrap());
    // loaded before it counts
    let (mut events, mut tree) = (new(), new());
    let begun = now();
    let fits = events.accepts(SourceId::NONE, text, &limits).unwrap();
    let root = parse(SourceId::NONE, text, &limits).unwrap();
    let problems = tree.validate(&root, &virt::grammars::Xml);
    let spent = now() - begun;
    assert_eq!(fits, problems.is_empty());
    spent
}

/// CPU time of this thread, in seconds.
fn now() -> f64 {
    std::time::Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap())
        .as_secs_f64()
}
