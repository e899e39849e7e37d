//! Results for machines: one JSON object, or JSON lines while something goes on.

use super::envelope::{self, FORMAT_VERSION, diagnostics, line, place, severity};
use super::plan_view::PlanView;
use crate::error::Error;
use crate::manifest::Loaded;
use crate::model::rules::Rule;
use crate::model::{Effect, Outage};
use crate::pki::{Finding, Places};
use crate::reconcile::{
    Action, Afterwards, ChangeCause, FieldChange, IgnoredDifference, Plan, Report, ResourceChange,
    Status, Step, StepAction, Until,
};
use diagnostics::{Diagnostics, Sources};
use serde_json::{Map, Value, json};

/// What `validate` found.
pub(crate) fn validation(loaded: &Loaded) -> String {
    let names: Vec<String> = loaded.desired.resources.keys().map(ToString::to_string).collect();
    line(&json!({
        "format_version": FORMAT_VERSION,
        "valid": !loaded.diagnostics.has_errors(),
        "resources": names,
        "held_back": blocked(&loaded.desired.blocked),
        "diagnostics": diagnostics(loaded.diagnostics.iter(), &loaded.sources),
    }))
}

/// The rules that manifests are held to.
pub(crate) fn rules(rules: &[Rule]) -> String {
    let rule = |r: &Rule| {
        json!({
            "name": r.name,
            "severity": severity(r.severity),
            "summary": r.summary,
            "remedy": r.remedy,
            "source": r.source,
        })
    };
    line(&json!({
        "format_version": FORMAT_VERSION,
        "rules": rules.iter().map(rule).collect::<Vec<_>>(),
    }))
}

/// What was made of a PKI.
pub(crate) fn pki_made(places: &Places) -> String {
    line(&json!({
        "format_version": FORMAT_VERSION,
        "certificate": places.certificate.to_string_lossy(),
        "key": places.key.to_string_lossy(),
    }))
}

/// What was found in a PKI.
pub(crate) fn pki_checked(findings: &[Finding], sound: bool) -> String {
    let finding = |f: &Finding| {
        json!({
            "end": f.end.as_str(),
            "level": f.level.as_str(),
            "what": f.what,
            "hint": f.hint,
        })
    };
    line(&json!({
        "format_version": FORMAT_VERSION,
        "sound": sound,
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    }))
}

/// A plan, whole, with what is more disruptive than a limit, if there is one.
pub(crate) fn plan(view: &PlanView<'_>, limit: Option<Effect>) -> Value {
    let PlanView { plan, sources, .. } = *view;
    let mut summary = counts(plan);
    if let (Some(limit), Some(map)) = (limit, summary.as_object_mut()) {
        map.insert("above".to_owned(), above(plan, limit));
    }
    json!({
        "format_version": FORMAT_VERSION,
        "set": plan.set,
        "connection": view.connection,
        "changes": plan.changes.iter().map(|c| with_way(plan, c, sources)).collect::<Vec<_>>(),
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "held_back": blocked(&plan.blocked),
        "silent": blocked(&plan.silent),
        "doubted": plan.doubted.iter().map(|(id, doubt)| json!({
            "kind": id.kind.as_str(), "name": id.name, "set": doubt.set, "reason": doubt.why,
        })).collect::<Vec<_>>(),
        "orphans": plan.orphans.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "refusals": plan.refusals.iter().map(|r| json!({
            "target": r.id.as_ref().map(ToString::to_string),
            "reason": r.reason,
            "hint": r.hint,
        })).collect::<Vec<_>>(),
        "diagnostics": diagnostics(view.problems.iter().copied(), sources),
        "summary": summary,
    })
}

/// What a host of a fleet could not be asked for.
pub(crate) fn failed_host(name: &str, connection: &str, error: &Error) -> Value {
    json!({ "host": name, "connection": connection, "error": envelope::error(error) })
}

/// The plans of a fleet.
pub(crate) fn fleet(
    loaded: &Loaded,
    between: &Diagnostics,
    hosts: Vec<Value>,
    summary: &Value,
) -> Value {
    let problems = loaded.diagnostics.iter().chain(between.iter());
    json!({
        "format_version": FORMAT_VERSION,
        "set": loaded.desired.set,
        "hosts": hosts,
        "diagnostics": diagnostics(problems, &loaded.sources),
        "summary": summary,
    })
}

/// The last line of the apply of a fleet.
pub(crate) fn fleet_summary(loaded: &Loaded, between: &Diagnostics, summary: &Value) -> Value {
    let problems = loaded.diagnostics.iter().chain(between.iter());
    json!({
        "event": "fleet-summary",
        "format_version": FORMAT_VERSION,
        "set": loaded.desired.set,
        "diagnostics": diagnostics(problems, &loaded.sources),
        "summary": summary,
    })
}

/// A saved plan, as far as it is saved.
pub(crate) fn saved_plan(plan: &Plan, connection: &str, digest: &str) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "set": plan.set,
        "connection": connection,
        "digest": digest,
        "steps": plan.steps.iter().map(sent).collect::<Vec<_>>(),
        "may_put_back": plan.afterwards.iter().filter_map(|of| put_back(plan, of)).collect::<Vec<_>>(),
    })
}

/// What may follow the live changes of an object, if something may.
fn put_back(plan: &Plan, of: &Afterwards) -> Option<Value> {
    let lines = super::saved::put_back(plan, of);
    let told = json!({ "target": of.target.id.to_string(), "lines": lines });
    (!lines.is_empty()).then_some(told)
}

/// One event of an apply.
pub(crate) fn event(step: &Step, status: Option<&Status>) -> Value {
    let mut object = json!({
        "event": if status.is_some() { "step-finished" } else { "step-started" },
        "id": step.id,
        "target": step.target.id.to_string(),
        "op": step.action.as_str(),
    });
    if let (Some(status), Some(map)) = (status, object.as_object_mut()) {
        map.extend(outcome(status));
    }
    object
}

/// The last line of an apply.
pub(crate) fn summary(view: &PlanView<'_>, report: &Report, residue: Option<&Plan>) -> Value {
    let mut object = result(view.plan, view.connection, report);
    if let Some(map) = object.as_object_mut() {
        map.extend(left_over(report, residue, view.sources));
        map.insert("pending".to_owned(), json!(view.plan.leaves_pending()));
        map.insert("summary".to_owned(), counts(view.plan));
        map.insert("held_back".to_owned(), blocked(&view.plan.blocked));
        let problems = diagnostics(view.problems.iter().copied(), view.sources);
        map.insert("diagnostics".to_owned(), problems);
    }
    object
}

/// The last line of the apply of a saved plan.
pub(crate) fn saved_summary(
    plan: &Plan,
    connection: &str,
    report: &Report,
    residue: Option<&Plan>,
) -> Value {
    let mut object = result(plan, connection, report);
    if let Some(map) = object.as_object_mut() {
        map.extend(left_over(report, residue, &Sources::default()));
    }
    object
}

/// Whether the host is as it was told to be, and what of that is left.
fn left_over(report: &Report, residue: Option<&Plan>, sources: &Sources) -> Map<String, Value> {
    let left = residue.map_or(&[][..], |p| &p.changes);
    let left = left.iter().filter(|c| c.action != Action::NoOp).map(|c| change(c, sources));
    let converged = report.is_done() && residue.is_none();
    Map::from_iter([
        ("converged".to_owned(), json!(converged)),
        ("residue".to_owned(), Value::Array(left.collect())),
    ])
}

fn result(plan: &Plan, connection: &str, report: &Report) -> Value {
    json!({
        "event": "summary",
        "format_version": FORMAT_VERSION,
        "set": plan.set,
        "connection": connection,
        "steps": plan.steps.len(),
        "done": report.count(|s| *s == Status::Done),
        "waiting": report.count(|s| matches!(s, Status::Pending(_))),
        "failed": report.count(|s| matches!(s, Status::Failed(_))),
        "unknown": report.count(|s| matches!(s, Status::Unknown(_))),
        "skipped": report.count(|s| *s == Status::Skipped),
        "stopped": report.stopped,
    })
}

fn outcome(status: &Status) -> Map<String, Value> {
    let (word, error) = match status {
        Status::Done => ("done", None),
        Status::Pending(_) => ("pending", None),
        Status::Failed(e) => ("failed", Some(e)),
        Status::Unknown(e) => ("unknown", Some(e)),
        Status::Skipped => ("skipped", None),
    };
    let mut map = Map::new();
    map.insert("status".to_owned(), json!(word));
    if let Status::Pending(why) = status {
        map.insert("reason".to_owned(), json!(why));
    }
    if let Some(e) = error {
        map.insert("error".to_owned(), envelope::error(e));
    }
    map
}

pub(super) fn change(change: &ResourceChange, sources: &Sources) -> Value {
    json!({
        "kind": change.id.kind.as_str(),
        "name": change.id.name,
        "action": change.action.as_str(),
        "effect": change.effect.as_str(),
        "reason": change.reason,
        "fields": change.fields.iter().map(|f| field(f, sources)).collect::<Vec<_>>(),
        "pending": change.pending.iter().map(|f| field(f, sources)).collect::<Vec<_>>(),
        "held": change.held.iter().map(|f| field(f, sources)).collect::<Vec<_>>(),
        "outage": change.outage.map(Outage::as_str),
        "notes": change.notes,
        "uncounted": change.ignored.iter().map(ignored).collect::<Vec<_>>(),
        "source": place(change.span, sources),
    })
}

/// A change of a plan, with the hosts that it is between if it is a move.
fn with_way(plan: &Plan, of: &ResourceChange, sources: &Sources) -> Value {
    let mut object = change(of, sources);
    if let (Some(way), Some(map)) = (plan.moves.get(&of.id), object.as_object_mut()) {
        map.insert("move".to_owned(), json!({ "from": way.from, "to": way.to }));
    }
    object
}

fn field(field: &FieldChange, sources: &Sources) -> Value {
    json!({
        "path": field.path.to_string(),
        "before": field.before,
        "after": field.after,
        "effect": field.effect.as_str(),
        "origin": match field.origin {
            ChangeCause::Manifest => "manifest",
            ChangeCause::Drift => "drift",
        },
        "reason": field.why,
        "source": place(field.span, sources),
    })
}

/// A difference that is not counted.
pub(super) fn ignored(difference: &IgnoredDifference) -> Value {
    json!({
        "path": difference.path.to_string(),
        "manifest": difference.manifest,
        "host": difference.host,
        "rule": difference.rule.name(),
    })
}

fn step(step: &Step) -> Value {
    let mut object = json!({
        "id": step.id,
        "target": step.target.id.to_string(),
        "op": step.action.as_str(),
        "effect": step.effect.as_str(),
        "after": step.after,
    });
    // only live changes go behind others without need of them
    if let (false, Some(map)) = (step.behind.is_empty(), object.as_object_mut()) {
        map.insert("behind".to_owned(), json!(step.behind));
    }
    // a step of another host's plan that this one comes after
    if let (StepAction::Wait { until: Until::Elsewhere { host, milestone }, .. }, Some(map)) =
        (&step.action, object.as_object_mut())
    {
        map.insert("waits_for".to_owned(), json!({ "host": host, "until": milestone.as_str() }));
    }
    object
}

/// A step with what is sent to the host.
fn sent(one: &Step) -> Value {
    let mut object = step(one);
    if let Some(map) = object.as_object_mut() {
        map.insert("sent".to_owned(), json!(super::saved::sent(one)));
    }
    object
}

fn counts(plan: &Plan) -> Value {
    let mut map = Map::new();
    for action in Action::ALL {
        let n = plan.changes.iter().filter(|c| c.action == action).count();
        // one host by itself never has any
        if n == 0 && matches!(action, Action::MoveIn | Action::MoveOut) {
            continue;
        }
        map.insert(action.as_str().to_owned(), json!(n));
    }
    map.insert("steps".to_owned(), json!(plan.steps.len()));
    Value::Object(map)
}

fn above(plan: &Plan, limit: Effect) -> Value {
    let list = plan.above(limit).into_iter().map(|above| {
        json!({
            "target": above.id.to_string(),
            "effect": above.effect.as_str(),
            "fields": above.fields.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    Value::Array(list.collect())
}

fn blocked<'a, I, K>(list: I) -> Value
where
    I: IntoIterator<Item = (&'a K, &'a String)>,
    K: ToString + 'a,
{
    let list = list.into_iter().map(|(id, why)| json!({ "target": id.to_string(), "reason": why }));
    Value::Array(list.collect())
}
