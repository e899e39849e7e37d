//! How domains run: columns, facts and JSON of their processors, memory, processor time and addresses.

use crate::model::{DomainInfo, GuestInterface, NodeInfo, ResourceId};
use diagnostics::escape;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Heads of the columns.
pub(crate) const HEAD: [&str; 4] = ["VCPUS", "MEMORY", "CPU TIME", "ADDRESSES"];

/// Placeholder for what an object does not have.
const NONE: &str = "—";

/// Placeholder for what a host did not say.
const UNKNOWN: &str = "unknown";

/// Answers of a host about itself and its domains.
#[derive(Debug, Default)]
pub(crate) struct Wide {
    /// The host itself; `None` if it is unknown.
    pub(crate) node: Option<NodeInfo>,
    /// The domains that were asked about.
    pub(crate) domains: BTreeMap<ResourceId, Running>,
}

/// Answers about one domain; each is `None` if it is unknown.
#[derive(Debug, Default)]
pub(crate) struct Running {
    pub(crate) info: Option<DomainInfo>,
    pub(crate) addresses: Option<Vec<GuestInterface>>,
}

impl Wide {
    /// Cells of an object in the columns of [`HEAD`].
    pub(crate) fn cells(&self, id: &ResourceId) -> [String; 4] {
        if !id.kind.is_guest() {
            return [NONE; 4].map(str::to_owned);
        }
        let running = self.domains.get(id);
        let [vcpus, memory, cpu_time] = sizes(running.and_then(|r| r.info.as_ref()));
        let addresses = match running.and_then(|r| r.addresses.as_deref()) {
            None => UNKNOWN.to_owned(),
            Some(interfaces) => or_none(addresses(interfaces)),
        };
        [vcpus, memory, cpu_time, addresses]
    }

    /// Facts of an object that is shown by itself, with their names.
    pub(crate) fn facts(&self, id: &ResourceId) -> Vec<(&'static str, String)> {
        if !id.kind.is_guest() {
            return Vec::new();
        }
        let running = self.domains.get(id);
        let names = ["vcpus", "memory", "cpu time"];
        let sizes = sizes(running.and_then(|r| r.info.as_ref()));
        let mut facts: Vec<_> = names.into_iter().zip(sizes).collect();
        let interfaces = running.and_then(|r| r.addresses.as_deref());
        let lines = match interfaces {
            None => vec![UNKNOWN.to_owned()],
            Some([]) => vec![NONE.to_owned()],
            Some(interfaces) => interfaces.iter().map(line).collect(),
        };
        let names = ["addresses"].into_iter().chain(std::iter::repeat(""));
        facts.extend(names.zip(lines));
        facts
    }

    /// Adds the fields of an object to it.
    pub(crate) fn add_to(&self, id: &ResourceId, object: &mut Value) {
        if let (true, Value::Object(map)) = (id.kind.is_guest(), object) {
            let running = self.domains.get(id);
            let info = running.and_then(|r| r.info.as_ref());
            map.insert("info".to_owned(), json!(info.map(info_json)));
            let interfaces = running.and_then(|r| r.addresses.as_deref());
            let interfaces = interfaces.map(|all| all.iter().map(interface_json).collect());
            map.insert("addresses".to_owned(), interfaces.unwrap_or(Value::Null));
        }
    }

    /// Adds the host to a result.
    pub(crate) fn add_node_to(&self, result: &mut Value) {
        let node = self.node.as_ref().map(|node| {
            json!({
                "model": node.model, "memory_kib": node.memory_kib, "cpus": node.cpus, "mhz": node.mhz,
                "nodes": node.nodes, "sockets": node.sockets, "cores": node.cores, "threads": node.threads,
            })
        });
        if let Value::Object(map) = result {
            map.insert("node".to_owned(), json!(node));
        }
    }
}

/// The host in a line.
pub(crate) fn node(node: &NodeInfo) -> String {
    let NodeInfo { model, memory_kib, cpus, mhz, nodes, sockets, cores, threads } = node;
    let mhz = if *mhz == 0 { String::new() } else { format!(" at {mhz} MHz") };
    format!(
        "{cpus} CPUs ({}{mhz}; NUMA nodes: {nodes}, sockets: {sockets}, cores: {cores}, threads: {threads}), {} of \
         memory",
        escape(model),
        amount(*memory_kib)
    )
}

fn info_json(info: &DomainInfo) -> Value {
    json!({
        "state": info.state.to_string(), "vcpus": info.vcpus, "memory_kib": info.memory_kib,
        "max_memory_kib": info.max_memory_kib, "cpu_time_ns": info.cpu_time_ns,
    })
}

fn interface_json(interface: &GuestInterface) -> Value {
    let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
    let mac = interface.mac.map(|mac| mac.to_string());
    json!({ "interface": interface.name, "mac": mac, "addresses": addresses })
}

/// Processors, memory and processor time.
fn sizes(info: Option<&DomainInfo>) -> [String; 3] {
    let Some(info) = info else { return [UNKNOWN; 3].map(str::to_owned) };
    let (now, most) = (info.memory_kib, info.max_memory_kib);
    let memory = match now == most {
        true => amount(most),
        false => format!("{} of {}", amount(now), amount(most)),
    };
    let time = if info.state.is_active() { duration(info.cpu_time_ns) } else { NONE.to_owned() };
    [info.vcpus.to_string(), memory, time]
}

/// Addresses of all interfaces, without what every guest has of itself.
fn addresses(interfaces: &[GuestInterface]) -> String {
    let all = interfaces.iter().flat_map(|i| &i.addresses).map(|a| a.address());
    let shown: Vec<String> =
        all.filter(|a| !a.is_loopback()).map(|address| address.to_string()).collect();
    shown.join(", ")
}

fn or_none(text: String) -> String {
    if text.is_empty() { NONE.to_owned() } else { text }
}

/// An interface with its addresses.
fn line(interface: &GuestInterface) -> String {
    let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
    let mac = interface.mac.map(|mac| format!(" ({mac})")).unwrap_or_default();
    format!("{}{mac}: {}", escape(&interface.name), or_none(addresses.join(", ")))
}

/// An amount of memory in the largest unit of which there is one; exact, or to a tenth.
fn amount(kib: u64) -> String {
    let units = [(1 << 30, "TiB"), (1 << 20, "GiB"), (1 << 10, "MiB")];
    let Some((size, unit)) = units.into_iter().find(|(size, _)| kib >= *size) else {
        return format!("{kib} KiB");
    };
    let (whole, tenths) = (kib / size, u128::from(kib % size) * 10 / u128::from(size));
    let is_whole = kib.is_multiple_of(size);
    if is_whole { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") }
}

/// A time in its two largest units.
fn duration(ns: u64) -> String {
    let (seconds, tenths) = (ns / 1_000_000_000, ns / 100_000_000 % 10);
    match seconds {
        0..60 => format!("{seconds}.{tenths} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InterfaceAddress, Kind, Mac, State};

    #[test]
    fn amounts_and_times_are_short() {
        let amounts = [0, 1023, 1 << 10, 1536, 8 << 20, (8 << 20) + 1, u64::MAX].map(amount);
        let expected =
            ["0 KiB", "1023 KiB", "1 MiB", "1.5 MiB", "8 GiB", "8.0 GiB", "17179869183.9 TiB"];
        assert_eq!(amounts, expected);
        let times = [0, 1_550_000_000, 3_599_000_000_000, 90_061_000_000_000].map(duration);
        assert_eq!(times, ["0.0 s", "1.5 s", "59 min 59 s", "1 d 1 h"]);
    }

    #[test]
    fn what_is_unknown_says_so_and_foreign_names_are_escaped() {
        let id = |name: &str| ResourceId::new(Kind::Domain, name);
        let address = |text: &str, prefix| {
            InterfaceAddress::new(text.parse().expect("an address"), prefix).expect("it fits")
        };
        let interface = |name: &str, addresses| GuestInterface {
            name: name.to_owned(),
            mac: Mac::parse("52:54:00:00:00:01"),
            addresses,
        };
        let info = DomainInfo {
            state: State::Running,
            max_memory_kib: 8 << 20,
            memory_kib: 2 << 20,
            vcpus: 2,
            cpu_time_ns: 61_000_000_000,
        };
        let interfaces = vec![
            interface("lo", vec![address("127.0.0.1", 8), address("::1", 128)]),
            interface("e\x1b[2J", vec![address("10.0.0.5", 24), address("fd00::5", 64)]),
        ];
        let known = Running { info: Some(info), addresses: Some(interfaces) };
        let domains = [(id("web"), known), (id("db"), Running::default())].into();
        let wide = Wide { node: None, domains };
        let web = ["2", "2 GiB of 8 GiB", "1 min 1 s", "10.0.0.5, fd00::5"];
        assert_eq!(wide.cells(&id("web")), web);
        assert_eq!(wide.cells(&id("db")), ["unknown"; 4]);
        // it was not even asked
        assert_eq!(wide.cells(&id("hung")), ["unknown"; 4]);
        assert_eq!(wide.cells(&ResourceId::new(Kind::Network, "lan")), ["—"; 4]);
        let facts = wide.facts(&id("web"));
        let last = facts.last().map(|(name, line)| (*name, line.as_str()));
        let line = "e\\u{1b}[2J (52:54:00:00:00:01): 10.0.0.5/24, fd00::5/64";
        assert_eq!(last, Some(("", line)));
        let mut object = json!({});
        wide.add_to(&id("db"), &mut object);
        wide.add_node_to(&mut object);
        assert_eq!(object, json!({ "info": null, "addresses": null, "node": null }));
    }
}
