//! A volume and what it stands on, read from the tree.

use crate::model::MemoryError;
use crate::model::memory::memory_bytes;
use xmltree::NodeRef;

/// A `<volume>` element. Its pool is not in it.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'a> {
    root: NodeRef<'a>,
}

impl<'a> Volume<'a> {
    /// The view of a document's root.
    pub fn new(root: NodeRef<'a>) -> Self {
        Self { root }
    }

    /// The name in its pool.
    pub fn name(self) -> Option<String> {
        self.root.child_text("name")
    }

    /// The size that guests see, in bytes, if it is given.
    ///
    /// # Errors
    /// Why what is given cannot be read.
    pub fn capacity(self) -> Option<Result<u64, MemoryError>> {
        self.root.child("capacity").map(size)
    }

    /// The format of the image, if it is given; libvirt takes `raw` for a file of none.
    pub fn format(self) -> Option<&'a str> {
        self.root.child("target")?.child("format")?.attr("type")
    }

    /// The image from which unchanged blocks are read.
    pub fn backing_store(self) -> Option<BackingStore<'a>> {
        self.root.child("backingStore").map(|element| BackingStore { element })
    }
}

/// A size of storage in bytes; without a unit it is in bytes already.
pub(super) fn size(element: NodeRef<'_>) -> Result<u64, MemoryError> {
    memory_bytes(&element.text(), element.attr("unit").unwrap_or("bytes"))
}

/// A `<backingStore>` of a volume.
#[derive(Clone, Copy, Debug)]
pub struct BackingStore<'a> {
    element: NodeRef<'a>,
}

impl<'a> BackingStore<'a> {
    /// The tree behind the view.
    pub fn element(self) -> NodeRef<'a> {
        self.element
    }

    /// Where the image is on the host.
    pub fn path(self) -> Option<String> {
        self.element.child_text("path")
    }

    /// The format of the image, if it is given.
    pub fn format(self) -> Option<&'a str> {
        self.element.child("format")?.attr("type")
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
        let read = |text: &str| parse(SourceId::NONE, text, &Limits::default()).unwrap();
        let root = read(
            "<volume><name>web.qcow2</name><capacity unit='GiB'>2</capacity>\
             <target><format type='qcow2'/></target>\
             <backingStore><path>/b.raw</path><format type='raw'/></backingStore></volume>",
        );
        let volume = Volume::new(root.node());
        assert_eq!(volume.name().as_deref(), Some("web.qcow2"));
        assert_eq!(volume.capacity(), Some(Ok(2 << 30)));
        assert_eq!(volume.format(), Some("qcow2"));
        let backing = volume.backing_store().unwrap();
        assert_eq!((backing.path().as_deref(), backing.format()), (Some("/b.raw"), Some("raw")));
        for (capacity, expected) in [
            ("<capacity>512</capacity>", Ok(512)),
            ("<capacity unit='KB'>3</capacity>", Ok(3000)),
            ("<capacity unit='E'>99</capacity>", Err(MemoryError::TooLarge)),
        ] {
            let text = format!("<volume>{capacity}</volume>");
            let root = read(&text);
            assert_eq!(Volume::new(root.node()).capacity(), Some(expected), "{capacity}");
        }
    }
}
