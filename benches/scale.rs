//! `scale`: judges documents of 10 MiB, the most that is read, of many shapes: as they are read, and
//! as a tree with all that is wrong said. Prints the CPU time of each in milliseconds; exits with 1
//! if one takes more than a second.

#![allow(missing_docs, clippy::print_stdout, reason = "a program")]

#[path = "../tests/schema/shapes.rs"]
mod shapes;

use diagnostics::{Sources, render};
use nix::time::{ClockId, clock_gettime};
use relaxng::Automaton;
use std::time::Duration;
use virt::grammars::embedded;
use xmltree::{Limits, parse};

/// A little less than the limit: the frame comes on top.
const SIZE: usize = (10 << 20) - 8192;

/// CPU time of this thread, in milliseconds.
fn now() -> u128 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the clock is there");
    Duration::from(time).as_millis()
}

fn main() {
    println!("{:>9} {:>6} {:>7} {:>7}", "bytes", "events", "tree", "said");
    let mut slow = false;
    for (name, make) in shapes::SHAPES {
        let text = make(SIZE);
        let limits = Limits::default();
        let mut sources = Sources::default();
        let source = sources.add("large.xml", text.as_str());
        let mut automaton = Automaton::new(embedded("domain").expect("it is embedded"));
        let begun = now();
        let fits = automaton.accepts(source, &text, &limits);
        let events = now() - begun;
        let fits = match fits {
            Ok(fits) => fits,
            Err(problem) => panic!("{name}: {}", problem.summary),
        };
        let begun = now();
        let root = parse(source, &text, &limits).expect("the events found it well-formed");
        let problems = automaton.validate(&root, &virt::grammars::Xml);
        let tree = now() - begun;
        let begun = now();
        let said: usize = problems.iter().map(|problem| render(problem, &sources).len()).sum();
        let rendering = now() - begun;
        assert_eq!(fits, said == 0, "{name}");
        slow |= events > 1_000 || tree + rendering > 1_000;
        println!("{:>9} {events:>6} {tree:>7} {rendering:>7}  {name}", text.len());
    }
    if slow {
        println!("more than a second is too long");
        std::process::exit(1);
    }
}
