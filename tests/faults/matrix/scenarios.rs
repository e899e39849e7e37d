//! Manifests before and after an edit that between them lead to every kind of step. Values that a host would
//! choose by the order of calls, such as a bridge's name, are given.
// long: the manifests of each edit, whole

use super::host::Guests;
use virt::model::{Call, DomainOp, Effect, Kind, ResourceId, Target, Uuid};
use virt::reconcile::Options;

/// An edit of manifests.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Initial state of the host, as a test host's file; the default host's if empty.
    pub(super) node: &'static str,
    /// The manifests that were applied last.
    pub(super) before: &'static str,
    /// Calls of somebody else on the host since then.
    pub(super) by_hand: fn() -> Vec<Call>,
    /// The manifests as they are now.
    pub(super) after: &'static str,
    pub(super) options: fn() -> Options,
    /// Reaction of guests to the request to shut down.
    pub(super) guests: Guests,
}

const NOTHING: Scenario = Scenario {
    name: "",
    node: "",
    before: "",
    by_hand: Vec::new,
    after: "",
    options: Options::default,
    guests: Guests::Obedient,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "create", after: CREATE, ..NOTHING },
    Scenario { name: "live", before: LIVE_BEFORE, after: LIVE_AFTER, ..NOTHING },
    Scenario { name: "renamed", before: RENAMED_BEFORE, after: RENAMED_AFTER, ..NOTHING },
    Scenario { name: "tuned", before: TUNED_BEFORE, after: TUNED_AFTER, ..NOTHING },
    Scenario {
        name: "restart",
        before: RESTART_BEFORE,
        after: RESTART_AFTER,
        options: || allow(&[Effect::Restart, Effect::NetworkRestart]),
        guests: Guests::Slow,
        ..NOTHING
    },
    Scenario {
        name: "power",
        before: POWER_BEFORE,
        after: POWER_AFTER,
        options: || allow(&[Effect::BriefOutage]),
        guests: Guests::Slow,
        ..NOTHING
    },
    Scenario {
        name: "deaf",
        before: DEAF_BEFORE,
        after: DEAF_AFTER,
        guests: Guests::Deaf,
        ..NOTHING
    },
    Scenario {
        name: "prune",
        before: CREATE,
        after: PRUNED,
        options: || Options { prune: true, max_prune: Some(3), ..Options::default() },
        ..NOTHING
    },
    Scenario {
        name: "replace",
        before: REPLACE_BEFORE,
        after: REPLACE_AFTER,
        options: || allow(&[Effect::Replace, Effect::Restart]),
        ..NOTHING
    },
    Scenario {
        name: "drift",
        before: CREATE,
        by_hand: drift,
        after: ADOPT,
        options: || Options { adopt: true, ..Options::default() },
        ..NOTHING
    },
    Scenario {
        name: "saved",
        node: SAVED,
        after: DISCARDED,
        options: || Options { adopt: true, ..allow(&[Effect::DataLoss]) },
        ..NOTHING
    },
];

fn allow(effects: &[Effect]) -> Options {
    Options { allow: effects.iter().copied().collect(), ..Options::default() }
}

const CREATE: &str = r#"
[[network]]
name = "net"
bridge.name = "br-net"
ip = { address = "10.9.0.1", prefix = 24 }
[[network]]
name = "idle"
bridge.name = "br-idle"
reconcile = { power = "stopped", autostart = true }

[[domain]]
type = "test"
name = "a"
memory = 65536
os.type = "hvm"
reconcile = { autostart = true }
[[domain.devices.interface]]
type = "network"
source.network = "net"

[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
reconcile = { power = "paused", depends_on = ["domain/a"] }
[[domain]]
type = "test"
name = "c"
memory = 65536
os.type = "hvm"
reconcile = { power = "stopped" }
"#;

/// Manifests after a prune: the rest of the first ones.
const PRUNED: &str = r#"
[[network]]
name = "idle"
bridge.name = "br-idle"
reconcile = { power = "stopped", autostart = true }
[[domain]]
type = "test"
name = "c"
memory = 65536
os.type = "hvm"
reconcile = { power = "stopped" }
"#;

/// A guest that somebody saved to a file: no call does that.
const SAVED: &str = "<node>\
    <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>a</name>\
    <uuid>00000000-0000-4000-8000-00000000005a</uuid><memory>65536</memory>\
    <os><type>hvm</type></os><test:runstate>5</test:runstate><test:hasmanagedsave/></domain></node>";

const DISCARDED: &str = r#"
[[domain]]
type = "test"
name = "a"
memory = 98304
os.type = "hvm"
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
"#;

const LIVE_BEFORE: &str = r#"
[[network]]
name = "net"
bridge.name = "br-net"
[[network.ip]]
address = "10.9.0.1"
prefix = 24
[[network.ip.dhcp.host]]
mac = "52:54:00:00:00:01"
ip = "10.9.0.10"
[[network.ip.dhcp.host]]
mac = "52:54:00:00:00:02"
ip = "10.9.0.11"

[[domain]]
type = "test"
name = "a"
title = "one"
description = "one"
memory = { unit = "MiB", value = 128 }
currentMemory = { unit = "MiB", value = 128 }
vcpu = { current = 1, value = 4 }
os.type = "hvm"
reconcile = { autostart = false }
[[domain.devices.disk]]
type = "file"
device = "cdrom"
source.file = "/one.iso"
target = { dev = "sda", bus = "scsi" }
readonly = true
[[domain.devices.disk]]
type = "file"
source.file = "/b"
target = { dev = "vdb", bus = "virtio" }
[[domain.devices.interface]]
type = "network"
mac.address = "52:54:00:00:00:01"
source.network = "net"

[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
"#;

const LIVE_AFTER: &str = r#"
[[network]]
name = "net"
bridge.name = "br-net"
[[network.ip]]
address = "10.9.0.1"
prefix = 24
[[network.ip.dhcp.host]]
mac = "52:54:00:00:00:01"
ip = "10.9.0.20"
[[network.ip.dhcp.host]]
mac = "52:54:00:00:00:03"
ip = "10.9.0.12"

[[domain]]
type = "test"
name = "a"
title = "two"
memory = { unit = "MiB", value = 128 }
currentMemory = { unit = "MiB", value = 64 }
vcpu = { current = 2, value = 4 }
os.type = "hvm"
reconcile = { autostart = true }
[[domain.devices.disk]]
type = "file"
device = "cdrom"
source.file = "/two.iso"
target = { dev = "sda", bus = "scsi" }
readonly = true
[[domain.devices.disk]]
type = "file"
source.file = "/c"
target = { dev = "vdc", bus = "virtio" }
[[domain.devices.interface]]
type = "network"
mac.address = "52:54:00:00:00:01"
source.network = "net"
link.state = "down"
[[domain.devices.interface]]
type = "network"
source.network = "net"

[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
"#;

const RENAMED_BEFORE: &str = r#"
[[domain]]
type = "test"
name = "before"
uuid = "5d3f0e7c-7c1f-4c52-9f0e-0c1c2f3a4b5d"
memory = 65536
os.type = "hvm"
reconcile.power = "stopped"
"#;

const RENAMED_AFTER: &str = r#"
[[domain]]
type = "test"
name = "after"
uuid = "5d3f0e7c-7c1f-4c52-9f0e-0c1c2f3a4b5d"
memory = 65536
os.type = "hvm"
reconcile.power = "running"
"#;

const TUNED_BEFORE: &str = r#"
[[domain]]
type = "test"
name = "a"
memory = 65536
iothreads = 1
os.type = "hvm"
on_crash = "destroy"
devices.memballoon.model = "virtio"
[[domain]]
type = "test"
name = "b"
memory = 65536
iothreads = 2
os.type = "hvm"
"#;

const TUNED_AFTER: &str = r#"
[[domain]]
type = "test"
name = "a"
memory = 65536
iothreads = 2
cputune = { shares = 512, quota = 50000, vcpupin = [{ vcpu = 0, cpuset = "0" }] }
memtune.hard_limit = { unit = "MiB", value = 128 }
os.type = "hvm"
on_crash = "restart"
devices.memballoon = { model = "virtio", stats.period = 5 }
[[domain]]
type = "test"
name = "b"
memory = 65536
iothreads = 1
os.type = "hvm"
"#;

const RESTART_BEFORE: &str = r#"
[[network]]
name = "net"
bridge.name = "br-net"
ip = { address = "10.9.0.1", prefix = 24 }
[[domain]]
type = "test"
name = "a"
memory = 65536
os.type = "hvm"
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
reconcile = { power = "paused", depends_on = ["domain/a"] }
[[domain]]
type = "test"
name = "c"
memory = 65536
os.type = "hvm"
"#;

const RESTART_AFTER: &str = r#"
[[network]]
name = "net"
bridge.name = "br-net"
ip = { address = "10.9.1.1", prefix = 24 }
[[domain]]
type = "test"
name = "a"
memory = 131072
os.type = "hvm"
[[domain]]
type = "test"
name = "b"
memory = 131072
os.type = "hvm"
reconcile = { power = "paused", depends_on = ["domain/a"] }
[[domain]]
type = "test"
name = "c"
memory = 65536
os.type = "hvm"
"#;

const POWER_BEFORE: &str = r#"
[[network]]
name = "net"
bridge.name = "br-net"
[[network]]
name = "other"
bridge.name = "br-other"
reconcile = { power = "stopped" }
[[domain]]
type = "test"
name = "a"
memory = 65536
os.type = "hvm"
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
[[domain]]
type = "test"
name = "c"
memory = 65536
os.type = "hvm"
reconcile = { power = "stopped" }
"#;

const POWER_AFTER: &str = r#"
[[network]]
name = "net"
bridge.name = "br-net"
reconcile = { power = "stopped", allow = ["network-restart"] }
[[network]]
name = "other"
bridge.name = "br-other"
[[domain]]
type = "test"
name = "a"
memory = 65536
os.type = "hvm"
reconcile = { power = "stopped" }
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
reconcile = { power = "paused" }
[[domain]]
type = "test"
name = "c"
memory = 65536
os.type = "hvm"
reconcile = { power = "running" }
"#;

const DEAF_BEFORE: &str = r#"
[[domain]]
type = "test"
name = "a"
memory = 65536
os.type = "hvm"
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
"#;

const DEAF_AFTER: &str = r#"
[[domain]]
type = "test"
name = "a"
memory = 65536
os.type = "hvm"
reconcile = { power = "stopped", stop = { timeout = "2s", force = true } }
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
"#;

const REPLACE_BEFORE: &str = r#"
[[domain]]
type = "test"
name = "a"
uuid = "00000000-0000-4000-8000-00000000000a"
memory = 65536
os.type = "hvm"
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
"#;

const REPLACE_AFTER: &str = r#"
[[domain]]
type = "test"
name = "a"
uuid = "00000000-0000-4000-8000-00000000000b"
memory = 65536
os.type = "hvm"
reconcile = { replace = true }
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
"#;

/// The host's own network is taken over.
const ADOPT: &str = r#"
[[network]]
name = "default"
forward.mode = "nat"
ip = { address = "192.168.122.1", prefix = 24 }
[[network]]
name = "net"
bridge.name = "br-net"
ip = { address = "10.9.0.1", prefix = 24 }
[[network]]
name = "idle"
bridge.name = "br-idle"
reconcile = { power = "stopped", autostart = true }
[[domain]]
type = "test"
name = "a"
memory = 65536
os.type = "hvm"
reconcile = { autostart = true }
[[domain.devices.interface]]
type = "network"
source.network = "net"
[[domain]]
type = "test"
name = "b"
memory = 65536
os.type = "hvm"
reconcile = { power = "running", depends_on = ["domain/a"] }
[[domain]]
type = "test"
name = "c"
memory = 65536
os.type = "hvm"
reconcile = { power = "stopped" }
"#;

/// A guest was paused, another pulled, and one autostart taken away.
fn drift() -> Vec<Call> {
    let on = |name: &str, op: DomainOp| Call { target: target(Kind::Domain, name), op: op.into() };
    vec![
        on("a", DomainOp::SetAutostart { on: false }),
        on("a", DomainOp::Suspend),
        on("b", DomainOp::Destroy),
        on("c", DomainOp::Create { paused: false }),
    ]
}

/// An object of the manifests, whose UUID is derived.
pub(super) fn target(kind: Kind, name: &str) -> Target {
    let uuid = format!("virt:site:{}/{name}", kind.as_str());
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_URL, uuid.as_bytes());
    Target { id: ResourceId::new(kind, name), uuid }
}
