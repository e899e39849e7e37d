//! `virt validate`: manifests alone, no host.

use super::args::{Format, ValidateArgs};
use super::context::Context;
use super::exit::{Exit, Run};
use super::session::load;
use super::view::{human, json};
use crate::model::rules::rules;

pub(crate) fn run(context: &Context, args: &ValidateArgs) -> Run {
    if args.list_rules {
        let rules = rules();
        context.output.result(&match context.output.format {
            Format::Json => json::rules(&rules),
            Format::Human => human::rules(&rules, context.output),
        })?;
        return Ok(Exit::Done);
    }
    let loaded = load(&args.paths);
    let bad = loaded.diagnostics.has_errors();
    match context.output.format {
        Format::Json => context.output.result(&json::validation(&loaded))?,
        Format::Human => {
            context.show(&loaded.diagnostics, &loaded.sources);
            let (good, held) = (loaded.desired.resources.len(), loaded.desired.held_back.len());
            let errors = loaded.diagnostics.iter().filter(|d| d.is_error()).count();
            let text = if bad {
                format!("{errors} errors; {good} resources valid, {held} held back\n")
            } else {
                format!("{good} resources valid\n")
            };
            context.output.result(&text)?;
        }
    }
    Ok(if bad { Exit::Error } else { Exit::Done })
}
