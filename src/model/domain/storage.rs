//! Storage of a disk, by which two disks are compared.

use std::fmt;
use xmltree::NodeRef;

/// The ports that protocols have where none is written.
const PORTS: [(&str, &str); 7] = [
    ("ftp", "21"),
    ("ftps", "990"),
    ("http", "80"),
    ("https", "443"),
    ("iscsi", "3260"),
    ("nbd", "10809"),
    ("ssh", "22"),
];

/// A place for the bytes of a disk: a file or device of the host, an image in the network, a volume.
/// Equal places are equal texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Storage(String);

impl Storage {
    /// Returns the storage of a `<disk>`, `<backingStore>` or `<mirror>`; `None` for an empty drive, and for
    /// types without a place of their own.
    pub fn of(disk: NodeRef<'_>) -> Option<Self> {
        let source = disk.child("source")?;
        let value = |name| source.attr(name).filter(|value| !value.is_empty());
        let text = match disk.attr("type").unwrap_or("file") {
            "file" => path(value("file")?),
            "block" => path(value("dev")?),
            "dir" => path(value("dir")?),
            "volume" => format!("volume {}/{}", value("pool")?, value("volume")?),
            "network" => network(source)?,
            "nvme" => {
                let address = source.child("address")?;
                let part = |name| address.attr(name).unwrap_or("0").trim_start_matches("0x");
                let [domain, bus, slot, function] = ["domain", "bus", "slot", "function"].map(part);
                let namespace = value("namespace").unwrap_or("1");
                format!("NVMe {domain:0>4}:{bus:0>2}:{slot:0>2}.{function}/{namespace}")
            }
            "vhostvdpa" => path(value("dev")?),
            "vhostuser" => path(value("path")?),
            _ => return None,
        };
        Some(Self(text))
    }

    /// Returns the backing chain of a disk, from the image that is written down to the last base that the
    /// definition has.
    pub fn chain(disk: NodeRef<'_>) -> Vec<Self> {
        let mut places = Vec::new();
        let mut next = Some(disk);
        while let Some(layer) = next {
            places.extend(Self::of(layer));
            next = layer.child("backingStore");
        }
        places
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns a path without redundant parts: `//`, `/./` and a slash at its end.
fn path(text: &str) -> String {
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let root = if text.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

fn network(source: NodeRef<'_>) -> Option<String> {
    let protocol = source.attr("protocol")?;
    let default = PORTS.iter().find(|(of, _)| *of == protocol).map(|(_, port)| *port);
    let host = |host: NodeRef<'_>| match (host.attr("socket"), host.attr("name")) {
        (Some(socket), _) => path(socket),
        (None, name) => {
            let name = name.unwrap_or("localhost").to_ascii_lowercase();
            match host.attr("port").filter(|port| Some(*port) != default) {
                Some(port) => format!("{name}:{port}"),
                None => name,
            }
        }
    };
    let mut hosts: Vec<String> = source.children_named("host").map(host).collect();
    hosts.sort();
    let name = source.attr("name").unwrap_or_default().trim_start_matches('/');
    Some(format!("{protocol}://{}/{name}", hosts.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Element, Limits, parse};

    fn disk(text: &str) -> Element {
        parse(SourceId::NONE, text, &Limits::default()).expect("it is well-formed")
    }

    #[test]
    fn a_place_is_one_text_however_it_is_written() {
        let of = |text: &str| Storage::of(disk(text).node()).map(|s| s.to_string());
        for (text, place) in [
            ("<disk><source file='/a//b/./c/'/></disk>", Some("/a/b/c")),
            ("<disk type='file'><source file='a.img'/></disk>", Some("a.img")),
            ("<disk type='block'><source dev='/dev/vg/x'/></disk>", Some("/dev/vg/x")),
            ("<disk type='file' device='cdrom'><source/></disk>", None),
            ("<disk type='file'/>", None),
            ("<disk type='volume'><source pool='p' volume='v'/></disk>", Some("volume p/v")),
            (
                "<disk type='network'><source protocol='nbd' name='e'><host name='A' port='10809'/></source></disk>",
                Some("nbd://a/e"),
            ),
            (
                "<disk type='network'><source protocol='nbd'><host transport='unix' socket='/s'/></source></disk>",
                Some("nbd:///s/"),
            ),
            (
                "<disk type='network'><source protocol='rbd' name='p/i'><host name='b'/><host name='a' port='6789'/></source></disk>",
                Some("rbd://a:6789,b/p/i"),
            ),
            (
                "<disk type='nvme'><source type='pci' namespace='2'><address domain='0x0000' bus='0x1' slot='0' function='0x0'/></source></disk>",
                Some("NVMe 0000:01:00.0/2"),
            ),
        ] {
            assert_eq!(of(text).as_deref(), place, "{text}");
        }
    }

    #[test]
    fn a_chain_is_what_an_image_is_an_overlay_of() {
        let chain = Storage::chain(disk(
            "<disk type='file'><source file='/s2'/><backingStore type='file'><format type='qcow2'/>\
             <source file='/s1'/><backingStore type='block'><source dev='/dev/base'/><backingStore/>\
             </backingStore></backingStore></disk>",
        ).node());
        let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["/s2", "/s1", "/dev/base"]);
    }
}
