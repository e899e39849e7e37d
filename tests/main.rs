//! All integration tests, in one binary. A test that cannot run on this machine is listed as
//! ignored, with the reason in brackets before its name.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect fails"
)]

mod cli;
mod contract;
mod faults;
mod fuzz_corpus;
mod fuzzing;
mod golden;
mod met;
mod page;
mod pki;
mod real;
mod schema;
mod support;
mod tidy;
mod watch;

fn main() -> std::process::ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let groups = [
        tidy::trials,
        contract::trials,
        faults::trials,
        fuzz_corpus::trials,
        golden::trials,
        met::trials,
        page::trials,
        pki::trials,
        cli::trials,
        real::trials,
        schema::trials,
        watch::trials,
    ];
    let mut trials: Vec<_> = groups.into_iter().flat_map(|trials| trials()).collect();
    trials.push(faults::every_cell_is_shown(&trials));
    libtest_mimic::run(&arguments, trials).exit_code()
}
