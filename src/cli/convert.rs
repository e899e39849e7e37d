//! `virt convert`: XML to TOML and back.

use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::options::Language;
use crate::manifest::{Format, read_file, to_toml};
use clap::Args;
use diagnostics::{Diagnostics, Sources};
use std::path::PathBuf;

/// Turn XML into TOML, or TOML into XML, without loss
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// The manifest
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The format to write [default: the other one]
    #[arg(long, value_enum)]
    pub(crate) to: Option<Language>,
}

pub(crate) fn run(context: &Context, args: &ConvertArgs) -> Run {
    let name = args.file.display().to_string();
    let from = Format::of(&name)
        .ok_or_else(|| Failure::Usage(format!("{name} is neither *.xml nor *.toml")))?;
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let resources = read_file(&args.file, from, &mut sources, &mut diagnostics);
    diagnostics.sort();
    context.show(&diagnostics, &sources);
    if diagnostics.has_errors() {
        return Ok(Exit::Error);
    }
    let to = args.to.unwrap_or(match from {
        Format::Xml => Language::Toml,
        Format::Toml => Language::Xml,
    });
    match to {
        Language::Toml => context.output.result(&to_toml(&resources))?,
        Language::Xml => {
            // XML has one document a file
            if resources.len() > 1 {
                context.note(&format!("{} documents follow one another\n", resources.len()));
            }
            for resource in &resources {
                context.output.result(&xmltree::write(resource))?;
            }
        }
    }
    Ok(Exit::Done)
}
