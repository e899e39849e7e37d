//! The command line: one file a command, and views for people and machines.
//!
//! Floor 5. The only place that prints, reads the environment, or decides an exit code.

mod apply;
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
mod execute;
mod exit;
mod export;
mod fleet;
mod follow;
mod get;
mod history;
mod init;
mod listing;
mod lock;
mod man;
mod multi_host;
mod options;
mod outcome;
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
mod uri_aliases;
mod validate;
mod view;
mod watch;

use crate::diag::{escape, is_hazard, printable};
use clap::{CommandFactory as _, Parser, Subcommand};
use context::Context;
use exit::Exit;
use options::Global;
use std::io::Write as _;
use std::process::ExitCode;

/// Make the virtual machines and networks of a host match the manifests in a directory.
#[derive(Debug, Parser)]
#[command(name = "virt", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    Diff(diff::DiffArgs),
    Apply(apply::ApplyArgs),
    Watch(watch::WatchArgs),
    Get(get::GetArgs),
    History(history::HistoryArgs),
    Rollback(rollback::RollbackArgs),
    Export(export::ExportArgs),
    Delete(delete::DeleteArgs),
    Release(release::ReleaseArgs),
    Init(init::InitArgs),
    Doctor(doctor::DoctorArgs),
    Convert(convert::ConvertArgs),
    Schema(schema::SchemaArgs),
    Pki(pki::PkiArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Whether `--project` says what it is about.
    pub(crate) fn takes_project(&self) -> bool {
        match self {
            Self::Get(_)
            | Self::History(_)
            | Self::Rollback(_)
            | Self::Export(_)
            | Self::Delete(_)
            | Self::Release(_)
            | Self::Doctor(_) => true,
            Self::Validate(_)
            | Self::Plan(_)
            | Self::Diff(_)
            | Self::Apply(_)
            | Self::Watch(_)
            | Self::Init(_)
            | Self::Convert(_)
            | Self::Schema(_)
            | Self::Pki(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }
}

/// Prints what is wrong with the arguments, or the help that they ask for. An argument that a script has
/// from elsewhere is quoted in it, and comes out as any other foreign text.
fn print(error: &clap::Error) -> std::io::Result<()> {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let mut foreign: Vec<String> = arguments
        .flat_map(|argument| {
            let value = argument.split_once('=').map(|(_, value)| value.to_owned());
            [Some(argument), value].into_iter().flatten()
        })
        .filter(|argument| argument.chars().any(is_hazard))
        .collect();
    if foreign.is_empty() || !error.use_stderr() {
        return error.print();
    }
    foreign.sort_by_key(|argument| std::cmp::Reverse(argument.len()));
    // its plain text has lost a part of them
    let mut text = error.render().ansi().to_string();
    for argument in foreign {
        text = text.replace(&argument, &escape(&argument));
    }
    let mut pieces = text.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    pieces.for_each(|piece| plain.push_str(piece.split_once('m').map_or(piece, |(_, rest)| rest)));
    std::io::stderr().write_all(printable(&plain, &[]).as_bytes())
}

/// Runs the command that the arguments ask for.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // help and version are no errors; a closed pipe is nobody's fault
            let printed = print(&e).and_then(|()| std::io::stdout().flush());
            let lost = printed.is_err_and(|e| e.kind() != std::io::ErrorKind::BrokenPipe);
            return match (e.use_stderr(), lost) {
                (true, _) => Exit::Usage.into(),
                (false, true) => Exit::Error.into(),
                (false, false) => Exit::Done.into(),
            };
        }
    };
    descriptors::raise();
    let mut context = Context::new(&cli.global);
    if let Err(failure) = context.take_switches() {
        return context.fail(&failure).into();
    }
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
        Command::Completions(args) => completions::run(&context, args, Cli::command()),
        Command::Man(args) => man::run(&context, args, Cli::command()),
    };
    match done {
        Ok(exit) => context.exit(exit).into(),
        Err(failure) => context.fail(&failure).into(),
    }
}
