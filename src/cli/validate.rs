//! `virt validate`: manifests alone, no host.

use super::args::{Format, ValidateArgs};
use super::context::Context;
use super::exit::{Exit, Run};
use super::session::load;
use super::view::json;

pub(crate) fn run(context: &Context, args: &ValidateArgs) -> Run {
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
