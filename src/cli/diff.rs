//! `virt diff`: each definition as it is and as it would be, as a unified diff.

use super::args::{DiffArgs, Format};
use super::context::Context;
use super::exit::Run;
use super::fleet::Manner;
use super::plan;
use super::session::{Purpose, Session, Target, prepare};
use super::view::{diff, json};

pub(crate) fn run(context: &Context, args: &DiffArgs) -> Run {
    match prepare(context, &args.paths, &args.options, Purpose::Show)? {
        Target::Host(session) => {
            context.output.result(&text(context, &session, args.options.manner()))?;
            Ok(plan::exit(&session, args.options.manner()))
        }
        Target::Fleet(fleet) => fleet.plan(context, args.options.manner(), None, text),
    }
}

fn text(context: &Context, session: &Session, _manner: Manner) -> String {
    match context.output.format {
        Format::Json => context.line(json::plan(session, None)),
        Format::Human => {
            let changes = session.plan.changes.iter();
            changes.map(|change| diff::unified(change, context.output)).collect()
        }
    }
}
