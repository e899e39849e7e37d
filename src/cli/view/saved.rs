//! A saved plan, whole: every step with its call to the host, from the plan's file alone.

use super::human;
use crate::cli::output::{Output, Paint};
use crate::model::{Op, OpKind};
use crate::reconcile::plan::file::recorded;
use crate::reconcile::{Afterwards, Plan, Step, StepAction, shown, without_owner_record};
use diagnostics::{SourceId, escape, escape_lines};
use serde_json::Value;
use std::fmt::Write as _;
use xmltree::{Limits, parse, write};

/// The plan for people.
pub(crate) fn saved(plan: &Plan, connection: &str, digest: &str, output: Output) -> String {
    let mut out = String::new();
    for step in &plan.steps {
        let head = format!("{}  {}", step.target.id, step.action.as_str());
        let effect = human::painted_effect(step.effect, output);
        let _ = writeln!(out, "{}  {effect}", output.paint(Paint::Bold, &head));
        for line in sent(step).lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    for of in &plan.afterwards {
        let lines = put_back(plan, of);
        if !lines.is_empty() {
            let head = format!("{}  if a live change is refused", of.target.id);
            let _ = writeln!(out, "{}", output.paint(Paint::Bold, &head));
        }
        for line in lines {
            let _ = writeln!(out, "    {line}");
        }
    }
    let head = output.paint(Paint::Bold, "Plan:");
    let steps = human::number(plan.steps.len(), "step");
    let set = escape(&plan.set);
    let _ = writeln!(out, "\n{head} {steps} of set \"{set}\" on {}\n{digest}", escape(connection));
    out
}

/// The call of a step: its document, or its arguments; empty where there are none. For a wait, the
/// call that follows its timeout.
pub(super) fn sent(step: &Step) -> String {
    let Some(op) = step.action.op() else { return String::new() };
    let text = match op {
        op if op.is(OpKind::SetMetadata) => arguments(op),
        op => match op.definition() {
            Some(xml) => {
                let lines = recorded(step.target.id.kind, xml).into_iter();
                document(xml) + &lines.map(|line| escape(&line) + "\n").collect::<String>()
            }
            None => op.document().map_or_else(|| arguments(op), document),
        },
    };
    match step.action {
        StepAction::Call(_) => text,
        StepAction::Wait { .. } => {
            format!("after that: {}\n{text}", op.kind()).trim_end().to_owned()
        }
    }
}

/// Steps that may follow the live changes of an object: the parts of its definition that are put
/// back, and the definition where no step sends it.
pub(super) fn put_back(plan: &Plan, of: &Afterwards) -> Vec<String> {
    let mut lines: Vec<String> = of.describe().iter().map(|line| escape(line)).collect();
    let sends = |step: &Step| {
        step.target == of.target
            && step.action.op().and_then(Op::document) == Some(of.definition.as_str())
    };
    if !lines.is_empty() && !plan.steps.iter().any(sends) {
        lines.push("in this definition:".to_owned());
        lines.extend(document(&of.definition).lines().map(|line| format!("  {line}")));
    }
    lines
}

/// A document without its ownership record and secrets, as `virt diff` shows it.
fn document(xml: &str) -> String {
    match parse(SourceId::NONE, xml, &Limits::default()) {
        Ok(element) => write(&shown(&without_owner_record(&element))),
        Err(_) => escape_lines(xml, 0),
    }
}

fn arguments(op: &Op) -> String {
    // the kind of its object, in it the operation, and in that the arguments
    let mut value = serde_json::to_value(op).unwrap_or_default();
    for _ in 0..2 {
        let Value::Object(map) = value else { return String::new() };
        value = map.into_iter().next().map(|(_, inner)| inner).unwrap_or_default();
    }
    let Value::Object(arguments) = value else { return String::new() };
    let all = arguments.iter().map(|(name, v)| format!("{name}: {v}"));
    escape(&all.collect::<Vec<_>>().join(", "))
}
