//! The command line: one file per command, and views for people and programs.
//!
//! Floor 6. The only place that prints, reads the environment, or decides an exit code.
//!
//! - `apply.rs`: `virt apply`: make the host match, and look again afterwards
//! - `completions.rs`: `virt completions`: a completion script for a shell
//! - `config.rs`: the operator's own configuration, read once per run
//! - `confirm.rs`: asking whether a plan is to be applied
//! - `context.rs`: parts that every command has: output, environment, errors
//! - `convert.rs`: `virt convert`: XML to TOML and back
//! - `delete.rs`: `virt delete`: removes objects, through the same plan and effect policy
//! - `descriptors.rs`: open files: their limit, and shares for each host
//! - `diff.rs`: `virt diff`: each definition as it is and as it would be, as a unified diff
//! - `doctor.rs`: `virt doctor`: diagnoses the connection to a host, stage by stage
//! - `event_queue.rs`: events of a host that wait to be shown
//! - `execute.rs`: carrying a plan out: the question, the walk, the second look, the report
//! - `exit.rs`: exit codes, and the error that a command ends with
//! - `export.rs`: `virt export`: manifests for what is on the host, each proven to plan to nothing
//! - `fleet.rs`: the hosts that `virt.toml` names, and options that choose among them
//! - `get.rs`: `virt get`: the inventory, with owners and drift
//! - `get_watch.rs`: `virt get --watch`: the inventory, then a line for each change
//! - `get_wide.rs`: `virt get --wide`: processors, memory and addresses of domains
//! - `history.rs`: `virt history`: the versions of manifests that objects remember
//! - `host_summary.rs`: per-host results and totals
//! - `init.rs`: `virt init`: a `virt.toml` that names the set
//! - `listing.rs`: the selection and columns that `get` and `get --watch` share
//! - `lock.rs`: one lock per host, so that no two runs change it at once
//! - `man.rs`: `virt man`: the manual pages
//! - `multi_host.rs`: plan and apply for many hosts, in one report
//! - `options.rs`: options that commands share, and how values of options are read
//! - `outcome.rs`: the printed plan, and exit codes of outcomes
//! - `output.rs`: standard output and error, the one door for all that is printed, and colours
//! - `pki.rs`: `virt pki`: the certificates of a CA, servers and clients
//! - `plan.rs`: `virt plan`: changes, reasons, and how disruptive each step is
//! - `printer.rs`: printing on a thread of its own
//! - `project.rs`: the directory of manifests that a command without paths is about
//! - `prompt.rs`: asking the user at the terminal, which shows nothing of a password
//! - `release.rs`: `virt release`: takes the ownership record off objects, which stay
//! - `rollback.rs`: `virt rollback`: the manifest before the last one, through the same plan and effect policy
//! - `rounds.rs`: the rounds in which the hosts of a fleet are gone through
//! - `saved.rs`: saved plans: showing one from its file alone, and applying it as it was reviewed
//! - `schema.rs`: `virt schema`: the grammars as RELAX NG, and as JSON Schema
//! - `session.rs`: from paths to a plan: the part that plan, diff, apply and delete share
//! - `signals.rs`: signals: the first asks to stop after the step in hand, the second ends the program at once
//! - `signing.rs`: keys for signing records, from configuration or the command line
//! - `systemd.rs`: sd_notify: state of the service for systemd
//! - `units.rs`: groups of hosts between which something moves, planned together
//! - `uri_aliases.rs`: `uri_aliases` of `libvirt.conf`
//! - `validate.rs`: `virt validate`: checks manifests without a host
//! - `worker_pool.rs`: bounded work on many hosts, with results in their order
//! - `written.rs`: connections as files name them: manifests, and saved plans

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
mod event_queue;
mod execute;
mod exit;
mod export;
mod fleet;
mod get;
mod get_watch;
mod get_wide;
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

use clap::{CommandFactory as _, Parser, Subcommand};
use context::Context;
use diagnostics::{escape, is_hazard};
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
    /// Whether the command takes `--project`.
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

/// Rebuilds a clap error with escaped arguments, which clap quotes as they are: a shell's pattern
/// may have made them of files' names. Clap parses them again with each one escaped, line breaks
/// included.
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
