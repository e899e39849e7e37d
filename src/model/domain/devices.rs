//! The devices that libvirt's documents have had from the start, read from the tree.

use crate::model::Mac;
use xmltree::NodeRef;

/// The prefixes of the names of disks, the bus that libvirt takes without one, and others that guests
/// name so or that libvirt's own tools have always paired with it.
pub(super) const DISK_BUSES: [(&str, &[&str]); 6] = [
    ("xvd", &["xen"]),
    ("vd", &["virtio"]),
    ("fd", &["fdc"]),
    ("hd", &["ide", "sata"]),
    ("sd", &["scsi", "sata", "usb", "sd"]),
    ("ubd", &["uml"]),
];

/// The row of [`DISK_BUSES`] that a name belongs to.
pub(super) fn buses_of(name: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    DISK_BUSES.iter().find(|(prefix, _)| name.starts_with(prefix))
}

/// A `<disk>`.
#[derive(Clone, Copy, Debug)]
pub struct Disk<'a> {
    element: NodeRef<'a>,
}

/// Kind of drive that a disk is for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskDevice<'a> {
    /// A hard disk, the default.
    Disk,
    /// A CD-ROM drive.
    Cdrom,
    /// A floppy drive.
    Floppy,
    /// One of libvirt's later words, such as `lun`.
    Other(&'a str),
}

/// Source of a disk's data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DiskSource<'a> {
    /// File of the host.
    File(&'a str),
    /// Block device of the host.
    Block(&'a str),
    /// Source of one of libvirt's later types, such as `network` or `volume`.
    Other(NodeRef<'a>),
}

impl<'a> Disk<'a> {
    pub(crate) fn new(element: NodeRef<'a>) -> Self {
        Self { element }
    }

    /// The tree behind the view.
    pub fn element(self) -> NodeRef<'a> {
        self.element
    }

    /// Returns the source of its data; `None` for an empty drive.
    pub fn source(self) -> Option<DiskSource<'a>> {
        let source = self.element.child("source")?;
        match self.element.attr("type").unwrap_or("file") {
            "file" => source.attr("file").map(DiskSource::File),
            "block" => source.attr("dev").map(DiskSource::Block),
            _ => Some(DiskSource::Other(source)),
        }
    }

    /// Returns the kind of drive for the guest.
    pub fn device(self) -> DiskDevice<'a> {
        match self.element.attr("device") {
            None | Some("disk") => DiskDevice::Disk,
            Some("cdrom") => DiskDevice::Cdrom,
            Some("floppy") => DiskDevice::Floppy,
            Some(other) => DiskDevice::Other(other),
        }
    }

    /// The name the guest is to see, such as `vda`; unique within the domain.
    pub fn target(self) -> Option<&'a str> {
        self.element.child("target")?.attr("dev")
    }

    /// The bus it is on, such as `virtio`: as written, or as the name's prefix has it.
    pub fn bus(self) -> Option<&'a str> {
        let target = self.element.child("target")?;
        if let Some(bus) = target.attr("bus") {
            return Some(bus);
        }
        buses_of(target.attr("dev")?)?.1.first().copied()
    }

    /// The driver's name and the format of the data, such as `qemu` and `qcow2`.
    pub fn driver(self) -> (Option<&'a str>, Option<&'a str>) {
        let driver = self.element.child("driver");
        (driver.and_then(|d| d.attr("name")), driver.and_then(|d| d.attr("type")))
    }

    /// Whether the guest may not write to it; a CD-ROM never can.
    pub fn is_readonly(self) -> bool {
        self.element.child("readonly").is_some() || self.device() == DiskDevice::Cdrom
    }

    /// Whether other domains may use it at the same time.
    pub fn is_shareable(self) -> bool {
        self.element.child("shareable").is_some()
    }
}

/// An `<interface>`.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    element: NodeRef<'a>,
}

/// Network that an interface is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceSource<'a> {
    /// The hypervisor's own user-space network.
    User,
    /// A virtual network of the host.
    Network(Option<&'a str>),
    /// A bridge of the host.
    Bridge(Option<&'a str>),
    /// A device of the host that a script connects.
    Ethernet,
    /// A multicast group that stands for a network.
    Mcast {
        /// The group's address.
        address: Option<&'a str>,
        /// Port of the target.
        port: Option<&'a str>,
    },
    /// The listening end of a TCP tunnel.
    Server {
        /// The address to listen on; without it, all of them.
        address: Option<&'a str>,
        /// The port to listen on.
        port: Option<&'a str>,
    },
    /// The connecting end of a TCP tunnel.
    Client {
        /// The server's address.
        address: Option<&'a str>,
        /// The server's port.
        port: Option<&'a str>,
    },
    /// One of libvirt's later types, such as `direct` or `hostdev`.
    Other(&'a str),
}

impl<'a> Interface<'a> {
    pub(crate) fn new(element: NodeRef<'a>) -> Self {
        Self { element }
    }

    /// The tree behind the view.
    pub fn element(self) -> NodeRef<'a> {
        self.element
    }

    /// Returns the network that it is connected to.
    pub fn source(self) -> InterfaceSource<'a> {
        let source = |key| self.element.child("source").and_then(|s| s.attr(key));
        let (address, port) = (source("address"), source("port"));
        match self.element.attr("type").unwrap_or("user") {
            "user" => InterfaceSource::User,
            "network" => InterfaceSource::Network(source("network")),
            "bridge" => InterfaceSource::Bridge(source("bridge")),
            "ethernet" => InterfaceSource::Ethernet,
            "mcast" => InterfaceSource::Mcast { address, port },
            "server" => InterfaceSource::Server { address, port },
            "client" => InterfaceSource::Client { address, port },
            other => InterfaceSource::Other(other),
        }
    }

    /// The MAC address as written.
    pub fn mac_text(self) -> Option<&'a str> {
        self.element.child("mac")?.attr("address")
    }

    /// The MAC address, if there is a valid one.
    pub fn mac(self) -> Option<Mac> {
        Mac::parse(self.mac_text()?)
    }

    /// The address the guest is expected to use.
    pub fn ip(self) -> Option<&'a str> {
        self.element.child("ip")?.attr("address")
    }

    /// The script that connects the host's end.
    pub fn script(self) -> Option<&'a str> {
        self.element.child("script")?.attr("path")
    }

    /// The name of the host's end.
    pub fn target(self) -> Option<&'a str> {
        self.element.child("target")?.attr("dev")
    }

    /// The model the guest sees, such as `virtio`.
    pub fn model(self) -> Option<&'a str> {
        self.element.child("model")?.attr("type")
    }
}

/// A `<console>`.
#[derive(Clone, Copy, Debug)]
pub struct Console<'a> {
    element: NodeRef<'a>,
}

impl<'a> Console<'a> {
    pub(super) fn new(element: NodeRef<'a>) -> Self {
        Self { element }
    }

    /// Returns the type of the host's end; `pty` by default.
    pub fn kind(self) -> &'a str {
        self.element.attr("type").unwrap_or("pty")
    }

    /// The terminal of a running domain.
    pub fn tty(self) -> Option<&'a str> {
        self.element.attr("tty")
    }
}

/// A `<graphics>`.
#[derive(Clone, Copy, Debug)]
pub struct Graphics<'a> {
    element: NodeRef<'a>,
}

impl<'a> Graphics<'a> {
    pub(crate) fn new(element: NodeRef<'a>) -> Self {
        Self { element }
    }

    /// The tree behind the view.
    pub fn element(self) -> NodeRef<'a> {
        self.element
    }

    /// Returns the type, such as `vnc` or `sdl`.
    pub fn kind(self) -> Option<&'a str> {
        self.element.attr("type")
    }

    /// The TCP port as written; `-1` leaves the choice to the hypervisor.
    pub fn port(self) -> Option<&'a str> {
        self.element.attr("port")
    }
}
