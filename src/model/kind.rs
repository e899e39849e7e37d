//! Kinds of resources, and the properties of each.

use std::fmt;

/// Kind of a resource. Networks sort before domains: that is the order in which they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A virtual network.
    Network,
    /// A storage pool.
    Pool,
    /// A storage volume, in a pool.
    Volume,
    /// A virtual machine.
    Domain,
}

/// Facts of a kind.
struct Facts {
    word: &'static str,
    grammar: &'static str,
    keeps_metadata: bool,
    parent: Option<Kind>,
    on_hosts: bool,
    is_guest: bool,
    connects_guests: bool,
}

impl Kind {
    /// All kinds in the order in which they are needed.
    pub const ALL: [Self; 4] = [Self::Network, Self::Pool, Self::Volume, Self::Domain];

    /// The word for it, which is also its root element in libvirt's XML.
    pub fn as_str(self) -> &'static str {
        self.facts().word
    }

    /// Its row: what a new kind has to say of itself.
    fn facts(self) -> &'static Facts {
        match self {
            Self::Network => &Facts {
                word: "network",
                grammar: "network",
                keeps_metadata: true,
                parent: None,
                on_hosts: true,
                is_guest: false,
                connects_guests: true,
            },
            Self::Pool => &Facts {
                word: "pool",
                grammar: "storagepool",
                keeps_metadata: false,
                parent: None,
                on_hosts: false,
                is_guest: false,
                connects_guests: false,
            },
            Self::Volume => &Facts {
                word: "volume",
                grammar: "storagevol",
                keeps_metadata: false,
                parent: Some(Self::Pool),
                on_hosts: false,
                is_guest: false,
                connects_guests: false,
            },
            Self::Domain => &Facts {
                word: "domain",
                grammar: "domain",
                keeps_metadata: true,
                parent: None,
                on_hosts: true,
                is_guest: true,
                connects_guests: false,
            },
        }
    }

    /// The kind of that word, singular or plural.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|k| word == k.as_str() || word.strip_suffix('s') == Some(k.as_str()))
    }

    /// The name of its grammar.
    pub fn grammar(self) -> &'static str {
        self.facts().grammar
    }

    /// Whether its definitions have an element in which a host keeps what others than libvirt say.
    pub fn keeps_metadata(self) -> bool {
        self.facts().keeps_metadata
    }

    /// The kind of what such an object is in; its name is then unique there only.
    pub fn parent(self) -> Option<Self> {
        self.facts().parent
    }

    /// Whether drivers read and change such objects. The others stand in manifests alone, as yet.
    pub fn on_hosts(self) -> bool {
        self.facts().on_hosts
    }

    /// Whether it is a machine that runs a guest: it can be paused, crash, be renamed, move between hosts
    /// and keep state beside its definition, and it has devices.
    pub fn is_guest(self) -> bool {
        self.facts().is_guest
    }

    /// Whether guests' interfaces are on it, so that they are cut off while it is down.
    pub fn connects_guests(self) -> bool {
        self.facts().connects_guests
    }

    /// Says why nothing on a host of libvirt's can have a name. Names that are there already may be
    /// others than [`check_name`](super::check_name) lets a manifest give: what libvirt admits has to stay in an inventory.
    pub fn check_host_name(self, name: &str) -> Result<(), &'static str> {
        match name {
            "" => Err("it is empty"),
            // libvirt's own check of all names
            n if n.contains('\n') => Err("it has a line feed"),
            // some drivers admit a slash in the name of a domain
            n if !self.is_guest() && self.parent().is_none() && n.contains('/') => {
                Err("it has a slash")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
