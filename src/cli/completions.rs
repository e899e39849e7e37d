//! `virt completions`: a completion script for a shell.

use super::args::{Cli, CompletionsArgs};
use super::context::Context;
use super::exit::{Exit, Run};
use clap::CommandFactory as _;

pub(crate) fn run(context: &Context, args: &CompletionsArgs) -> Run {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "virt", &mut script);
    context.output.result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
