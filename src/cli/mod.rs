//! The command line: one file a command, and views for people and machines.
//!
//! Floor 5. The only place that prints, reads the environment, or decides an exit code.

mod apply;
mod args;
mod ask;
mod completions;
mod config;
mod confirm;
mod context;
mod convert;
mod delete;
mod descriptors;
mod diff;
mod doctor;
mod exit;
mod export;
mod fleet;
mod follow;
mod get;
mod history;
mod init;
mod lock;
mod man;
mod output;
mod pki;
mod plan;
mod pool;
mod printer;
mod project;
mod release;
mod rollback;
mod rounds;
mod saved;
mod schema;
mod session;
mod signals;
mod signing;
mod systemd;
mod tally;
mod units;
mod validate;
mod view;
mod watch;
mod written;

use args::{Cli, Command};
use clap::Parser as _;
use context::Context;
use exit::Exit;
use std::process::ExitCode;

/// Runs the command that the arguments ask for.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // help and version are no errors; a closed pipe is nobody's fault
            let _ = e.print();
            return if e.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    descriptors::raise();
    let context = Context::new(&cli.global);
    if cli.global.project.is_some() && !cli.command.takes_project() {
        let text = "--project is for commands without paths: name the directory as a path";
        return context.fail(&exit::Failure::Usage(text.to_owned())).into();
    }
    signals::survive_size_limit();
    let done = match &cli.command {
        Command::Validate(args) => validate::run(&context, args),
        Command::Plan(args) => plan::run(&context, args),
        Command::Diff(args) => diff::run(&context, args),
        Command::Apply(args) => apply::run(&context, args),
        Command::Watch(args) => watch::run(&context, args),
        Command::Get(args) => get::run(&context, args),
        Command::History(args) => history::run(&context, args),
        Command::Rollback(args) => rollback::run(&context, args),
        Command::Export(args) => export::run(&context, args),
        Command::Release(args) => release::run(&context, args),
        Command::Init(args) => init::run(&context, args),
        Command::Delete(args) => delete::run(&context, args),
        Command::Doctor(args) => doctor::run(&context, args),
        Command::Schema(args) => schema::run(&context, args),
        Command::Convert(args) => convert::run(&context, args),
        Command::Pki(args) => pki::run(&context, args),
        Command::Completions(args) => completions::run(&context, args),
        Command::Man(args) => man::run(&context, args),
    };
    match done {
        Ok(exit) => context.exit(exit).into(),
        Err(failure) => context.fail(&failure).into(),
    }
}
