//! Places of disks as seen from another host: data that all hosts find, and data that is local.

use crate::error::Result;
use crate::model::domain::{Disk, Domain};
use crate::model::{Desired, Observed, ObservedPools, ResourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use xmltree::{Document, Element};

/// Pools of a host, as far as other hosts need them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pools {
    /// Pools on network storage, each with an identifier of that storage: pools with equal ones have the same
    /// volumes, whatever the hosts call them.
    network: BTreeMap<String, String>,
    /// Pools that could not be read, each with the reason.
    pub(super) unknown: BTreeMap<String, String>,
}

impl Pools {
    /// Creates an empty set of pools.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The pools on network storage that disks of a host are volumes of, or are to be of those guests that
/// do not run: `read` gives the pools of some names.
pub fn pools_of(
    observed: &Observed,
    desired: Option<&Desired>,
    read: impl FnOnce(&BTreeSet<String>) -> Result<ObservedPools>,
) -> Result<Pools> {
    let there = observed.resources.values().flat_map(|r| r.persistent.iter().chain(&r.live));
    let is_off =
        |id: &ResourceId| observed.resources.get(id).is_none_or(|there| !there.state.is_active());
    let wanted = desired.into_iter().flat_map(|d| d.resources.values());
    let wanted = wanted.filter(|r| is_off(&r.id)).map(|r| &r.definition);
    let domains = there.chain(wanted).map(Document::as_element).filter(|root| root.is("domain"));
    let names: BTreeSet<String> = domains.flat_map(pools_in).map(str::to_owned).collect();
    if names.is_empty() {
        return Ok(Pools::new());
    }
    let ObservedPools { pools, unknown } = read(&names)?;
    let on_network =
        |(name, pool): (String, Document)| Some((name, network_storage(pool.as_element())?));
    Ok(Pools { network: pools.into_iter().filter_map(on_network).collect(), unknown })
}

/// Types of pools whose source is on the network. A directory, a file system or a volume group of the
/// same path is another one on each host, or not: nothing there tells.
const NETWORK_POOLS: [&str; 7] =
    ["netfs", "iscsi", "iscsi-direct", "rbd", "sheepdog", "gluster", "vstorage"];

/// The word for the network storage of a pool, if it is on any.
pub(super) fn network_storage(pool: &Element) -> Option<String> {
    let kind = pool.attr("type").filter(|kind| NETWORK_POOLS.contains(kind))?;
    let source = pool.child("source")?;
    let mut hosts: Vec<String> = source.children_named("host").map(host).collect();
    hosts.sort_unstable();
    let path = |name: &str| source.child(name).and_then(|e| e.attr("path"));
    let places = [path("dir"), path("device")].into_iter().flatten().map(str::to_owned);
    let places: Vec<String> = places.chain(source.child_text("name")).collect();
    // a source that names nothing is not one that another could be the same as
    if hosts.is_empty() && places.is_empty() {
        return None;
    }
    Some(format!("{kind}:{}:{}", hosts.join(","), places.join(":")))
}

fn host(element: &Element) -> String {
    let part = |name| element.attr(name).unwrap_or_default();
    format!("{}:{}{}", part("name"), part("port"), part("socket"))
}

/// Place of a disk's data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Storage that all hosts reach, by one identifier for all of them.
    Shared(String),
    /// Storage of which no more is known than this host's name for it.
    Local(String),
}

/// A disk with something in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskFact {
    /// Target name of the disk in the guest.
    pub(crate) target: String,
    pub(crate) place: Place,
    /// Whether the guest may write to it, and nobody else is to.
    pub(crate) is_exclusive: bool,
    /// Whether a pool names it, which another host may have on other storage.
    pub(crate) is_volume: bool,
}

/// Storage of a host, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Storage<'a> {
    /// Paths beneath which all hosts find the same files.
    pub shared: &'a [PathBuf],
    /// The host's pools.
    pub pools: &'a Pools,
}

impl Storage<'_> {
    /// Whether the file or device of that path is the same on all hosts.
    pub(crate) fn shares(self, path: &str) -> bool {
        let path = Path::new(path);
        let plain = |c: Component<'_>| !matches!(c, Component::ParentDir);
        path.components().all(plain) && self.shared.iter().any(|shared| path.starts_with(shared))
    }

    /// Returns the disks of a domain that are not empty, with their backing chains.
    pub(crate) fn disks(self, definition: &Element) -> Vec<DiskFact> {
        let mut found = Vec::new();
        for disk in Domain::new(definition.node()).disks() {
            let target = disk.target().unwrap_or("a disk").to_owned();
            let is_exclusive = !disk.is_readonly() && !disk.is_shareable();
            let mut fact = |layer: &Element, is_exclusive: bool| {
                let is_volume = layer.attr("type") == Some("volume");
                let target = target.clone();
                let place = self.place(layer);
                found.extend(place.map(|place| DiskFact {
                    target,
                    place,
                    is_exclusive,
                    is_volume,
                }));
            };
            fact(disk.element().as_element(), is_exclusive);
            let mut below = disk.element().child("backingStore");
            // documents are of bounded depth
            while let Some(layer) = below {
                fact(layer.as_element(), false);
                below = layer.child("backingStore");
            }
        }
        found
    }

    fn place(self, disk: &Element) -> Option<Place> {
        let source = disk.child("source")?;
        let path = |name: &str| {
            source.attr(name).map(|path| match self.shares(path) {
                true => Place::Shared(format!("path:{path}")),
                false => Place::Local(path.to_owned()),
            })
        };
        match disk.attr("type").unwrap_or("file") {
            "file" => path("file"),
            "block" => path("dev"),
            "dir" => path("dir"),
            "network" => {
                let part = |name| source.attr(name).unwrap_or_default();
                let mut hosts: Vec<String> = source.children_named("host").map(host).collect();
                hosts.sort_unstable();
                let hosts = hosts.join(",");
                Some(Place::Shared(format!("{}:{hosts}:{}", part("protocol"), part("name"))))
            }
            "volume" => {
                let (pool, volume) = (source.attr("pool")?, source.attr("volume")?);
                let Pools { network, unknown } = self.pools;
                Some(match (network.get(pool), unknown.get(pool)) {
                    (Some(storage), _) => Place::Shared(format!("{storage}/{volume}")),
                    (None, None) => Place::Local(format!("volume {volume} of pool {pool}")),
                    (None, Some(why)) => {
                        let text =
                            format!("volume {volume} of pool {pool}, which is unknown: {why}");
                        Place::Local(text)
                    }
                })
            }
            other => Some(Place::Local(format!("a source of type {other}"))),
        }
    }
}

/// Returns the first unread pool among those that a domain alone writes to.
pub(super) fn unknown_pool<'p>(
    definition: &Element,
    pools: &'p Pools,
) -> Option<(&'p str, &'p str)> {
    let disks = Domain::new(definition.node()).disks();
    let mut volumes = disks.filter(|disk| !disk.is_readonly() && !disk.is_shareable());
    volumes.find_map(|disk| {
        let disk = disk.element();
        let pool = disk.child("source").filter(|_| disk.attr("type") == Some("volume"))?;
        let (name, why) = pools.unknown.get_key_value(pool.attr("pool")?)?;
        Some((name.as_str(), why.as_str()))
    })
}

/// The names of the pools that disks of a domain are volumes of.
pub(super) fn pools_in(definition: &Element) -> impl Iterator<Item = &str> {
    let disks = Domain::new(definition.node()).disks().map(Disk::element);
    disks
        .filter(|disk| disk.attr("type") == Some("volume"))
        .filter_map(|disk| disk.child("source")?.attr("pool"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    fn element(text: &str) -> Element {
        parse(SourceId::NONE, text, &Limits::default()).expect("well-formed")
    }

    fn place(disk: &str) -> Option<Place> {
        let domain = element(&format!(
            "<domain><devices><disk {disk}<target dev='vda'/></disk></devices></domain>"
        ));
        let shared = [PathBuf::from("/mnt/images")];
        let network = [("nfs".to_owned(), "netfs:nas::/x".to_owned())].into();
        let pools = Pools { network, ..Pools::default() };
        let disks = Storage { shared: &shared, pools: &pools }.disks(&domain);
        disks.into_iter().next().map(|d| d.place)
    }

    #[test]
    fn what_all_hosts_reach() {
        let shared = |word: &str| Some(Place::Shared(word.to_owned()));
        for (disk, word) in [
            ("type='file'><source file='/mnt/images/a.img'/>", "path:/mnt/images/a.img"),
            ("type='block'><source dev='/mnt/images/lun'/>", "path:/mnt/images/lun"),
            (
                "type='network'><source protocol='rbd' name='p/v'><host name='m2'/><host name='m1'/></source>",
                "rbd:m1:,m2::p/v",
            ),
            ("type='volume'><source pool='nfs' volume='v'/>", "netfs:nas::/x/v"),
        ] {
            assert_eq!(place(disk), shared(word), "{disk}");
        }
        for disk in [
            "type='file'><source file='/mnt/images2/a.img'/>",
            "type='file'><source file='/mnt/images/../a.img'/>",
            "type='block'><source dev='/dev/vg/lv'/>",
            "type='volume'><source pool='default' volume='v'/>",
            "type='nvme'><source type='pci'/>",
        ] {
            assert!(matches!(place(disk), Some(Place::Local(_))), "{disk}");
        }
        assert_eq!(place("type='file' device='cdrom'>"), None);
        assert_eq!(place("type='file' device='cdrom'><source/>"), None);
    }

    #[test]
    fn a_pool_is_the_same_by_its_source_and_not_by_its_path() {
        let pool = |kind: &str, source: &str| {
            network_storage(&element(&format!(
                "<pool type='{kind}'><name>p</name><source>{source}</source>\
                 <target><path>/mnt/images</path></target></pool>"
            )))
        };
        let nas = "<host name='nas'/><dir path='/x'/>";
        assert!(pool("netfs", nas).is_some());
        assert_ne!(pool("netfs", nas), pool("netfs", "<host name='nas'/><dir path='/y'/>"));
        assert_ne!(pool("netfs", nas), pool("netfs", "<host name='nas2'/><dir path='/x'/>"));
        assert_ne!(
            pool("rbd", "<name>vms</name><host name='m'/>"),
            pool("rbd", "<name>isos</name><host name='m'/>")
        );
        for kind in ["dir", "fs", "logical", "disk", "zfs"] {
            assert_eq!(pool(kind, nas), None, "{kind}");
        }
        assert_eq!(pool("netfs", ""), None);
    }
}
