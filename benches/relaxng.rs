//! `relaxng GRAMMAR.rng DOCUMENT...`: validates documents by any grammar in one process, and says
//! what it took in CPU time of this thread: loading, the first pass, a second one with all tables
//! made. Exits with 1 if a document is not valid. `benches/validate.sh` runs it beside peers.

#![allow(missing_docs, clippy::print_stdout, reason = "a program")]

use diagnostics::{SourceId, Sources, render};
use nix::time::{ClockId, clock_gettime};
use relaxng::{Automaton, Files, load};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xmltree::Limits;

struct Disk(PathBuf);

impl Files for Disk {
    fn read(&self, uri: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(uri)).map_err(|e| e.to_string())
    }
}

/// CPU time of this thread, in microseconds.
fn now() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the clock is there");
    time.tv_sec() * 1_000_000 + time.tv_nsec() / 1_000
}

fn main() {
    // cargo's own options stand before ours
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some((grammar, documents)) = arguments.split_first() else {
        println!("usage: relaxng GRAMMAR.rng DOCUMENT...");
        return;
    };
    let grammar = Path::new(grammar);
    let begun = now();
    let mut sources = Sources::default();
    let files = Disk(grammar.parent().unwrap_or(Path::new("")).to_owned());
    let name = grammar.file_name().unwrap_or_default().to_string_lossy();
    let loaded = match load(&name, &files, &mut sources) {
        Ok(loaded) => loaded,
        Err(problems) => {
            problems.iter().for_each(|p| print!("{}", render(p, &sources)));
            std::process::exit(1);
        }
    };
    let mut automaton = Automaton::new(Arc::new(loaded));
    let loading = now() - begun;
    let texts: Vec<(&String, String)> =
        documents.iter().map(|d| (d, std::fs::read_to_string(d).expect("readable"))).collect();
    let mut valid = 0;
    let mut passes = [0; 3];
    let count = std::env::var("VIRT_BENCH_PASSES").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    for (i, pass) in passes.iter_mut().enumerate().take(count) {
        let begun = now();
        for (name, text) in &texts {
            let verdict = automaton.accepts(SourceId::NONE, text, &Limits::default());
            match verdict {
                Ok(true) if i == 0 => valid += 1,
                Ok(false) if i == 0 => println!("{name}: not valid"),
                Err(e) if i == 0 => println!("{name}: {}", e.summary),
                _ => {}
            }
        }
        *pass = now() - begun;
    }
    let each = |us: i64| us as f64 / texts.len().max(1) as f64;
    println!("loading {loading} us; {valid} of {} valid", texts.len());
    println!("first pass {:.1} us a document; warm {:.1} us", each(passes[0]), each(passes[2]));
    if valid < texts.len() {
        std::process::exit(1);
    }
}
