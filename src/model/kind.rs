//! Kinds of resources, and the properties of each.

use std::fmt;

/// Kind of a resource. Networks sort before domains: that is the order in which they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A virtual network.
    Network,
    /// A virtual machine.
    Domain,
}

impl Kind {
    /// All kinds in the order in which they are needed.
    pub const ALL: [Self; 2] = [Self::Network, Self::Domain];

    /// The word for it, which is also its root element in libvirt's XML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Domain => "domain",
        }
    }

    /// The kind of that word, singular or plural.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|k| word == k.as_str() || word.strip_suffix('s') == Some(k.as_str()))
    }

    /// Whether the kind is a machine that runs a guest: it can be paused, crash, be renamed, move between
    /// hosts and keep state beside its definition, and it has devices.
    pub fn is_guest(self) -> bool {
        match self {
            Self::Domain => true,
            Self::Network => false,
        }
    }

    /// Whether guests' interfaces are on it, so that they are cut off while it is down.
    pub fn connects_guests(self) -> bool {
        match self {
            Self::Network => true,
            Self::Domain => false,
        }
    }

    /// Says why nothing on a host of libvirt's can have a name. Names that are there already may be
    /// others than [`check_name`](super::check_name) lets a manifest give: what libvirt admits has to stay in an inventory.
    pub fn check_host_name(self, name: &str) -> Result<(), &'static str> {
        match name {
            "" => Err("it is empty"),
            // libvirt's own check of all names
            n if n.contains('\n') => Err("it has a line feed"),
            // some drivers admit a slash in the name of a domain
            n if !self.is_guest() && n.contains('/') => Err("it has a slash"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
