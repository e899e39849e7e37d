//! Fields that a host changes by itself where another field changes: dependent values, and second spellings
//! of one fact.

use super::field::{is_within, touches};
use super::{governors, twins};
use crate::model::Kind;
use xmltree::Path;

/// Fields that choose the firmware: each of them determines the others.
const FIRMWARE: &[&str] = &["os/loader", "os/nvram", "os/firmware"];

/// Fields that follow from another one: patterns of that field, and of those that are the same fact, a part
/// of it, or chosen with it.
const FOLLOWS: &[(&str, &[&str])] = &[
    ("memory", &["currentMemory", "cpu/numa/cell/@memory"]),
    ("devices/memory", &["memory", "currentMemory"]),
    ("cpu/numa", &["memory", "currentMemory", "cpu/numa/cell/@cpus"]),
    ("vcpu", &["vcpu/@current", "cpu/numa/cell/@cpus"]),
    ("vcpus", &["vcpu/@current"]),
    ("iothreads", &["iothreadids"]),
    ("iothreadids", &["iothreads"]),
    ("devices/disk/boot", &["os/boot"]),
    ("devices/interface/boot", &["os/boot"]),
    ("devices/hostdev/boot", &["os/boot"]),
    ("devices/disk/source", &["devices/disk/@type"]),
    ("devices/serial", &["devices/console"]),
    // the first of them is one device
    ("devices/console", &["devices/console", "devices/serial"]),
    ("devices/audio", &["devices/audio"]),
    ("devices/parallel/@type", &["devices/parallel/protocol"]),
    ("forward", &["forward/@dev", "forward/interface"]),
    ("cpu/@mode", &["cpu/model", "cpu/@match", "cpu/@check", "cpu/@migratable", "cpu/feature"]),
    // one watchdog's action is that of the one that the machine adds
    ("devices/watchdog", &["devices/watchdog/@action"]),
    ("os/@firmware", FIRMWARE),
    ("os/firmware", FIRMWARE),
    ("os/loader", FIRMWARE),
    ("ip/@netmask", &["ip/@prefix"]),
    ("ip/@prefix", &["ip/@netmask"]),
    ("route/@netmask", &["route/@prefix"]),
    ("route/@prefix", &["route/@netmask"]),
];

/// Fields that a host changes by itself where a field changes, as the names of paths, with `@name` for an
/// attribute. A manifest that writes one of them still decides it, twins excepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// Fields that the host fills in anew.
    pub renewed: Vec<String>,
    /// Fields that write the same fact once more.
    pub twins: Vec<String>,
}

/// Returns the fields that follow from a change at `path`, by the tables of this program.
pub fn derived(kind: Kind, path: &Path) -> Derived {
    let changed = match &path.attribute {
        Some(name) => format!("{}/@{name}", path.pattern()),
        None => path.pattern(),
    };
    let follows = FOLLOWS.iter().filter(|(leader, _)| touches(leader, &changed));
    let follows = follows.flat_map(|(_, fields)| fields.iter().map(|field| (*field).to_owned()));
    let twins = twins::twins_of(&changed).map(str::to_owned);
    Derived {
        renewed: governors::hanging_on(kind, &changed),
        twins: follows.chain(twins).collect(),
    }
}

/// Whether a field is one that follows from one of those that `changed`, as the names of their paths.
pub(super) fn follows_one_of<'a>(
    field: &str,
    changed: impl IntoIterator<Item = &'a str> + Clone,
) -> bool {
    FOLLOWS
        .iter()
        .filter(|(_, fields)| fields.contains(&field))
        .any(|(leader, _)| changed.clone().into_iter().any(|c| is_within(leader, c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_what_the_tables_say() {
        let of = |path: &str| derived(Kind::Domain, &Path::parse(path).expect("a path"));
        let cpu = of("cpu/@mode");
        assert_eq!(cpu.renewed, ["cpu"]);
        assert!(cpu.twins.contains(&"cpu/model".to_owned()));
        assert_eq!(of("iothreads").twins, ["iothreadids"]);
        assert_eq!(of("devices/interface[2]/boot/@order").twins, ["os/boot"]);
        assert_eq!(of("devices/graphics[@type='vnc']/@listen").twins, ["devices/graphics/listen"]);
        assert!(of("devices/tpm/backend/@type").renewed.contains(&"devices/tpm".to_owned()));
        assert!(
            of("devices/parallel/@type").renewed.contains(&"devices/parallel/protocol".to_owned())
        );
        assert_eq!(of("title"), Derived::default());
    }
}
