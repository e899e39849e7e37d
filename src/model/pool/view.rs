//! A pool and where its storage is, read from the tree.

use crate::model::{Uuid, parse_uuid};
use xmltree::NodeRef;

/// A `<pool>` element.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    root: NodeRef<'a>,
}

impl<'a> Pool<'a> {
    /// The view of a document's root.
    pub fn new(root: NodeRef<'a>) -> Self {
        Self { root }
    }

    /// The name.
    pub fn name(self) -> Option<String> {
        self.root.child_text("name")
    }

    /// The UUID, if there is a valid one.
    pub fn uuid(self) -> Option<Uuid> {
        parse_uuid(&self.root.child_text("uuid")?)
    }

    /// The type: `dir`, `logical`, `rbd` or another of libvirt's words.
    pub fn backend(self) -> Option<&'a str> {
        self.root.attr("type")
    }

    /// The element with the directory in which its volumes appear.
    pub fn target(self) -> Option<NodeRef<'a>> {
        self.root.child("target")?.child("path")
    }

    /// Returns the target directory as libvirt writes it: without repeated slashes, and without one at the end.
    pub fn target_path(self) -> Option<String> {
        let written = self.target()?.text();
        let steps: Vec<&str> = written.split('/').filter(|step| !step.is_empty()).collect();
        written.starts_with('/').then(|| format!("/{}", steps.join("/")))
    }

    /// The hosts that serve its storage.
    pub fn hosts(self) -> impl Iterator<Item = NodeRef<'a>> {
        self.root.child("source").into_iter().flat_map(|source| source.children_named("host"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    #[test]
    fn the_view_reads_what_is_there() {
        let read = |text| parse(SourceId::NONE, text, &Limits::default()).unwrap();
        let root = read(
            "<pool type='netfs'><name>nfs</name><uuid>4dea24b3-1d52-d8f3-2516-782e98a23fa0</uuid>\
             <source><host name='a'/><host name='b'/><dir path='/x'/></source>\
             <target><path>/srv//images/</path></target></pool>",
        );
        let pool = Pool::new(root.node());
        assert_eq!(pool.name().as_deref(), Some("nfs"));
        assert!(pool.uuid().is_some());
        assert_eq!(pool.backend(), Some("netfs"));
        assert_eq!(pool.target_path().as_deref(), Some("/srv/images"));
        assert_eq!(pool.hosts().count(), 2);
        let root = read("<pool type='rbd'><source><name>vms</name></source></pool>");
        let pool = Pool::new(root.node());
        assert_eq!((pool.name(), pool.uuid()), (None, None));
        assert_eq!(pool.target_path(), None);
    }
}
