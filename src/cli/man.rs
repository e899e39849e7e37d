//! `virt man`: the manual pages.

use super::args::{Cli, ManArgs};
use super::context::Context;
use super::exit::{Exit, Failure, Run};
use clap::CommandFactory as _;

pub(crate) fn run(context: &Context, args: &ManArgs) -> Run {
    let mut command = Cli::command();
    command.build();
    let page = match &args.command {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::Usage(format!("there is no command {name}")))?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    context.output.result(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}
