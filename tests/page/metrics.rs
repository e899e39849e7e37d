//! Metrics, read by a strict little parser of Prometheus's text format.

use super::connections::get;
use super::{Served, statuses};
use crate::support::trial;
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("page/metrics_keep_to_their_format", format),
        trial("page/metrics_say_what_the_board_says", values),
        trial("page/labels_come_back_as_they_were", labels),
    ]
}

/// Labels by name.
type Labels = BTreeMap<String, String>;

/// A sample: its name, labels and value.
type Sample = (String, Labels, f64);

/// The samples, and the type of each family. Panics at whatever the format does not allow.
fn parse(text: &str) -> (Vec<Sample>, BTreeMap<String, String>) {
    assert!(text.ends_with('\n'));
    let (mut samples, mut types) = (Vec::new(), BTreeMap::new());
    let mut helped = BTreeSet::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(helped.contains(name), "{line}: TYPE without HELP");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}: twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            name.clone_into(&mut family);
        } else {
            let sample = sample(line);
            let rest =
                sample.0.strip_prefix(&family).unwrap_or_else(|| panic!("{line}: in {family}"));
            match types[&family].as_str() {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&rest), "{line}"),
                _ => assert_eq!(rest, "", "{line}"),
            }
            samples.push(sample);
        }
    }
    let unique: BTreeSet<(&String, &Labels)> = samples.iter().map(|(n, l, _)| (n, l)).collect();
    assert_eq!(unique.len(), samples.len(), "a sample stands there twice");
    (samples, types)
}

fn sample(line: &str) -> Sample {
    let is_name = |text: &str| {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        plain && text.starts_with(|c: char| !c.is_ascii_digit())
    };
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let (value, after) = label_value(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}: {label} twice");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("{line}: no number")))
}

/// Returns a label's value up to its closing quote, and the text after it.
fn label_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                other => panic!("{text}: bad escape {other:?}"),
            },
            c => value.push(c),
        }
    }
    panic!("{text}: no closing quote")
}

fn scrape(status: virt::controller::ControllerStatus) -> Vec<Sample> {
    let served = Served::new(status);
    let (samples, types) = parse(&get(served.address(), "/metrics").1);
    assert_eq!(types["virt_apply_latency_seconds"], "histogram");
    samples
}

fn format() {
    for status in [
        statuses::empty(),
        statuses::one(),
        statuses::fleet(),
        statuses::failing(),
        statuses::hostile(),
    ] {
        let hosts = status.hosts.len();
        let samples = scrape(status);
        let of = |name: &str| samples.iter().filter(|s| s.0 == name).collect::<Vec<_>>();
        assert_eq!(of("virt_host_up").len(), hosts);
        assert_eq!(of("virt_objects").len(), hosts * 2 * 6);
        assert_eq!(of("virt_silent_objects").len(), hosts * 2);
        // buckets grow, and the last of them holds all
        let counts = of("virt_apply_latency_seconds_count");
        for (_, labels, count) in &counts {
            let buckets = of("virt_apply_latency_seconds_bucket");
            let of_host: Vec<_> =
                buckets.iter().filter(|b| b.1["host"] == labels["host"]).collect();
            assert!(of_host.is_sorted_by(|a, b| a.2 <= b.2));
            let bounds: Vec<f64> = of_host.iter().map(|b| b.1["le"].parse().unwrap()).collect();
            assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
            assert_eq!(of_host.last().unwrap().1["le"], "+Inf");
            assert_eq!(of_host.last().unwrap().2, *count);
        }
        assert_eq!(counts.len(), hosts);
    }
}

fn values() {
    let samples = scrape(statuses::failing());
    let value = |name: &str, labels: &[(&str, &str)]| {
        let has = |l: &Labels| labels.iter().all(|(k, v)| l.get(*k).is_some_and(|have| have == v));
        let found: Vec<f64> =
            samples.iter().filter(|s| s.0 == name && has(&s.1)).map(|s| s.2).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
        found[0]
    };
    let failing = [("host", "kvm01"), ("kind", "domain"), ("condition", "failing")];
    assert_eq!(value("virt_objects", &failing), 4.0);
    for (kind, count) in [("domain", 1.0), ("network", 0.0)] {
        assert_eq!(value("virt_silent_objects", &[("host", "kvm01"), ("kind", kind)]), count);
    }
    assert_eq!(value("virt_host_up", &[]), 1.0);
    assert_eq!(value("virt_manifests_stale", &[]), 1.0);
    assert_eq!(value("virt_manifest_problems", &[]), 2.0);
    assert_eq!(value("virt_watch_polling", &[]), 1.0);
    assert_eq!(value("virt_steps_total", &[("outcome", "done")]), 17.0);
    assert_eq!(value("virt_apply_latency_seconds_bucket", &[("le", "0.25")]), 3.0);
    assert_eq!(value("virt_apply_latency_seconds_sum", &[]), 71.179);
    assert!(value("process_resident_memory_bytes", &[]) > 1e6);
    assert!(value("process_cpu_seconds_total", &[]) > 0.0);
    let lost = scrape(statuses::fleet());
    let up: f64 = lost.iter().filter(|s| s.0 == "virt_host_up").map(|s| s.2).sum();
    assert_eq!(up, 11.0);
}

fn labels() {
    let samples = scrape(statuses::hostile());
    let host = &samples.iter().find(|s| s.0 == "virt_host_up").unwrap().1["host"];
    assert_eq!(*host, diagnostics::escape(statuses::HOSTILE));
}
