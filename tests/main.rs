//! All integration tests, in one binary. A test that cannot run on this machine is listed as
//! ignored, with the reason in brackets before its name.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect fails"
)]

mod bounds;
mod cli;
mod contract;
mod dependencies;
mod faults;
mod fuzz_corpus;
mod fuzzing;
mod golden;
mod met;
mod page;
mod pki;
mod real;
mod records;
mod schema;
mod support;
mod tidy;
mod watch;

fn main() -> std::process::ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let groups = [
        tidy::trials,
        bounds::trials,
        contract::trials,
        dependencies::trials,
        faults::trials,
        fuzz_corpus::trials,
        golden::trials,
        met::trials,
        page::trials,
        pki::trials,
        cli::trials,
        real::trials,
        records::trials,
        schema::trials,
        watch::trials,
    ];
    let mut trials: Vec<_> = groups.into_iter().flat_map(|trials| trials()).collect();
    trials.push(faults::every_cell_is_shown(&trials));
    // `./check` runs one set after the other, to say what each takes; a filter of the harness would
    // also take other sets' trials that have the name in the middle of theirs
    if let Ok(set) = std::env::var("VIRT_SET") {
        trials.retain(|trial| trial.name().split('/').next() == Some(&set));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
