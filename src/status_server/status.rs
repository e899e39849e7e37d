//! The board as JSON, whole.

use super::format::exact;
use crate::controller::{
    Condition, ControllerStatus, Counters, HostStatus, Listening, PlanRecord, ResourceStatus,
};
use diagnostics::escape_json;
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// The version of the object.
const FORMAT_VERSION: u32 = 1;

/// All that the board knows. JSON has escapes of its own, so names stand here as they are.
pub(super) fn status(status: &ControllerStatus, now: SystemTime) -> String {
    let sources = &status.sources;
    let hosts: Map<String, Value> =
        status.hosts.iter().map(|(name, of)| (name.clone(), host(of))).collect();
    let value = json!({
        "format_version": FORMAT_VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "set": status.set,
        "now": exact(now),
        "started": exact(status.started),
        "manifests": {
            "paths": sources.paths,
            "listening": match sources.listening {
                Listening::Notified => "notified",
                Listening::Polling => "polling",
            },
            "loaded": exact(sources.loaded),
            "loads": sources.loads,
            "objects": sources.resources,
            "problems": sources.problems,
            "stale": sources.stale,
        },
        "hosts": hosts,
    });
    escape_json(&value.to_string()) + "\n"
}

fn host(host: &HostStatus) -> Value {
    json!({
        "uri": host.uri,
        "lost": host.lost.as_ref().map(|(why, since)| json!({ "why": why, "since": exact(*since) })),
        "hangs": host.hangs,
        "conditions": Condition::ALL
            .map(|c| (c.as_str().to_owned(), json!(host.objects.values().filter(|o| o.condition == c).count())))
            .into_iter()
            .collect::<Map<_, _>>(),
        "objects": host.objects.iter().map(|(id, of)| {
            let mut value = object(of);
            value.insert("kind".to_owned(), json!(id.kind.as_str()));
            value.insert("name".to_owned(), json!(id.name));
            Value::Object(value)
        }).collect::<Vec<_>>(),
        "plans": host.plans.iter().map(plan).collect::<Vec<_>>(),
        "counters": counters(&host.counters),
    })
}

fn object(object: &ResourceStatus) -> Map<String, Value> {
    let uses = object.uses.iter();
    let pairs = [
        ("state", json!(object.state)),
        ("condition", json!(object.condition.as_str())),
        ("since", json!(exact(object.since))),
        ("detail", json!(object.detail)),
        ("failures", json!(object.failures)),
        ("next_try", json!(object.next_try.map(exact))),
        ("uses", uses.map(|id| json!({ "kind": id.kind.as_str(), "name": id.name })).collect()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn plan(plan: &PlanRecord) -> Value {
    json!({
        "at": exact(plan.at),
        "cause": plan.cause,
        "lines": plan.lines,
        "outcome": plan.outcome,
        "took_seconds": plan.took.as_secs_f64(),
    })
}

fn counters(counters: &Counters) -> Value {
    json!({
        "reconciles": counters.reconciles,
        "events": counters.events,
        "resyncs": counters.resyncs,
        "steps_done": counters.steps_done,
        "steps_failed": counters.steps_failed,
        "losses": counters.losses,
    })
}
