//! `virt completions`: a completion script for a shell.

use super::context::Context;
use super::exit::{Exit, Run};
use clap::Args;

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Prints the script for the command line `virt`.
pub(crate) fn run(context: &Context, args: &CompletionsArgs, mut virt: clap::Command) -> Run {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut virt, "virt", &mut script);
    context.output.result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
