//! Snapshots of a domain, as far as a plan has to know them.

use super::domain::Storage;
use xmltree::NodeRef;

/// A snapshot of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Name of the snapshot.
    pub name: String,
    /// Overlays of an external snapshot, by disk: the image written since, and its base, written before.
    pub overlays: Vec<(Storage, Storage)>,
}

impl Snapshot {
    /// The snapshot of that name, from the host's `<domainsnapshot>`.
    pub fn read(name: &str, document: NodeRef<'_>) -> Self {
        let devices = document.descend(&["domain", "devices"]);
        let base = |target: &str| {
            let mut disks = devices.into_iter().flat_map(|d| d.children_named("disk"));
            let named = |disk: &NodeRef<'_>| {
                disk.child("target").and_then(|t| t.attr("dev")) == Some(target)
            };
            disks.find(named).and_then(Storage::of)
        };
        let disks = document.child("disks").into_iter().flat_map(|d| d.children_named("disk"));
        let external = disks.filter(|disk| disk.attr("snapshot") == Some("external"));
        let overlay = |disk: NodeRef<'_>| Some((Storage::of(disk)?, base(disk.attr("name")?)?));
        Self { name: name.to_owned(), overlays: external.filter_map(overlay).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Element, Limits, parse};

    #[test]
    fn an_external_snapshot_tells_what_is_an_overlay_of_what() {
        let text = "<domainsnapshot><name>s1</name><disks>\
            <disk name='vda' snapshot='external' type='file'><source file='/img/a.s1'/></disk>\
            <disk name='vdb' snapshot='internal'/><disk name='vdc' snapshot='no'/></disks>\
            <domain><devices><disk type='block'><source dev='/dev/vg/a'/><target dev='vda'/></disk>\
            <disk type='file'><source file='/img/b'/><target dev='vdb'/></disk></devices></domain>\
            </domainsnapshot>";
        let document = parse(SourceId::NONE, text, &Limits::default()).expect("it is well-formed");
        let snapshot = Snapshot::read("s1", document.node());
        let pairs: Vec<_> =
            snapshot.overlays.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        assert_eq!(pairs, [("/img/a.s1".to_owned(), "/dev/vg/a".to_owned())]);
        assert_eq!(Snapshot::read("x", Element::new("domainsnapshot").node()).overlays, []);
    }
}
