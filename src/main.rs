//! The `virt` command; all it does is in [`virt::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    virt::cli::main()
}
