//! `virt man`: the manual pages.

use super::context::Context;
use super::exit::{Exit, Failure, Run};
use clap::Args;

/// Print the manual page
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The page of this command; of virt itself without any
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
}

/// Prints a page of the manual of the command line `virt`.
pub(crate) fn run(context: &Context, args: &ManArgs, mut virt: clap::Command) -> Run {
    virt.build();
    let page = match &args.command {
        None => virt,
        Some(name) => virt
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::Usage(format!("there is no command {name}")))?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    context.output.result(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}
