//! Made-up boards: states that a watch may have to show.

use std::time::{Duration, SystemTime};
use virt::controller::{
    Condition, ControllerStatus, Counters, HostStatus, Listening, PlanRecord, ResourceStatus,
    Sources,
};
use virt::model::{Kind, ResourceId};

/// A name that breaks out of everything that does not escape it.
pub(super) const HOSTILE: &str = "\"><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u{202e}gnp'&\\";

fn ago(seconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(seconds)
}

/// Returns a status with nothing but the set.
pub(super) fn empty() -> ControllerStatus {
    ControllerStatus {
        set: "demo".to_owned(),
        started: ago(2),
        sources: Sources {
            paths: vec!["manifests".to_owned()],
            listening: Listening::Notified,
            loaded: ago(1),
            resources: 0,
            problems: 0,
            stale: None,
            loads: 1,
        },
        hosts: [].into(),
    }
}

/// One host as most have it: two networks, three domains, one of them waiting for its next boot.
pub(super) fn one() -> ControllerStatus {
    let mut host = host("qemu:///system");
    add(&mut host, "network/lan", "active", Condition::InSync, "", &[]);
    add(&mut host, "network/backend", "active", Condition::InSync, "", &[]);
    add(&mut host, "domain/db", "running", Condition::InSync, "", &["network/backend"]);
    let uses = ["network/lan", "network/backend", "domain/db"];
    add(
        &mut host,
        "domain/web",
        "running",
        Condition::Pending,
        "memory waits for the next boot",
        &uses,
    );
    add(&mut host, "domain/jump", "shut off", Condition::InSync, "", &["network/default"]);
    host.plans.push_back(plan(
        9000,
        "the start",
        &[
            "create network/backend",
            "create network/lan",
            "create domain/db",
            "create domain/jump",
            "create domain/web",
        ],
        "done",
    ));
    host.plans.push_back(plan(
        190,
        "manifests/web.toml changed",
        &["update domain/web: memory 64 MiB → 128 MiB"],
        "done",
    ));
    status(5, [("qemu:///system", host)])
}

/// Twelve hosts of forty domains and three networks, with some trouble; one host is lost.
pub(super) fn fleet() -> ControllerStatus {
    let roles = ["frontend", "api", "worker", "db", "cache"];
    let hosts = (1..=12).map(|number| {
        let name = format!("kvm{number:02}");
        let mut host = host(&format!("qemu+tls://{name}.dc1.example/system"));
        for network in ["backend", "dmz", "storage"] {
            add(&mut host, &format!("network/{network}"), "active", Condition::InSync, "", &[]);
        }
        for index in 0..40 {
            let role = roles[index % roles.len()];
            let network = ["network/dmz", "network/backend", "network/backend", "network/storage"][index % 4];
            let (condition, detail) = match (number * 40 + index) % 97 {
                3 => (Condition::Pending, "vcpus 2 → 4 waits for the next boot"),
                17 => (Condition::Drifted, "stopped by hand; interface[2] differs"),
                41 if number % 3 == 0 => (Condition::Blocked, "needs --allow restart: cpu mode"),
                60 if number % 4 == 0 => (
                    Condition::Failing,
                    "cannot access storage file '/srv/images/data.qcow2': No such file or directory",
                ),
                _ => (Condition::InSync, ""),
            };
            let id = format!("domain/{role}-production-{index:02}");
            add(&mut host, &id, "running", condition, detail, &[network]);
        }
        let lines = ["start domain/api-production-01", "update domain/db-production-03: vcpus 2 → 4"];
        host.plans.push_back(plan(60 * number as u64, "an event of the host", &lines, "done"));
        if number == 7 {
            host.lost = Some(("no answer for 25 s".to_owned(), ago(200)));
        }
        (name, host)
    });
    let mut status = status(516, []);
    status.hosts = hosts.collect();
    status
}

/// Returns a status with all possible faults at once.
pub(super) fn failing() -> ControllerStatus {
    let mut host = host("qemu+ssh://admin@kvm01.dc1.example/system");
    let refused = "cannot set up guest memory 'pc.ram': Cannot allocate memory";
    add(
        &mut host,
        "network/lan",
        "inactive",
        Condition::Failing,
        "bridge virbr7 exists already",
        &[],
    );
    for name in ["db", "mail", "web", "build-runner-with-a-rather-long-name-01"] {
        add(
            &mut host,
            &format!("domain/{name}"),
            "shut off",
            Condition::Failing,
            refused,
            &["network/lan"],
        );
    }
    host.silent.extend(ResourceId::parse("domain/mail"));
    for object in host.objects.values_mut() {
        object.failures = 4;
        object.next_try = Some(SystemTime::now() + Duration::from_secs(13));
    }
    let lines: Vec<String> = (0..9).map(|n| format!("create domain/build-{n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    host.plans.push_back(plan(
        400,
        "manifests changed",
        &lines,
        "refused: deletes 9 of 12 objects (use --max-prune 9)",
    ));
    host.plans.push_back(plan(
        3,
        "tried again",
        &["start domain/db"],
        "failed: cannot set up guest memory 'pc.ram': Cannot allocate memory",
    ));
    let mut status = status(5, [("kvm01", host)]);
    status.sources.listening = Listening::Polling;
    status.sources.problems = 2;
    status.sources.stale = Some("manifests: the directory is gone".to_owned());
    status
}

/// One host; every text is hostile.
pub(super) fn hostile() -> ControllerStatus {
    let mut host = host(HOSTILE);
    let long = "x".repeat(200);
    for (kind, name) in [(Kind::Network, HOSTILE), (Kind::Domain, HOSTILE), (Kind::Domain, &long)] {
        let object = ResourceStatus {
            state: HOSTILE.to_owned(),
            condition: Condition::Failing,
            since: ago(1),
            detail: format!("{HOSTILE}\nnext line\u{0}\u{1b}[2J"),
            failures: 1,
            next_try: None,
            uses: vec![
                ResourceId::new(Kind::Network, HOSTILE),
                ResourceId::new(Kind::Network, "\u{202e}x"),
            ],
        };
        host.objects.insert(ResourceId::new(kind, name), object);
    }
    host.lost = Some((HOSTILE.to_owned(), ago(1)));
    host.plans.push_back(plan(1, HOSTILE, &[HOSTILE], HOSTILE));
    let mut status = status(3, [(HOSTILE, host)]);
    status.set = HOSTILE.to_owned();
    status.sources.paths = vec![HOSTILE.to_owned()];
    status.sources.stale = Some(HOSTILE.to_owned());
    status
}

fn status<const N: usize>(resources: usize, hosts: [(&str, HostStatus); N]) -> ControllerStatus {
    let mut status = empty();
    status.started = ago(9000);
    status.sources.loaded = ago(190);
    status.sources.loads = 2;
    status.sources.resources = resources;
    status.hosts = hosts.map(|(name, host)| (name.to_owned(), host)).into();
    status
}

fn host(uri: &str) -> HostStatus {
    let mut counters =
        Counters { reconciles: 301, events: 44, resyncs: 2, steps_done: 17, ..Counters::default() };
    for millis in [38, 120, 121, 900, 70_000] {
        counters.took(Duration::from_millis(millis));
    }
    HostStatus { uri: uri.to_owned(), counters, ..HostStatus::default() }
}

fn add(
    host: &mut HostStatus,
    id: &str,
    state: &str,
    condition: Condition,
    detail: &str,
    uses: &[&str],
) {
    let object = ResourceStatus {
        state: state.to_owned(),
        condition,
        since: ago(if condition == Condition::InSync { 9000 } else { 190 }),
        detail: detail.to_owned(),
        failures: 0,
        next_try: None,
        uses: uses.iter().map(|id| ResourceId::parse(id).unwrap()).collect(),
    };
    host.objects.insert(ResourceId::parse(id).unwrap(), object);
}

fn plan(seconds: u64, cause: &str, lines: &[&str], outcome: &str) -> PlanRecord {
    PlanRecord {
        at: ago(seconds),
        cause: cause.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        outcome: outcome.to_owned(),
        took: Duration::from_millis(142),
    }
}
