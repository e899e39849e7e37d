//! `virt validate`: manifests alone, no host.

use super::context::Context;
use super::exit::{Exit, Run};
use super::options::Format;
use super::session::grammars;
use super::view::{human, json, sarif};
use crate::manifest::{Loaded, load_for_good};
use crate::model::rules::rules;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Check manifests without asking a host
///
/// Exits with 0 if all are valid, else with 1. Every problem is shown, with its place.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Manifests, or directories of them
    #[arg(required_unless_present = "list_rules", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Format of the result, in place of --output
    #[arg(long, value_enum)]
    pub(crate) format: Option<ReportFormat>,
    /// Validate the manifests against the RELAX NG grammars domain.rng and network.rng of a
    /// directory, such as /usr/share/libvirt/schemas, in place of the embedded ones
    #[arg(long, value_name = "DIR")]
    pub(crate) schema_dir: Option<PathBuf>,
    /// List the rules that manifests are checked by, and check nothing
    #[arg(long, conflicts_with = "paths")]
    pub(crate) list_rules: bool,
}

/// Format of the problems of manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Human,
    /// For machines
    Json,
    /// For code review tools: SARIF 2.1.0
    Sarif,
}

pub(crate) fn run(context: &Context, args: &ValidateArgs) -> Run {
    if args.list_rules {
        let rules = rules();
        context.output.result(&match context.output.format {
            Format::Json => json::rules(&rules),
            Format::Human => human::rules(&rules, context.output),
        })?;
        return Ok(Exit::Done);
    }
    let grammars = grammars(context, args.schema_dir.as_deref())?;
    let loaded = load_for_good(&args.paths, &grammars, context.set.as_deref());
    let bad = loaded.diagnostics.has_errors();
    let format = args.format.unwrap_or(match context.output.format {
        Format::Human => ReportFormat::Human,
        Format::Json => ReportFormat::Json,
    });
    match format {
        ReportFormat::Json => context.output.result(&json::validation(&loaded))?,
        ReportFormat::Sarif => {
            context.output.result(&sarif::validation(&loaded.diagnostics, &loaded.sources))?;
        }
        ReportFormat::Human => {
            context.show(&loaded.diagnostics, &loaded.sources);
            context.output.result(&summary(&loaded))?;
        }
    }
    // the run ends here, and giving back what a large site takes piece by piece would take long
    std::mem::forget(loaded);
    Ok(if bad { Exit::Error } else { Exit::Done })
}

fn summary(loaded: &Loaded) -> String {
    let (good, held) = loaded.counts;
    let hosts = match loaded.fleet.len() {
        0 => String::new(),
        1 => " for 1 host".to_owned(),
        n => format!(" for {n} hosts"),
    };
    let errors = loaded.diagnostics.iter().filter(|d| d.is_error()).count();
    if errors > 0 {
        format!("{errors} errors; {good} resources valid{hosts}, {held} blocked\n")
    } else {
        format!("{good} resources valid{hosts}\n")
    }
}
