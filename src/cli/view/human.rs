//! A plan and a report for people: one line an object, its fields below, counts at the end.

use super::plan_view::PlanView;
use super::reach;
use super::table::columns;
use super::values::row;
use crate::cli::output::{Output, Paint};
use crate::model::rules::Rule;
use crate::model::{Effect, ResourceId};
use crate::reconcile::{
    Action, ChangeCause, FieldChange, IgnoredDifference, Plan, Report, ResourceChange, Status,
    Step, StepAction, Until,
};
use diagnostics::shorten::TOLD_MAX;
use diagnostics::{Severity, Sources, escape, escape_lines};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The rules that manifests are held to, each with what it finds and what to do.
pub(crate) fn rules(rules: &[Rule], output: Output) -> String {
    let mut out = String::new();
    for rule in rules {
        let (paint, severity) = match rule.severity {
            Severity::Error => (Paint::Red, "error"),
            Severity::Warning => (Paint::Yellow, "warning"),
        };
        let name = output.paint(Paint::Bold, rule.name);
        let _ = writeln!(out, "{name}: {}: {}", output.paint(paint, severity), rule.summary);
        let _ = writeln!(out, "    why: {}", rule.source);
        let _ = writeln!(out, "    do: {}", rule.remedy);
    }
    out
}

/// A plan. `explain` shows what is in sync, too.
pub(crate) fn plan(view: &PlanView<'_>, output: Output, explain: bool) -> String {
    let PlanView { plan, sources, .. } = *view;
    let mut out = String::new();
    let shown = |c: &&ResourceChange| explain || c.says_something();
    let changes: Vec<&ResourceChange> = plan.changes.iter().filter(shown).collect();
    let mut steps: BTreeMap<&ResourceId, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        steps.entry(&step.target.id).or_default().push(step);
    }
    let steps_of = |c: &ResourceChange| steps.get(&c.id).map_or(&[][..], Vec::as_slice);
    let heads: Vec<Vec<String>> = changes.iter().map(|c| head(c, steps_of(c))).collect();
    let heads = columns(&heads, |row, column, cell| match changes.get(row) {
        Some(change) if change.outage.is_some() => output.paint(Paint::Red, cell),
        Some(change) if column < 2 => output.paint(paint(change.action), cell),
        Some(change) if column == 2 => output.paint(effect_paint(change.effect), cell),
        _ => cell.to_owned(),
    });
    for (change, line) in changes.iter().zip(heads.lines()) {
        let _ = writeln!(out, "{line}");
        out.push_str(&reaches(change));
        out.push_str(&fields(&change.fields, sources, output));
        if !change.pending.is_empty() {
            let _ = writeln!(out, "    defined, waits for the next boot:");
            out.push_str(&fields(&change.pending, sources, output));
        }
        if !change.held.is_empty() {
            let _ = writeln!(out, "    held back:");
            out.push_str(&fields(&change.held, sources, output));
        }
        for note in &change.notes {
            let _ = writeln!(out, "    note: {}", escape(note));
        }
        if !change.ignored.is_empty() {
            let _ = writeln!(out, "    not counted, on the host and in the manifest:");
            let line = |u: &IgnoredDifference| {
                let mut line = vec![format!("    {}", escape(&u.path.to_string()))];
                line.extend(row(&u.path, &[u.host.as_deref(), u.manifest.as_deref()]));
                line.push(u.rule.describe().to_owned());
                line
            };
            let rows: Vec<Vec<String>> = change.ignored.iter().map(line).collect();
            out.push_str(&columns(&rows, |_, _, cell| output.paint(Paint::Dim, cell)));
        }
    }
    for (id, reason) in plan.blocked.iter().take(TOLD_MAX) {
        let mark = output.paint(Paint::Red, &format!("! {id}"));
        let _ = writeln!(out, "{mark}  held back: {}", escape(reason));
    }
    if let Some(more) = plan.blocked.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        let mark = output.paint(Paint::Red, &format!("! and {more} more"));
        let _ = writeln!(out, "{mark}  held back");
    }
    if !changes.is_empty() || !plan.blocked.is_empty() {
        out.push('\n');
    }
    out.push_str(&totals(plan, view.connection, output));
    out
}

/// What of something new reaches out of it; of anything else the fields say it.
fn reaches(change: &ResourceChange) -> String {
    let is_new = matches!(change.action, Action::Create | Action::Replace | Action::MoveIn);
    let lines = change.after.as_ref().filter(|_| is_new).map(reach::lines).unwrap_or_default();
    lines.into_iter().map(|line| format!("    reaches out: {line}\n")).collect()
}

fn head(change: &ResourceChange, steps: &[&Step]) -> Vec<String> {
    let words: Vec<String> = steps
        .iter()
        .map(|s| match &s.action {
            StepAction::Wait { until: Until::Elsewhere { host, milestone }, .. } => {
                format!("wait until it is {} on {}", milestone.as_str(), escape(host))
            }
            StepAction::Wait { timeout, .. } => format!("wait ≤{} s", timeout.as_secs()),
            call @ StepAction::Call(_) => call.as_str().to_owned(),
        })
        .collect();
    let steps = if words.is_empty() { String::new() } else { format!("({})", words.join(", ")) };
    vec![
        format!("{} {}", sign(change.action), change.id),
        change.action.to_string(),
        if change.action == Action::NoOp { String::new() } else { effect(change.effect) },
        format!("{} {steps}", change.reason).trim().to_owned(),
    ]
}

fn fields(fields: &[FieldChange], sources: &Sources, output: Output) -> String {
    let rows: Vec<Vec<String>> = fields
        .iter()
        .map(|f| {
            let values = row(&f.path, &[f.before.as_deref(), f.after.as_deref()]).join(" → ");
            let drift = if f.origin == ChangeCause::Drift { "changed on the host" } else { "" };
            let place = sources.place(f.span).unwrap_or_default();
            vec![
                format!("    {}", escape(&f.path.to_string())),
                values,
                effect(f.effect),
                [place.as_str(), drift, f.why.as_deref().unwrap_or_default()]
                    .iter()
                    .filter(|s| !s.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                    .join("  "),
            ]
        })
        .collect();
    columns(&rows, |row, column, cell| match (fields.get(row), column) {
        (Some(f), 2) => output.paint(effect_paint(f.effect), cell),
        (_, 3) => output.paint(Paint::Dim, cell),
        _ => cell.to_owned(),
    })
}

/// What an effect is called, in its colour.
pub(super) fn painted_effect(of: Effect, output: Output) -> String {
    output.paint(effect_paint(of), &effect(of))
}

fn effect(effect: Effect) -> String {
    match effect {
        Effect::None => "no effect on guests".to_owned(),
        Effect::Live => "live".to_owned(),
        Effect::NextBoot => "next boot".to_owned(),
        other => other.as_str().replace('-', " "),
    }
}

fn totals(plan: &Plan, uri: &str, output: Output) -> String {
    let mut out = String::new();
    let count = |action: Action| plan.changes.iter().filter(|c| c.action == action).count();
    let in_sync = plan.changes.iter().filter(|c| c.is_as_asked()).count();
    let waiting = plan.changes.iter().filter(|c| !c.pending.is_empty()).count();
    let held = plan.blocked.len();
    let in_part = plan.changes.iter().filter(|c| !c.held.is_empty()).count();
    let down = plan.outages().count();
    let silent = plan.silent.len();
    let doubted = plan.doubted.values().filter(|doubt| doubt.set == plan.set).count();
    let mut rest = Vec::new();
    for (n, words) in [
        (waiting, "waiting for the next boot"),
        (in_part, "held back in part"),
        (held, "held back"),
        (down, "up and not working"),
        (silent, if silent == 1 { "does not answer" } else { "do not answer" }),
        (doubted, "not believed to be of the set"),
    ] {
        if n > 0 {
            rest.push(format!(", {n} {words}"));
        }
    }
    let rest = rest.concat();
    let of_set = if plan.set.is_empty() {
        String::new()
    } else {
        format!(" of set \"{}\"", escape(&plan.set))
    };
    if !plan.is_empty() {
        let words = [
            (Action::Create, "create"),
            (Action::Adopt, "adopt"),
            (Action::Update, "update"),
            (Action::Replace, "replace"),
            (Action::Delete, "delete"),
            (Action::MoveIn, "move in"),
            (Action::MoveOut, "move out"),
        ];
        let mut counts: Vec<String> = words
            .iter()
            .filter(|(action, _)| count(*action) > 0)
            .map(|(action, word)| format!("{} to {word}", count(*action)))
            .collect();
        if in_sync > 0 {
            counts.push(format!("{in_sync} in sync"));
        }
        let effects: Vec<String> = Effect::ALL
            .iter()
            .map(|e| {
                (
                    plan.changes
                        .iter()
                        .filter(|c| c.action != Action::NoOp && c.effect == *e)
                        .count(),
                    *e,
                )
            })
            .filter(|(n, _)| *n > 0)
            .map(|(n, e)| output.paint(effect_paint(e), &format!("{n} {}", effect(e))))
            .collect();
        let _ = writeln!(
            out,
            "{} {}{rest}; {}{of_set} on {}\nEffects: {}",
            output.paint(Paint::Bold, "Plan:"),
            counts.join(", "),
            number(plan.steps.len(), "step"),
            escape(uri),
            effects.join(", "),
        );
    } else if plan.refusals.is_empty() {
        let verb = if in_sync == 1 { "is" } else { "are" };
        let color = if down == 0 { Paint::Green } else { Paint::Red };
        let _ = writeln!(
            out,
            "{} {}{of_set} {verb} as the manifests say{rest}, on {}",
            output.paint(color, "Nothing to do:"),
            number(in_sync, "object"),
            escape(uri),
        );
    }
    if !plan.orphans.is_empty() {
        let names: Vec<String> = plan.orphans.iter().map(ResourceId::to_string).collect();
        let _ = writeln!(
            out,
            "In the set, but in no manifest: {} (deleted with --prune)",
            names.join(", ")
        );
    }
    for refusal in &plan.refusals {
        let who = refusal.id.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
        let word = output.paint(Paint::Red, "Refused:");
        let _ = writeln!(
            out,
            "{word} {who}{}\n    hint: {}",
            escape(&refusal.reason),
            escape(&refusal.hint)
        );
    }
    out
}

/// What of a plan is more disruptive than a limit.
pub(crate) fn above(plan: &Plan, limit: Effect, output: Output) -> String {
    let mut out = String::new();
    for above in plan.above(limit) {
        let word = output.paint(Paint::Red, "Refused:");
        let fields: Vec<String> = above.fields.iter().map(|p| escape(&p.to_string())).collect();
        let fields =
            if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
        let _ = writeln!(
            out,
            "{word} {}: its effect is {}, above {limit}{fields}",
            above.id, above.effect
        );
    }
    out
}

/// The steps of a saved plan.
pub(crate) fn steps(plan: &Plan, connection: &str, output: Output) -> String {
    let rows: Vec<Vec<String>> = plan
        .steps
        .iter()
        .map(|s| vec![s.target.id.to_string(), s.action.as_str().to_owned(), effect(s.effect)])
        .collect();
    let mut out = columns(&rows, |row, column, cell| match plan.steps.get(row) {
        Some(step) if column == 2 => output.paint(effect_paint(step.effect), cell),
        _ => cell.to_owned(),
    });
    let head = output.paint(Paint::Bold, "Plan:");
    let steps = number(plan.steps.len(), "step");
    let _ = writeln!(out, "\n{head} {steps} on {}", escape(connection));
    out
}

/// Outcome of an apply. `residue` is what a plan made afterwards would still do.
pub(crate) fn report(
    plan: &Plan,
    report: &Report,
    residue: Option<&Plan>,
    output: Output,
) -> String {
    let mut out = String::new();
    if plan.is_empty() {
        return out;
    }
    let done = report.count(|s| *s == Status::Done);
    let failed = report.count(|s| matches!(s, Status::Failed(_)));
    let unknown = report.count(|s| matches!(s, Status::Unknown(_)));
    let pending = report.count(|s| matches!(s, Status::Pending(_)));
    let skipped = report.count(|s| *s == Status::Skipped);
    let mut counts = vec![format!("{done} of {} done", number(plan.steps.len(), "step"))];
    for (n, word) in [
        (pending, "pending"),
        (failed, "failed"),
        (unknown, "with an unknown outcome"),
        (skipped, "not tried"),
    ] {
        if n > 0 {
            counts.push(format!("{n} {word}"));
        }
    }
    let head = if report.is_done() {
        output.paint(Paint::Green, "Applied:")
    } else {
        output.paint(Paint::Red, "Applied in part:")
    };
    let _ = writeln!(out, "{head} {}", counts.join(", "));
    for step in plan.steps.iter().zip(&report.steps).filter(|(_, r)| r.status != Status::Done) {
        let (step, result) = step;
        // what the host says is not cut, and stands below the row
        let below = |text: &str| format!("\n        {}", escape_lines(text, 8));
        let why = match &result.status {
            Status::Done => continue,
            Status::Failed(e) => format!("failed:{}", below(&e.message)),
            Status::Pending(what) => format!("pending:{}", below(what)),
            Status::Unknown(e) => format!("outcome unknown:{}", below(&e.message)),
            Status::Skipped if report.stopped => "not tried: it was told to stop".to_owned(),
            Status::Skipped => "not tried, since a step before it did not succeed".to_owned(),
        };
        let _ = writeln!(out, "    {} {}  {why}", step.target.id, step.action.as_str());
    }
    if let Some(residue) = residue.filter(|_| report.is_done()) {
        let _ = writeln!(
            out,
            "{}",
            output.paint(Paint::Red, "The host is not as the manifests say even so:")
        );
        for change in residue.changes.iter().filter(|c| c.action != Action::NoOp) {
            for f in &change.fields {
                let values = row(&f.path, &[f.before.as_deref(), f.after.as_deref()]).join(" → ");
                let _ = writeln!(out, "    {} {}: {values}", change.id, f.path);
            }
        }
        let _ = writeln!(
            out,
            "    the host may not take these values, or somebody else changes them too"
        );
    } else if !report.is_done() {
        let _ =
            writeln!(out, "Run it again when the cause is mended: what is done is not done twice.");
    }
    out
}

pub(super) fn number(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn sign(action: Action) -> &'static str {
    match action {
        Action::Create => "+",
        Action::Update => "~",
        Action::Replace => "±",
        Action::Delete => "-",
        Action::MoveIn => "<",
        Action::MoveOut => ">",
        Action::Adopt => "@",
        Action::NoOp => "=",
    }
}

fn paint(action: Action) -> Paint {
    match action {
        Action::Create => Paint::Green,
        Action::Update | Action::MoveIn | Action::MoveOut => Paint::Yellow,
        Action::Replace | Action::Delete => Paint::Red,
        Action::Adopt => Paint::Cyan,
        Action::NoOp => Paint::Plain,
    }
}

fn effect_paint(effect: Effect) -> Paint {
    match effect {
        Effect::None => Paint::Dim,
        Effect::Creates | Effect::Starts | Effect::Live => Paint::Green,
        Effect::BriefOutage | Effect::NetworkRestart | Effect::NextBoot => Paint::Yellow,
        Effect::Restart | Effect::Stops | Effect::Deletes | Effect::Replace | Effect::DataLoss => {
            Paint::Red
        }
    }
}
