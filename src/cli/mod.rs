//! The command line: one file a command, and views for people and machines.
//!
//! Floor 6. The only place that prints, reads the environment, or decides an exit code.

mod apply;
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
mod get;
mod get_watch;
mod history;
mod host_summary;
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
mod printer;
mod project;
mod prompt;
mod release;
mod rollback;
mod rounds;
mod saved;
mod schema;
mod session;
mod signals;
mod signing;
mod systemd;
mod units;
mod uri_aliases;
mod validate;
mod view;
mod watch;
mod worker_pool;
mod written;

use crate::diag::{escape, is_hazard};
use clap::{CommandFactory as _, Parser, Subcommand};
use context::Context;
use exit::Exit;
use options::Global;
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

/// Runs the command that the arguments ask for.
pub fn main() -> ExitCode {
    output::filter_panics();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let told = readable(e);
            // help and version are no errors; a closed pipe is nobody's fault
            let lost =
                output::usage(&told).is_err_and(|e| e.kind() != std::io::ErrorKind::BrokenPipe);
            return match (told.use_stderr(), lost) {
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

/// What clap tells of arguments, which it quotes as they are: a shell's pattern may have made them of
/// files' names. It is asked again with each of them escaped, breaks among the rest.
fn readable(first: clap::Error) -> clap::Error {
    let typed: Vec<_> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if !typed.iter().any(|arg| arg.contains(is_hazard)) {
        return first;
    }
    Cli::try_parse_from(typed.iter().map(|arg| escape(arg))).err().unwrap_or_else(|| {
        // it was the very character that is none any more
        let told = first.to_string();
        let told = told.trim_end().trim_start_matches("error: ");
        let told = told.rsplit_once("\n\nFor more information").map_or(told, |(told, _)| told);
        clap::Error::raw(first.kind(), escape(told) + "\n")
    })
}
