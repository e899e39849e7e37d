//! `virt doctor`: what is wrong with the way to a host.

use super::context::Context;
use super::exit::{Exit, Run};
use super::options::{Format, connection};
use super::output::Paint;
use super::project::Target;
use super::view::envelope::{self, FORMAT_VERSION};
use crate::drivers::{self, libvirt::StageResult};
use crate::error::Error;
use clap::Args;
use diagnostics::escape;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// Say what is wrong with the way to a host
///
/// Each stage is shown with its time and what came of it: the URI, the host's name, connecting, TLS
/// or ssh, authentication, the hypervisor, its version, what it can do, and what we may do. Exits
/// with 0 if all is well, else with 1 and what to do about the first that is not.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The host [default: as for the other commands]
    #[arg(value_name = "URI", value_parser = connection)]
    pub(crate) uri: Option<String>,
}

pub(crate) fn run(context: &Context, args: &DoctorArgs) -> Run {
    let connection = match &args.uri {
        Some(uri) => context.operators(uri),
        // a URI that makes no sense is the first stage's to say
        None if context.connect.is_some() => context.connection(None),
        None => Ok(Target::of(context)?.connection),
    };
    let known = connection.as_ref().ok().map(|connection| connection.text().to_owned());
    let uri = known.or_else(|| args.uri.clone()).or_else(|| context.connect.clone());
    let uri = uri.unwrap_or_default();
    let stages = drivers::diagnose(connection, &context.environment());
    let is_well = stages.iter().all(|s| s.error.is_none());
    context.output.result(&match context.output.format {
        Format::Human => stages.iter().map(|stage| human(context, stage)).collect(),
        Format::Json => envelope::line(&json!({
            "format_version": FORMAT_VERSION, "connection": uri, "ok": is_well,
            "stages": stages.iter().map(machine).collect::<Vec<_>>(),
        })),
    })?;
    Ok(if is_well { Exit::Done } else { Exit::Error })
}

fn human(context: &Context, stage: &StageResult) -> String {
    let (verdict, paint) = match stage.error {
        None => ("ok", Paint::Green),
        Some(_) => ("FAIL", Paint::Red),
    };
    let took = stage.took.map(|took| format!("{:.1} ms", milliseconds(took))).unwrap_or_default();
    let said = stage.error.as_ref().map_or(stage.said.clone(), ToString::to_string);
    let verdict = context.output.paint(paint, &format!("{verdict:4}"));
    let mut text =
        format!("{verdict}  {:15}  {took:>10}  {}", stage.stage.describe(), escape(&said));
    text.truncate(text.trim_end().len());
    text.push('\n');
    if let Some(error) = &stage.error {
        for cause in causes(error) {
            let _ = writeln!(text, "      caused by: {cause}");
        }
        if let Some(hint) = &error.hint {
            let _ = writeln!(text, "      what to do: {}", escape(hint));
        }
    }
    text
}

fn machine(stage: &StageResult) -> Value {
    json!({
        "stage": stage.stage.describe(), "ok": stage.error.is_none(), "said": stage.said,
        "milliseconds": stage.took.map(milliseconds),
        "error": stage.error.as_ref().map(|e| json!({
            "kind": e.kind.as_str(), "code": e.code().map(|code| code.0), "message": e.message, "hint": e.hint,
            "causes": causes(e).map(ToString::to_string).collect::<Vec<_>>(),
        })),
    })
}

fn causes(error: &Error) -> impl Iterator<Item = &Error> {
    std::iter::successors(error.source.as_ref(), |e| e.source.as_ref())
}

/// In tenths.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
