//! Many connections at once: opens each URI of the command line in a thread of its own, reads the host
//! over it, and says how much memory that took while all of them were open. `benches/connections.sh`
//! starts what it needs.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark tells, or fails")]

use std::sync::Barrier;
use std::time::Instant;
use virt::drivers::{self, Connection, Environment};
use virt::model::Scope;

fn main() {
    let uris: Vec<String> = std::env::args().skip(1).filter(|a| a.contains("://")).collect();
    let (before, begun) = (peak(), Instant::now());
    let all_open = Barrier::new(uris.len());
    let seen: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = uris
            .iter()
            .map(|uri| {
                scope.spawn(|| {
                    let env = Environment::new(None, None);
                    let driver =
                        drivers::open(&Connection::of_operator(uri).unwrap(), &env).unwrap();
                    let observed = driver.observe(&Scope::all()).unwrap();
                    // nobody lets go before all have read
                    all_open.wait();
                    observed.resources.len()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!(
        "{} connections at once, {seen} objects read in {:.2?}: {before} KiB before, {} KiB at the peak",
        uris.len(),
        begun.elapsed(),
        peak(),
    );
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
