//! Our own grammars, embedded in the program.

use relaxng::{Files, Grammar, Shape, serialized};
use std::sync::{Arc, OnceLock};

macro_rules! file {
    ($path:literal) => {
        ($path, include_str!(concat!("../../schemas/relaxng/", $path)))
    };
}

/// The files below `schemas/relaxng`, sorted. A test holds the list to the directory.
const FILES: &[(&str, &str)] = &[
    file!("capabilities.rng"),
    file!("capabilities/cache.rng"),
    file!("capabilities/guest.rng"),
    file!("capabilities/host.rng"),
    file!("capabilities/topology.rng"),
    file!("common/address.rng"),
    file!("common/bandwidth.rng"),
    file!("common/metadata.rng"),
    file!("common/port.rng"),
    file!("common/route.rng"),
    file!("common/settings.rng"),
    file!("common/storage.rng"),
    file!("common/topology.rng"),
    file!("common/types.rng"),
    file!("common/virtualport.rng"),
    file!("common/vlan.rng"),
    file!("devices/chardev.rng"),
    file!("devices/common.rng"),
    file!("devices/controller.rng"),
    file!("devices/crypto.rng"),
    file!("devices/devices.rng"),
    file!("devices/disk-network.rng"),
    file!("devices/disk-source.rng"),
    file!("devices/disk-tuning.rng"),
    file!("devices/disk.rng"),
    file!("devices/filesystem.rng"),
    file!("devices/graphics.rng"),
    file!("devices/hostdev.rng"),
    file!("devices/input.rng"),
    file!("devices/interface.rng"),
    file!("devices/iommu.rng"),
    file!("devices/memballoon.rng"),
    file!("devices/memory.rng"),
    file!("devices/pstore.rng"),
    file!("devices/redirdev.rng"),
    file!("devices/rng.rng"),
    file!("devices/shmem.rng"),
    file!("devices/smartcard.rng"),
    file!("devices/sound.rng"),
    file!("devices/tpm.rng"),
    file!("devices/video.rng"),
    file!("devices/vsock.rng"),
    file!("devices/watchdog.rng"),
    file!("domain.rng"),
    file!("domain/clock.rng"),
    file!("domain/container.rng"),
    file!("domain/cpu.rng"),
    file!("domain/extensions.rng"),
    file!("domain/features.rng"),
    file!("domain/identity.rng"),
    file!("domain/lifecycle.rng"),
    file!("domain/memory.rng"),
    file!("domain/os.rng"),
    file!("domain/security.rng"),
    file!("domain/sysinfo.rng"),
    file!("domain/tuning.rng"),
    file!("domain/vcpu.rng"),
    file!("network.rng"),
    file!("network/bridge.rng"),
    file!("network/dns.rng"),
    file!("network/dnsmasq.rng"),
    file!("network/forward.rng"),
    file!("network/ip.rng"),
    file!("network/portgroup.rng"),
    file!("storage/options.rng"),
    file!("storage/permissions.rng"),
    file!("storage/pool.rng"),
    file!("storage/settings.rng"),
    file!("storage/source.rng"),
    file!("storage/target.rng"),
    file!("storage/volume.rng"),
    file!("storagepool.rng"),
    file!("storagevol.rng"),
];

/// The embedded files, by their path below `schemas/relaxng`.
#[derive(Clone, Copy, Debug)]
pub struct Embedded;

impl Files for Embedded {
    fn read(&self, uri: &str) -> Result<String, String> {
        text(uri).map(str::to_owned).ok_or_else(|| "no such file is embedded".to_owned())
    }
}

/// The text of an embedded file.
pub(super) fn text(path: &str) -> Option<&'static str> {
    let at = FILES.binary_search_by(|(known, _)| (*known).cmp(path)).ok()?;
    FILES.get(at).map(|(_, text)| *text)
}

macro_rules! tables {
    ($($name:literal),*) => {
        /// Names of the grammars, and their tables; the file of a grammar has the same name.
        const TABLES: &[(&str, &[u8])] =
            &[$(($name, include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".tables")))),*];
    };
}

tables!("domain", "network", "storagepool", "storagevol", "capabilities");

/// Returns the names of the grammars; their files have the same names.
pub fn embedded_names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// The grammar of `name`; made ready once, when it is asked for first.
pub fn embedded(name: &str) -> Option<Arc<Grammar>> {
    static GRAMMARS: [OnceLock<Option<Arc<Grammar>>>; TABLES.len()] =
        [const { OnceLock::new() }; TABLES.len()];
    let at = TABLES.iter().position(|(known, _)| *known == name)?;
    let (_, bytes) = TABLES.get(at)?;
    // a test reads them all, so none fails here
    GRAMMARS.get(at)?.get_or_init(|| serialized::read(bytes).map(Arc::new)).clone()
}

/// Returns the shape of the documents by the grammar of `name`, one of [`embedded_names`].
pub fn shape(name: &str) -> Option<&'static Shape> {
    static SHAPES: [OnceLock<Option<Shape>>; TABLES.len()] =
        [const { OnceLock::new() }; TABLES.len()];
    let at = TABLES.iter().position(|(known, _)| *known == name)?;
    SHAPES.get(at)?.get_or_init(|| embedded(name).map(Shape::new)).as_ref()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use diagnostics::Sources;
    use relaxng::Place;
    use relaxng::load;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn below(directory: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                below(&entry.path(), &format!("{name}/"), found);
            } else if name.ends_with(".rng") {
                found.push(name);
            }
        }
    }

    #[test]
    fn the_list_is_the_directory() {
        let mut found = Vec::new();
        below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/relaxng"), "", &mut found);
        found.sort();
        let listed: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(listed, found);
    }

    #[test]
    fn the_tables_are_the_grammars() {
        for name in embedded_names() {
            let text = load(&format!("{name}.rng"), &Embedded, &mut Sources::default()).unwrap();
            let read = embedded(name).unwrap();
            assert!(serialized::write(&text) == serialized::write(&read), "{name}");
        }
        assert!(embedded("nonsense").is_none());
    }

    /// Calls `visit` once with every place that a grammar has, and a path that leads there.
    fn every_place(name: &str, visit: &mut dyn FnMut(&str, &Place<'static>)) {
        let mut seen = BTreeSet::new();
        let mut open = vec![(String::new(), shape(name).unwrap().start())];
        while let Some((path, place)) = open.pop() {
            if !seen.insert(place.identity()) {
                continue;
            }
            visit(&path, &place);
            for (namespace, local, child) in place.keys() {
                if child {
                    let inner = place.child(namespace, local).unwrap();
                    open.push((format!("{path}/{local}"), inner));
                }
            }
        }
    }

    #[test]
    fn where_a_name_is_attribute_and_element_the_element_is_no_single_value() {
        let (mut both, mut count) = (Vec::new(), 0);
        for name in embedded_names() {
            every_place(name, &mut |path, place| {
                count += 1;
                // the rule by which TOML tells a text from an attribute `value`
                assert!(!place.names_child("", "value"), "{path}");
                assert!(place.text().is_none() || !place.names_attribute("", "value"), "{path}");
                for (namespace, local, child) in place.keys() {
                    if child && place.names_attribute(namespace, local) {
                        assert!(place.child(namespace, local).unwrap().text().is_none());
                        both.push(format!("{path}/{local}"));
                    }
                }
            });
        }
        assert!(count > 300, "{count}");
        both.sort();
        let known = [
            "/domain/devices/controller/model",
            "/domain/devices/disk/mirror/format",
            "/domain/devices/graphics/listen",
            "/domain/devices/interface/source/address",
            "/domain/os/firmware",
        ];
        assert_eq!(both, known);
    }

    #[test]
    fn places_say_what_can_stand_there() {
        let domain = shape("domain").unwrap().start().child("", "domain").unwrap();
        assert!(domain.names_attribute("", "type") && domain.names_child("", "name"));
        assert!(!domain.repeats("", "name") && domain.repeats("", "seclabel"));
        assert!(domain.order("", "name") < domain.order("", "vcpu"));
        assert_eq!(domain.order("", "nonsense"), usize::MAX);
        let smartcard = ["devices", "smartcard"]
            .iter()
            .fold(domain.clone(), |place, name| place.child("", name).unwrap());
        assert!(smartcard.repeats("", "certificate") && !smartcard.repeats("", "database"));
        let features = domain.child("", "features").unwrap();
        let acpi = features.child("", "acpi").unwrap();
        assert!(acpi.may_be_empty() && acpi.text().is_none());
        let pmu = features.child("", "pmu").unwrap().attribute("", "state").unwrap();
        assert_eq!(pmu.truth(), Some(("on", "off")));
        assert!(domain.child("", "vcpu").unwrap().text().unwrap().has_numbers());
        assert!(domain.child("", "nonsense").is_none());
        let foreign = domain.child("", "metadata").unwrap().child("urn:x", "y").unwrap();
        assert!(foreign.attribute("", "any").unwrap().any && foreign.child("urn:x", "z").is_some());
        assert!(!Place::nowhere().is_known() && Place::nowhere().child("", "domain").is_none());
    }
}
