//! `virt diff`: each definition as it is and as it would be, as a unified diff.

use super::args::{DiffArgs, Format};
use super::context::Context;
use super::exit::Run;
use super::plan;
use super::session::Session;
use super::view::{diff, json};

pub(crate) fn run(context: &Context, args: &DiffArgs) -> Run {
    let session = Session::prepare(context, &args.paths, &args.options)?;
    let output = context.output;
    match output.format {
        Format::Json => output.result(&json::plan(&session))?,
        Format::Human => {
            for change in &session.plan.changes {
                output.result(&diff::unified(change, output))?;
            }
        }
    }
    Ok(plan::exit(&session, &args.options))
}
