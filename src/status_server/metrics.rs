//! The controller's status in Prometheus's text format, version 0.0.4.

use super::format::{epoch, plain};
use super::process::Process;
use crate::controller::{Condition, ControllerStatus, Counters, HostStatus, Listening};
use crate::model::Kind;
use diagnostics::escape;
use std::fmt::{Display, Write as _};

/// All metrics: of the watch, of each host, of the process.
pub(super) fn metrics(status: &ControllerStatus, process: &Process) -> String {
    let mut out = Metrics(String::new());
    of_watch(&mut out, status);
    of_hosts(&mut out, status);
    of_process(&mut out, process);
    out.0
}

fn of_watch(out: &mut Metrics, status: &ControllerStatus) {
    let sources = &status.sources;
    out.family("virt_build_info", GAUGE, "The version of virt; always 1.");
    out.sample("virt_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.single("virt_manifest_loads_total", COUNTER, "Reads of the manifests.", sources.loads);
    out.single(
        "virt_manifest_loaded_timestamp_seconds",
        GAUGE,
        "Time when manifests were last read and accepted, in seconds since 1970.",
        epoch(sources.loaded),
    );
    out.single(
        "virt_manifest_objects",
        GAUGE,
        "Objects that the manifests describe.",
        sources.resources,
    );
    out.single(
        "virt_manifest_problems",
        GAUGE,
        "Problems that the manifests have.",
        sources.problems,
    );
    out.single(
        "virt_manifests_stale",
        GAUGE,
        "1 if the last valid manifests are kept in place of the current files.",
        u8::from(sources.stale.is_some()),
    );
    out.single(
        "virt_watch_polling",
        GAUGE,
        "1 if files are polled, as they cannot be watched.",
        u8::from(sources.listening == Listening::Polling),
    );
}

/// A counter of a host: its name, help text and value.
type Counter = (&'static str, &'static str, fn(&Counters) -> u64);

const COUNTERS: [Counter; 4] = [
    ("virt_reconciles_total", "Comparisons of the host with the manifests.", |c| c.reconciles),
    ("virt_events_total", "Events that the host sent.", |c| c.events),
    ("virt_resyncs_total", "Full reads of the host.", |c| c.resyncs),
    ("virt_host_losses_total", "Losses of the connection to the host.", |c| c.losses),
];

fn of_hosts(out: &mut Metrics, status: &ControllerStatus) {
    let hosts: Vec<(String, &HostStatus)> =
        status.hosts.iter().map(|(name, host)| (plain(name), host)).collect();
    out.family("virt_host_up", GAUGE, "1 if the host can be reached.");
    for (name, host) in &hosts {
        out.sample("virt_host_up", &[("host", name)], u8::from(host.lost.is_none()));
    }
    out.family("virt_objects", GAUGE, "Objects by condition.");
    for (name, host) in &hosts {
        for kind in Kind::ALL {
            for condition in Condition::ALL {
                let count = host.count(kind, condition);
                // what no host has is only there where a manifest asks for it
                if count == 0 && !kind.on_hosts() {
                    continue;
                }
                let labels = [
                    ("host", name.as_str()),
                    ("kind", kind.as_str()),
                    ("condition", condition.as_str()),
                ];
                out.sample("virt_objects", &labels, count);
            }
        }
    }
    let silent = "virt_silent_objects";
    out.family(silent, GAUGE, "Objects of the host that do not answer, whose state is unknown.");
    for (name, host) in &hosts {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.on_hosts()) {
            let labels = [("host", name.as_str()), ("kind", kind.as_str())];
            out.sample(silent, &labels, host.count_silent(kind));
        }
    }
    for (metric, help, value) in COUNTERS {
        out.family(metric, COUNTER, help);
        for (name, host) in &hosts {
            out.sample(metric, &[("host", name)], value(&host.counters));
        }
    }
    out.family("virt_steps_total", COUNTER, "Steps of plans by outcome.");
    for (name, host) in &hosts {
        let counters = &host.counters;
        for (outcome, steps) in [("done", counters.steps_done), ("failed", counters.steps_failed)] {
            out.sample("virt_steps_total", &[("host", name), ("outcome", outcome)], steps);
        }
    }
    let latency = "virt_apply_latency_seconds";
    out.family(latency, "histogram", "Time from a cause to the end of its apply.");
    for (name, host) in &hosts {
        out.histogram(latency, name, &host.counters);
    }
}

fn of_process(out: &mut Metrics, process: &Process) {
    if let Some(seconds) = process.start_time {
        let help = "Start time of the process since 1970 in seconds.";
        out.single("process_start_time_seconds", GAUGE, help, seconds);
    }
    if let Some(seconds) = process.cpu {
        let help = "CPU time of user and system in seconds.";
        out.single("process_cpu_seconds_total", COUNTER, help, seconds);
    }
    if let Some(bytes) = process.resident {
        let help = "Resident memory in bytes.";
        out.single("process_resident_memory_bytes", GAUGE, help, bytes);
    }
    if let Some(count) = process.open_fds {
        out.single("process_open_fds", GAUGE, "Open file descriptors.", count);
    }
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// Text under construction. Writing to a string does not fail.
struct Metrics(String);

impl Metrics {
    /// Begins the samples of one name.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let opener = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{opener}{label}=\"{}\"", escaped(text));
        }
        let closer = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{closer} {value}");
    }

    /// A name with one sample.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, host: &str, counters: &Counters) {
        let bounds = Counters::BUCKETS.iter().map(ToString::to_string);
        let buckets = bounds.chain(["+Inf".to_owned()]).zip(counters.latency);
        for (bound, count) in buckets {
            self.sample(&format!("{name}_bucket"), &[("host", host), ("le", &bound)], count);
        }
        let [.., all] = counters.latency;
        let sum = counters.latency_sum.as_secs_f64();
        self.sample(&format!("{name}_sum"), &[("host", host)], sum);
        self.sample(&format!("{name}_count"), &[("host", host)], all);
    }
}

/// A label's value between its quotes.
fn escaped(text: &str) -> String {
    // Prometheus has few escapes: what they cannot say is made visible before
    escape(text).replace('\\', "\\\\").replace('"', "\\\"")
}
