//! The last plans, the newest first.

use super::parts::{Page, View, counted, sign};
use crate::controller::{Condition, PlanRecord};
use crate::status_server::format::{plain, took};
use crate::status_server::topology::class;
use maud::{Markup, html};
use std::cmp::Reverse;

/// Plans that are shown unless all are asked for.
const PLANS_MAX: usize = 10;

/// Lines of one plan that are shown unless all are asked for.
const LINES_MAX: usize = 6;

pub(super) fn plans(page: &Page<'_>) -> Markup {
    let hosts = page.status.hosts.iter();
    let mut plans: Vec<(&String, &PlanRecord)> =
        hosts.flat_map(|(name, host)| host.plans.iter().rev().map(move |p| (name, p))).collect();
    plans.sort_by_key(|(_, plan)| Reverse(plan.at));
    let shown = if page.view.all { plans.len() } else { plans.len().min(PLANS_MAX) };
    html! {
        section aria-labelledby="plans" {
            h2 #plans { "Last plans" }
            @if plans.is_empty() { p.empty { "Nothing to do since the start." } }
            ol.plans {
                @for (host, plan) in plans.iter().take(shown) { (entry(page, host, plan)) }
            }
            @if shown < plans.len() {
                p.more {
                    a href=(View { all: true, ..page.view }.link()) { "Show all " (plans.len()) " plans" }
                }
            }
        }
    }
}

fn entry(page: &Page<'_>, host: &str, plan: &PlanRecord) -> Markup {
    let condition = ending(&plan.outcome);
    let shown = if page.view.all { plan.lines.len() } else { plan.lines.len().min(LINES_MAX) };
    let rest = plan.lines.len() - shown;
    html! {
        li class=(class(condition)) {
            p.when {
                (page.ago(plan.at))
                @if page.is_fleet() { " on " bdi { (plain(host)) } }
                span.cause { bdi { (plain(&plan.cause)) } }
            }
            ul {
                @for line in plan.lines.iter().take(shown) { li { (plain(line)) } }
                @if rest > 0 { li.rest { "and " (counted(rest, "more line")) } }
            }
            p.outcome { (sign(condition)) span { (plain(&plan.outcome)) } span.took { "took " (took(plan.took)) } }
        }
    }
}

/// Condition that matches a plan's outcome: well, refused, or failed.
fn ending(outcome: &str) -> Condition {
    match outcome {
        "done" => Condition::InSync,
        refused if refused.starts_with("refused") => Condition::Blocked,
        _ => Condition::Failing,
    }
}
